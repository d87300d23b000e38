"""Supply that is to come: how many units of an item, when, and by which reference. It moves no goods."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time

from core import single
from core.errors import NotFound, Refused
from core.sales.supplied import KeepToSupply
from core.stock import Stocked
from core.transaction import Transaction
from core.zones import zone_of


@dataclass(frozen=True, slots=True)
class Expected:
    """``open`` units (>= 0) are still to come, on the merchant's day ``on``; ``is_late``: that day is over.

    ``presold``: units that presales that wait for it offer, or sold and have not handed over.
    """

    id: int
    item_id: int
    grade: str
    sku: str
    quantity: int
    received: int
    on: date
    reference: str
    moved_at: datetime
    presold: int
    is_late: bool

    @property
    def open(self) -> int:
        return max(self.quantity - self.received, 0)


def handling_days(tx: Transaction) -> int:
    """Days from the arrival of goods in the default warehouse until they can leave it."""
    return int(
        tx.run(
            """SELECT w.handling_days FROM bin b JOIN warehouse w ON w.merchant_id = b.merchant_id
                   AND w.id = b.warehouse_id
               WHERE b.merchant_id = :merchant_id AND b.is_default ORDER BY w.id LIMIT 1"""
        ).scalar_one()
    )


def set_handling_days(tx: Transaction, days: int) -> None:
    """``days`` from 0 to 365, for all warehouses."""
    tx.run("UPDATE warehouse SET handling_days = :days WHERE merchant_id = :merchant_id", days=days)


def require_to_come(tx: Transaction, on: date) -> None:
    """Raises: Refused for a day that is over where the merchant is: nobody waits for goods of the past."""
    today = tx.now.astimezone(zone_of(tx)).date()
    if on < today:
        raise Refused(
            f"{on} is over, today is {today}: name a day to come; what has come is booked in with "
            "`holdfast backorder arrived`, and 0 units say that it does not come"
        )


def expect(tx: Transaction, stocked: Stocked, units: int, on: date, reference: str) -> bool:
    """So many units are to come on a day, under a reference; what was said of it before is replaced.

    ``units`` (>= 0) are those of the whole supply, with those that came already; 0: it does not come.
    Returns: False when that was known. Raises: Refused for a reference that is none.
    """
    if not reference.strip():
        raise Refused("supply needs a reference, like the number of its purchase order")
    at = datetime.combine(on, time(), zone_of(tx))
    changed = tx.run(
        """INSERT INTO expected AS e (merchant_id, id, item_id, grade, quantity, received, expected_at, reference,
               moved_at, receipts)
           VALUES (:merchant_id, :id, :item_id, :grade, :units, 0, :at, :reference, :now, '{}')
           ON CONFLICT (merchant_id, item_id, grade, reference) DO UPDATE SET quantity = EXCLUDED.quantity,
               expected_at = EXCLUDED.expected_at, moved_at = EXCLUDED.moved_at
           WHERE (e.quantity, e.expected_at) <> (EXCLUDED.quantity, EXCLUDED.expected_at)""",
        id=tx.new_id(),
        item_id=stocked.item_id,
        grade=stocked.grade,
        units=units,
        at=at,
        reference=reference.strip(),
    )
    _keep_presales(tx, [stocked])
    return bool(changed.rowcount)


def follow(tx: Transaction, reference: str, coming: Collection[tuple[Stocked, int, int, date | None]]) -> None:
    """What a purchase order brings to those who wait: by item its units, how many came, and the day of the rest.

    What has no day is expected by nobody, and no more where it had one.
    """
    _follow(tx, reference, [(stocked, units, came, day) for stocked, units, came, day in coming if day is not None])
    _forget(tx, reference, [(stocked, came) for stocked, _, came, day in coming if day is None])
    _keep_presales(tx, [stocked for stocked, *_ in coming])


def _follow(tx: Transaction, reference: str, coming: Collection[tuple[Stocked, int, int, date]]) -> None:
    zone = zone_of(tx)
    rows = sorted(coming)
    tx.run(
        """INSERT INTO expected AS e (merchant_id, id, item_id, grade, quantity, received, expected_at, reference,
               moved_at, receipts)
           SELECT :merchant_id, k.id, k.item_id, k.grade, k.quantity, k.received, k.at, :reference, :now, '{}'
           FROM unnest(CAST(:ids AS bigint[]), CAST(:items AS bigint[]), CAST(:grades AS text[]),
               CAST(:quantities AS bigint[]), CAST(:came AS bigint[]), CAST(:days AS timestamptz[]))
               k (id, item_id, grade, quantity, received, at)
           ON CONFLICT (merchant_id, item_id, grade, reference) DO UPDATE SET quantity = EXCLUDED.quantity,
               received = EXCLUDED.received, expected_at = EXCLUDED.expected_at, moved_at = EXCLUDED.moved_at
           WHERE (e.quantity, e.received, e.expected_at)
               <> (EXCLUDED.quantity, EXCLUDED.received, EXCLUDED.expected_at)""",
        ids=tx.new_ids(len(rows)),
        items=[stocked.item_id for stocked, _, _, _ in rows],
        grades=[stocked.grade for stocked, _, _, _ in rows],
        quantities=[units for _, units, _, _ in rows],
        came=[came for _, _, came, _ in rows],
        days=[datetime.combine(day, time(), zone) for _, _, _, day in rows],
        reference=reference,
    )


def _forget(tx: Transaction, reference: str, came: Collection[tuple[Stocked, int]]) -> None:
    """Nobody knows when the rest comes: of supply, no more than ``came`` is expected."""
    tx.run(
        """UPDATE expected e SET quantity = k.came, received = k.came, moved_at = :now
           FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[]), CAST(:came AS bigint[]))
               k (item_id, grade, came)
           WHERE e.merchant_id = :merchant_id AND e.item_id = k.item_id AND e.grade = k.grade
             AND e.reference = :reference AND (e.quantity, e.received) <> (k.came, k.came)""",
        items=[stocked.item_id for stocked, _ in came],
        grades=[stocked.grade for stocked, _ in came],
        came=[units for _, units in came],
        reference=reference,
    )


def refuse_purchase(tx: Transaction, reference: str) -> None:
    """Raises: Refused when a purchase order that was placed says by itself what comes with this reference."""
    placed = tx.run(
        """SELECT FROM purchase WHERE merchant_id = :merchant_id AND number = :number AND placed_at IS NOT NULL""",
        number=reference.strip(),
    ).one_or_none()
    if placed is not None:
        raise Refused(
            f"{reference} is a purchase order, which says by itself what it brings: `holdfast purchase date` moves its "
            "day, `holdfast purchase receive` books its goods in"
        )


def arrived(tx: Transaction, stocked: Stocked, units: int, reference: str, document_id: int) -> bool:
    """Units of a supply came in with a receipt; one receipt counts once.

    Returns: False when it was counted before. Raises: NotFound when no such supply was expected.
    """
    changed = tx.run(
        """UPDATE expected SET received = received + :units, receipts = receipts || CAST(:document_id AS bigint),
               moved_at = :now
           WHERE merchant_id = :merchant_id AND item_id = :item_id AND grade = :grade AND reference = :reference
             AND NOT receipts @> ARRAY[CAST(:document_id AS bigint)]""",
        units=units,
        document_id=document_id,
        item_id=stocked.item_id,
        grade=stocked.grade,
        reference=reference,
    ).rowcount
    if not changed:
        require(tx, [stocked], reference)
    _keep_presales(tx, [stocked])
    return bool(changed)


def _keep_presales(tx: Transaction, stocked: Collection[Stocked]) -> None:
    """Supply of these was changed: presales that wait for it offer no more than it brings now."""
    waited_for = tx.run(
        """SELECT k.item_id, k.grade FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[])) k (item_id, grade)
           WHERE EXISTS (SELECT FROM pool_item WHERE merchant_id = :merchant_id AND item_id = k.item_id
               AND grade = k.grade AND is_open AND expected_id IS NOT NULL)""",
        items=[one.item_id for one in stocked],
        grades=[one.grade for one in stocked],
    )
    if items := sorted(Stocked(*row) for row in waited_for):
        single.within(tx, KeepToSupply(items))


def require(tx: Transaction, stocked: Collection[Stocked], reference: str) -> dict[Stocked, Expected]:
    """The supply of these items under a reference. Raises: NotFound, naming an item that it does not bring."""
    found = {Stocked(one.item_id, one.grade): one for one in supply(tx, stocked, all_of_it=True)
             if one.reference == reference.strip()}  # fmt: skip
    lacking = next((one for one in stocked if one not in found), None)
    if lacking is not None:
        sku = tx.run(
            "SELECT sku FROM item WHERE merchant_id = :merchant_id AND id = :id", id=lacking.item_id
        ).scalar_one()
        raise NotFound(f"no {sku} is expected with {reference}; {_cure(tx, reference, lacking, sku)}")
    return found


def _cure(tx: Transaction, reference: str, stocked: Stocked, sku: str) -> str:
    """What to do so that the item is expected with the reference; a purchase order says by itself what it brings."""
    purchase = tx.run(
        """SELECT p.placed_at IS NOT NULL AS placed, p.cancelled_at IS NOT NULL AS dropped, EXISTS (
               SELECT FROM purchase_line l WHERE l.merchant_id = :merchant_id AND l.purchase_id = p.id
                 AND l.item_id = :item_id AND l.grade = :grade) AS ordered
           FROM purchase p WHERE p.merchant_id = :merchant_id AND p.number = :number""",
        number=reference.strip(), item_id=stocked.item_id, grade=stocked.grade,
    ).one_or_none()  # fmt: skip
    if purchase is None:
        return f"say so first: `holdfast backorder expect {sku} N DATE --ref {reference}`"
    if not purchase.ordered or purchase.dropped:
        return f"`holdfast purchase show {reference}` tells what that purchase order brings"
    if not purchase.placed:
        return f"that purchase order is a draft: `holdfast purchase place {reference}`"
    return f"say when that purchase order comes: `holdfast purchase date {reference} DATE`"


def supply(tx: Transaction, stocked: Collection[Stocked] | None = None, *, all_of_it: bool = False) -> list[Expected]:
    """Supply to come, the earliest first, of these items (None: all); ``all_of_it``: also what has come."""
    keys = "SELECT DISTINCT item_id, grade FROM expected WHERE merchant_id = :merchant_id"
    if stocked is not None:
        keys = "SELECT * FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[])) u (item_id, grade)"
    elif not all_of_it:
        keys += " AND received < quantity"
    zone = zone_of(tx)
    rows = tx.run(
        f"""SELECT e.id, e.item_id, e.grade, i.sku, e.quantity, e.received, e.expected_at, e.reference, e.moved_at,
                (SELECT coalesce(sum(b.free + b.reserved + b.sold), 0)::bigint FROM pool_item p
                    JOIN sales_balance b ON b.merchant_id = :merchant_id AND b.item_id = p.item_id
                        AND b.grade = p.grade AND b.pool_id = p.pool_id
                    WHERE p.merchant_id = :merchant_id AND p.item_id = e.item_id AND p.grade = e.grade
                      AND p.expected_id = e.id AND p.is_open) AS presold
            FROM ({keys}) k
            CROSS JOIN LATERAL (SELECT * FROM expected WHERE merchant_id = :merchant_id AND item_id = k.item_id
                AND grade = k.grade {"" if all_of_it else "AND received < quantity"} OFFSET 0) e
            CROSS JOIN LATERAL (SELECT sku FROM item WHERE merchant_id = :merchant_id AND id = e.item_id OFFSET 0) i
            ORDER BY e.expected_at, e.id""",
        items=[one.item_id for one in stocked or ()],
        grades=[one.grade for one in stocked or ()],
    )
    today = tx.now.astimezone(zone).date()
    return [
        Expected(row.id, row.item_id, row.grade, row.sku, row.quantity, row.received, on, row.reference, row.moved_at,
                 row.presold, on < today)
        for row in rows
        for on in [row.expected_at.astimezone(zone).date()]
    ]  # fmt: skip
