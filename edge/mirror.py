"""Where outside systems tell by HTTP what they counted, and ask how far they are.

Who it is comes first, then how much, then what it says.
"""

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from prometheus_client import Counter, Histogram
from sqlalchemy.exc import DBAPIError

from config.wiring import App
from core.access.actors import Actor, by_key
from core.access.rights import Right
from core.errors import BadKey, Forbidden, NotFound, Overloaded, Refused
from core.mirror import full, sources, telling
from core.mirror.messages import MOST_ROWS, BadRows
from edge.mirror_told import answers_as_json, batch_as_json, problems_as_json, shown

logger = logging.getLogger(__name__)
RECEIVED = Counter("holdfast_mirror_requests_total", "Requests of outside systems by status", ["status"])
SECONDS = Histogram("holdfast_mirror_seconds", "Time to answer an outside system")
MOST_BYTES = 16_000_000  # of a full batch: 100,000 items
_AT_ONCE = 2  # full batches; each takes memory for as long as it is booked
_MOST_ARRIVING = 4 * MOST_BYTES  # bytes of all bodies that are still coming in
_ARRIVES_IN_S = 60.0
_RETRY_AFTER_S = 5
_STAMP = ("version", "time", "as_of", "id")
_HOW = ("best_effort", "dry_run")
Answer = tuple[int, dict[str, Any]]


class Malformed(Refused):
    """A body that is not what this page takes."""


class Listener:
    """Takes in what outside systems tell."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.room = threading.BoundedSemaphore(_AT_ONCE)

    def enter(self, authorization: str) -> Actor:
        """Who shows this key. Raises: BadKey; Forbidden for one that may not say what stands on a shelf."""
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise BadKey
        actor = by_key(self._app.db, key.strip())
        actor.require(Right.STOCK_ADJUST)
        return actor

    def state(self, actor: Actor, name: str) -> Answer:
        """How far it is, what waits, and what it was refused."""
        with self._app.db.begin(actor.merchant_id, actor=str(actor)) as tx:
            return 200, shown(tx, sources.find(tx, name))

    def items(self, actor: Actor, name: str, body: bytes) -> Answer:
        _, rows, how = read_body(body, ())
        answers = telling.tell(self._app.db, actor.merchant_id, name, rows, actor=str(actor), **how)
        told = answers_as_json(name, answers, dry_run=how["dry_run"])
        return (409 if told["refused"] and not how["best_effort"] else 200), told

    def full(self, actor: Actor, name: str, body: bytes) -> Answer:
        """Raises: Overloaded when others are being booked."""
        if not self.room.acquire(blocking=False):
            raise Overloaded(_RETRY_AFTER_S)
        try:
            said, rows, how = read_body(body, _STAMP)
            batch = full.tell(self._app.db, actor.merchant_id, name, said, rows, actor=str(actor), **how)
        finally:
            self.room.release()
        with self._app.db.begin(actor.merchant_id, actor=str(actor)) as tx:
            source = sources.find(tx, name)
        return (202 if batch.row.state == "held" else 200), batch_as_json(source, batch, dry_run=how["dry_run"])

    def answered(self, act: Callable[[], Any]) -> Any:
        """What an act returns, or a status and words for what it raises; each names the cure."""
        try:
            return act()
        except BadRows as refusal:
            return 422, {"error": str(refusal), "rows": problems_as_json(refusal.problems)}
        except Refused as refusal:
            return _status_of(refusal), {"error": str(refusal)}
        except Overloaded as error:
            return 503, {"error": str(error)}
        except DBAPIError as error:
            logger.warning("what an outside system told could not be kept: %s", str(error).splitlines()[0])
            return 503, {"error": f"the database does not answer; send the same again in {_RETRY_AFTER_S} s"}


def _status_of(refusal: Refused) -> int:
    for kind, status in ((BadKey, 401), (Forbidden, 403), (NotFound, 404), (Malformed, 400)):
        if isinstance(refusal, kind):
            return status
    return 409


def read_body(body: bytes, more: Sequence[str]) -> tuple[dict[str, object], list[tuple[int, object]], dict[str, bool]]:
    """What is said of all rows, the rows with their numbers, and how to take them.

    Raises: Malformed; Refused for too many rows.
    """
    try:
        said = json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the body is no JSON in UTF-8: {str(error)[:100]}") from error
    if not isinstance(said, dict) or not isinstance(said.get("items"), list):
        raise Malformed('send {"items": [{"sku": "MUG-RED", "quantity": 5, ...}, ...]}')
    if len(said["items"]) > MOST_ROWS:
        raise Refused(f"{len(said['items']):,} rows are too many; send up to {MOST_ROWS:,} at a time")
    unknown = [str(name)[:30] for name in said if name not in ("items", *_HOW, *more)]
    if unknown:
        raise Malformed(f"there is no field {unknown[0]!r} beside items; there are {', '.join((*more, *_HOW))}")
    how = {name: said.get(name, False) for name in _HOW}
    if any(not isinstance(value, bool) for value in how.values()):
        raise Malformed(f"{' and '.join(_HOW)} are true or false")
    return {name: said.get(name) for name in more}, list(enumerate(said["items"], start=1)), how


def _once(pairs: list[tuple[str, object]]) -> Mapping[str, object]:
    """Raises: ValueError where a field is said twice: one of both would be lost."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field is said twice")
    return fields


def router(app: App) -> APIRouter:
    """GET /mirror/{source}, POST /mirror/{source}/items and /full, with ``Authorization: Bearer KEY``."""
    listener, inlet = Listener(app), Inlet()
    routes = APIRouter()

    async def hear(request: Request, most: int, act: Callable[[Actor, bytes], Answer]) -> JSONResponse:
        """``most``: bytes of the body; 0: it is not read."""
        with SECONDS.time():
            key = request.headers.get("authorization", "")
            entered = await run_in_threadpool(listener.answered, lambda: listener.enter(key))
            if not isinstance(entered, Actor):
                return _response(*entered)
            try:
                body = await inlet.body_of(request, most) if most else b""
            except TimeoutError:
                return _response(408, {"error": f"the body did not come within {_ARRIVES_IN_S:g} s; send fewer items"})
            except Overloaded as error:
                return _response(503, {"error": str(error)})
            if body is None:
                return _response(413, {"error": f"the body is larger than {most:,} bytes; send fewer items at a time"})
            return _response(*await run_in_threadpool(listener.answered, lambda: act(entered, body)))

    @routes.get("/mirror/{source}")
    async def state(source: str, request: Request) -> JSONResponse:
        return await hear(request, 0, lambda actor, _body: listener.state(actor, source))

    @routes.post("/mirror/{source}/items")
    async def items(source: str, request: Request) -> JSONResponse:
        most = app.settings.webhook_body_limit
        return await hear(request, most, lambda actor, body: listener.items(actor, source, body))

    @routes.post("/mirror/{source}/full")
    async def whole(source: str, request: Request) -> JSONResponse:
        return await hear(request, MOST_BYTES, lambda actor, body: listener.full(actor, source, body))

    return routes


class Inlet:
    """Bodies that are coming in, of all senders together: bounded, so that slow ones fill no memory."""

    def __init__(self) -> None:
        self.bytes = 0

    async def body_of(self, request: Request, most: int) -> bytes | None:
        """The raw bytes, or None when there are more than allowed; never more than that in memory.

        Raises: Overloaded when too much is coming in; TimeoutError.
        """
        body = bytearray()
        try:
            async with asyncio.timeout(_ARRIVES_IN_S):
                async for chunk in request.stream():
                    body += chunk
                    self.bytes += len(chunk)
                    if len(body) > most:
                        return None
                    if self.bytes > _MOST_ARRIVING:
                        raise Overloaded(_RETRY_AFTER_S)
        finally:
            self.bytes -= len(body)
        return bytes(body)


def _response(status: int, told: Mapping[str, Any]) -> JSONResponse:
    RECEIVED.labels(str(status)).inc()
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": str(_RETRY_AFTER_S)}}.get(status)
    return JSONResponse(json.loads(json.dumps(told, default=_plain)), status, headers)


def _plain(value: object) -> str:
    """Times in ISO 8601, always with their offset."""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
