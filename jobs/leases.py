"""What all jobs do with the rows of a store that they claim: settle them, or give them back when it does not answer."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_exponential

from config.wiring import App
from core import stores, work
from core.backoff import backoff_s
from core.errors import ConfigError, ConnectorError, Throttled, Unauthorized, Unreachable
from core.stores import StoreRow
from core.work import Lease
from jobs.registry import LEASE_S

logger = logging.getLogger(__name__)
_ASK_A_PERSON_S = 60.0


def do_alone(
    app: App, merchant_id: int, store_id: int, topic: str, actor: str, act: Callable[[StoreRow], None]
) -> None:
    """Do what a store's row of a topic asks for, and settle it; nothing when it is not due, or somebody is at it."""
    with app.db.begin(merchant_id, actor=actor) as tx:
        leases = work.claim(tx, topic, store_id, limit=1, lease_s=LEASE_S)
        if not leases:
            return
        store = stores.get(tx, store_id)
    with giving_back(app, merchant_id, store_id, leases, actor):
        act(store)
        with app.db.begin(merchant_id, actor=actor) as tx:
            work.settle(tx, leases)


@contextmanager
def giving_back(app: App, merchant_id: int, store_id: int, leases: Sequence[Lease], actor: str) -> Iterator[None]:
    """Run a job's dealings with a store; when it fails, its rows are due again later, with the reason.

    A throttle answer is a delay, not a failure; a store that is away is tried until it is back. Wrong credentials mark
    the store for a person and leave other stores alone. Anything else frees the rows and goes on to Dramatiq, which
    tries again; when even that fails because the database is away, the rows come back when their lease ends.
    """
    try:
        yield
    except Throttled as wait:
        _postpone(app, merchant_id, leases, actor, wait.retry_after_s, str(wait), counts=False)
    except (Unauthorized, ConfigError) as refused:
        with app.db.begin(merchant_id, actor=actor) as tx:
            stores.set_trouble(tx, store_id, str(refused))
        _postpone(app, merchant_id, leases, actor, _ASK_A_PERSON_S, str(refused), counts=False)
    except ConnectorError as failed:
        logger.warning("store %s: %s", store_id, failed)
        delay_s = backoff_s(max((lease.tries for lease in leases), default=1))
        away = isinstance(failed, Unreachable)
        _postpone(app, merchant_id, leases, actor, delay_s, str(failed), may_die=not away)
    except Exception:
        _free(app, merchant_id, leases, actor)
        raise


@retry(
    retry=retry_if_exception_type(DBAPIError),
    stop=stop_after_delay(10),
    wait=wait_exponential(0.2, max=2),
    reraise=True,
)
def _free(app: App, merchant_id: int, leases: Sequence[Lease], actor: str) -> None:
    with app.db.begin(merchant_id, actor=actor) as tx:
        work.give_back(tx, leases)


def _postpone(
    app: App,
    merchant_id: int,
    leases: Sequence[Lease],
    actor: str,
    delay_s: float,
    reason: str,
    *,
    counts: bool = True,
    may_die: bool = True,
) -> None:
    with app.db.begin(merchant_id, actor=actor) as tx:
        work.postpone(tx, leases, delay_s=delay_s, reason=reason, counts=counts, may_die=may_die)
