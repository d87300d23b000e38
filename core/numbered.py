"""Papers that people know by a number of their own, like purchase orders, transfers and stocktakes."""

from collections.abc import Sequence
from typing import Any

from core.errors import NotFound
from core.transaction import Transaction


def row_of(
    tx: Transaction, table: str, columns: Sequence[str], number: str, row_lock: str, first: str, *, called: str = ""
) -> Sequence[Any]:
    """The row of a paper, by these columns.

    Args:   first: how to get one, for who has none. called: what people call it, where that is not the table's name.
    Raises: NotFound: names the newest.
    """
    row: Sequence[Any] | None = tx.run(
        f"SELECT {', '.join(columns)} FROM {table} WHERE merchant_id = :merchant_id AND number = :number {row_lock}",
        number=number.strip(),
    ).one_or_none()
    if row is not None:
        return row
    known = tx.run(f"SELECT number FROM {table} WHERE merchant_id = :merchant_id ORDER BY id DESC LIMIT 5").scalars()
    there = ", ".join(known)
    raise NotFound(f"there is no {called or table} {number}; {f'the newest are {there}' if there else first}")
