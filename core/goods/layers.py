"""First in, first out: the units on hand are those that came last, at what these cost.

As IAS 2 Inventories, paragraphs 25 and 27, describes it. So nothing is replayed: from the newest cost that was noted
backwards, units are counted until all that are on hand have one.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from core.transaction import Transaction

_FIRST, _MOST = 4, 256  # costs of an item read at once: few cover what is on hand, mostly
_END = datetime(9999, 12, 31, tzinfo=UTC)


class Came(NamedTuple):
    """``units`` (> 0) that came at ``minor`` each (None: nobody knows), in the smallest unit of ``currency``."""

    units: int
    minor: int | None
    currency: str


def covering(tx: Transaction, on_hand: Mapping[int, int], at: datetime = _END) -> dict[int, list[Came]]:
    """What so many units of each item cost that were on hand at an instant, or are now, the newest first."""
    walks = {item_id: _Walk(units) for item_id, units in on_hand.items()}
    behind: dict[int, tuple[datetime, int]] = {}
    left, size = [item_id for item_id, walk in walks.items() if walk.left], _FIRST
    while left:
        pages = _pages(tx, left, at, behind, size)
        for item_id in left:
            walks[item_id].look(pages.get(item_id, ()))
        behind.update({item_id: (page[-1].at, page[-1].nth) for item_id, page in pages.items()})
        left = [one for one in left if walks[one].left and len(pages.get(one, ())) == size]
        size = min(4 * size, _MOST)
    return {item_id: walk.found() for item_id, walk in walks.items()}


class _Walk:
    """Goes back through the costs of one item until ``left`` units have one."""

    def __init__(self, on_hand: int) -> None:
        self.left = on_hand
        self._found: list[Came] = []
        self._gone: Counter[tuple[int, int | None, str]] = Counter()  # units by document and cost, to be passed over

    def look(self, rows: Iterable[Any]) -> None:
        for row in rows:
            layer = (row.document_id, row.cost_minor, row.currency)
            if row.units < 0 or row.taken_by is not None:
                self._gone[layer] -= row.units
                continue
            passed = max(min(self._gone[layer], row.units), 0)
            self._gone[layer] -= passed
            if units := min(self.left, row.units - passed):
                self.left -= units
                self._found.append(Came(units, row.cost_minor, row.currency))

    def found(self) -> list[Came]:
        return [*self._found, Came(self.left, None, "")] if self.left else self._found


def _pages(
    tx: Transaction, item_ids: Sequence[int], at: datetime, behind: Mapping[int, tuple[datetime, int]], size: int
) -> dict[int, list[Any]]:
    before = [behind.get(item_id, (at, 2**31 - 1)) for item_id in item_ids]
    rows = tx.run(
        """SELECT c.item_id, c.at, c.nth, c.document_id, c.units, c.cost_minor, c.currency,
                c.taken_by
            FROM unnest(CAST(:ids AS bigint[]), CAST(:times AS timestamptz[]), CAST(:nths AS integer[]))
                k (id, before_at, before_nth)
            CROSS JOIN LATERAL (SELECT * FROM item_cost WHERE merchant_id = :merchant_id AND item_id = k.id
                AND (at, nth) < (k.before_at, k.before_nth) ORDER BY at DESC, nth DESC LIMIT :size) c
            ORDER BY c.item_id, c.at DESC, c.nth DESC""",
        ids=list(item_ids),
        times=[one for one, _ in before],
        nths=[nth for _, nth in before],
        size=size,
    )
    pages: dict[int, list[Any]] = {}
    for row in rows:
        pages.setdefault(row.item_id, []).append(row)
    return pages


def oldest(found: Sequence[Came], units: int) -> list[Came]:
    """The part of these, the newest first, that goes first."""
    part: list[Came] = []
    for one in reversed(found):
        gone = min(units, one.units)
        units -= gone
        if gone:
            part.append(one._replace(units=gone))
    return part[::-1]
