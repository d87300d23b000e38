"""Numbers out: send a store the newest number of each stale listing."""

import time
from collections.abc import Sequence
from datetime import datetime

from config.wiring import App
from connectors.port import Connector
from core import pushes, stores, work
from core.model import PushIntent, PushOutcome, PushStatus, StoreMode
from core.pushes import Claimed, Timing
from core.stores import StoreRow
from core.work import Lease, Want
from jobs.leases import giving_back
from jobs.registry import LEASE_S, TIME_LIMIT_S, job

_ACTOR = "job:push"
_ROUNDS_FOR_S = TIME_LIMIT_S / 3


@job("push", queue="push")
def push_store(app: App, merchant_id: int, store_id: int) -> None:
    """Push rounds until nothing is stale; one job per store at a time, so nobody overtakes himself."""
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        leases = work.claim(tx, "push", store_id, limit=1, lease_s=LEASE_S)
        if not leases:
            return
        store = stores.get(tx, store_id)
    with giving_back(app, merchant_id, store_id, leases, _ACTOR):
        if store.writes or (store.mode is StoreMode.DRY_RUN and not store.paused):
            _rounds(app, merchant_id, store, leases[0].due_at)
        _finish(app, merchant_id, store_id, leases)


def _rounds(app: App, merchant_id: int, store: StoreRow, free_since: datetime) -> None:
    until = time.monotonic() + _ROUNDS_FOR_S
    connector = app.pushing_connector(merchant_id, store.id)
    while time.monotonic() < until:
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            claimed = pushes.claim(tx, store.id, limit=connector.abilities.push_limit)
            claimed_at = tx.now
        if not claimed:
            return
        sent_at = app.db.clock()
        outcomes = _push(connector, claimed) if store.writes else [_planned(one) for one in claimed]
        timing = Timing(claimed_at, sent_at, app.db.clock(), free_since)
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            if pushes.settle(tx, store.id, claimed, outcomes, timing):
                work.want(tx, [Want("poll", store.id, "")])
        free_since = timing.answered_at


def _push(connector: Connector, claimed: Sequence[Claimed]) -> list[PushOutcome]:
    """Push what has to be told.

    With compare-and-set no write of ours can have erased a sale, so a listing that is believed to show its number
    needs no call, unless its last push ended in doubt; the nightly sync looks for edits by others. Without it such a
    listing is read all the same.
    """
    sure = [one.intent for one in claimed if connector.abilities.compare_and_set and not one.tries]
    known = {intent.listing_id for intent in sure if _is_known(intent)}
    told = connector.push([one.intent for one in claimed if one.intent.listing_id not in known])
    answers = {outcome.listing_id: outcome for outcome in told}
    return [
        answers.get(one.intent.listing_id) or PushOutcome(one.intent.listing_id, PushStatus.EQUAL) for one in claimed
    ]


def _is_known(intent: PushIntent) -> bool:
    return intent.believed == intent.wanted and intent.last_observed in (None, intent.believed)


def _planned(one: Claimed) -> PushOutcome:
    return PushOutcome(one.intent.listing_id, PushStatus.PLANNED)


def _finish(app: App, merchant_id: int, store_id: int, leases: list[Lease]) -> None:
    """Give the lease back; what is still stale is due again when it may be tried."""
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        work.settle(tx, leases)
        store = stores.get(tx, store_id)
        again_at = pushes.stale_left(tx, store_id)
        if again_at is not None and store.writes:
            work.want(tx, [Want("push", store_id, "", again_at)])
