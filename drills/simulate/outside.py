"""The outside model: counts units by what was brought, shipped and brought back, and shares no code with the core.

What exists, and what is on its way, is computed from facts of the outside world alone, as far as the hub has been told
of them: a receipt counts once its document stands, an order counts in the version that was applied, or by the parcels
of it that left our warehouses. Things only the ledger can know are read from it: goods that left although it knew none
(found), whether written-off units were there to break, how many of those on their way it sells already, and what it
booked of counts, which those who counted look after. What was told by mistake and is taken back is told as its
opposite.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import psycopg

from drills.simulate.shop import Line, Order, Shop

_OWN = "own"
_UNITS = """
    SELECT split_part(i.sku, '~', 1),
        (SELECT coalesce(sum(b.free), 0)::bigint FROM sales_balance b JOIN pool p ON p.id = b.pool_id
            WHERE b.item_id = i.id AND p.kind <> 'presale'),
        (SELECT coalesce(sum(p.live), 0)::bigint FROM promise p WHERE p.item_id = i.id AND NOT p.presale),
        (SELECT coalesce(sum(CASE 'available' WHEN m.to_bucket THEN m.quantity WHEN m.from_bucket THEN -m.quantity END),
            0)::bigint FROM movement m JOIN document d ON d.id = m.document_id
            WHERE m.item_id = i.id AND m.layer = 'warehouse' AND d.kind IN ('found', 'damage', 'mend', 'missing')
                AND (d.order_id IS NOT NULL OR d.effect_key ~ '^(stocktake|mirror|shelf)/')),
        (SELECT coalesce(sum(w.available + w.picking), 0)::bigint FROM warehouse_balance w WHERE w.item_id = i.id),
        coalesce(d.incoming_sellable, 0)::bigint, coalesce(d.incoming, 0)::bigint
    FROM item i LEFT JOIN LATERAL (SELECT sum(incoming_sellable) AS incoming_sellable, sum(incoming) AS incoming
        FROM dispatch_balance WHERE item_id = i.id) d ON true
    WHERE i.kind <> 'bundle'
"""
# What was told under which key: acts on papers and records have their id before it.
_CHANGES = """
    SELECT CASE kind WHEN 'purchase' THEN 'place/' || reason
        ELSE regexp_replace(effect_key, '^(purchase|transfer|inspection)/[0-9]+/', '') END
    FROM document WHERE kind IN ('receipt', 'found', 'missing', 'damage', 'mend', 'set_apart', 'inspection', 'split',
        'purchase', 'purchase_cut', 'transfer', 'lost', 'return', 'assembly', 'reversal')
        AND effect_key !~ '^(stocktake|mirror|shelf)/'
        AND (order_id IS NULL OR effect_key ~ '^(purchase|transfer|reversal)/')"""
_PARCELS = "SELECT effect_key FROM document WHERE kind = 'shipment' AND effect_key LIKE 'packed-%%'"
_MERGED = """
    SELECT split_part(i.sku, '~', 1) FROM document d JOIN item i ON i.id = split_part(d.effect_key, '/', 2)::bigint
    WHERE d.kind = 'merge' ORDER BY d.id"""
_VERSIONS = """
    SELECT coalesce(s.name, 'own'), o.external_id, o.version FROM store_order o
    LEFT JOIN store s ON s.id = o.store_id"""
# Lines of the own shop are known by their id and by what they sell.
_LINES = """
    SELECT coalesce(s.name, 'own'), o.external_id, split_part(l.external_line_id, ':', 1), l.returned,
        split_part(i.sku, '~', 1),
        coalesce(sum(p.waiting + p.live), 0)::bigint, coalesce(sum(p.shipped), 0)::bigint,
        coalesce(bool_and(p.deducted) FILTER (WHERE p.waiting + p.live > 0), false)
    FROM store_order o LEFT JOIN store s ON s.id = o.store_id JOIN order_line l ON l.order_id = o.id
    LEFT JOIN promise p ON p.order_line_id = l.id LEFT JOIN item i ON i.id = p.item_id GROUP BY 1, 2, 3, 4, 5
"""
_LEFT = """
    SELECT 'work: ' || topic || ' ' || subject || ' ' || reason FROM work
        WHERE dead_at IS NOT NULL OR topic IN ('order', 'push', 'full_sync')
            OR topic IN ('pools', 'dispatch') AND due_at <= %(now)s
    UNION ALL SELECT 'a hold that ran out' FROM promise WHERE expires_at <= %(now)s AND live + waiting > 0
    UNION ALL SELECT 'lock ' || key || ' whose time is over' FROM lock
        WHERE status = 'active' AND expires_at <= %(now)s
    UNION ALL SELECT 'lock ' || key || ' whose time has come' FROM lock
        WHERE status = 'approved' AND starts_at <= %(now)s
"""
# What orders of a store may have now: what everybody shares, and what is set apart for the store or for all.
_ON_SALE = """
    SELECT s.name, split_part(i.sku, '~', 1), coalesce(sum(b.free), 0)::bigint FROM store s CROSS JOIN item i
    JOIN sales_balance b ON b.item_id = i.id JOIN pool p ON p.id = b.pool_id
    WHERE b.grade = 'good' AND p.closed_at IS NULL AND coalesce(p.starts_at <= %(now)s, true)
        AND coalesce(p.ends_at > %(now)s, true) AND CASE WHEN p.kind = 'lock' THEN NOT p.pure AND p.store_id = s.id
            WHEN p.kind = 'shared' THEN coalesce((SELECT bool_or(l.overflow = 'yes')
                FROM lock l JOIN pool o ON o.id = l.id WHERE l.item_id = i.id AND l.status = 'active'
                  AND o.store_id = s.id AND NOT o.pure
                  AND coalesce(o.starts_at <= %(now)s, true) AND coalesce(o.ends_at > %(now)s, true)), true)
            ELSE coalesce(p.store_id = s.id, true) END GROUP BY 1, 2
"""
_ALL_FREE = """
    SELECT split_part(i.sku, '~', 1), sum(b.free)::bigint FROM item i
    JOIN sales_balance b ON b.item_id = i.id AND b.grade = 'good' GROUP BY 1"""
_POLLED = "SELECT name, polled_until FROM store WHERE NOT blind"
_EVERYTHING = [
    "SELECT t::text FROM document t ORDER BY 1",
    "SELECT t::text FROM movement t ORDER BY 1",
    "SELECT t::text FROM promise t ORDER BY 1",
    "SELECT t::text FROM store_order t ORDER BY 1",
    "SELECT t::text FROM sales_balance t ORDER BY 1",
    "SELECT t::text FROM warehouse_balance t ORDER BY 1",
    "SELECT t::text FROM dispatch_balance t ORDER BY 1",
    "SELECT t::text FROM fulfilment_line t ORDER BY 1",
    "SELECT t::text FROM stocktake_line t ORDER BY 1",
    "SELECT t::text FROM set_apart t ORDER BY 1",
    "SELECT t::text FROM mirror_message t ORDER BY 1",
]


@dataclass(frozen=True, slots=True)
class Change:
    """Units of an item that are there from now on (below 0: no more), and that are on their way."""

    sku: str
    there: int
    coming: int = 0

    @property
    def opposite(self) -> "Change":
        return Change(self.sku, -self.there, -self.coming)


class Place(NamedTuple):
    """An item on a line of an order."""

    shop: str
    number: str
    line_id: str
    sku: str


@dataclass(frozen=True, slots=True)
class Parcel:
    """Units that leave one of our warehouses."""

    place: Place
    units: int


@dataclass(frozen=True, slots=True)
class Stand:
    """Units of one item: those that exist and that are on their way, and what the ledger makes of them.

    ``counted``: units on their way that it sells already; ``awaited``: the others.
    """

    sku: str
    exist: int
    coming: int
    free: int
    promised: int
    in_bins: int
    counted: int
    awaited: int


# Per shop and SKU of a listing: the units of which items one unit of the listing takes.
Takes = Mapping[tuple[str, str], Mapping[str, int]]


class OutsideModel:
    """``told``: what a document that stands has changed outside, by the key that it was told under.

    ``parcels``: what left our warehouses, the same way. ``joined``: items that are a part of others once that stands.
    ``answered``: keys of all these of which somebody was told that they are done.
    ``own``: the merchant's own shop, which shows no number.
    """

    def __init__(
        self, database: psycopg.Connection[Any], shops: Mapping[str, Shop], takes: Takes, own: Shop | None = None
    ) -> None:
        self._database, self._shops, self._takes = database, shops, takes
        self._tellers = {**shops, **({_OWN: own} if own else {})}
        self.told: dict[str, Sequence[Change]] = {}
        self.parcels: dict[str, Parcel] = {}
        self.joined: dict[str, str] = {}
        self.answered: set[str] = set()
        self.oversold = 0

    def tell(self, key: str, *changes: Change) -> None:
        self.told[key] = changes

    def stands(self) -> list[Stand]:
        rows, sent = self._rows(_UNITS), self._sent()
        exist, coming = Counter[str](), Counter[str]()
        for sku, _, _, found, *_ in rows:
            exist[sku] += found
        for (key,) in self._rows(_CHANGES):
            for change in self.told[key]:
                exist[change.sku] += change.there
                coming[change.sku] += change.coming
        for parcel, units in sent.items():
            exist[parcel.sku] -= units
        for shop, number, version in self._rows(_VERSIONS):
            for line_id, (sku, shipped, returned) in self._tellers[shop].past.get((number, version), {}).items():
                for item, per in self._takes[shop, sku].items():
                    known = sent[Place(shop, number, line_id, item)]
                    exist[item] += returned * per - max(shipped * per - known, 0)
        for (sku,) in self._rows(_MERGED):
            exist[self.joined[sku]] += exist.pop(sku, 0)
        return [
            Stand(sku, exist[sku], coming[sku], free, promised, in_bins, counted, awaited)
            for sku, free, promised, _, in_bins, counted, awaited in rows
        ]

    def whole_units_left(self, shop: str, number: str, line: Line) -> int:
        """Units of a line, as its shop sells them, of which every part has left in our parcels."""
        sent = self._sent()
        takes = self._takes[shop, line.sku]
        return min(sent[Place(shop, number, line.line_id, item)] // per for item, per in takes.items())

    def _sent(self) -> Counter[Place]:
        """Units that left in our parcels."""
        sent = Counter[Place]()
        for (key,) in self._rows(_PARCELS):
            parcel = self.parcels[key]
            sent[parcel.place] += parcel.units
        return sent

    def check(self) -> Iterator[str]:
        """What is wrong at this moment; remembers the most units that were promised and neither exist nor come."""
        oversold = 0
        for stand in self.stands():
            early = min(stand.counted, max(stand.coming, 0))
            oversold += max(stand.promised - stand.exist - early, 0)
            if stand.promised + stand.free != stand.exist + early:
                sold = f" and {early} more are sold on their way" if early else ""
                yield f"{stand.sku}: {stand.exist} exist{sold}, {stand.promised} are promised and {stand.free} free"
            if stand.in_bins != stand.exist:
                yield f"{stand.sku}: {stand.exist} exist, {stand.in_bins} stand in bins"
            if stand.counted + stand.awaited != stand.coming:
                yield f"{stand.sku}: {stand.coming} are on their way, {stand.counted + stand.awaited} are awaited"
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

    def judge(self, sharing: str, now: datetime) -> Iterator[str]:
        """At rest: orders that were lost, effects that were doubled, and numbers beyond what may be sold.

        ``sharing``: "mirror" shows all free units everywhere, "escrow" shows each in one shop, "adaptive" either.
        """
        stand = {key for (key,) in (*self._rows(_CHANGES), *self._rows(_PARCELS))}
        for key in sorted(self.answered - stand):
            yield f"{key} was answered as done, and does not stand"
        yield from self._lines()
        may: dict[tuple[str, str], int] = {(shop, item): n for shop, item, n in self._rows(_ON_SALE, now=now)}
        shown: dict[str, Counter[str]] = {}
        for (name, sku), takes in self._takes.items():
            if name not in self._shops:
                continue
            product = self._shops[name].products[sku]
            number = product.number - product.withheld
            should = min(may.get((name, item), 0) // per for item, per in takes.items())
            if number > should or (sharing == "mirror" and number != should):
                yield f"{name} has {number} of {sku} on sale and may sell {should}"
            for item, per in takes.items():
                shown.setdefault(sku, Counter())[item] += number * per
        free = dict(self._rows(_ALL_FREE))
        for sku, units in shown.items() if sharing == "escrow" else ():
            for item, n in units.items():
                if n > free.get(item, 0):
                    yield f"{n} units of {item} are on sale as {sku}; {free.get(item, 0)} are free"

    def _lines(self) -> Iterator[str]:
        sent = self._sent()
        recorded: dict[tuple[str, str, str], dict[str | None, list[Any]]] = {}
        for shop, number, line_id, returned, item, *rest in self._rows(_LINES):
            recorded.setdefault((shop, number, line_id), {})[item] = [*rest, returned]
        for name, shop in self._tellers.items():
            for order in shop.orders.values():
                for line in order.lines:
                    found = recorded.pop((name, order.number, line.line_id), None)
                    yield from self._line(name, order, line, found, sent)
        for (shop_name, order_number, line_id), parts in recorded.items():
            if held := sum(part[0] for part in parts.values()):
                yield f"{shop_name} order {order_number} has no line {line_id}, which holds {held}"

    def _line(
        self, shop: str, order: Order, line: Line, found: Mapping[str | None, list[Any]] | None, sent: Counter[Place]
    ) -> Iterator[str]:
        """What became of one line, item by item; what came back is counted as the shop sells, in packs or bundles."""
        if found is None:
            if not order.is_deleted and line.quantity:
                yield f"{shop} order {order.number}, line {line.line_id} was lost"
            return
        for item, per in self._takes[shop, line.sku].items():
            untold = max(sent[Place(shop, order.number, line.line_id, item)] - line.shipped * per, 0)
            owed = 0 if order.is_deleted else max(line.open * per - untold, 0)
            truth = [owed, line.shipped * per + untold, order.paid or line.shipped > 0, line.returned]
            got = found.get(item) or [0, 0, truth[2], line.returned]
            if got[:2] != truth[:2] or got[3] != truth[3] or (owed and got[2] != truth[2]):
                yield f"{shop} order {order.number}, line {line.line_id}, {item}: {truth} became {got}"

    def story(self) -> str:
        """All that the ledger holds, for the journal."""
        return "\n".join(row for statement in _EVERYTHING for (row,) in self._rows(statement))

    def _rows(self, statement: str, **values: object) -> Sequence[Any]:
        return self._database.execute(statement.encode(), values or None).fetchall()
