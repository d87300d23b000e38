"""Webhooks: built when they leave, changes before that merged, signed, never retried, disabled after failures."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlsplit

from sandbox.deliveries import Webhook
from sandbox.shop import Shop
from sandbox.woocommerce import shapes
from sandbox.woocommerce.catalogue import Catalogue
from sandbox.woocommerce.errors import ApiError, invalid_id, invalid_param

USER_AGENT = f"WooCommerce/{shapes.VERSION} Hookshot (WordPress/7.1)"
STATUSES = ("active", "paused", "disabled")
FAILURES_FORGIVEN = 6
TAKEN = range(200, 303)  # redirects up to 302 count as delivered and are lost
TIMEOUT_S = 60.0
TRIGGERS: Mapping[str, tuple[str, ...]] = {
    "order.created": ("woocommerce_new_order",),
    "order.updated": ("woocommerce_update_order", "woocommerce_order_refunded"),
    "order.deleted": ("wp_trash_post", "woocommerce_trash_order"),
    "order.restored": ("untrashed_post", "woocommerce_untrash_order"),
    "product.created": (
        "woocommerce_process_product_meta",
        "woocommerce_new_product",
        "woocommerce_new_product_variation",
    ),
    "product.updated": (
        "woocommerce_process_product_meta",
        "woocommerce_update_product",
        "woocommerce_update_product_variation",
    ),
    "product.deleted": ("wp_trash_post",),
    "product.restored": ("untrashed_post",),
}


@dataclass(slots=True, eq=False)
class Hook:
    """``failures`` in a row are not shown by any API."""

    number: int
    name: str
    topic: str
    delivery_url: str
    secret: str = field(repr=False)
    created_at: datetime
    changed_at: datetime | None = None
    status: str = "active"
    failures: int = 0

    def heard(self, http_status: int | None) -> None:
        """Six failures in a row are forgiven, the seventh disables; re-enabling does not reset the count."""
        if http_status is not None and http_status in TAKEN:
            self.failures = 0
        elif self.failures < FAILURES_FORGIVEN:
            self.failures += 1
        else:
            self.status = "disabled"


def show(hook: Hook, home: str) -> shapes.Json:
    resource, _, event = hook.topic.partition(".")
    return {
        "id": hook.number,
        "name": hook.name,
        "status": hook.status,
        "topic": hook.topic,
        "resource": resource,
        "event": event,
        "hooks": list(TRIGGERS[hook.topic]),
        "delivery_url": hook.delivery_url,
        **shapes.dates("date_created", hook.created_at),
        **shapes.dates("date_modified", hook.changed_at),
        "_links": shapes.links(home, f"webhooks/{hook.number}"),
    }


def php_json(value: object) -> bytes:
    """As PHP writes it: slashes and everything past ASCII escaped."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode()


def sign(body: bytes, secret: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, "sha256").digest()).decode()


class Hooks:
    """The shop's webhooks. Private targets are allowed here, as by the shop-side filters."""

    def __init__(self, shop: Shop, catalogue: Catalogue) -> None:
        self._shop = shop
        self._catalogue = catalogue
        self._hooks: dict[int, Hook] = {}
        self._last_number = 0
        self._waiting: set[tuple[int, int]] = set()

    def all(self) -> list[Hook]:
        return list(self._hooks.values())

    def get(self, number: int) -> Hook:
        """Raises: ApiError 404."""
        hook = self._hooks.get(number)
        if hook is None:
            raise invalid_id("shop_webhook")
        return hook

    async def create(self, body: Mapping[str, object]) -> Hook:
        """Always active, whatever ``status`` says; the unsigned ping arrives before the answer and may fail."""
        topic, secret = _topic(body.get("topic")), body.get("secret")
        url = _delivery_url(body.get("delivery_url"))
        self._last_number += 1
        number = self._last_number
        hook = Hook(
            number,
            str(body.get("name") or f"Webhook {number}"),
            topic,
            url,
            secret if isinstance(secret, str) and secret else self._shop.token(f"webhook {number}"),
            datetime.now(UTC),
        )
        self._hooks[number] = hook
        headers = {"User-Agent": USER_AGENT, "Content-Type": "application/x-www-form-urlencoded"}
        await self._shop.deliveries.post(url, headers, f"webhook_id={number}".encode(), TIMEOUT_S)
        return hook

    def update(self, number: int, body: Mapping[str, object]) -> Hook:
        hook = self.get(number)
        status = body.get("status", hook.status)
        if not isinstance(status, str) or status not in STATUSES:
            raise invalid_param("status", "status is not one of active, paused, and disabled.", "rest_not_in_enum")
        topic = _topic(body.get("topic", hook.topic))
        url = _delivery_url(body.get("delivery_url", hook.delivery_url))
        secret = body.get("secret")
        hook.status, hook.topic, hook.delivery_url = status, topic, url
        hook.name = str(body.get("name", hook.name))
        hook.secret = secret if isinstance(secret, str) and secret else hook.secret
        hook.changed_at = datetime.now(UTC)
        return hook

    def delete(self, number: int, *, force: bool) -> Hook:
        self.get(number)
        if not force:
            raise ApiError(501, "woocommerce_rest_trash_not_supported", "Webhooks do not support trashing.")
        return self._hooks.pop(number)

    def fire(self, topic: str, resource: int) -> None:
        """Queue a delivery to every active hook of the topic, unless one for this resource still waits to leave."""
        for hook in self._hooks.values():
            ticket = (hook.number, resource)
            if hook.topic != topic or hook.status != "active" or ticket in self._waiting:
                continue
            self._waiting.add(ticket)
            self._shop.deliveries.send(
                Webhook(
                    hook.delivery_url,
                    partial(self._make, hook, resource),
                    done=hook.heard,
                    timeout_s=TIMEOUT_S,
                    accepts=TAKEN,
                )
            )

    def _make(self, hook: Hook, resource: int) -> tuple[Mapping[str, str], bytes] | None:
        self._waiting.discard((hook.number, resource))
        payload = self._payload(hook.topic, resource)
        if payload is None or hook.status != "active" or hook.number not in self._hooks:
            return None
        body = php_json(payload)
        # Woo hashes the webhook and the second, so two things changed within a second share an id.
        delivery = hashlib.sha256(f"{hook.number}{datetime.now(UTC):%Y%m%d%H%M%S}".encode()).hexdigest()[:32]
        kind, _, event = hook.topic.partition(".")
        return {
            "User-Agent": USER_AGENT,
            "Content-Type": "application/json",
            "X-WC-Webhook-Source": f"{self._shop.url}/",
            "X-WC-Webhook-Topic": hook.topic,
            "X-WC-Webhook-Resource": kind,
            "X-WC-Webhook-Event": event,
            "X-WC-Webhook-Signature": sign(body, hook.secret),
            "X-WC-Webhook-ID": str(hook.number),
            "X-WC-Webhook-Delivery-ID": delivery,
        }, body

    def _payload(self, topic: str, resource: int) -> shapes.Json | None:
        if topic.startswith("order."):
            order = self._shop.orders.get(resource)
            return shapes.order(order, self._catalogue, self._shop.url) if order else None
        product = self._shop.products.get(resource)
        return shapes.product(product, self._catalogue, self._shop.url) if product else None


def _topic(value: object) -> str:
    if not isinstance(value, str) or value not in TRIGGERS:
        raise ApiError(
            400, "woocommerce_rest_shop_webhook_invalid_topic", "Webhook topic is required and must be valid."
        )
    return value


def _delivery_url(value: object) -> str:
    if not isinstance(value, str) or urlsplit(value).scheme not in ("http", "https"):
        raise ApiError(
            400,
            "woocommerce_rest_shop_webhook_invalid_delivery_url",
            "Webhook delivery URL must be a valid URL starting with http:// or https://.",
        )
    return value
