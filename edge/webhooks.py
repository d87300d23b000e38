"""The webhook receiver: bound the body, verify over the raw bytes, write one work row, answer.

What arrives is only a hint. Nothing of its content is kept but the id of the thing to look at again.
"""

import logging
import threading
from datetime import datetime, timedelta

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from prometheus_client import Counter, Histogram
from sqlalchemy.exc import DBAPIError

from config.wiring import App
from core import stores, work
from core.errors import BadSignature, ConfigError, Malformed, NotFound
from core.model import Hint, HintKind
from core.work import Want

logger = logging.getLogger(__name__)
RECEIVED = Counter("holdfast_webhooks_total", "Webhooks by what became of them", ["outcome"])
SECONDS = Histogram("holdfast_webhook_seconds", "Time to answer a webhook")
_RETRY_AFTER_S = "5"
# Platforms tell one change by two webhooks (created and updated); within this time they become one fetch.
_GATHER = timedelta(milliseconds=30)


class Receiver:
    """Takes in the webhooks of all stores. Remembers whom it had to send away while the database was down."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._sent_away: set[tuple[int, int]] = set()
        self._lock = threading.Lock()

    def receive(self, merchant_id: int, store_id: int, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        """Returns: HTTP status and outcome. A database that does not answer is 503: most platforms then retry."""
        try:
            return self._receive(merchant_id, store_id, headers, body)
        except (DBAPIError, ConfigError) as error:
            logger.warning("webhook of store %s could not be kept: %s", store_id, str(error).splitlines()[0])
            with self._lock:
                self._sent_away.add((merchant_id, store_id))
            return 503, "unavailable"

    def _receive(self, merchant_id: int, store_id: int, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        try:
            hints = self._app.connector(merchant_id, store_id).read_webhook(headers, body)
        except NotFound:
            return 404, "unknown_store"
        except BadSignature:
            return 401, "bad_signature"
        except Malformed:
            return 400, "malformed"
        self._make_up()
        due_at = self._app.db.clock() + _GATHER
        wants = [want for hint in hints for want in _wants(store_id, hint, due_at)]
        if not wants:
            return 200, "not_used"
        with self._app.db.begin(merchant_id, actor=f"store:{store_id}", source="webhook") as tx:
            work.want(tx, wants)
            stores.heard(tx, store_id)
        return 200, "kept"

    def _make_up(self) -> None:
        """The database is back: the stores that were sent away are polled before any of their numbers rises."""
        with self._lock:
            sent_away, self._sent_away = self._sent_away, set()
        for merchant_id, store_id in sent_away:
            with self._app.db.begin(merchant_id, actor="edge", source="webhook") as tx:
                stores.blind(tx, [store_id])


def _wants(store_id: int, hint: Hint, due_at: datetime) -> list[Want]:
    match hint.kind:
        case HintKind.ORDER:
            return [Want("order", store_id, hint.external_id, due_at)]
        case HintKind.CATALOGUE:
            return [Want("full_sync", store_id, "")]
        case HintKind.STORE:
            return [Want("hooks", store_id, "")]
        case HintKind.STOCK:
            # Our own pushes echo back as these; the poll and the nightly sync read numbers with evidence.
            return []


def router(app: App) -> APIRouter:
    """POST /hooks/{merchant}/{store}."""
    receiver = Receiver(app)
    routes = APIRouter()

    async def body_of(request: Request) -> bytes | None:
        """The raw bytes, or None when there are more than allowed; never more than that in memory."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > app.settings.webhook_body_limit:
                return None
        return bytes(body)

    @routes.post("/hooks/{merchant_id}/{store_id}")
    async def hook(merchant_id: int, store_id: int, request: Request) -> Response:
        with SECONDS.time():
            body = await body_of(request)
            if body is None:
                RECEIVED.labels("too_large").inc()
                return Response(status_code=413)
            headers = {name.lower(): value for name, value in request.headers.items()}
            status, outcome = await run_in_threadpool(receiver.receive, merchant_id, store_id, headers, body)
        RECEIVED.labels(outcome).inc()
        return Response(status_code=status, headers={"Retry-After": _RETRY_AFTER_S} if status == 503 else None)

    return routes
