"""What the goods on hand are worth, now or at an instant, by item and warehouse: by what was noted when they came.

Never adds sums of two currencies. Units whose cost nobody noted are counted apart. Goods on their way between
warehouses count again when they arrive.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from core.goods import averages, layers
from core.goods.averages import Shares
from core.past import shelves
from core.transaction import Transaction


class Method(StrEnum):
    """``AVERAGE``: moving weighted average, see ``core.goods.averages``; ``FIFO``: see ``core.goods.layers``."""

    AVERAGE = "average"
    FIFO = "fifo"


@dataclass(frozen=True, slots=True)
class Value:
    """``minor``: by currency, in its smallest unit. ``without_cost``: of the ``units``, those that nobody priced."""

    units: int
    without_cost: int
    minor: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ItemValue:
    """An item's goods in one warehouse."""

    item_id: int
    sku: str
    warehouse: str
    value: Value


def values(
    tx: Transaction, *, at: datetime | None = None, method: Method = Method.AVERAGE,
    item_ids: Collection[int] | None = None,
) -> list[ItemValue]:  # fmt: skip
    """By SKU and warehouse, those where goods are. The parts of an item add up to its whole, to the smallest unit.

    Args: at: what was recorded up to then counts; None: now. item_ids: None is all items.
    """
    on_hand = shelves.units(tx, item_ids, at)
    totals = {item_id: sum(places.values()) for item_id, places in on_hand.items()}
    known = _by_average(tx, totals, at) if method is Method.AVERAGE else _by_layers(tx, totals, at)
    skus = _names(tx, "item", "sku", on_hand)
    codes = _names(tx, "warehouse", "code", {place for places in on_hand.values() for place in places})
    found = [
        ItemValue(item_id, skus[item_id], codes[place], value)
        for item_id, places in on_hand.items()
        for place, value in _shared_out(known[item_id], dict(sorted(places.items())))
    ]
    return sorted(found, key=lambda one: (one.sku, one.warehouse))


def total(parts: Collection[Value]) -> Value:
    """All of these together."""
    minor: Counter[str] = Counter()
    for one in parts:
        minor.update(one.minor)
    return Value(sum(one.units for one in parts), sum(one.without_cost for one in parts), dict(sorted(minor.items())))


def _shared_out(whole: Value, places: Mapping[int, int]) -> Iterator[tuple[int, Value]]:
    """An item's value by warehouse, as its units are."""
    minor = {currency: _parts(n, places, whole.units) for currency, n in whole.minor.items()}
    without_cost = _parts(whole.without_cost, places, whole.units)
    for place, units in places.items():
        yield place, Value(units, without_cost[place], {currency: parts[place] for currency, parts in minor.items()})


def _parts(whole: int, weights: Mapping[int, int], total: int) -> dict[int, int]:
    """A sum shared out by weights, which are ``total`` in all: each part is less than 1 off, the parts add up.

    What rounding down leaves goes to the parts that lost most by it.
    """
    parts = {key: whole * weight // total for key, weight in weights.items()}
    lost_most = sorted(weights, key=lambda key: -(whole * weights[key] % total))
    for key in lost_most[: whole - sum(parts.values())]:
        parts[key] += 1
    return parts


def noted(tx: Transaction, item_ids: Collection[int], at: datetime | None = None) -> dict[int, Shares]:
    """What was noted last of each item, now or at an instant; see ``core.goods.averages.settled``. Unknown ones: ()."""
    rows = tx.run(
        """SELECT c.item_id, c.parts FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT item_id, parts FROM item_cost WHERE merchant_id = :merchant_id AND item_id = k.id
               AND at <= coalesce(CAST(:at AS timestamptz), 'infinity') ORDER BY at DESC, nth DESC LIMIT 1) c""",
        ids=sorted(item_ids),
        at=at,
    )
    return dict.fromkeys(item_ids, Shares()) | {row.item_id: averages.read(row.parts) for row in rows}


def unit_costs(tx: Transaction, item_ids: Collection[int]) -> dict[int, dict[str, int]]:
    """By item and currency, its average unit's part in that currency, in millionths of the currency's smallest unit;
    units of which nobody knows the cost, and items without others, are left out.
    """
    found = {}
    last = noted(tx, item_ids)
    for item_id, there in units_on_hand(tx, item_ids).items():
        priced = [one for one in averages.settled(last[item_id], there) if one.currency]
        units = averages.units_of(priced)
        found[item_id] = {one.currency: int(one.value * 1_000_000 / units) for one in priced}
    return found


def units_on_hand(tx: Transaction, item_ids: Collection[int], at: datetime | None = None) -> dict[int, int]:
    """Of the items that are there, now or at an instant."""
    found = shelves.units(tx, item_ids, at)
    return {item_id: sum(places.values()) for item_id, places in found.items()}


def _by_average(tx: Transaction, on_hand: Mapping[int, int], at: datetime | None) -> dict[int, Value]:
    found, last = {}, noted(tx, on_hand, at)
    for item_id, units in on_hand.items():
        parts = averages.settled(last[item_id], units)
        minor = {one.currency: whole(one.value) for one in parts if one.currency}
        without = sum(one.units for one in parts if not one.currency)
        found[item_id] = Value(units, without, minor)
    return found


def _by_layers(tx: Transaction, on_hand: Mapping[int, int], at: datetime | None) -> dict[int, Value]:
    known = layers.covering(tx, on_hand) if at is None else layers.covering(tx, on_hand, at)
    found = {}
    for item_id, units in on_hand.items():
        minor: Counter[str] = Counter()
        for one in known[item_id]:
            if one.minor is not None:
                minor[one.currency] += one.units * one.minor
        without = sum(one.units for one in known[item_id] if one.minor is None)
        found[item_id] = Value(units, without, dict(sorted(minor.items())))
    return found


def whole(value: Decimal) -> int:
    """In the smallest unit of a currency."""
    return int(value.quantize(Decimal(1), ROUND_HALF_UP))


def _names(tx: Transaction, table: str, column: str, ids: Collection[int]) -> dict[int, str]:
    rows = tx.run(
        f"""SELECT n.id, n.name FROM unnest(CAST(:ids AS bigint[])) k (id) CROSS JOIN LATERAL
                (SELECT id, {column} AS name FROM {table} WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) n""",
        ids=sorted(ids),
    )
    return {row.id: row.name for row in rows}
