"""Suggestions become drafts of purchase orders."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.replenish.views.planning import Group, suggest
from core.supply import purchases
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Draft:
    """``units`` on ``lines`` lines of a purchase order that is not placed yet."""

    number: str
    supplier: str
    lines: int
    units: int


def draft(tx: Transaction, warehouse_id: int, supplier_id: int | None = None) -> tuple[list[Group], list[Draft]]:
    """What to order now, with one draft for each supplier; what nobody brings is left out of these.

    Drafts count as on their way in the next suggestion, so nothing is drafted twice: of callers at once each waits for
    the one before and suggests anew. Raises: Refused.
    """
    tx.run("SELECT pg_advisory_xact_lock(hashtextextended('holdfast.replenish.draft', CAST(:merchant_id AS bigint)))")
    groups = suggest(tx, supplier_id)
    return groups, _drafts(tx, groups, warehouse_id)


def _drafts(tx: Transaction, groups: Sequence[Group], warehouse_id: int) -> list[Draft]:
    asked = [group for group in groups if group.supplier]
    return [_draft(tx, group, number, warehouse_id) for group, number in zip(asked, _numbers(tx, asked), strict=True)]


def _draft(tx: Transaction, group: Group, number: str, warehouse_id: int) -> Draft:
    purchases.new(tx, number, group.supplier, warehouse_id, note="as suggested by holdfast replenish")
    wanted = [purchases.Wanted(line.item.sku, line.plan.order) for line in group.lines]
    lines = purchases.add_lines(tx, number, wanted)
    return Draft(number, group.supplier, len(lines), sum(line.ordered for line in lines))


def _numbers(tx: Transaction, groups: Sequence[Group]) -> list[str]:
    """Numbers of today that no purchase order has, like R-2027-02-01-3."""
    prefix = f"R-{tx.now.date().isoformat()}-"
    taken = set(
        tx.run(
            "SELECT number FROM purchase WHERE merchant_id = :merchant_id AND starts_with(number, :prefix)",
            prefix=prefix,
        ).scalars()
    )
    free = (number for nth in range(1, len(taken) + len(groups) + 1) if (number := f"{prefix}{nth}") not in taken)
    return [number for number, _ in zip(free, groups, strict=False)]
