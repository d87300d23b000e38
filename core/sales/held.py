"""What a hold holds: the promises behind its key, the rows they concern, and how they end."""

from collections.abc import Iterable

from core import flows
from core.books import Books, Widen, effect_key_of_hold, key_hash
from core.errors import Refused
from core.rows import PromiseRow
from core.stock import BalanceKey, DocumentKind, Layer, Movement

RELEASED_FIRST = "released before it was made"


def end_of_hold(key: str) -> str:
    """The effect key of the document that gives back what a hold holds."""
    return f"end-of-hold/{key}"


def promises_of_hold(books: Books, key: str) -> list[PromiseRow]:
    document_id = books.holds.get(key)
    return [] if document_id is None else books.promises_of(document_id)


def is_made(books: Books, key: str) -> bool:
    """Is there, or was there, a hold of that key?

    Raises: Widen when it was made between our look at it and our locks: its promises are to be read.
    """
    if key in books.holds:
        return True
    effect = books.known_effects.get(key_hash(effect_key_of_hold(key)))
    if effect is not None and effect.document_id is not None:
        raise Widen(())
    return False


def leave_hold(books: Books, key: str, reason: str) -> None:
    """End a hold, or see to it that it is never made: who told us that it is done with may have been faster."""
    if is_made(books, key):
        end_hold(books, key, DocumentKind.RELEASE, reason=reason)
    else:
        never_make(books, key)


def never_make(books: Books, key: str) -> None:
    """Whoever makes a hold of that key later is refused."""
    if key_hash(effect_key_of_hold(key)) not in books.known_effects:
        books.note_effect(effect_key_of_hold(key), RELEASED_FIRST, None)


def live_promises(books: Books, key: str) -> list[PromiseRow]:
    """Promises of a hold that still holds something. Raises: Refused, saying what became of it; Widen."""
    if not is_made(books, key):
        raise Refused(f"there is no hold {key}; make it first")
    live = [promise for promise in promises_of_hold(books, key) if promise.live + promise.waiting]
    if not live:
        raise Refused(f"hold {key} has ended: its units are given back or went to an order; make a new one")
    return live


def keys_of(books: Books, promises: Iterable[PromiseRow]) -> set[BalanceKey]:
    """Rows that the end or the change of these promises may concern, the goods of physical locks among them."""
    keys: set[BalanceKey] = set()
    for promise in promises:
        pool = books.pool(promise.pool_id)
        keys.update((*books.sales_keys(promise.stocked), pool.key(promise.stocked)))
        if pool.warehouse_id is not None:
            keys.add(BalanceKey(Layer.DISPATCH, *promise.stocked, pool.warehouse_id))
    return keys


def end_hold(books: Books, key: str, kind: DocumentKind, *, reason: str = "") -> bool:
    """Give back what a hold still holds; returns True when units came free or stopped waiting."""
    moves: list[Movement] = []
    for promise in promises_of_hold(books, key):
        left = promise.live + promise.waiting
        if not left:
            continue
        moves += flows.release(
            books.home, books.pool(promise.pool_id), promise.stocked, promise.live, promise.deducted, None
        )
        moves += flows.stop_waiting(books.home, promise.stocked, promise.waiting, None)
        books.add_promise(promise._replace(live=0, waiting=0, released=promise.released + left, presale=False))
    if moves:
        # Not behind the hold's own key: whoever names holds could take that for a hold of theirs.
        books.post(kind, end_of_hold(key), moves, order_id=books.holds[key], reason=reason)
    return bool(moves)
