"""Shopify's webhook deliveries: is it signed, and what should be looked at again?

Page: shopify.dev/docs/apps/build/webhooks, API 2026-10. Bodies are only mined for an id: they show a moment that may be
long gone, and carry personal data.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import BadSignature, Malformed
from core.model import Hint, HintKind

# Topic of a delivery -> the kind of thing, and where in the body its id stands.
_USED: Mapping[str, tuple[HintKind, tuple[str, ...]]] = {
    "orders/create": (HintKind.ORDER, ("id",)),
    "orders/updated": (HintKind.ORDER, ("id",)),
    "orders/cancelled": (HintKind.ORDER, ("id",)),
    "orders/edited": (HintKind.ORDER, ("order_edit", "order_id")),
    "orders/delete": (HintKind.ORDER, ("id",)),
    "refunds/create": (HintKind.ORDER, ("order_id",)),
    "inventory_levels/update": (HintKind.STOCK, ("inventory_item_id",)),
    "products/update": (HintKind.CATALOGUE, ("id",)),
    "products/delete": (HintKind.CATALOGUE, ("id",)),
    "app/uninstalled": (HintKind.STORE, ("id",)),
}

# Topics as the Admin API names them when subscribing. Level changes are understood but not asked for: Shopify sends one
# for each line of each order and for each number that we write, and reconciliation finds the foreign edits among them.
SUBSCRIBED_TOPICS = tuple(
    topic.replace("/", "_").upper() for topic, (kind, _) in _USED.items() if kind is not HintKind.STOCK
)


def read_delivery(secret: str, headers: Mapping[str, str], body: bytes) -> Sequence[Hint]:
    """Verify the signature, then read the one id we need; an empty answer for topics that we do not use.

    Raises: BadSignature; Malformed (well signed, but not what the topic documents).
    """
    if not _is_signed(secret, headers.get("x-shopify-hmac-sha256", ""), body):
        raise BadSignature("the delivery's signature does not match its bytes; is the app's secret the right one?")
    used = _USED.get(headers.get("x-shopify-topic", ""))
    if used is None:
        return ()
    kind, path = used
    dedupe_key = headers.get("x-shopify-webhook-id", "")
    if not dedupe_key:
        raise Malformed("the delivery has no X-Shopify-Webhook-Id")
    return (Hint(kind, _id_at(path, body), dedupe_key),)


def _is_signed(secret: str, signature: str, body: bytes) -> bool:
    expected = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest())
    return hmac.compare_digest(expected, signature.encode("utf-8", "replace"))


def _id_at(path: Sequence[str], body: bytes) -> str:
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed("the delivery's body is not JSON") from None
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    # Ids exceed 2**53, which Python's integers don't mind; True would pass for an integer.
    if isinstance(found, bool) or not isinstance(found, int | str) or found == "":
        raise Malformed(f"the delivery's body has no {'.'.join(path)}")
    return str(found)
