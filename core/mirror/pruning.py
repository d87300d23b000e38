"""Messages of the past are forgotten. What is the newest of each item is kept apart from them, and says for ever that a
message which comes again is late, or was told before; so nothing is booked twice.
"""

from datetime import timedelta

from core.mirror import sources
from core.transaction import Database

KEPT = timedelta(days=90)
ROW_LOCK = "FOR UPDATE"
_AT_ONCE = 5_000


def prune(db: Database, merchant_id: int, *, actor: str) -> int:
    """Forget messages older than ``KEPT``; of each source the newest stays. Returns: how many went."""
    with db.begin(merchant_id, actor=actor) as tx:
        ids = [source.id for source in sources.every(tx)]
    return sum(_prune(db, merchant_id, source_id, actor) for source_id in ids)


def _prune(db: Database, merchant_id: int, source_id: int, actor: str) -> int:
    """In small transactions: who tells meanwhile waits, since what it told before must not vanish while it looks."""
    gone, last = 0, _AT_ONCE
    while last == _AT_ONCE:
        with db.begin(merchant_id, actor=actor) as tx:
            tx.run(f"SELECT FROM mirror_source WHERE merchant_id = :merchant_id AND id = :id {ROW_LOCK}", id=source_id)
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
