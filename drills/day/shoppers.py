"""What shoppers do on a day: they order, pay, change their minds, cancel, and bring back. Knows nothing of the hub."""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from random import Random

from drills.day.plan import LAST_MINUTE, Sizes, busy_minute, instant

OWN = "own"
_PLACES = ("DE-BE-101", "DE-HH-200", "DE-BY-803", "DE-NW-506", "DE-SN-041", "AT-9-101", "FR-IDF-750")
_PAID_AT_ONCE, _PAID_LATER = 0.7, 0.9  # the others never pay
_UNPAID_MINUTES = 180  # how long a storefront waits for money
_PACK = 6


@dataclass(frozen=True, slots=True)
class Offer:
    """What a storefront lists: ``takes`` units of these items for one. ``sku``: of the item or bundle."""

    listing: str
    sku: str
    takes: Mapping[str, int]


@dataclass(slots=True)
class Line:
    """Units of one listing."""

    line_id: str
    offer: Offer
    quantity: int
    cancelled: int = 0
    shipped: int = 0
    returned: int = 0
    returned_flawed: int = 0

    @property
    def open(self) -> int:
        return max(self.quantity - self.cancelled - self.shipped, 0)


@dataclass(slots=True)
class Order:
    """``takes``: the key of the hold that became this order, at our own interface."""

    store: str
    number: str
    placed_at: datetime
    lines: list[Line]
    to: str
    paid: bool = False
    cancelled: bool = False
    version: int = 0
    takes: str = ""


# Something happens to an order. Returns: False when that changes nothing.
Change = Callable[[Order], bool]


def _is_told(_order: Order) -> bool:
    return True


def _is_paid(order: Order) -> bool:
    order.paid = not order.cancelled
    return order.paid


def _is_cancelled(order: Order) -> bool:
    """What has not left the house is not wanted any more; the money for it goes back."""
    if order.cancelled:
        return False
    order.cancelled = True
    for line in order.lines:
        line.cancelled += line.open
    return True


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Offers by store; those that are asked for most stand first."""

    offers: Mapping[str, Sequence[Offer]]


def catalogue(random: Random, sizes: Sizes) -> Catalogue:
    """Three storefronts: one with everything, one with part of it in sixpacks, one with bundles."""
    skus = [f"SKU-{nth:05d}" for nth in range(sizes.items)]
    random.shuffle(skus)
    plain = [Offer(f"p-{sku}", sku, {sku: 1}) for sku in skus]
    packs = [Offer(f"six-{sku}", sku, {sku: _PACK}) for sku in skus[sizes.popular :][: sizes.packs]]
    asked_for = skus[: sizes.popular * 3]
    bundles = [
        Offer(f"b-{nth:04d}", f"SET-{nth:04d}", {sku: random.randint(1, 2) for sku in random.sample(asked_for, 3)})
        for nth in range(sizes.bundles)
    ]
    packed = {offer.sku for offer in packs}
    north = [*bundles[: sizes.bundles // 4], *plain[: sizes.popular], *bundles[sizes.bundles // 4 :]]
    return Catalogue(
        {
            "north": [*north, *plain[sizes.popular :]],
            "south": [*packs, *(offer for offer in plain[: sizes.items // 2] if offer.sku not in packed)],
            "west": plain[: max(sizes.items // 5, 10)],
        }
    )


@dataclass(slots=True)
class Shoppers:
    """All orders of the day; ``changes`` plays what became of them up to some minute."""

    random: Random
    sizes: Sizes
    catalogue: Catalogue
    orders: dict[str, Order] = field(default_factory=dict)
    _events: list[tuple[float, int, Change, Order]] = field(default_factory=list)
    _weights: dict[str, list[float]] = field(default_factory=dict)
    _drawn: int = 0

    def __post_init__(self) -> None:
        for store, offers in self.catalogue.offers.items():
            self._weights[store] = list(accumulate(1 / (nth + 30) for nth in range(len(offers))))
        for nth in range(self.sizes.orders - self.sizes.carts // 2):
            store = self.random.choices(("north", "south", "west"), (6, 3, 1))[0]
            self._draw(store, f"{store}-{nth:05d}", busy_minute(self.random))

    def buy(self, store: str, number: str, minute: float) -> Order:
        """Somebody's order, as it will be placed."""
        offers = self.random.choices(
            self.catalogue.offers[store],
            cum_weights=self._weights[store],
            k=self.random.choices((1, 2, 3, 4), (5, 4, 2, 1))[0],
        )
        lines = [
            Line(f"{nth}", offer, self.random.choices((1, 2, 3), (8, 2, 1))[0])
            for nth, offer in enumerate({offer.listing: offer for offer in offers}.values())
        ]
        return Order(store, number, instant(minute), lines, self.random.choice(_PLACES))

    def add(self, order: Order, minute: float) -> None:
        """An order that exists from this minute on, paid."""
        order.paid = True
        self.orders[order.number] = order
        self._at(minute, _is_told, order)

    def changes(self, until: float) -> Iterator[Order]:
        """Orders as they stand after each change, one after another; each is only right until the next is asked for."""
        while self._events and self._events[0][0] < until:
            _, _, change, order = heapq.heappop(self._events)
            if change(order):
                order.version += 1
                yield order

    def were_sent(self, order: Order, units: Mapping[str, int], minute: float) -> bool:
        """So many of each line have been sent in all; buyers sometimes bring some back. Returns: False for no news."""
        before = [line.shipped for line in order.lines]
        for line in order.lines:
            line.shipped = units.get(line.line_id, 0)
        if before == [line.shipped for line in order.lines]:
            return False
        self._at(minute, _is_told, order)
        if self.random.random() < 0.03:
            self._at(minute + self.random.uniform(30, 240), self._bring_back, order)
        return True

    def _at(self, minute: float, change: Change, order: Order) -> None:
        self._drawn += 1
        heapq.heappush(self._events, (minute, self._drawn, change, order))

    def _draw(self, store: str, number: str, minute: float) -> None:
        order = self.orders[number] = self.buy(store, number, minute)
        self._at(minute, _is_told, order)
        fate = self.random.random()
        if fate < _PAID_AT_ONCE:
            order.paid = True
        elif fate < _PAID_LATER:
            self._at(minute + self.random.uniform(2, 120), _is_paid, order)
        else:
            self._at(minute + _UNPAID_MINUTES, _is_cancelled, order)
        if self.random.random() < 0.05:
            self._at(minute + self.random.uniform(1, 40), self._edit, order)
        if self.random.random() < 0.04:
            self._at(minute + self.random.uniform(5, 200), _is_cancelled, order)

    def _edit(self, order: Order) -> bool:
        """One unit more, or one less."""
        line = self.random.choice(order.lines)
        if order.cancelled or not line.open:
            return False
        if self.random.random() < 0.5:
            line.quantity += 1
        else:
            line.cancelled += 1
        return True

    def _bring_back(self, order: Order) -> bool:
        line = self.random.choice(order.lines)
        if line.returned >= line.shipped:
            return False
        line.returned += 1
        line.returned_flawed += self.random.random() < 0.3
        return True


def cart_minutes(random: Random, sizes: Sizes) -> list[float]:
    """When somebody puts things into a cart at our own interface."""
    return sorted(min(busy_minute(random), LAST_MINUTE - 60) for _ in range(sizes.carts))
