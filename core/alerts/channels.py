"""Low stock as a channel has it: listings that may sell few sale units by now, whatever the reason."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from core.alerts.kinds import AlertKind, recovers_at
from core.alerts.lifecycle import Ending, NewAlert
from core.selling import facts
from core.selling.availability import Facts, steps
from core.transaction import Transaction

_SOURCE = """
    SELECT l.*, r.level AS alert_level FROM listing l
    CROSS JOIN LATERAL (SELECT level FROM alert_rule WHERE merchant_id = :merchant_id AND item_id IN (0, l.item_id)
        AND kind = 'low_stock' AND warehouse_id = 0 AND store_id = l.store_id AND grade = l.grade
        ORDER BY item_id DESC LIMIT 1 OFFSET 0) r
    WHERE l.merchant_id = :merchant_id AND l.store_id = ANY(CAST(:stores AS bigint[])) AND l.id > :after
      AND l.item_id IS NOT NULL AND l.untracked_reason = '' AND l.quarantine_reason = '' AND r.level IS NOT NULL
    ORDER BY l.id LIMIT :limit
"""


class Page(NamedTuple):
    """What was found of some listings. ``last``: the highest id of them; None when there were none left.

    ``watched``: ids of all listings looked at.
    """

    opened: Sequence[NewAlert]
    ended: Sequence[Ending]
    watched: Collection[int]
    last: int | None


def stores(tx: Transaction) -> list[int]:
    """Stores with a rule."""
    return list(
        tx.run(
            """SELECT DISTINCT store_id FROM alert_rule
               WHERE merchant_id = :merchant_id AND kind = 'low_stock' AND store_id > 0"""
        ).scalars()
    )


def told_of(tx: Transaction) -> set[int]:
    """Listings with an open alert."""
    rows = tx.run(
        """SELECT subject FROM alert WHERE merchant_id = :merchant_id AND kind = 'low_stock' AND closed_at IS NULL
             AND store_id IS NOT NULL"""
    ).scalars()
    return {int(subject.removeprefix(_PREFIX)) for subject in rows}


def look(tx: Transaction, store_ids: Collection[int], is_open: Collection[int], after: int, *, limit: int) -> Page:
    """The next listings by id: those that may sell few units and were not told, and those that were and recovered."""
    rows = facts.read(tx, _SOURCE, stores=list(store_ids), after=after, limit=limit)
    opened, ended = [], []
    for row, told in rows:
        number = sellable(told)
        if row.id not in is_open and number <= row.alert_level:
            opened.append(_news(row, number))
        elif row.id in is_open and number >= recovers_at(row.alert_level):
            ended.append(Ending(AlertKind.LOW_STOCK, f"{_PREFIX}{row.id}", {"sellable": number}))
    ids = {row.id for row, _ in rows}
    return Page(opened, ended, ids, max(ids, default=None))


def unwatched(is_open: Iterable[int], watched: Collection[int]) -> list[Ending]:
    """Alerts of listings that no rule is about any more."""
    return [Ending(AlertKind.LOW_STOCK, f"{_PREFIX}{one}", {}) for one in is_open if one not in watched]


_PREFIX = "listing/"


def sellable(told: Facts) -> int:
    """What the listing may sell, before its platform's own way of writing it down. Pure."""
    return next(step.number for step in steps(told) if step.name == "sellable")


def _news(row: Any, number: int) -> NewAlert:
    told = {"sellable": number, "threshold": row.alert_level, "listing": row.external_id}
    return NewAlert(AlertKind.LOW_STOCK, f"{_PREFIX}{row.id}", told, row.item_id, store_id=row.store_id)
