"""What goods of purchase orders cost: noted when they come, as their lines say it, in the supplier's currency.

What goes back to the supplier goes at that cost, too.
"""

from collections.abc import Mapping

from core.goods import costs
from core.goods.costs import Bought, Cost
from core.supply import suppliers
from core.supply.acting import Acted
from core.supply.purchases import Purchase
from core.transaction import Transaction


def landed(tx: Transaction, purchase: Purchase, acted: Acted) -> None:
    """Units came for lines; those of lines without a cost are not noted."""
    lines = {line.id: line for line in purchase.lines}
    priced = [(lines[one.line_id], one) for one in acted.receipts if lines[one.line_id].cost_minor is not None]
    if not priced:
        return
    currency = suppliers.get(tx, purchase.row.supplier_id).currency
    known = [Cost(line.item_id, one.came.units, line.cost_minor or 0, currency) for line, one in priced]
    costs.note(tx, priced[0][1].document_id, known)


def taken_back(tx: Transaction, _purchase: Purchase, acted: Acted) -> None:
    """A receipt was entered by mistake, and so was what its goods cost."""
    for document_id in {one.document_id for one in acted.receipts}:
        costs.take_back(tx, document_id)


def gone_back(tx: Transaction, purchase: Purchase, document_id: int, units: Mapping[int, int]) -> None:
    """Units, by item, that came with a purchase order have left for their supplier with a document."""
    rows = tx.run(
        """SELECT l.item_id, r.document_id FROM unnest(CAST(:ids AS bigint[]), CAST(:items AS bigint[])) l (id, item_id)
           CROSS JOIN LATERAL (SELECT document_id, received_at FROM purchase_receipt
               WHERE merchant_id = :merchant_id AND line_id = l.id AND taken_back_by IS NULL OFFSET 0) r
           ORDER BY r.received_at, r.document_id""",
        ids=[line.id for line in purchase.lines],
        items=[line.item_id for line in purchase.lines],
    )
    came: dict[int, dict[int, None]] = {}
    for item_id, receipt_id in rows:
        came.setdefault(item_id, {})[receipt_id] = None  # once, also where two lines came with it
    costs.go_back(tx, document_id, [Bought(item_id, n, [*came.get(item_id, ())]) for item_id, n in units.items()])
