"""WooCommerce's signatures and webhook subscriptions."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import pytest

from connectors.woocommerce.shop import Answer, Params
from connectors.woocommerce.webhooks import TOPICS, ensure, read
from core.errors import BadSignature, Malformed
from core.model import HintKind

SECRET = "0a1b2c3d"
URL = "https://hub.example/hooks/1"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def _signed(topic: str, body: bytes, secret: str = SECRET) -> dict[str, str]:
    signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    return {"x-wc-webhook-topic": topic, "x-wc-webhook-signature": signature}


@pytest.mark.parametrize(
    ("topic", "body", "kind", "external_id"),
    [
        ("order.created", b'{"id": 7}', HintKind.ORDER, "7"),
        ("order.deleted", b'{"id": 7}', HintKind.ORDER, "7"),
        ("product.updated", b'{"id": 12, "type": "simple", "parent_id": 0}', HintKind.STOCK, "12"),
        ("product.updated", b'{"id": 48, "type": "variation", "parent_id": 46}', HintKind.STOCK, "46/48"),
        ("product.created", b'{"id": 12}', HintKind.CATALOGUE, "12"),
    ],
)
def test_a_signed_webhook_says_what_to_look_at(topic: str, body: bytes, kind: HintKind, external_id: str) -> None:
    (hint,) = read(SECRET, _signed(topic, body), body)

    assert (hint.kind, hint.external_id) == (kind, external_id)


def test_the_key_of_a_delivery_differs_by_topic_thing_and_content() -> None:
    sent = [
        ("order.created", b'{"id": 7}'),
        ("order.updated", b'{"id": 7}'),
        ("order.updated", b'{"id": 8}'),
        ("order.updated", b'{"id": 7, "status": "completed"}'),
    ]

    keys = [read(SECRET, _signed(topic, body), body)[0].dedupe_key for topic, body in sent]

    assert len(set(keys)) == len(sent)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-wc-webhook-topic": "order.created"},
        {"x-wc-webhook-topic": "order.created", "x-wc-webhook-signature": ""},
        {"x-wc-webhook-topic": "order.created", "x-wc-webhook-signature": "Ünicode"},
        _signed("order.created", b'{"id": 7}', secret="another"),
        _signed("order.created", b'{"id": 8}'),
    ],
)
def test_what_the_shop_did_not_sign_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        read(SECRET, headers, b'{"id": 7}')


def test_an_empty_secret_accepts_nothing() -> None:
    with pytest.raises(BadSignature):
        read("", _signed("order.created", b'{"id": 7}', secret=""), b'{"id": 7}')


def test_the_unsigned_ping_of_a_new_webhook_says_nothing() -> None:
    assert read(SECRET, {"content-type": "application/x-www-form-urlencoded"}, b"webhook_id=20") == ()


@pytest.mark.parametrize("body", [b"webhook_id=20&id=7", b"webhook_id=x", b"{}", b""])
def test_only_a_ping_may_come_unsigned(body: bytes) -> None:
    with pytest.raises(BadSignature):
        read(SECRET, {}, body)


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"id": "7"}', b'{"id": true}', b"\xff"])
def test_a_signed_body_that_names_nothing_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read(SECRET, _signed("order.updated", body), body)


@pytest.mark.parametrize("topic", ["coupon.created", "action.woocommerce_add_to_cart", ""])
def test_a_kind_we_do_not_use_says_nothing(topic: str) -> None:
    assert read(SECRET, _signed(topic, b'{"arg": 1}'), b'{"arg": 1}') == ()


@dataclass
class HookShop:
    """A shop that only has webhooks."""

    hooks: dict[int, dict[str, Any]] = field(default_factory=dict)
    writes: int = 0

    def get(self, endpoint: str, params: Params) -> Answer:
        size, page = int(params["per_page"]), int(params["page"])
        shown = [{"id": number, **hook} for number, hook in self.hooks.items()]
        return Answer(shown[(page - 1) * size : page * size], NOON, NOON)

    def send(self, method: Literal["POST", "PUT"], endpoint: str, data: Mapping[str, Any]) -> Answer:
        self.writes += 1
        number = max(self.hooks, default=0) + 1 if method == "POST" else int(endpoint.partition("/")[2])
        self.hooks[number] = {"status": "active", **self.hooks.get(number, {}), **data}
        return Answer({}, NOON, NOON)

    def remove(self, endpoint: str) -> None:
        self.writes += 1
        del self.hooks[int(endpoint.partition("/")[2])]


def _standing(shop: HookShop) -> set[tuple[str, str, str]]:
    return {(hook["topic"], hook["delivery_url"], hook["status"]) for hook in shop.hooks.values()}


GOOD = {(topic, URL, "active") for topic in TOPICS}


def test_missing_webhooks_are_made_with_our_secret_and_then_left_alone() -> None:
    shop = HookShop()

    assert len(ensure(shop, URL, SECRET)) == len(TOPICS)
    writes = shop.writes
    assert ensure(shop, URL, SECRET) == []

    assert _standing(shop) == GOOD
    assert {hook["secret"] for hook in shop.hooks.values()} == {SECRET}
    assert shop.writes == writes


@pytest.mark.parametrize(
    "harm", [{"status": "disabled"}, {"status": "paused"}, {"delivery_url": "https://old.example"}]
)
def test_a_harmed_webhook_is_mended(harm: dict[str, str]) -> None:
    shop = HookShop()
    ensure(shop, URL, SECRET)
    shop.hooks[2] |= harm

    acts = ensure(shop, URL, SECRET)

    assert acts
    assert _standing(shop) == GOOD
    assert ensure(shop, URL, SECRET) == []


def test_a_webhook_made_twice_is_removed_once() -> None:
    shop = HookShop()
    ensure(shop, URL, SECRET)
    shop.hooks[99] = dict(shop.hooks[1])

    acts = ensure(shop, URL, SECRET)

    assert len(acts) == 1
    assert len(shop.hooks) == len(TOPICS)


def test_webhooks_of_others_are_left_alone_on_however_many_pages() -> None:
    other = {"name": "theirs", "topic": "order.created", "delivery_url": "https://x.example", "status": "disabled"}
    shop = HookShop({number: dict(other) for number in range(1, 251)})

    ensure(shop, URL, SECRET)

    assert ensure(shop, URL, SECRET) == []
    assert sum(hook["name"] == "theirs" for hook in shop.hooks.values()) == 250
