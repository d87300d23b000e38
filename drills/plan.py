"""The script of a day at three shops: who buys, pays, ships and cancels what, when, and what is in stock at opening.

Pure: the same input and seed make the same plan. Everything random is drawn from texts that begin with the seed.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from random import Random

from drills.orders_file import Invoice, OrdersFile

SHARE_SOLD_OUT = 0.04
HOT_SOLD_OUT = 4
HOT = 20
MODEST_UNITS = range(4, 81)
MODEST_ORDERS = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """``quantity`` >= 1 sale units of an item."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Checkout:
    """A shopper orders at a shop; ``reference`` is the plan's own name for the order."""

    shop: str
    reference: str
    lines: Sequence[Wanted]
    paid: bool = True


@dataclass(frozen=True, slots=True)
class Pay:
    reference: str


@dataclass(frozen=True, slots=True)
class Fulfil:
    reference: str


@dataclass(frozen=True, slots=True)
class Undo:
    """Units of some earlier order come back; which one is decided when it is known what the shops really sold."""

    reference: str
    lines: Sequence[Wanted]


Act = Checkout | Pay | Fulfil | Undo


@dataclass(frozen=True, slots=True)
class Step:
    """``at_s``: seconds after the first step may begin."""

    at_s: float
    act: Act


@dataclass(frozen=True, slots=True)
class Product:
    """``stock`` is the number that every shop opens with, of one and the same goods."""

    sku: str
    title: str
    stock: int


@dataclass(frozen=True, slots=True)
class Plan:
    """``sells_out``: the SKUs whose stock is smaller than what is wanted in all; of all others more is there."""

    products: Sequence[Product]
    steps: Sequence[Step]
    sells_out: frozenset[str]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that each act takes, and each line of it besides."""

    act_s: float
    line_s: float

    def gap_s(self, act: Act) -> float:
        lines = len(act.lines) if isinstance(act, Checkout | Undo) else 1
        return self.act_s + self.line_s * lines


# About 1,000 orders and cancellations of 22,400 lines in 125 s, half of the time for orders and half for their lines.
FILE_PACE = Pace(act_s=0.062, line_s=0.0028)
# About 300 acts of 900 lines in 40 s.
SEEDED_PACE = Pace(act_s=0.09, line_s=0.014)


def from_file(orders: OrdersFile, shops: Sequence[str], seed: int, speed: float = 1.0) -> Plan:
    """Replay a file: each invoice at the shop that a hash of its number deals it to.

    Invoices follow each other in the order of the file, evenly in time but for a larger gap after a larger one, so that
    no second has far more lines than another; the whole real file takes about 125 s at ``speed`` 1.
    """
    acts = [_act_of(invoice, shops) for invoice in orders.invoices]
    titles: dict[str, str] = {}
    for line in (line for invoice in orders.invoices for line in invoice.lines):
        titles[line.sku] = titles.get(line.sku) or line.title
    return _plan(acts, titles, seed, FILE_PACE, speed)


def from_seed(seed: int, shops: Sequence[str], orders: int | None = None, items: int = 400, speed: float = 1.0) -> Plan:
    """Shoppers of our own: few items sell much and many little, as Zipf found of words; about 40 s for 240 orders.

    Some orders are paid late, some shipped, a few cancelled in whole or part.
    """
    number = 240 if orders is None else orders
    skus = [f"DEMO-{rank:03d}" for rank in range(1, items + 1)]
    checkouts = list(_shoppers(Random(f"{seed}/shoppers"), skus, shops, number))
    scarce = _sells_out(checkouts, seed)
    acts = list(_with_later_acts(Random(f"{seed}/later"), checkouts, scarce))
    titles = {sku: f"Demo item {sku.removeprefix('DEMO-')}" for sku in skus}
    return _plan(acts, titles, seed, SEEDED_PACE, speed)


def shop_of(reference: str, shops: Sequence[str]) -> str:
    """The shop an order is dealt to: the same on every machine and in every run."""
    return shops[_hash(reference) % len(shops)]


def _act_of(invoice: Invoice, shops: Sequence[str]) -> Act:
    lines = tuple(Wanted(line.sku, line.quantity) for line in invoice.lines)
    if invoice.is_cancellation:
        return Undo(invoice.number, lines)
    return Checkout(shop_of(invoice.number, shops), invoice.number, lines)


def _plan(acts: Sequence[Act], titles: Mapping[str, str], seed: int, pace: Pace, speed: float) -> Plan:
    checkouts = [act for act in acts if isinstance(act, Checkout)]
    scarce = _sells_out(checkouts, seed)
    demand = _demand(checkouts)
    products = [
        Product(sku, title or sku, _opening(sku, demand[sku], sku in scarce, seed)) for sku, title in titles.items()
    ]
    starts = accumulate((pace.gap_s(act) / speed for act in acts), initial=0.0)
    return Plan(products, [Step(at_s, act) for at_s, act in zip(starts, acts, strict=False)], scarce)


def _demand(checkouts: Iterable[Checkout]) -> Counter[str]:
    demand: Counter[str] = Counter()
    for act in checkouts:
        for line in act.lines:
            demand[line.sku] += line.quantity
    return demand


def _sells_out(checkouts: Sequence[Checkout], seed: int) -> frozenset[str]:
    """The items that sell out: 4 % of those that are wanted at all, drawn by a hash of seed and SKU.

    A few come from the most ordered ones, where shops race for the last units; the rest from those that are wanted in
    several orders and moderate numbers.
    """
    demand, orders = _demand(checkouts), Counter(sku for act in checkouts for sku in {line.sku for line in act.lines})
    wanted = round(SHARE_SOLD_OUT * len(demand))
    drawn = sorted((sku for sku in demand if orders[sku] >= MODEST_ORDERS), key=lambda sku: _hash(f"{seed}/{sku}"))
    hottest = sorted(drawn, key=lambda sku: (-orders[sku], sku))[:HOT]
    hot = [sku for sku in drawn if sku in hottest][: min(HOT_SOLD_OUT, wanted)]
    modest = [sku for sku in drawn if demand[sku] in MODEST_UNITS and sku not in hot]
    return frozenset([*hot, *modest[: wanted - len(hot)]])


def _opening(sku: str, demand: int, is_scarce: bool, seed: int) -> int:
    """Between 40 % and 80 % of what is wanted of a scarce item (>= 1); of others all of it and some more."""
    luck = Random(f"{seed}/opening/{sku}")
    if is_scarce:
        return max(int(demand * luck.uniform(0.4, 0.8)), 1)
    return demand + 3 + int(demand * luck.uniform(0, 0.25))


def _shoppers(luck: Random, skus: Sequence[str], shops: Sequence[str], orders: int) -> Iterator[Checkout]:
    weights = list(accumulate(1 / rank for rank in range(1, len(skus) + 1)))
    for number in range(1, orders + 1):
        chosen = luck.choices(skus, cum_weights=weights, k=luck.randint(1, 6))
        lines = tuple(Wanted(sku, luck.choice((1, 1, 1, 2, 2, 3))) for sku in chosen)
        reference = f"S-{number:04d}"
        yield Checkout(shop_of(reference, shops), reference, lines)


def _with_later_acts(luck: Random, checkouts: Sequence[Checkout], scarce: frozenset[str]) -> Iterator[Act]:
    """The orders with what happens to some of them some orders later.

    Late payments and shipments meet only orders whose items stay in stock: BigCommerce does not hold units of an unpaid
    order, so it may sell them twice all by itself, and units that were never there cannot be shipped.
    """
    later: defaultdict[int, list[Act]] = defaultdict(list)
    for place, order in enumerate(checkouts):
        fate, due = luck.random(), place + luck.randint(5, 25)
        lasting = not any(line.sku in scarce for line in order.lines)
        paid_late = lasting and fate < 0.10
        if paid_late:
            later[due].append(Pay(order.reference))
        elif lasting and fate < 0.22:
            later[due].append(Fulfil(order.reference))
        elif 0.22 <= fate < 0.28:
            undone = order.lines if luck.random() < 0.5 else order.lines[:1]
            later[due].append(Undo(f"C-{order.reference}", undone))
        yield replace(order, paid=not paid_late)
        yield from later.pop(place, ())
    for due in sorted(later):
        yield from later[due]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
