"""Our webhook subscriptions: one per topic, as JSON, unfiltered, to one address.

Shopify deletes a subscription after 8 failed deliveries in a row, and an unknown field in a filter silently stops all.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.shopify.caller import ShopifyCaller, pages
from connectors.shopify.documents import MEND_SUBSCRIPTION, SUBSCRIBE, SUBSCRIPTIONS, UNSUBSCRIBE
from connectors.shopify.translate import Node, reading
from connectors.shopify.webhooks import SUBSCRIBED_TOPICS
from core.errors import Rejected


def ensure_subscriptions(caller: ShopifyCaller, delivery_url: str) -> Sequence[str]:
    """One sentence per subscription that was made, mended or taken away. Other topics' subscriptions stay."""
    with reading("webhook subscriptions"):
        standing: dict[str, list[Node]] = {topic: [] for topic in SUBSCRIBED_TOPICS}
        for subscription in _all(caller):
            if subscription["topic"] in standing:
                standing[subscription["topic"]].append(subscription)
        return [done for topic, found in standing.items() for done in _ensure(caller, topic, found, delivery_url)]


def _all(caller: ShopifyCaller) -> Iterator[Node]:
    def page(cursor: str | None) -> Node:
        found: Node = caller.ask(SUBSCRIPTIONS, {"after": cursor}).data["webhookSubscriptions"]
        return found

    return pages(page(None), page)


def _ensure(caller: ShopifyCaller, topic: str, found: Sequence[Node], url: str) -> Iterator[str]:
    wanted = {"uri": url, "format": "JSON", "filter": "", "includeFields": []}
    right = next((each for each in found if _is_right(each, url)), None)
    if right is None and found:
        right = found[0]
        _do(caller, MEND_SUBSCRIPTION, {"id": right["id"], "subscription": wanted})
        yield f"mended the subscription to {topic}"
    elif right is None:
        _do(caller, SUBSCRIBE, {"topic": topic, "subscription": {"uri": url, "format": "JSON"}})
        yield f"subscribed to {topic}"
    for each in found:
        if right is not None and each["id"] != right["id"]:
            _do(caller, UNSUBSCRIBE, {"id": each["id"]})
            yield f"took away a second subscription to {topic}"


def _is_right(subscription: Node, url: str) -> bool:
    whole = not subscription["filter"] and not subscription["includeFields"]
    return bool(subscription["uri"] == url and subscription["format"] == "JSON" and whole)


def _do(caller: ShopifyCaller, document: str, variables: Mapping[str, Any]) -> None:
    """Carry out one change. A repeat after a lost answer may meet its own success, which Shopify reports as taken."""
    for payload in caller.ask(document, variables).data.values():
        errors = payload["userErrors"]
        if errors and not all("taken" in error["message"].lower() for error in errors):
            raise Rejected(f"Shopify refuses the webhook subscription: {errors[0]['message']}", status=200)
