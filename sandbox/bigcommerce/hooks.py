"""/v3/hooks and the events that go out through them, signed and retried as BigCommerce does."""

import base64
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha1, sha256
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.bigcommerce.answers import Problem, Row, content_of, only_filters, v3, v3_page
from sandbox.bigcommerce.orders import status_of
from sandbox.bigcommerce.state import Hook, State
from sandbox.deliveries import Webhook
from sandbox.things import Order, OrderEvent, Product, StockCause

RETRY_WAITS_S = (60, 180, 300, 600, 900, 1800, 3600, 7200, 21600, 50400, 86400)


class Events:
    """Hears of the shop's changes and queues a webhook for each active hook that covers the scope."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._shown: dict[int, int] = {}
        self._statuses: dict[int, int] = {}

    def product_added(self, product: Product) -> None:
        self._shown[product.number] = product.stock
        self._tell("store/product/created", {"type": "product", "id": product.number})

    def order_changed(self, order: Order, event: OrderEvent) -> None:
        subject: Row = {"type": "order", "id": order.number}
        if event is OrderEvent.REFUNDED:
            self._tell("store/order/refund/created", {**subject, "refund": {"refund_id": order.refunds[-1].number}})
        self._tell("store/order/created" if event is OrderEvent.PLACED else "store/order/updated", subject)
        before, now = self._statuses.get(order.number, 0), status_of(order)
        self._statuses[order.number] = now
        if before != now:
            change = {"previous_status_id": before, "new_status_id": now}
            self._tell("store/order/statusUpdated", {**subject, "status": change})

    def stock_changed(self, product: Product, cause: StockCause) -> None:
        before, self._shown[product.number] = self._shown.get(product.number, 0), product.stock
        inventory = {
            "product_id": product.number,
            "method": "relative" if cause is StockCause.ORDER else "absolute",
            "value": product.stock - before,
        }
        subject = {"type": "product", "id": product.number, "inventory": inventory}
        self._tell("store/product/inventory/updated", subject)
        if cause is StockCause.ORDER:
            self._tell("store/product/inventory/order/updated", subject)

    def _tell(self, scope: str, data: Row) -> None:
        for hook in self._state.hooks.values():
            if hook.is_active and _covers(hook.scope, scope):
                self._state.shop.deliveries.send(self._webhook(hook, scope, data))

    def _webhook(self, hook: Hook, scope: str, data: Row) -> Webhook:
        content = {
            "scope": scope,
            "store_id": str(self._state.store_id),
            "data": data,
            "created_at": int(time.time()),
            "producer": f"stores/{self._state.store_hash}",
        }
        content["hash"] = sha1(json.dumps(content).encode(), usedforsecurity=False).hexdigest()
        body, message_id, failures = json.dumps(content).encode(), f"msg_{uuid4().hex}", 0

        def make() -> tuple[Mapping[str, str], bytes] | None:
            if not hook.is_active:
                return None
            stamp = str(int(time.time()))
            return {
                **hook.headers,
                **self._signature(message_id, stamp, body),
                "content-type": "application/json",
            }, body

        def done(status: int | None) -> None:
            nonlocal failures
            failures += status is None or not 200 <= status < 300
            if failures > len(RETRY_WAITS_S):
                hook.is_active = False

        return Webhook(hook.destination, make, RETRY_WAITS_S, done)

    def _signature(self, message_id: str, stamp: str, body: bytes) -> dict[str, str]:
        signed = f"{message_id}.{stamp}.".encode() + body
        digest = hmac.new(self._state.client_secret.encode(), signed, sha256).digest()
        return {
            "webhook-id": message_id,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }


def _covers(subscribed: str, scope: str) -> bool:
    return subscribed == scope or (subscribed.endswith("/*") and scope.startswith(subscribed[:-1]))


def _row(state: State, hook: Hook) -> Row:
    return {**asdict(hook), "client_id": state.client_id, "store_hash": state.store_hash}


def _fill(hook: Hook, content: Row) -> None:
    scope, destination = content.get("scope", hook.scope), content.get("destination", hook.destination)
    headers, is_active = content.get("headers", hook.headers), content.get("is_active", hook.is_active)
    if not isinstance(scope, str) or not scope.startswith("store/"):
        raise Problem(422, "The scope is invalid.", {"scope": "unknown"})
    if not isinstance(destination, str) or not destination.startswith(("http://", "https://")):
        raise Problem(422, "The destination is invalid.", {"destination": "not a URL"})
    if not isinstance(is_active, bool) or not isinstance(headers, dict | None):
        raise Problem(422, "Payload contains invalid fields")
    hook.scope, hook.destination, hook.is_active, hook.headers = scope, destination, is_active, dict(headers or {})
    hook.updated_at = int(time.time())


def routes(state: State) -> list[Route]:
    def hook_of(request: Request) -> Hook:
        hook = state.hooks.get(int(request.path_params["hook_id"]))
        if hook is None:
            raise Problem(404, "The requested resource was not found.")
        return hook

    async def hooks(request: Request) -> Response:
        only_filters(request, ["page", "limit", "is_active", "scope", "destination"])
        found, meta = v3_page(request, list(state.hooks.values()), default=50, most=250)
        return v3([_row(state, hook) for hook in found], meta)

    async def create(request: Request) -> Response:
        content = await content_of(request)
        now = int(time.time())
        hook = Hook(0, "", "", {}, is_active=True, created_at=now, updated_at=now)
        _fill(hook, content)
        if any((each.scope, each.destination) == (hook.scope, hook.destination) for each in state.hooks.values()):
            raise Problem(409, "A webhook with this scope and destination exists already.")
        hook.id = next(state.ids)
        state.hooks[hook.id] = hook
        return v3(_row(state, hook))

    async def change(request: Request) -> Response:
        hook = hook_of(request)
        _fill(hook, await content_of(request))
        return v3(_row(state, hook))

    async def one(request: Request) -> Response:
        return v3(_row(state, hook_of(request)))

    async def delete(request: Request) -> Response:
        hook = hook_of(request)
        return v3(_row(state, state.hooks.pop(hook.id)))

    return [
        Route("/v3/hooks", hooks),
        Route("/v3/hooks", create, methods=["POST"]),
        Route("/v3/hooks/{hook_id:int}", one),
        Route("/v3/hooks/{hook_id:int}", change, methods=["PUT"]),
        Route("/v3/hooks/{hook_id:int}", delete, methods=["DELETE"]),
    ]
