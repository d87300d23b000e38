"""Messages and full batches of the past are forgotten. What is the newest of each item is kept apart from them, and
says for ever that what comes again is late, or was told before; so nothing is booked twice.

Of a batch that was rejected the row stays: nothing else would say that a person did not want it.
"""

from datetime import timedelta

from core.mirror import sources
from core.transaction import Database, Transaction

KEPT = timedelta(days=90)
ROW_LOCK = "FOR UPDATE"
_AT_ONCE = 5_000
_BATCHES = 100


def prune(db: Database, merchant_id: int, *, actor: str) -> int:
    """Forget messages and batches older than ``KEPT``; the newest of each source stay. Returns: how many went."""
    with db.begin(merchant_id, actor=actor) as tx:
        ids = [source.id for source in sources.every(tx)]
    return sum(
        prune_some(db, merchant_id, source_id, actor) for source_id in ids for prune_some in (_messages, _batches)
    )


def _messages(db: Database, merchant_id: int, source_id: int, actor: str) -> int:
    """In small transactions: who tells meanwhile waits, since what it told before must not vanish while it looks."""
    gone, last = 0, _AT_ONCE
    while last == _AT_ONCE:
        with db.begin(merchant_id, actor=actor) as tx:
            _hold(tx, source_id)
            last = tx.run(
                """DELETE FROM mirror_message WHERE merchant_id = :merchant_id AND source_id = :id
                   AND key = ANY(ARRAY(SELECT key FROM mirror_message
                       WHERE merchant_id = :merchant_id AND source_id = :id AND received_at < least(:before,
                           (SELECT max(received_at) FROM mirror_message
                            WHERE merchant_id = :merchant_id AND source_id = :id))
                       ORDER BY received_at LIMIT :most))""",
                id=source_id, before=tx.now - KEPT, most=_AT_ONCE,
            ).rowcount  # fmt: skip
            gone += last
    return gone


def _batches(db: Database, merchant_id: int, source_id: int, actor: str) -> int:
    """Likewise, first what they said of items, which may be very many, then the batches themselves."""
    gone = 0
    while True:
        with db.begin(merchant_id, actor=actor) as tx:
            _hold(tx, source_id)
            ids = tx.run(_OLD, id=source_id, before=tx.now - KEPT, most=_BATCHES).scalars().all()
            if not ids:
                return gone
            items = tx.run(
                # By where rows lie, which nobody moves meanwhile: a join by key may read the whole table.
                """DELETE FROM mirror_batch_item WHERE merchant_id = :merchant_id AND ctid = ANY(ARRAY(
                       SELECT i.place FROM unnest(CAST(:ids AS bigint[])) k (id) CROSS JOIN LATERAL (
                           SELECT ctid AS place FROM mirror_batch_item
                           WHERE merchant_id = :merchant_id AND batch_id = k.id LIMIT :most) i LIMIT :most))""",
                ids=ids, most=_AT_ONCE,
            ).rowcount  # fmt: skip
            if items < _AT_ONCE:
                gone += tx.run(
                    """DELETE FROM mirror_batch WHERE merchant_id = :merchant_id AND id = ANY(CAST(:ids AS bigint[]))
                       AND state = 'done'""",
                    ids=ids,
                ).rowcount


# Where what is not named counts as 0, a batch that nothing newer covers would say so again of what came since.
_OLD = """
    SELECT b.id FROM mirror_batch b JOIN mirror_source s ON s.merchant_id = b.merchant_id AND s.id = b.source_id
    WHERE b.merchant_id = :merchant_id AND b.source_id = :id AND b.received_at < least(:before,
        (SELECT max(received_at) FROM mirror_batch WHERE merchant_id = :merchant_id AND source_id = :id))
      AND (b.state = 'done' AND (NOT s.zero_missing OR b.version < s.covered)
        OR b.state = 'rejected' AND EXISTS (SELECT FROM mirror_batch_item
            WHERE merchant_id = :merchant_id AND batch_id = b.id))
    ORDER BY b.received_at LIMIT :most
"""


def _hold(tx: Transaction, source_id: int) -> None:
    tx.run(f"SELECT FROM mirror_source WHERE merchant_id = :merchant_id AND id = :id {ROW_LOCK}", id=source_id)
