"""Incidents: units that somebody was promised, or has bought, and that are not there."""

from core.books import Books
from core.rows import IncidentRow

OVERSELL = "oversell"


def note(
    books: Books, order_id: int, owner_id: int, item_id: int, units: int, *,
    store_id: int | None = None, cause: str = "", told: str = "",
) -> None:  # fmt: skip
    """An order, or a hold, waits for ``units`` (>= 1) that no rule lets wait.

    Args: owner_id: its line, or the hold's document. cause, told: where they are known, as in ``IncidentRow``.
    """
    books.incidents.append(
        IncidentRow(books.new_id(), OVERSELL, store_id, order_id, owner_id, item_id, units, cause, told)
    )
