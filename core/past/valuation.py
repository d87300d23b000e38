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
from core.past import history
from core.stock import Layer
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
    on_hand = _on_hand_now(tx, item_ids) if at is None else _on_hand_at(tx, item_ids, at)
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
    before = 0
    for place, units in places.items():
        upto = before + units

        def part(n: int, start: int = before, end: int = upto) -> int:
            return n * end // whole.units - n * start // whole.units

        minor = {currency: part(n) for currency, n in whole.minor.items()}
        yield place, Value(units, part(whole.without_cost), minor)
        before = upto


def _by_average(tx: Transaction, on_hand: Mapping[int, int], at: datetime | None) -> dict[int, Value]:
    rows = tx.run(
        """SELECT c.item_id, c.parts FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT item_id, parts FROM item_cost WHERE merchant_id = :merchant_id AND item_id = k.id
               AND at <= coalesce(CAST(:at AS timestamptz), 'infinity') ORDER BY at DESC, nth DESC LIMIT 1) c""",
        ids=list(on_hand),
        at=at,
    )
    known = {row.item_id: averages.read(row.parts) for row in rows}
    found = {}
    for item_id, units in on_hand.items():
        shares = averages.settled(known.get(item_id, ()), units)
        minor = {one.currency: _whole(one.value) for one in shares if one.currency}
        found[item_id] = Value(units, sum(one.units for one in shares if not one.currency), minor)
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


def _whole(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), ROUND_HALF_UP))


_ON_HAND = """
    SELECT b.item_id, bin.warehouse_id, sum(b.available + b.picking + b.unavailable)::bigint AS units
    FROM warehouse_balance b JOIN bin ON bin.merchant_id = b.merchant_id AND bin.id = b.bin_id
    WHERE b.merchant_id = :merchant_id
      AND (CAST(:ids AS bigint[]) IS NULL OR b.item_id = ANY(CAST(:ids AS bigint[])))
    GROUP BY 1, 2 HAVING sum(b.available + b.picking + b.unavailable) > 0
"""


def _on_hand_now(tx: Transaction, item_ids: Collection[int] | None) -> dict[int, dict[int, int]]:
    """Units by item and warehouse."""
    found: dict[int, dict[int, int]] = {}
    for row in tx.run(_ON_HAND, ids=None if item_ids is None else sorted(item_ids)):
        found.setdefault(row.item_id, {})[row.warehouse_id] = row.units
    return found


def _on_hand_at(tx: Transaction, item_ids: Collection[int] | None, at: datetime) -> dict[int, dict[int, int]]:
    warehouses = {
        row.id: row.warehouse_id for row in tx.run("SELECT id, warehouse_id FROM bin WHERE merchant_id = :merchant_id")
    }
    found: dict[int, dict[int, int]] = {}
    for row in history.balances_at(tx, item_ids, at):
        if row.layer is Layer.WAREHOUSE:
            places = found.setdefault(row.item_id, {})
            place = warehouses[row.place_id]
            places[place] = places.get(place, 0) + sum(row.units.values())
    return {item_id: {place: n for place, n in places.items() if n > 0} for item_id, places in found.items()
            if any(n > 0 for n in places.values())}  # fmt: skip


def _names(tx: Transaction, table: str, column: str, ids: Collection[int]) -> dict[int, str]:
    rows = tx.run(
        f"""SELECT n.id, n.name FROM unnest(CAST(:ids AS bigint[])) k (id) CROSS JOIN LATERAL
                (SELECT id, {column} AS name FROM {table} WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) n""",
        ids=sorted(ids),
    )
    return {row.id: row.name for row in rows}
