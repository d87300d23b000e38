"""Deliveries are believed only by their signature, and only an id is taken from them."""

import base64
import hmac
import json
from collections.abc import Mapping
from typing import Any

import pytest

from connectors.shopify.webhooks import SUBSCRIBED_TOPICS, read_delivery
from core.errors import BadSignature, Malformed
from core.model import Hint, HintKind

# Computed with openssl: printf '%s' BODY | openssl dgst -sha256 -hmac hush -binary | base64
VECTOR_BODY = b'{"id":820982911946154508,"note":"caf\xc3\xa9"}'
VECTOR_SIGNATURE = "XEYCPSbGtdhP6PZ+r0hjL3ujEHWaBLaDBADxMdhcFMM="


def delivery(topic: str, body: Any, secret: str = "hush") -> tuple[Mapping[str, str], bytes]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {
        "x-shopify-topic": topic,
        "x-shopify-hmac-sha256": base64.b64encode(hmac.digest(secret.encode(), raw, "sha256")).decode(),
        "x-shopify-webhook-id": "545ebdd4-b7be-4d3d-b14e-54aa78e0e0f9",
    }
    return headers, raw


def test_a_signature_made_elsewhere_is_accepted() -> None:
    headers = {
        "x-shopify-topic": "orders/create",
        "x-shopify-hmac-sha256": VECTOR_SIGNATURE,
        "x-shopify-webhook-id": "w1",
    }

    assert list(read_delivery("hush", headers, VECTOR_BODY)) == [Hint(HintKind.ORDER, "820982911946154508", "w1")]


@pytest.mark.parametrize(
    ("topic", "body", "kind", "external_id"),
    [
        ("orders/create", {"id": 9_007_199_254_740_993}, HintKind.ORDER, "9007199254740993"),
        ("orders/updated", {"id": 1}, HintKind.ORDER, "1"),
        ("orders/cancelled", {"id": 1}, HintKind.ORDER, "1"),
        ("orders/delete", {"id": 1}, HintKind.ORDER, "1"),
        ("orders/edited", {"order_edit": {"id": 7, "order_id": 1}}, HintKind.ORDER, "1"),
        ("refunds/create", {"id": 7, "order_id": 1}, HintKind.ORDER, "1"),
        ("inventory_levels/update", {"inventory_item_id": 3, "location_id": 2}, HintKind.STOCK, "3"),
        ("products/update", {"id": 4}, HintKind.CATALOGUE, "4"),
        ("products/delete", {"id": 4}, HintKind.CATALOGUE, "4"),
        ("app/uninstalled", {"id": 5}, HintKind.STORE, "5"),
    ],
)
def test_each_topic_names_what_to_look_at_again(topic: str, body: Any, kind: HintKind, external_id: str) -> None:
    (hint,) = read_delivery("hush", *delivery(topic, body))

    assert hint == Hint(kind, external_id, "545ebdd4-b7be-4d3d-b14e-54aa78e0e0f9")


def test_a_topic_that_is_not_used_says_nothing() -> None:
    assert list(read_delivery("hush", *delivery("customers/redact", {"id": 1}))) == []


def test_one_changed_byte_is_refused() -> None:
    headers, body = delivery("orders/create", {"id": 1})

    with pytest.raises(BadSignature):
        read_delivery("hush", headers, body.replace(b"1", b"2"))


@pytest.mark.parametrize("signature", ["", "ü", "AAAA", None])
def test_a_delivery_without_a_fitting_signature_is_refused_before_it_is_parsed(signature: str | None) -> None:
    headers = {"x-shopify-topic": "orders/create", "x-shopify-webhook-id": "w"}
    if signature is not None:
        headers["x-shopify-hmac-sha256"] = signature

    with pytest.raises(BadSignature):
        read_delivery("hush", headers, b"not json")


def test_another_apps_secret_is_refused() -> None:
    with pytest.raises(BadSignature):
        read_delivery("hush", *delivery("orders/create", {"id": 1}, secret="other"))


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"id":true}', b'{"id":null}', b'{"id":1.5}'])
def test_a_signed_body_without_its_id_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_delivery("hush", *delivery("orders/create", body))


def test_a_delivery_without_an_id_of_its_own_is_malformed() -> None:
    headers, body = delivery("orders/create", {"id": 1})

    with pytest.raises(Malformed):
        read_delivery("hush", {name: text for name, text in headers.items() if "webhook" not in name}, body)


def test_our_own_writes_are_not_asked_for_as_echoes() -> None:
    assert "INVENTORY_LEVELS_UPDATE" not in SUBSCRIBED_TOPICS
    assert "ORDERS_CREATE" in SUBSCRIBED_TOPICS
