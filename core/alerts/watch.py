"""Low stock as a batch sees it: which rules concern its items, and which numbers crossed a level. Costs one look-up."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from core.alerts.kinds import EVERY_ITEM, Crossing, Spot, Watch, crossings
from core.pipe import Runner
from core.stock import BalanceKey, Bucket, Home, Layer, Stocked

_FREE, _AVAILABLE = Bucket.FREE, Bucket.AVAILABLE

_WATCHED = """
    SELECT r.item_id, r.warehouse_id, r.grade, r.level FROM unnest(CAST(:ids AS bigint[])) k (id)
    CROSS JOIN LATERAL (SELECT * FROM alert_rule WHERE merchant_id = :merchant_id AND item_id = k.id
        AND kind = 'low_stock' AND store_id = 0 OFFSET 0) r
"""


def watched(sent: Runner, item_ids: Collection[int]) -> Callable[[], list[Watch]]:
    """Asks who wants to be warned of these items; the answer is there when what is returned is called."""
    if not item_ids:
        return list
    rows = sent.run(_WATCHED, ids=[EVERY_ITEM, *sorted(item_ids)])
    return lambda: list(map(Watch._make, rows.fetchall()))


def crossed(
    watches: Sequence[Watch],
    home: Home,
    moved: Sequence[BalanceKey],
    before: Mapping[Any, int],
    after: Mapping[Any, int],
) -> list[Crossing]:
    """What crossed its level. The rows are locked, so nobody else can see the same crossing.

    Args: moved: balance rows that changed; ``before`` and ``after``: units by row and bucket.
    """
    if not watches:
        return []
    changes = []
    for key in moved:
        if key.layer is Layer.DISPATCH:
            cell, warehouse_id = (key, _AVAILABLE), key.place_id
        elif key.layer is Layer.SALES and key.place_id == home.shared_pool_id:
            cell, warehouse_id = (key, _FREE), 0
        else:
            continue
        changes.append((Spot(Stocked(key.item_id, key.grade), warehouse_id), before[cell], after[cell]))
    return crossings(watches, changes)
