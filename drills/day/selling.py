"""Orders of storefronts and of our own interface, told to the hub as the jobs and the interface tell them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

from core.command import Command
from core.errors import Refused
from core.model import StoreOrder, StoreOrderLine
from core.orders import own
from core.orders.apply import ApplyOrder
from core.orders.own import OwnLine, OwnOrder
from core.sales.holds import EndHold, ExtendHold, Hold, PayHold
from core.stock import Stocked
from drills.day.count import FLAWED, GOOD, Arrival, Goods
from drills.day.house import House
from drills.day.plan import MERCHANT
from drills.day.shoppers import OWN, Line, Order, Shoppers, cart_minutes

_HOLD = timedelta(minutes=15)


@dataclass(slots=True)
class Selling:
    """Tells the hub what shoppers did, and ends what has run out."""

    house: House
    shoppers: Shoppers
    _carts: list[float] = field(default_factory=list)
    _filled: int = 0
    _seq: "count[int]" = field(default_factory=lambda: count(1))
    _fates: list[tuple[float, str, Command]] = field(default_factory=list)
    _returned: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._carts = cart_minutes(self.house.random, self.house.sizes)

    def tell(self, until: float) -> None:
        """All that shoppers did up to this minute, in the order in which they did it."""
        self._fill_carts(until)
        due = sorted((one for one in self._fates if one[0] < until), key=lambda one: one[:2])
        self._fates = [one for one in self._fates if one[0] >= until]
        self.house.do("hold ended", [(words, act) for _, words, act in due], actor="api_key:1", may_lack=True)
        theirs, ours = list[tuple[str, Command]](), list[OwnOrder]()
        for order in self.shoppers.changes(until):
            self._note_returns(order)
            if order.store == OWN:
                ours.append(_own(order))
            else:
                theirs.append((f"{order.number}/{order.version}", self._apply(order)))
        self.house.do("order told", theirs, actor="job:order")
        if ours:
            with self.house.db.begin(MERCHANT, actor="api_key:1") as tx:
                commands = own.commands(tx, ours)
            told = [(f"{one.number}/{one.version}", command) for one, command in zip(ours, commands, strict=True)]
            self.house.do("order told", told, actor="api_key:1")

    def _apply(self, order: Order) -> ApplyOrder:
        store_id, now = self.house.stores[order.store], self.house.clock.now
        return ApplyOrder(store_id, _state(order), next(self._seq), heard_at=now, ours_since=now)

    def _note_returns(self, order: Order) -> None:
        """What came back since it was told last stands on the shelf again."""
        for line in order.lines:
            key = (order.number, line.line_id)
            good, flawed = self._returned.get(key, (0, 0))
            now = (line.returned - line.returned_flawed, line.returned_flawed)
            for sku, per in line.offer.takes.items() if now != (good, flawed) else ():
                self.house.count.arrives(Goods(sku, GOOD), Arrival((now[0] - good) * per))
                self.house.count.arrives(Goods(sku, FLAWED), Arrival((now[1] - flawed) * per))
                self.house.tally["unit returned"] += sum(now) - good - flawed
            self._returned[key] = now

    # ---- our own interface

    def _fill_carts(self, until: float) -> None:
        """Things are held for whoever is at the till; the hold is paid, given back, kept alive, or runs out."""
        acts = list[tuple[str, Command]]()
        drafts = list[tuple[float, Order]]()
        while self._carts and self._carts[0] < until:
            minute = self._carts.pop(0)
            order = self.shoppers.buy("west", f"own-{len(self._carts):05d}", minute)
            order.store, order.takes = OWN, f"cart-{order.number}"
            wanted = {Stocked(self.house.items[sku]): n for sku, n in _units(order.lines)}
            acts.append((order.takes, Hold(order.takes, wanted, self.house.clock.now + _HOLD)))
            drafts.append((minute, order))
        answers = self.house.do("hold", acts, actor="api_key:1", may_lack=True)
        for (minute, order), answer in zip(drafts, answers, strict=True):
            self._draw_fate(minute, order, is_held=not isinstance(answer, Refused))

    def _draw_fate(self, minute: float, order: Order, *, is_held: bool) -> None:
        """Each second cart becomes an order, also one that could not be held; of the others some run out."""
        random, key = self.house.random, order.takes
        fate, later = random.random(), minute + random.uniform(1, 12)
        self._filled += 1
        if self._filled % 2 == 0:
            if is_held:
                self._fates.append((minute + 0.5, f"payment of {key}", PayHold(key, "started")))
            else:
                order.takes = ""
            self.shoppers.add(order, later)
        elif is_held and fate < 0.3:
            self._fates.append((later, f"end of {key}", EndHold(key)))
        elif is_held and fate < 0.5:
            self._fates.append((later, f"sign of life of {key}", ExtendHold(key)))


def _units(lines: Sequence[Line]) -> Iterator[tuple[str, int]]:
    for line in lines:
        for sku, per in line.offer.takes.items():
            yield sku, per * line.quantity


def _state(order: Order) -> StoreOrder:
    lines = [
        StoreOrderLine(
            line.line_id, line.offer.listing, line.offer.sku, line.offer.sku.title(), line.quantity,
            cancelled=line.cancelled, shipped=line.shipped, returned=line.returned,
            counted=line.quantity - line.cancelled - line.returned, returned_minor_defect=line.returned_flawed,
        )
        for line in order.lines
    ]  # fmt: skip
    word = "cancelled" if order.cancelled else "paid" if order.paid else "open"
    return StoreOrder(
        order.number, f"#{order.number}", word, order.placed_at, str(order.version), True, order.paid, lines,
        destination=order.to,
    )  # fmt: skip


def _own(order: Order) -> OwnOrder:
    lines = tuple(
        OwnLine(
            line_id=line.line_id, sku=line.offer.sku, quantity=line.quantity, cancelled=line.cancelled,
            shipped=line.shipped, returned=line.returned, returned_minor_defect=line.returned_flawed,
        )
        for line in order.lines
    )  # fmt: skip
    return OwnOrder(
        number=order.number, placed_at=order.placed_at, lines=lines, paid=order.paid, version=order.version,
        takes=(order.takes,) if order.takes else (), to=order.to,
    )  # fmt: skip
