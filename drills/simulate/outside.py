"""The outside model: counts units by what was brought, shipped and brought back, and shares no code with the core.

What exists is computed from facts of the outside world alone, as far as the hub has been told of them: a receipt counts
once its document stands, an order counts in the version that was applied. Two things only the ledger can know are read
from its documents: goods that left although it knew none (found), and whether written-off units were there to break.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from drills.simulate.shop import Shop

_UNITS = """
    SELECT i.sku,
        (SELECT coalesce(sum(b.free), 0)::bigint FROM sales_balance b WHERE b.item_id = i.id),
        (SELECT coalesce(sum(p.live), 0)::bigint FROM promise p WHERE p.item_id = i.id),
        (SELECT coalesce(sum(CASE 'available' WHEN m.to_bucket THEN m.quantity WHEN m.from_bucket THEN -m.quantity END),
            0)::bigint FROM movement m JOIN document d ON d.id = m.document_id
            WHERE m.item_id = i.id AND m.layer = 'warehouse' AND d.kind IN ('found', 'damage', 'mend'))
    FROM item i
"""
_RECEIPTS = "SELECT effect_key FROM document WHERE kind = 'receipt'"
_VERSIONS = "SELECT s.name, o.external_id, o.version FROM store_order o JOIN store s ON s.id = o.store_id"
_LINES = """
    SELECT s.name, o.external_id, l.external_line_id, coalesce(p.waiting + p.live, 0), coalesce(p.shipped, 0),
        l.returned, coalesce(p.deducted, false)
    FROM store_order o JOIN store s ON s.id = o.store_id JOIN order_line l ON l.order_id = o.id
    LEFT JOIN promise p ON p.order_line_id = l.id
"""
_LEFT = """
    SELECT 'work: ' || topic || ' ' || subject || ' ' || reason FROM work
        WHERE dead_at IS NOT NULL OR topic IN ('order', 'push', 'full_sync')
    UNION ALL SELECT 'a hold that ran out' FROM promise WHERE expires_at <= %(now)s AND live > 0
"""
_POLLED = "SELECT name, polled_until FROM store WHERE NOT blind"
_EVERYTHING = [
    "SELECT t::text FROM document t ORDER BY 1",
    "SELECT t::text FROM movement t ORDER BY 1",
    "SELECT t::text FROM promise t ORDER BY 1",
    "SELECT t::text FROM store_order t ORDER BY 1",
    "SELECT t::text FROM sales_balance t ORDER BY 1",
    "SELECT t::text FROM warehouse_balance t ORDER BY 1",
]


@dataclass(frozen=True, slots=True)
class Stand:
    """Units of one item: those that exist, and what the ledger makes of them."""

    sku: str
    exist: int
    free: int
    promised: int


class OutsideModel:
    """``packs``: per shop and SKU, the units of the item that one unit of the listing takes."""

    def __init__(
        self, database: psycopg.Connection[Any], shops: Mapping[str, Shop], packs: Mapping[tuple[str, str], int]
    ) -> None:
        self._database, self._shops, self._packs = database, shops, packs
        self.receipts: dict[str, tuple[str, int]] = {}
        self.oversold = 0

    def stands(self) -> list[Stand]:
        exist: Counter[str] = Counter()
        for (key,) in self._rows(_RECEIPTS):
            sku, units = self.receipts[key]
            exist[sku] += units
        for shop, number, version in self._rows(_VERSIONS):
            for sku, shipped, returned in self._shops[shop].past.get((number, version), {}).values():
                exist[sku] += (returned - shipped) * self._packs[shop, sku]
        return [Stand(sku, exist[sku] + found, free, promised) for sku, free, promised, found in self._rows(_UNITS)]

    def check(self) -> Iterator[str]:
        """What is wrong at this moment; remembers the most units that were promised and do not exist."""
        oversold = 0
        for stand in self.stands():
            oversold += max(stand.promised - stand.exist, 0)
            if stand.promised + stand.free != stand.exist:
                yield f"{stand.sku}: {stand.exist} exist, {stand.promised} are promised and {stand.free} free"
        self.oversold = max(self.oversold, oversold)

    def left(self, now: datetime) -> list[str]:
        """What is still under way, by name; empty at rest."""
        left = [str(what) for (what,) in self._rows(_LEFT, now=now)]
        polled = dict(self._rows(_POLLED))
        for name, shop in self._shops.items():
            last = max((order.changed_at for order in shop.orders.values()), default=None)
            until = polled.get(name)
            if last is not None and (until is None or until <= last):
                left.append(f"{name} is not polled since its last order")
            if shop.writes_pending:
                left.append(f"{shop.writes_pending} writes that {name} has not done")
        return left

    def judge(self, sharing: str) -> Iterator[str]:
        """At rest: orders that were lost, effects that were doubled, and numbers beyond what may be sold.

        ``sharing``: "mirror" shows all free units everywhere, "escrow" shows each in one shop, "adaptive" either.
        """
        yield from self._lines()
        for stand in self.stands():
            shown = {name: self._shown(shop, stand.sku) for name, shop in self._shops.items()}
            for name, units in shown.items():
                pack = self._packs[name, stand.sku]
                should = stand.free - stand.free % pack
                if units > should or (sharing == "mirror" and units != should):
                    yield f"{name} has {units} units of {stand.sku} on sale and may sell {should}"
            if sharing == "escrow" and sum(shown.values()) > stand.free:
                yield f"{shown} units of {stand.sku} are on sale; {stand.free} are free"

    def _shown(self, shop: Shop, sku: str) -> int:
        """Units of the item on sale."""
        product = shop.products[sku]
        return (product.number - product.withheld) * self._packs[shop.name, sku]

    def _lines(self) -> Iterator[str]:
        recorded = {(shop, order, line): rest for shop, order, line, *rest in self._rows(_LINES)}
        for name, shop in self._shops.items():
            for order in shop.orders.values():
                for line in order.lines:
                    pack = self._packs[name, line.sku]
                    owed = 0 if order.is_deleted else line.open * pack
                    truth = [owed, line.shipped * pack, line.returned * pack, order.paid or line.shipped > 0]
                    found = recorded.pop((name, order.number, line.line_id), None)
                    nothing = order.is_deleted or not line.quantity
                    if found is None and not nothing:
                        yield f"{name} order {order.number}, line {line.line_id} was lost"
                    if found is not None and (found[:3] != truth[:3] or (owed and found[3] != truth[3])):
                        yield f"{name} order {order.number}, line {line.line_id}: {truth} became {found}"
        for (shop_name, order_number, line_id), found in recorded.items():
            if found[0]:
                yield f"{shop_name} order {order_number} has no line {line_id}, which holds {found[0]}"

    def story(self) -> str:
        """All that the ledger holds, for the journal."""
        return "\n".join(row for statement in _EVERYTHING for (row,) in self._rows(statement))

    def _rows(self, statement: str, **values: object) -> Sequence[Any]:
        return self._database.execute(statement.encode(), values or None).fetchall()
