"""Demand that waits, and who is served first when units come free."""

from collections.abc import Sequence

from core import flows
from core.books import Books, PromiseRow
from core.stock import DocumentKind, Movement


def decide_fill(free: int, waiting: Sequence[PromiseRow]) -> list[tuple[PromiseRow, int]]:
    """Deal ``free`` units (>= 0) to promises that wait: deducted ones first, then the oldest.

    Returns: promises with the units each gets (>= 1); what is dealt never exceeds ``free``.
    """
    dealt = []
    for promise in sorted(waiting, key=lambda p: (not p.deducted, p.promised_at, p.id)):
        units = min(free, promise.waiting)
        if units:
            dealt.append((promise, units))
            free -= units
    return dealt


def fill_waiting(books: Books, moved_since: tuple[int, ...]) -> None:
    """Serve what waits from units that came free since a mark, in the batch that freed them.

    One document per order served.
    """
    by_order: dict[int, list[Movement]] = {}
    for stocked, promises in books.waiting(moved_since).items():
        for promise, units in decide_fill(books.free(stocked), promises):
            moves = flows.fill(books.home, stocked, units, promise.deducted, promise.order_line_id)
            by_order.setdefault(promise.order_id, []).extend(moves)
            books.add_promise(promise._replace(waiting=promise.waiting - units, live=promise.live + units))
    for order_id, moves in by_order.items():
        books.post(DocumentKind.FILL, f"order/{order_id}/fill/{books.new_id()}", moves, order_id=order_id)
