"""A transfer that began elsewhere, and is gone on with here: what was sent of it is on its way here, too."""

from collections.abc import Mapping

from core import single
from core.errors import Broken
from core.goods.receiving import Receive
from core.stock import DocumentKind, Stocked
from core.supply import keeping, transfers
from core.supply.keeping import Keep
from core.supply.sending import Moved, SendTransfer
from core.transaction import Transaction
from core.warehouse import warehouses

_WHY = "on its way when it was taken over"


def take_over(tx: Transaction, number: str, on_way: Mapping[Stocked, int]) -> None:
    """Units of a transfer that was just asked for in this transaction come in where it starts, and are sent at once: so
    they are on sale and on their way, and what stands in both warehouses is what it was.

    Raises: Refused when they cannot be sent, as when that bin is being counted.
    """
    if not on_way:
        return
    transfer = transfers.locked(tx, number)
    row, lines = transfer.row, {line.stocked: line for line in transfer.lines}
    spot = warehouses.spot_of(tx, warehouses.code_by_id(tx, row.from_id))
    key = f"transfer/{row.id}/taken-over"
    single.within(tx, Receive(key, DocumentKind.OPENING, on_way, f"{number}: {_WHY}", spot=spot))
    units = {lines[stocked].id: n for stocked, n in on_way.items()}
    sent = single.within(tx, SendTransfer(f"{key}/sent", transfer, sorted(units.items()), units, spot, _WHY))
    if not isinstance(sent, Moved):
        raise Broken(f"a transfer that was taken over answered {sent!r}")
    transfers.write_lines(tx, sent.lines)
    # What was kept left first; what is still to be sent is kept again, as far as it is there.
    kept = keeping.kept(tx, row.id)
    more = {line.id: (line.stocked, line.unsent - kept[line.id]) for line in transfers.find(tx, number).lines}
    keeping.keep(tx, Keep(row.id, number, row.from_id, {line: one for line, one in more.items() if one[1] > 0}))
