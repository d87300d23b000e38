"""What goods of purchase orders cost: noted when they come, as their lines say it, in the supplier's currency."""

from core.goods import costs
from core.goods.costs import Cost
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
