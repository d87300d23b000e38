"""Is this webhook BigCommerce's, and what should be looked at again? Pure but for the clock that is handed in.

BigCommerce sends back the custom headers that a hook was made with: our secret among them is required. The store's API
account also signs by the Standard Webhooks scheme (webhook-id, webhook-timestamp, webhook-signature: base64 of
HMAC-SHA256 over "id.timestamp.body", keyed with the bytes of its client secret); where any of these headers is there,
all must be and must fit. Platform page: Webhooks > HTTPS webhook overview.

A hint carries no state, so a replayed one can only cause one more fetch. BigCommerce retries for 48 hours and does not
say that a retry gets a new timestamp: so stamps up to that age are good, and later ones are refused.
"""

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from core.errors import BadSignature, Malformed
from core.model import Hint, HintKind

OUR_HEADER = "x-holdfast-secret"
OLDEST = timedelta(hours=49)
AHEAD = timedelta(minutes=5)
_SIGNATURE_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")

SCOPES = (
    "store/order/*",
    "store/product/created",
    "store/product/deleted",
    "store/sku/created",
    "store/sku/deleted",
    "store/app/uninstalled",
)
"""What we subscribe to. Stock events are left out: each of our own writes would come back as one."""


def verify(headers: Mapping[str, str], body: bytes, *, webhook_secret: str, client_secret: str, now: datetime) -> None:
    """Return when the store sent these bytes.

    Args:    headers: lower-case names. now: aware.
    Raises:  BadSignature.
    """
    if not hmac.compare_digest(headers.get(OUR_HEADER, "").encode(), webhook_secret.encode()):
        raise BadSignature("the webhook does not carry our secret header")
    if any(name in headers for name in _SIGNATURE_HEADERS):
        _verify_standard(headers, body, client_secret, now)


def _verify_standard(headers: Mapping[str, str], body: bytes, client_secret: str, now: datetime) -> None:
    message, stamp, signatures = (headers.get(name, "") for name in _SIGNATURE_HEADERS)
    expected = standard_signature(message, stamp, body, client_secret).encode()
    matches = [hmac.compare_digest(one.encode(), expected) for one in signatures.split()]
    if not any(matches):
        raise BadSignature("the webhook's signature does not match its bytes; check the client secret")
    if not stamp.isdecimal() or len(stamp) > 12:
        raise BadSignature("the webhook's timestamp is not a time")
    age = timedelta(seconds=now.timestamp() - int(stamp))
    if not -AHEAD <= age <= OLDEST:
        raise BadSignature("the webhook is older than BigCommerce's last retry, or from the future; check the clock")


def standard_signature(message_id: str, stamp: str, body: bytes, client_secret: str) -> str:
    """One ``v1,`` signature of the Standard Webhooks scheme."""
    signed = b".".join((message_id.encode(), stamp.encode(), body))
    digest = hmac.new(client_secret.encode(), signed, sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def hints(headers: Mapping[str, str], body: bytes) -> Sequence[Hint]:
    """What a verified webhook asks to look at again; none for scopes that we do not use.

    The dedupe key is webhook-id where it is sent. The body's ``hash`` only stands in: two changes within one second
    make equal bodies.
    Raises: Malformed.
    """
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed("the webhook's body is not JSON") from None
    if not isinstance(event, dict) or not isinstance(event.get("scope"), str):
        raise Malformed("the webhook's body names no scope")
    data = event.get("data")
    subject = _subject(event["scope"], data if isinstance(data, dict) else {}, event)
    if subject is None:
        return ()
    kind, external_id = subject
    key = headers.get("webhook-id") or f"{event['scope']}:{external_id}:{event.get('hash') or sha256(body).hexdigest()}"
    return (Hint(kind=kind, external_id=external_id, dedupe_key=key),)


def _subject(scope: str, data: Mapping[str, Any], event: Mapping[str, Any]) -> tuple[HintKind, str] | None:
    family = _family(scope)
    if family in ("order", "shipment"):
        return HintKind.ORDER, _id(_order_id(family, data), scope)
    if family in ("product", "sku"):
        detail = data.get("inventory") or data.get("sku") or {}
        product = (
            detail.get("product_id") or data.get("product_id") or (data.get("id") if family == "product" else None)
        )
        variant = detail.get("variant_id") or data.get("variant_id")
        kind = HintKind.STOCK if "/inventory/" in scope else HintKind.CATALOGUE
        return kind, f"{_id(product, scope)}/{_id(variant, scope)}" if variant else _id(product, scope)
    if scope in ("store/app/uninstalled", "store/information/updated"):
        return HintKind.STORE, str(event.get("store_id") or "")
    return None


def _family(scope: str) -> str:
    """What kind of thing changed: "order" of store/order/updated as of store/channel/1/order/updated."""
    words = scope.split("/")
    if len(words) > 3 and words[1] == "channel":
        words = words[2:]
    if "inventory" in words and "product" in words:
        return "product"
    return words[1] if len(words) > 2 else ""


def _order_id(family: str, data: Mapping[str, Any]) -> object:
    named = data.get("order_id") or data.get("orderId")
    return named or (data.get("id") if family == "order" else None)


def _id(value: object, scope: str) -> str:
    if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()):
        return str(value)
    raise Malformed(f"the webhook {scope} does not say what it is about")
