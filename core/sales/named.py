"""Pools and locks by the names that people give them."""

from core.errors import NotFound, Refused
from core.transaction import Transaction


def pool_named(tx: Transaction, code: str) -> int:
    """The id of the pool with that code, open or closed. Raises: NotFound."""
    found: int | None = tx.run(
        "SELECT id FROM pool WHERE merchant_id = :merchant_id AND code = :code AND code <> ''", code=code
    ).scalar_one_or_none()
    if found is None:
        raise NotFound(f"there is no pool {code}; `holdfast pool list` shows those there are")
    return found


def lock_named(tx: Transaction, key: str) -> int:
    """The id of the lock with that key, which is that of its pool. Raises: NotFound, also before it has one."""
    row = tx.run(
        """SELECT l.id, l.status, EXISTS (SELECT FROM pool WHERE merchant_id = :merchant_id AND id = l.id) AS begun
           FROM lock l WHERE l.merchant_id = :merchant_id AND l.key = :key""",
        key=key,
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no lock {key}; `holdfast lock list` shows those there are")
    if not row.begun:
        raise NotFound(f"lock {key} is {row.status} and has no units yet")
    return int(row.id)


def require_unlike(tx: Transaction, key: str) -> None:
    """A key by which a lock is asked for is no other lock's in upper or lower case: people take them for one.

    Raises: Refused.
    """
    found = tx.run(
        """SELECT key FROM lock WHERE merchant_id = :merchant_id AND lower(key) = lower(:key)
           ORDER BY key = :key DESC LIMIT 1""",
        key=key,
    ).scalar_one_or_none()
    if found not in (None, key):
        raise Refused(f"there is a lock {found} already, which differs from {key} by case alone; choose another key")
