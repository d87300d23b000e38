"""The outside count: units by what people did with them. It shares no code with the core, and asks it nothing."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psycopg

GOOD, FLAWED = "good", "minor_defect"


class Goods(NamedTuple):
    """What is counted: an item in one grade."""

    sku: str
    grade: str = GOOD

    @property
    def other(self) -> "Goods":
        return Goods(self.sku, FLAWED if self.grade == GOOD else GOOD)


class Arrival(NamedTuple):
    """Units (>= 0) that came: fit for sale, damaged, and fit in the other grade."""

    good: int = 0
    damaged: int = 0
    regraded: int = 0


@dataclass(slots=True)
class Count:
    """Sale units. ``fit``: those that can be sold, in our houses or on the way between them; ``on_way``: of them, those
    on the way; ``apart``: those in our houses that cannot be sold. ``came``, ``left``: over the whole day, all states.
    """

    fit: Counter[Goods] = field(default_factory=Counter)
    apart: Counter[Goods] = field(default_factory=Counter)
    on_way: Counter[Goods] = field(default_factory=Counter)
    came: int = 0
    left: int = 0
    oversold: int = 0  # the most units that were ever promised beyond those that exist

    def arrives(self, goods: Goods, units: Arrival) -> None:
        """From outside: bought, brought back, or found."""
        self.fit[goods] += units.good
        self.apart[goods] += units.damaged
        self.fit[goods.other] += units.regraded
        self.came += sum(units)

    def leaves(self, goods: Goods, units: int) -> None:
        """To outside, out of those for sale: sent to a buyer, or gone without a trace."""
        self.fit[goods] -= units
        self.left += units

    def breaks(self, goods: Goods, units: int) -> None:
        """Below 0: they can be sold after all."""
        self.fit[goods] -= units
        self.apart[goods] += units

    def is_scrapped(self, goods: Goods, units: int) -> None:
        self.apart[goods] -= units
        self.left += units

    def is_regraded(self, goods: Goods, units: int) -> None:
        self.fit[goods] -= units
        self.fit[goods.other] += units

    def is_sent(self, goods: Goods, units: int) -> None:
        """Out of one of our houses, to another."""
        self.on_way[goods] += units

    def is_here(self, goods: Goods, units: Arrival) -> None:
        """What was sent between our houses has come, not more than was on its way; of it, some damaged."""
        self.on_way[goods] -= units.good + units.damaged
        self.breaks(goods, units.damaged)

    def is_lost(self, goods: Goods, units: int) -> None:
        """On the way between our houses."""
        self.on_way[goods] -= units
        self.leaves(goods, units)


# By SKU and grade: what stands in all bins for sale, and apart; what is on its way between our warehouses; what is free
# and what is promised. Plain sums of what is stored, by nobody's code but this.
_STANDS = """
    SELECT i.sku, k.grade, sum(fit)::bigint, sum(apart)::bigint, sum(on_way)::bigint, sum(free)::bigint,
        sum(promised)::bigint
    FROM (
        SELECT item_id, grade, available + picking AS fit, unavailable AS apart, 0 AS on_way, 0 AS free, 0 AS promised
            FROM warehouse_balance
        UNION ALL SELECT item_id, grade, 0, 0, incoming_sellable, 0, 0 FROM dispatch_balance
        UNION ALL SELECT item_id, grade, 0, 0, 0, free, 0 FROM sales_balance
        UNION ALL SELECT item_id, grade, 0, 0, 0, 0, live FROM promise
    ) k JOIN item i ON i.id = k.item_id GROUP BY 1, 2 ORDER BY 1, 2
"""


def judge(count: Count, database: "psycopg.Connection[Any]") -> Iterator[str]:
    """Where the books differ from the count, item by item; notes in it what was promised and does not exist."""
    oversold = 0
    seen: set[Goods] = set()
    for sku, grade, fit, apart, on_way, free, promised in database.execute(_STANDS).fetchall():
        goods = Goods(sku, grade)
        seen.add(goods)
        exist = count.fit[goods]
        oversold += max(promised - exist, 0)
        counted = [exist - count.on_way[goods], count.apart[goods], count.on_way[goods], exist]
        if counted != (booked := [fit, apart, on_way, free + promised]):
            yield f"{sku} ({grade}): counted {_told(counted)}; in the books {_told(booked)}"
    for goods in sorted({*count.fit, *count.apart} - seen):
        if count.fit[goods] or count.apart[goods]:
            yield f"{goods.sku} ({goods.grade}): {count.fit[goods]} exist, and the books have none"
    count.oversold = max(count.oversold, oversold)


def _told(units: Sequence[int]) -> str:
    on_shelves, apart, on_way, sold = units
    return f"{on_shelves} on shelves, {apart} apart, {on_way} on the way, {sold} free or promised"


# What the ledger holds, by names alone: ids mean nothing outside.
_LEDGER: Mapping[str, str] = {
    "documents": "SELECT kind, count(*) FROM document GROUP BY 1 ORDER BY 1",
    "movements": """
        SELECT d.kind, i.sku, m.grade, m.layer, m.from_bucket, m.to_bucket, coalesce(f.code, ''), coalesce(t.code, ''),
            count(*), sum(m.quantity)::bigint
        FROM movement m JOIN document d ON (d.merchant_id, d.id) = (m.merchant_id, m.document_id)
        JOIN item i ON (i.merchant_id, i.id) = (m.merchant_id, m.item_id)
        LEFT JOIN warehouse f ON f.id = m.from_place LEFT JOIN warehouse t ON t.id = m.to_place
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 ORDER BY 1, 2, 3, 4, 5, 6, 7, 8""",
    "orders": """
        SELECT o.external_id, o.state, sum(p.waiting)::bigint, sum(p.live)::bigint, sum(p.shipped)::bigint,
            sum(p.released)::bigint
        FROM store_order o LEFT JOIN promise p ON (p.merchant_id, p.order_id) = (o.merchant_id, o.id)
        GROUP BY 1, 2 ORDER BY 1, 2""",
}


def ledger(database: "psycopg.Connection[Any]") -> Iterator[str]:
    """All that the books say of the day, in lines that are equal for equal days."""
    for name, statement in _LEDGER.items():
        for row in database.execute(statement.encode()).fetchall():
            yield f"{name} {row}"
