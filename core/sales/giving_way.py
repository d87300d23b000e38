"""A holder's own promise never blocks that holder: holds that are neither paid, in part or whole, nor being paid
give way.

A hold gives way as a whole. Half of what somebody was promised is a promise that cannot be kept when the payment comes;
a hold that has ended says so, and a new one can be made.
"""

from collections.abc import Callable, Collection, Sequence

from core.books import Books, effect_key_of_hold
from core.pipe import Answer, Runner
from core.rows import PromiseRow
from core.sales.held import end_hold, keys_of, promises_of_hold
from core.stock import BalanceKey, DocumentKind, Pool, PoolKind, Stocked

# Of one holder; who calls all customers by one name must not make every hold look at all of them.
_LOOKED_AT = 50


def give_way(books: Books, holder: str, helps: Callable[[PromiseRow], bool], *, to: str) -> bool:
    """End the hold of ``holder`` that would run out first, of those that help. Returns: False when none does.

    Args: helps: is anything won when this promise, which has live units, ends? to: for whom, as the document's reason.
    Raises: Widen.
    """
    for key in books.open_holds.get(holder, ()):
        live = [promise for promise in promises_of_hold(books, key) if promise.live]
        if live and _may_end(live) and any(map(helps, live)):
            end_hold(books, key, DocumentKind.RELEASE, reason=f"gave way to {to} of the same holder")
            return True
    return False


def _may_end(promises: Sequence[PromiseRow]) -> bool:
    return all(p.expires_at is not None and not p.paid and p.balance_due_at is None for p in promises)


def frees(
    books: Books, missing: Collection[Stocked], pools: Callable[[Stocked], Sequence[Pool]]
) -> Callable[[PromiseRow], bool]:
    """Would the end of a promise free units of what is missing, in a pool that it may be drawn from?"""

    def helps(promise: PromiseRow) -> bool:
        if promise.stocked not in missing:
            return False
        pool = books.pool(promise.pool_id)
        if not pool.is_open and pool.kind is PoolKind.PRESALE:
            return False
        freed = pool.id if pool.is_open else books.home.shared_pool_id
        return any(other.id == freed for other in pools(promise.stocked))

    return helps


def ask(sent: Runner, holders: Collection[str]) -> Answer:
    """Holds that may have to give way, with all their promises; those that run out first before others.

    To be asked under the locks of a batch: whoever made or changed a hold of the batch's items has committed then.
    """
    columns = ", ".join(f"p.{name}" for name in PromiseRow._fields)
    answer: Answer = sent.run(
        f"""SELECT k.holder, d.effect_key, {columns} FROM unnest(CAST(:holders AS text[])) k (holder)
            CROSS JOIN LATERAL (
                SELECT order_id, min(promised_at) AS promised_at, min(expires_at) AS ends FROM (
                    SELECT order_id, promised_at, expires_at FROM promise
                    WHERE merchant_id = :merchant_id AND holder = k.holder AND holder <> ''
                      AND order_line_id IS NULL AND expires_at IS NOT NULL AND live > 0
                    ORDER BY expires_at LIMIT :most) o GROUP BY order_id) h
            CROSS JOIN LATERAL (SELECT effect_key FROM document WHERE merchant_id = :merchant_id
                AND id = h.order_id AND recorded_at = h.promised_at OFFSET 0) d
            CROSS JOIN LATERAL (SELECT * FROM promise
                WHERE merchant_id = :merchant_id AND order_id = h.order_id OFFSET 0) p
            ORDER BY k.holder, h.ends, h.order_id, p.id""",
        holders=sorted(holders),
        most=_LOOKED_AT,
    )
    return answer


def keys_of_open_holds(books: Books) -> set[BalanceKey]:
    """Rows that the end of any of them may concern, for who comes again because one is to give way."""
    keys = {key for known in books.open_holds.values() for key in known}
    return keys_of(books, (promise for key in keys for promise in promises_of_hold(books, key)))


def take(books: Books, answer: Answer) -> None:
    """What was asked for becomes known to the books; the pools that it names are not loaded yet."""
    for holder, effect_key, *row in answer.fetchall():
        key = effect_key.removeprefix(effect_key_of_hold(""))
        promise = PromiseRow._make(row)
        books.add_promise(promise)
        books.holds[key] = promise.order_id
        known = books.open_holds.setdefault(holder, [])
        if key not in known:
            known.append(key)
