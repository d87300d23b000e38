"""Numbers out: send a store the newest number of each stale listing."""

import time
from collections.abc import Sequence

from config.wiring import App
from connectors.port import Connector
from core import pushes, stores, work
from core.model import PushIntent, PushOutcome, PushStatus, StoreMode
from core.pushes import Claimed, Timing
from core.stores import StoreRow
from core.transaction import Transaction
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
    with giving_back(app, merchant_id, store_id, leases, _ACTOR):
        _rounds(app, merchant_id, store_id, leases)


def _rounds(app: App, merchant_id: int, store_id: int, leases: Sequence[Lease]) -> None:
    """Claim and push; each round is settled in the transaction that claims the next, or gives the lease back."""
    until = time.monotonic() + _ROUNDS_FOR_S
    connector = app.pushing_connector(merchant_id, store_id)
    free_since = leases[0].due_at
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        store, claimed, claimed_at = *_next(tx, store_id, connector, leases), tx.now
    while claimed:
        sent_at = app.db.clock()
        outcomes = _push(connector, claimed) if store.writes else [_planned(one) for one in claimed]
        timing = Timing(claimed_at, sent_at, app.db.clock(), free_since)
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            if pushes.settle(tx, store_id, claimed, outcomes, timing):
                stores.pull(tx, store_id)
            store, claimed = _next(tx, store_id, connector, leases, more=time.monotonic() < until)
            claimed_at = tx.now
        free_since = timing.answered_at


def _next(
    tx: Transaction, store_id: int, connector: Connector, leases: Sequence[Lease], *, more: bool = True
) -> tuple[StoreRow, list[Claimed]]:
    """What the next round pushes; a store that was paused meanwhile gets nothing more.

    When it is nothing, the lease is given back, and what is still stale is due when it may be tried.
    """
    store = stores.get(tx, store_id)
    pushes_now = store.writes or (store.mode is StoreMode.DRY_RUN and not store.paused)
    claimed = pushes.claim(tx, store_id, limit=connector.abilities.push_limit) if more and pushes_now else []
    if not claimed:
        work.settle(tx, leases)
        again_at = pushes.stale_left(tx, store_id)
        if again_at is not None and store.writes:
            work.want(tx, [Want("push", store_id, "", max(again_at, tx.now))])  # due from now: not late before it began
    return store, claimed


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
