"""Looks at a running hub from outside its jobs: how far it is, and whether it has come to rest."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.selling import facts
from core.selling.availability import Facts, steps
from core.transaction import Database
from drills.hub import MERCHANT, Hub
from drills.storefronts import Control

# Rows of the schedule come and go for ever; what they find to do becomes rows of these.
_WORK_TOPICS = ("order", "push", "mail")

_OPEN_WORK = """
    SELECT w.topic, coalesce(s.name, '') AS store, count(*) AS rows, max(w.reason) AS reason,
        bool_or(w.dead_at IS NOT NULL) AS dead
    FROM work w LEFT JOIN store s ON s.merchant_id = w.merchant_id AND s.id = w.store_id
    WHERE w.merchant_id = :merchant_id AND (w.topic = ANY(:topics) OR w.dead_at IS NOT NULL) GROUP BY 1, 2
"""
_STALE = """
    SELECT s.name AS store, count(*) AS rows, max(l.quarantine_reason) AS reason, min(l.sku) AS sku
    FROM listing l JOIN store s ON s.merchant_id = l.merchant_id AND s.id = l.store_id
    LEFT JOIN push_due d ON d.merchant_id = l.merchant_id AND d.store_id = l.store_id AND d.listing_id = l.id
    WHERE l.merchant_id = :merchant_id
      AND (d.listing_id IS NOT NULL OR l.quarantine_reason <> '' OR l.item_id IS NULL)
    GROUP BY 1
"""
_POLLED = "SELECT platform, polled_until FROM store WHERE merchant_id = :merchant_id"
_PROGRESS = """
    SELECT
        (SELECT count(*) FROM work WHERE merchant_id = :merchant_id AND topic = ANY(:topics)) AS open_work,
        (SELECT count(*) FROM document WHERE merchant_id = :merchant_id AND order_id IS NOT NULL) AS effects,
        (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY settled_at - heard_at) FROM push
            WHERE merchant_id = :merchant_id AND heard_at IS NOT NULL AND settled_at > :now - interval '15 s') AS lag
"""
_LAG = """
    SELECT percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY own_ms) AS own,
        percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (
            ORDER BY (extract(epoch FROM settled_at - heard_at) * 1000)::bigint) AS whole
    FROM push WHERE merchant_id = :merchant_id AND heard_at IS NOT NULL AND status IN ('applied', 'equal')
"""
_LISTINGS = """
    SELECT l.*, (SELECT platform FROM store WHERE merchant_id = :merchant_id AND id = l.store_id) AS platform
    FROM listing l WHERE merchant_id = :merchant_id AND item_id IS NOT NULL AND untracked_reason = ''
"""
# Shelves are compared as rarely as it takes not to slow down what is watched: of the time, one part in so many.
_COMPARE_PART = 20


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds."""

    p50: int = 0
    p95: int = 0
    p99: int = 0


@dataclass(frozen=True, slots=True)
class Lag:
    """From the hint of an order to the number that a store confirmed: our ``own`` part, and the ``whole`` way."""

    own: Percentiles
    whole: Percentiles


@dataclass(frozen=True, slots=True)
class Progress:
    """A look at the hub while it works. ``lag_s`` is the median of the last seconds, None when nothing was pushed.

    ``served``: per shop, listings that showed exactly what may be sold when that was last compared, and all of them.
    """

    open_work: int
    effects: int
    lag_s: float | None
    served: Mapping[str, tuple[int, int]]


class Watch:
    """Reads the hub's tables and the sandbox's state; for one thread."""

    def __init__(self, hub: Hub, control: Control) -> None:
        self._hub = hub
        self._control = control
        self._shelves = Shelves(hub.app.db, control, list(hub.sandbox.shops))

    def progress(self) -> Progress:
        row = self._rows(_PROGRESS, topics=list(_WORK_TOPICS))[0]
        return Progress(
            row.open_work, row.effects, row.lag.total_seconds() if row.lag else None, self._shelves.served()
        )

    def unrest(self, last_event: Mapping[str, datetime]) -> list[str]:
        """What is still under way, by name; empty at rest.

        Args: last_event: per shop, when it last sold or took something back; its polls have to have passed that.
        """
        left = [
            f"{row.rows} {row.topic} {'dead' if row.dead else 'open'} {row.store}: {row.reason or 'waiting its turn'}"
            for row in self._rows(_OPEN_WORK, topics=list(_WORK_TOPICS))
        ]
        for row in self._rows(_STALE):
            left.append(f"{row.rows} listings of {row.store} stale (such as {row.sku}): {row.reason or 'to be pushed'}")
        for row in self._rows(_POLLED):
            if row.platform in last_event and (
                row.polled_until is None or row.polled_until <= last_event[row.platform]
            ):
                left.append(f"{row.platform} not yet polled past its last sale")
        for shop, state in self._control.state()["shops"].items():
            waiting = {name: n for name, n in state.items() if name.endswith("_pending") and n}
            left += [f"{n} {name.removesuffix('_pending')} of {shop} under way" for name, n in waiting.items()]
        return left

    def lag(self) -> Lag:
        row = self._rows(_LAG)[0]
        return Lag(*(Percentiles(*(figures or ())) for figures in (row.own, row.whole)))

    def _rows(self, statement: str, **values: object) -> Sequence[Any]:
        with self._hub.app.db.begin(MERCHANT, actor="demo") as tx:
            return list(tx.run(statement, **values))


class Shelves:
    """What the shops show beside what the core says they may sell, listing by listing."""

    def __init__(self, db: Database, control: Control, shops: Sequence[str]) -> None:
        self._db, self._control, self._shops = db, control, shops
        self._served: Mapping[str, tuple[int, int]] = {}
        self._again_at = float("-inf")

    def served(self) -> Mapping[str, tuple[int, int]]:
        """Per shop, how many listings show exactly what may be sold, and how many there are.

        Looked up and compared when that has not been done for a while (about 20 times as long as it takes); in between
        the answer is that of the last time.
        """
        began = time.monotonic()
        if began >= self._again_at:
            self._served = self._compare()
            self._again_at = began + _COMPARE_PART * (time.monotonic() - began)
        return self._served

    def _compare(self) -> dict[str, tuple[int, int]]:
        shown = {shop: self._control.levels(shop) for shop in self._shops}
        levels = {(shop, sku.lower()): level for shop, here in shown.items() for sku, level in here.items()}
        counts = dict.fromkeys(self._shops, (0, 0))
        with self._db.begin(MERCHANT, actor="demo") as tx:
            listings = facts.read(tx, _LISTINGS)
        for row, told in listings:
            equal, total = counts[row.platform]
            counts[row.platform] = (equal + (levels.get((row.platform, row.sku.lower())) == _sellable(told)), total + 1)
        return counts


def _sellable(told: Facts) -> int:
    return next(step.number for step in steps(told) if step.name == "sellable")
