"""What warehouses keep for transfers that were not sent yet, and how they give way. Pure."""

from core import flows
from core.books import Books
from core.rows import KeptRow
from core.stock import At, Bucket, DocumentKind, Layer, Stocked


def make_room(books: Books, stocked: Stocked, units: int, reason: str) -> None:
    """``units`` (>= 0) stood somewhere: where less may leave, the rest was kept for a transfer. Raises: Widen."""
    places = dict.fromkeys(spot.warehouse_id for spot in books.spots_of(stocked)) if units else {}
    at = [At(place, Bucket.AVAILABLE) for place in places]
    lacking = units - sum(books.units(Layer.DISPATCH, stocked, one) for one in at)
    for place in places:
        if lacking > 0:
            lacking -= give_way(books, stocked, place, lacking, reason)


def give_way(books: Books, stocked: Stocked, warehouse_id: int, units: int, reason: str) -> int:
    """Transfers that were not sent leave up to ``units`` (>= 0) to others, the newest first. Returns: how many."""
    kept = [row for row in books.kept.values() if row.stocked == stocked and row.warehouse_id == warehouse_id]
    left = units
    for row in sorted(kept, key=lambda row: (row.asked_at, row.id), reverse=True):
        if n := min(left, row.allocated):
            left -= n
            _leave(books, row, n, reason)
    return units - left


def _leave(books: Books, row: KeptRow, units: int, reason: str) -> None:
    books.put(books.kept, row.id, row._replace(allocated=row.allocated - units))
    moves = flows.let_go(row.warehouse_id, row.stocked, units)
    key = f"transfer/{row.transfer_id}/deallocation/{books.new_id()}"
    books.post(DocumentKind.DEALLOCATION, key, moves, order_id=row.transfer_id, reason=reason)
