"""Webhook subscriptions, and the deliveries that go out through them: signed, retried 8 times, then given up.

Bodies are built when the event happens, so retries and late ones show a moment that is past, as Shopify's do. They hold
the fields about goods only; nothing personal exists here.
"""

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from sandbox.deliveries import Webhook
from sandbox.shop import Shop
from sandbox.shopify.ids import MAIN_LOCATION, gid, item_number, variant_number
from sandbox.shopify.views import (
    Info,
    View,
    current,
    financial_status,
    fulfilment_status,
    level_id,
    page_of,
    refund_parts,
    stamp,
    unfulfilled,
)
from sandbox.things import Order, OrderEvent, Product, StockCause

API_VERSION = "2026-10"

# Eight retries over four hours; the gaps between them are not documented.
RETRY_WAITS_S = (60, 120, 300, 600, 1200, 2400, 4200, 5400)
TIMEOUT_S = 5.0

_TOPICS: Mapping[OrderEvent, tuple[str, ...]] = {
    OrderEvent.PLACED: ("orders/create",),
    OrderEvent.PAID: ("orders/updated", "orders/paid"),
    OrderEvent.FULFILLED: ("orders/updated", "orders/fulfilled"),
    OrderEvent.CANCELLED: ("orders/updated", "orders/cancelled"),
    OrderEvent.REFUNDED: ("orders/updated",),
}


@dataclass(slots=True, eq=False)
class Subscription:
    number: int
    topic: str
    uri: str
    created_at: datetime
    updated_at: datetime
    filter: str | None = None
    name: str | None = None
    include_fields: list[str] = field(default_factory=list)

    def view(self) -> View:
        return {
            "id": gid("WebhookSubscription", self.number),
            "topic": self.topic.replace("/", "_").upper(),
            "uri": self.uri,
            "format": "JSON",
            "filter": self.filter,
            "name": self.name,
            "includeFields": self.include_fields,
            "createdAt": stamp(self.created_at),
            "updatedAt": stamp(self.updated_at),
        }


class Hooks:
    """The subscriptions of the one app, and the shop's watcher that feeds them."""

    def __init__(self, shop: Shop, secret: str) -> None:
        self._shop = shop
        self._secret = secret.encode()
        self._subscriptions: dict[str, Subscription] = {}

    def subscriptions(self, _source: None, _info: Info, first: int | None = None, after: str | None = None) -> View:
        return page_of([*self._subscriptions.values()], Subscription.view, first, after)

    def create(self, _source: None, _info: Info, topic: str, **arguments: Any) -> View:
        wanted = arguments["webhookSubscription"]
        now = datetime.now(UTC)
        made = Subscription(self._shop.new_number(), _topic_of(topic), "", now, now)
        errors = self._change(made, wanted)
        if errors:
            return {"webhookSubscription": None, "userErrors": errors}
        self._subscriptions[gid("WebhookSubscription", made.number)] = made
        return {"webhookSubscription": made.view(), "userErrors": []}

    def update(self, _source: None, _info: Info, id: str, **arguments: Any) -> View:
        found = self._subscriptions.get(id)
        errors = self._change(found, arguments["webhookSubscription"]) if found else _UNKNOWN
        return {"webhookSubscription": found.view() if found and not errors else None, "userErrors": errors}

    def delete(self, _source: None, _info: Info, id: str) -> View:
        gone = self._subscriptions.pop(id, None)
        return {"deletedWebhookSubscriptionId": id if gone else None, "userErrors": [] if gone else _UNKNOWN}

    def _change(self, subscription: Subscription, wanted: Mapping[str, Any]) -> list[View]:
        """Take over what is wanted; answers with errors instead when the address is bad or taken for the topic."""
        uri = wanted.get("uri", subscription.uri)
        if urlsplit(uri).scheme not in ("http", "https"):
            return [{"field": ["webhookSubscription", "uri"], "message": "Address is invalid"}]
        others = (each for each in self._subscriptions.values() if each is not subscription)
        if any((each.topic, each.uri) == (subscription.topic, uri) for each in others):
            message = "Address for this topic has already been taken"
            return [{"field": ["webhookSubscription", "uri"], "message": message}]
        subscription.uri = uri
        subscription.filter = wanted.get("filter", subscription.filter) or None
        subscription.name = wanted.get("name", subscription.name)
        subscription.include_fields = list(wanted.get("includeFields") or [])
        subscription.updated_at = datetime.now(UTC)
        return []

    def product_added(self, product: Product) -> None:
        self._tell("products/create", product_body(product), str(uuid4()))

    def order_changed(self, order: Order, event: OrderEvent) -> None:
        event_id = str(uuid4())
        for topic in _TOPICS[event]:
            self._tell(topic, order_body(order), event_id)
        if event is OrderEvent.REFUNDED:
            self._tell("refunds/create", refund_body(order), event_id)

    def stock_changed(self, product: Product, cause: StockCause) -> None:
        """Our own writes echo like everybody else's."""
        del cause
        self._tell("inventory_levels/update", level_body(product), str(uuid4()))

    def _tell(self, topic: str, body: View, event_id: str) -> None:
        """Queue a delivery to each subscription of the topic."""
        subscribed = [each for each in self._subscriptions.values() if each.topic == topic]
        if not subscribed:
            return
        raw = json.dumps(body, separators=(",", ":")).encode()
        for subscription in subscribed:
            self._shop.deliveries.send(self._webhook(subscription, raw, event_id))

    def _webhook(self, subscription: Subscription, body: bytes, event_id: str) -> Webhook:
        headers = {
            "Content-Type": "application/json",
            "X-Shopify-Topic": subscription.topic,
            "X-Shopify-Hmac-Sha256": base64.b64encode(hmac.digest(self._secret, body, sha256)).decode(),
            "X-Shopify-Shop-Domain": urlsplit(self._shop.url).netloc,
            "X-Shopify-API-Version": API_VERSION,
            "X-Shopify-Webhook-Id": str(uuid4()),
            "X-Shopify-Event-Id": event_id,
            "X-Shopify-Triggered-At": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        }
        key = gid("WebhookSubscription", subscription.number)
        failures = 0

        def done(status: int | None) -> None:
            nonlocal failures
            failures = 0 if status is not None and 200 <= status < 300 else failures + 1
            if failures > len(RETRY_WAITS_S):
                self._subscriptions.pop(key, None)

        return Webhook(
            url=subscription.uri,
            make=lambda: (headers, body) if key in self._subscriptions else None,
            retry_waits_s=RETRY_WAITS_S,
            done=done,
            timeout_s=TIMEOUT_S,
        )


_UNKNOWN: list[View] = [{"field": ["id"], "message": "Webhook subscription does not exist"}]


@cache
def _topic_of(name: str) -> str:
    """The header's spelling of an enum value: INVENTORY_LEVELS_UPDATE -> inventory_levels/update."""
    subject, _, event = name.lower().rpartition("_")
    return f"{subject}/{event}"


def order_body(order: Order) -> View:
    return {
        "id": order.number,
        "admin_graphql_api_id": gid("Order", order.number),
        "name": order.name,
        "created_at": stamp(order.placed_at),
        "updated_at": stamp(order.changed_at),
        "cancelled_at": stamp(order.cancelled_at) if order.cancelled_at else None,
        "financial_status": financial_status(order).lower(),
        "fulfillment_status": {"FULFILLED": "fulfilled", "PARTIALLY_FULFILLED": "partial"}.get(
            fulfilment_status(order)
        ),
        "test": False,
        "line_items": [
            {
                "id": line.number,
                "sku": line.product.sku,
                "title": line.product.title,
                "quantity": line.quantity,
                "current_quantity": current(order, line),
                "fulfillable_quantity": unfulfilled(order, line),
                "product_id": line.product.number,
                "variant_id": variant_number(line.product),
            }
            for line in order.lines
        ],
    }


def refund_body(order: Order) -> View:
    refund = order.refunds[-1]
    return {
        "id": refund.number,
        "admin_graphql_api_id": gid("Refund", refund.number),
        "order_id": order.number,
        "created_at": stamp(refund.at),
        "restock": refund.restock,
        "refund_line_items": [
            {
                "line_item_id": line.number,
                "quantity": quantity,
                "restock_type": restock_type.lower(),
                "location_id": MAIN_LOCATION if refund.restock else None,
            }
            for line, quantity, restock_type in refund_parts(refund)
        ],
    }


def level_body(product: Product) -> View:
    return {
        "inventory_item_id": item_number(product),
        "location_id": MAIN_LOCATION,
        "available": product.stock,
        "updated_at": stamp(product.changed_at),
        "admin_graphql_api_id": level_id(product),
    }


def product_body(product: Product) -> View:
    return {
        "id": product.number,
        "admin_graphql_api_id": gid("Product", product.number),
        "title": product.title,
        "status": "active",
        "created_at": stamp(product.created_at),
        "updated_at": stamp(product.changed_at),
        "variants": [
            {
                "id": variant_number(product),
                "admin_graphql_api_id": gid("ProductVariant", variant_number(product)),
                "product_id": product.number,
                "sku": product.sku,
                "inventory_item_id": item_number(product),
                "inventory_quantity": product.stock,
            }
        ],
    }
