"""Webhooks of WooCommerce: which ones we keep, and reading what they bring.

``X-WC-Webhook-Signature`` is base64(HMAC-SHA256(raw body, secret)). The headers themselves are not signed, so they only
choose what to look at. A payload is built when it is delivered, not when the thing happened: it is a hint, no more.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence

from core.errors import BadSignature, Malformed
from core.model import Hint, HintKind

from .rows import Webhook, parse_list
from .shop import Shop
from .stock import PAGE

# product.updated is left out on purpose: it fires for each unit sold and echoes each of our own writes.
TOPICS = ("order.created", "order.updated", "order.deleted", "order.restored")


def read(secret: str, headers: Mapping[str, str], body: bytes) -> Sequence[Hint]:
    """Verify, then say what to look at again; the unsigned ping at a webhook's creation says nothing."""
    signature = headers.get("x-wc-webhook-signature", "")
    if not signature and "x-wc-webhook-topic" not in headers and re.fullmatch(rb"webhook_id=\d{1,20}", body):
        return ()
    expected = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest())
    if not secret or not hmac.compare_digest(expected, signature.encode()):
        raise BadSignature("the signature does not match the body; is the webhook's secret the one given to the shop?")
    topic = headers.get("x-wc-webhook-topic", "")
    resource, _, event = topic.partition(".")
    if resource not in ("order", "product"):
        return ()
    content = _content(body)
    key = f"{topic}:{content['id']}:{hashlib.sha256(body).hexdigest()}"
    if resource == "order":
        return (Hint(HintKind.ORDER, str(content["id"]), key),)
    return (Hint(HintKind.STOCK if event == "updated" else HintKind.CATALOGUE, _listing(content), key),)


def _content(body: bytes) -> dict[str, object]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed("a signed WooCommerce webhook is not JSON") from None
    if not isinstance(content, dict) or type(content.get("id")) is not int:
        raise Malformed("a signed WooCommerce webhook names no id")
    return content


def _listing(content: Mapping[str, object]) -> str:
    """The listing a product webhook is about. A deleted variation cannot be told from a product: its body is its id."""
    parent = content.get("parent_id")
    return f"{parent}/{content['id']}" if content.get("type") == "variation" and parent else str(content["id"])


def ensure(shop: Shop, delivery_url: str, secret: str) -> Sequence[str]:
    """Create, mend and tidy our webhooks, known by their names; one sentence for each act."""
    acts: list[str] = []
    standing = _ours(shop)
    for topic in TOPICS:
        good = [hook for hook in standing if hook.topic == topic and hook.delivery_url == delivery_url]
        for hook in standing:
            if hook.topic == topic and hook not in good[:1]:
                shop.remove(f"webhooks/{hook.id}")
                acts.append(f"Removed a webhook for {topic} that led elsewhere or was there twice.")
        if not good:
            new = {"name": _name(topic), "topic": topic, "delivery_url": delivery_url, "secret": secret}
            shop.send("POST", "webhooks", new)
            acts.append(f"Created the webhook for {topic}.")
        elif good[0].status != "active":
            shop.send("PUT", f"webhooks/{good[0].id}", {"status": "active", "secret": secret})
            acts.append(f"Switched the webhook for {topic} on again; it was {good[0].status}.")
    return acts


def _name(topic: str) -> str:
    return f"Holdfast {topic}"


def _ours(shop: Shop) -> list[Webhook]:
    names = {_name(topic) for topic in TOPICS}
    found: list[Webhook] = []
    page, going_on = 1, True
    while going_on:
        rows = parse_list(Webhook, shop.get("webhooks", {"per_page": PAGE, "page": page}).content)
        found += [hook for hook in rows if hook.name in names]
        page, going_on = page + 1, len(rows) == PAGE
    return found
