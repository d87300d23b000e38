"""What all jobs do with the rows they claimed when a store does not answer as hoped."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from config.wiring import App
from core import stores, work
from core.backoff import backoff_s
from core.errors import ConfigError, ConnectorError, Throttled, Unauthorized
from core.work import Lease

logger = logging.getLogger(__name__)
_ASK_A_PERSON_S = 60.0


@contextmanager
def giving_back(app: App, merchant_id: int, store_id: int, leases: Sequence[Lease], actor: str) -> Iterator[None]:
    """Run a job's dealings with a store; when it fails, its rows are due again later, with the reason.

    A throttle answer is a delay, not a failure. Wrong credentials mark the store for a person and leave other stores
    alone. Anything else that goes wrong is not caught here: Dramatiq tries again, and the lease runs out.
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
        tries = max((lease.tries for lease in leases), default=1)
        logger.warning("store %s: %s", store_id, failed)
        _postpone(app, merchant_id, leases, actor, backoff_s(tries), str(failed), counts=True)


def _postpone(
    app: App, merchant_id: int, leases: Sequence[Lease], actor: str, delay_s: float, reason: str, *, counts: bool
) -> None:
    with app.db.begin(merchant_id, actor=actor) as tx:
        work.postpone(tx, leases, delay_s=delay_s, reason=reason, counts=counts)
