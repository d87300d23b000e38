"""Goods on their way that may be sold: which ones by rule, and what is taken back when they are late.

A merchant says within how many days goods must arrive to be counted; a supplier may have a rule of its own. Lines that
a presale names are never counted: their units are sold there. What was promised to somebody stays counted.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from core import bulk, flows, tables
from core.books import Books
from core.stock import DocumentKind, Movement, Stocked
from core.supply import acting, purchases, suppliers
from core.supply.acting import Acted, OnPurchase
from core.supply.lines import PurchaseLine, PurchaseRow
from core.supply.purchases import LATE, Purchase
from core.transaction import Database, Transaction
from core.zones import zone_of

_MOST_AT_ONCE = 500


def to_count(units: int, on: date | None, today: date, within: int | None, *, presold: bool) -> int:
    """Of ``units`` still to come on a day, how many may be sold now. Pure.

    Args: within: days, 0: what comes today; None: never. presold: a presale names them.
    """
    if within is None or on is None or presold or on < today or on > today + timedelta(days=within):
        return 0
    return units


@dataclass(frozen=True, slots=True)
class Count(OnPurchase):
    """Bring what is counted of lines, by line id, to what the rule says; taken back is at most what is free."""

    wanted: Mapping[int, int] = field(hash=False)

    def concerned(self) -> Collection[PurchaseLine]:
        return [line for line in self.purchase.lines if self.wanted.get(line.id, line.counted) != line.counted]

    def decide(self, books: Books) -> Acted:
        more, fewer = list[Movement](), list[Movement]()
        home, place = books.home, self.purchase.row.warehouse_id
        after: list[PurchaseLine] = []
        for line in self.concerned():
            change = min(self.wanted[line.id], line.open) - line.counted
            change = max(change, -min(books.free(line.stocked), line.counted))
            more += flows.count_incoming(home, place, line.stocked, max(change, 0))
            fewer += flows.uncount_incoming(home, place, line.stocked, max(-change, 0))
            if change:
                after.append(line._replace(counted=line.counted + change))
        return Acted(self._post(books, more, fewer), after)

    def _post(self, books: Books, more: list[Movement], fewer: list[Movement]) -> list[int]:
        row, posted = self.purchase.row, []
        for kind, moves in ((DocumentKind.UNCOUNT_INCOMING, fewer), (DocumentKind.COUNT_INCOMING, more)):
            if moves:
                key = f"{self.effect_key}/{kind}"
                posted.append(books.post(kind, key, moves, order_id=row.id, reason=row.number))
        return posted


def apply(db: Database, merchant_id: int, *, actor: str) -> list[Stocked]:
    """Count what may be sold by now, and take back what may not, order by order; of very many, the oldest orders.

    Returns: what is concerned. Lines that are late have an incident from then on, until they come or get another day.
    """
    with db.begin(merchant_id, actor=actor) as tx:
        numbers = _to_change(tx)
    found = [apply_to(db, merchant_id, number, actor=actor).stocked for number in numbers[:_MOST_AT_ONCE]]
    return [one for stocked in found for one in stocked]


def apply_to(db: Database, merchant_id: int, number: str, *, actor: str, dry_run: bool = False) -> Acted:
    """The same for one purchase order. Raises: NotFound."""

    def build(tx: Transaction, purchase: Purchase) -> Count:
        return Count(f"purchase/{purchase.row.id}/count/{tx.new_id()}", purchase, wanted(tx, [purchase]))

    return acting.act(db, merchant_id, number, build, actor=actor, dry_run=dry_run, then=_warn_of_late)


def wanted(tx: Transaction, orders: Collection[Purchase]) -> dict[int, int]:
    """By line of placed orders, how many units may be sold before they are here."""
    today = tx.now.astimezone(zone_of(tx)).date()
    named, ours = _named(tx, orders), days_of_merchant(tx)
    within = {one.id: one.count_days if one.counts else ours for one in suppliers.every(tx)}
    return {
        line.id: to_count(
            line.open, order.comes_on(line), today, within[order.row.supplier_id], presold=line.id in named
        )
        for order in orders
        if order.row.placed_at is not None
        for line in order.lines
    }


def by_rule(tx: Transaction) -> int:
    """Units on their way that the rules let be sold; what is promised of others stays counted besides."""
    return sum(units for _, says in _judged(tx) for units in says.values())


def _to_change(tx: Transaction) -> list[str]:
    """Numbers of the orders of which something else is counted than the rule says."""
    return [
        one.row.number
        for orders, says in _judged(tx)
        for one in orders
        if any(says.get(line.id, 0) != line.counted for line in one.lines)
    ]


def _judged(tx: Transaction) -> Iterator[tuple[Sequence[Purchase], Mapping[int, int]]]:
    """Orders with units still to come, some at a time, with what may be sold of each line."""
    last = 0
    while page := _with_open_lines(tx, last):
        orders = purchases.with_lines(tx, page)
        yield orders, wanted(tx, orders)
        last = page[-1].id


def _with_open_lines(tx: Transaction, after: int) -> list[PurchaseRow]:
    """Orders with units still to come, where somebody has a rule or units are counted; some, by id."""
    rows = tx.run(
        f"""SELECT {", ".join(f"p.{name}" for name in PurchaseRow._fields)}
            FROM (SELECT DISTINCT purchase_id FROM purchase_line WHERE merchant_id = :merchant_id
                AND ordered - cut - came > 0 AND purchase_id > :after AND (counted > 0
                    OR EXISTS (SELECT FROM supply_rule WHERE merchant_id = :merchant_id AND count_days IS NOT NULL)
                    OR EXISTS (SELECT FROM supplier WHERE merchant_id = :merchant_id AND counts
                        AND count_days IS NOT NULL))
                ORDER BY purchase_id LIMIT :most) l
            CROSS JOIN LATERAL (SELECT * FROM purchase WHERE merchant_id = :merchant_id
                AND id = l.purchase_id OFFSET 0) p
            ORDER BY p.id""",
        after=after,
        most=_MOST_AT_ONCE,
    )
    return [PurchaseRow(*row) for row in rows]


def _named(tx: Transaction, orders: Collection[Purchase]) -> set[int]:
    """Lines that an open presale sells as its supply."""
    lines = [(one.row.number, line) for one in orders for line in one.lines]
    rows = tx.run(
        """SELECT k.line_id FROM unnest(CAST(:ids AS bigint[]), CAST(:items AS bigint[]), CAST(:grades AS text[]),
               CAST(:numbers AS text[])) k (line_id, item_id, grade, number)
           CROSS JOIN LATERAL (SELECT id FROM expected WHERE merchant_id = :merchant_id AND item_id = k.item_id
               AND grade = k.grade AND reference = k.number OFFSET 0) e
           WHERE EXISTS (SELECT FROM pool_item i WHERE i.merchant_id = :merchant_id AND i.item_id = k.item_id
               AND i.grade = k.grade AND i.is_open AND i.expected_id = e.id)""",
        ids=[line.id for _, line in lines],
        items=[line.item_id for _, line in lines],
        grades=[line.grade for _, line in lines],
        numbers=[number for number, _ in lines],
    )
    return set(rows.scalars())


def _warn_of_late(tx: Transaction, purchase: Purchase, acted: Acted) -> None:
    """An incident for each line whose units were on sale and that has not come by its day; one while it is late."""
    today = tx.now.astimezone(zone_of(tx)).date()
    late = [
        (line, on)
        for line in purchase.lines
        if line.counted and (on := purchase.comes_on(line)) is not None and on < today
    ]
    open_ = set(
        tx.run(
            """SELECT i.order_line_id FROM unnest(CAST(:ids AS bigint[])) k (id)
               CROSS JOIN LATERAL (SELECT order_line_id FROM incident WHERE merchant_id = :merchant_id
                   AND order_line_id = k.id AND kind = :kind AND closed_at IS NULL OFFSET 0) i""",
            ids=[line.id for line, _ in late], kind=LATE,
        ).scalars()
    )  # fmt: skip
    after = {line.id: line for line in acted.lines}
    rows = []
    for line, on in late:
        if line.id not in open_:
            stays = after.get(line.id, line).counted
            told = (
                f"{purchase.row.number} was to bring {line.counted} units by {on} that were on sale; "
                f"{line.counted - stays} were taken off sale, {stays} are promised"
            )
            timeline = json.dumps([{"at": tx.now.isoformat(), "what": told}])
            rows.append(
                (tx.new_id(), LATE, purchase.row.id, line.id, line.item_id, line.counted, "late", timeline, tx.now)
            )
    columns = (
        "id", "kind", "order_id", "order_line_id", "item_id", "quantity", "cause", "timeline", "opened_at",
    )  # fmt: skip
    bulk.insert(tx, tables.incident, columns, rows)


# ---- the rule


def set_days(tx: Transaction, days: int | None, supplier: str = "") -> None:
    """Goods that arrive within ``days`` (0 to 365; None: never) are counted: all, or those of one supplier."""
    if supplier:
        tx.run(
            "UPDATE supplier SET counts = true, count_days = :days WHERE merchant_id = :merchant_id AND id = :id",
            days=days, id=suppliers.find(tx, supplier).id,
        )  # fmt: skip
        return
    tx.run(
        """INSERT INTO supply_rule (merchant_id, count_days) VALUES (:merchant_id, :days)
           ON CONFLICT (merchant_id) DO UPDATE SET count_days = EXCLUDED.count_days""",
        days=days,
    )


def unset_days(tx: Transaction, supplier: str) -> None:
    """The merchant's rule holds for a supplier's goods again. Raises: NotFound."""
    tx.run(
        "UPDATE supplier SET counts = false, count_days = NULL WHERE merchant_id = :merchant_id AND id = :id",
        id=suppliers.find(tx, supplier).id,
    )


def days_of_merchant(tx: Transaction) -> int | None:
    """None: goods on their way are never sold."""
    found: int | None = tx.run(
        "SELECT count_days FROM supply_rule WHERE merchant_id = :merchant_id"
    ).scalar_one_or_none()
    return found


def on_sale(tx: Transaction) -> int:
    """Units on their way that may be sold."""
    return int(
        tx.run(
            """SELECT coalesce(sum(counted), 0) FROM purchase_line
               WHERE merchant_id = :merchant_id AND ordered - cut - came > 0"""
        ).scalar_one()
    )
