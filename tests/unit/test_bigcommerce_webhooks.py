"""Which deliveries are BigCommerce's, and what they ask to look at."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from connectors.bigcommerce.webhooks import OUR_HEADER, hints, standard_signature, verify
from core.errors import BadSignature, Malformed
from core.model import HintKind

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BODY = json.dumps({"scope": "store/order/created", "data": {"type": "order", "id": 250}, "hash": "abc"}).encode()


def signed(body: bytes = BODY, sent_at: datetime = NOW, key: str = "client-secret") -> dict[str, str]:
    stamp = str(int(sent_at.timestamp()))
    return {
        OUR_HEADER: "ours",
        "webhook-id": "msg_1",
        "webhook-timestamp": stamp,
        "webhook-signature": standard_signature("msg_1", stamp, body, key),
    }


def check(headers: dict[str, str], body: bytes = BODY) -> None:
    verify(headers, body, webhook_secret="ours", client_secret="client-secret", now=NOW)


def test_our_secret_and_a_fitting_signature_pass() -> None:
    check(signed())


def test_our_secret_alone_passes_where_nothing_is_signed() -> None:
    check({OUR_HEADER: "ours"})


@pytest.mark.parametrize("secret", [None, "", "theirs", "öurs"])
def test_without_our_secret_even_a_good_signature_is_refused(secret: str | None) -> None:
    headers = signed()
    del headers[OUR_HEADER]
    with pytest.raises(BadSignature):
        check(headers if secret is None else {**headers, OUR_HEADER: secret})


def test_a_signature_of_other_bytes_or_another_key_is_refused() -> None:
    with pytest.raises(BadSignature):
        check(signed(), BODY + b" ")
    with pytest.raises(BadSignature):
        check(signed(key="another"))


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_half_a_signature_is_none(missing: str) -> None:
    headers = signed()
    del headers[missing]
    with pytest.raises(BadSignature):
        check(headers)


def test_one_fitting_signature_among_several_is_enough() -> None:
    headers = signed()
    headers["webhook-signature"] = "v1,AAAA " + headers["webhook-signature"]
    check(headers)


def test_the_last_retry_after_two_days_passes_and_what_is_older_does_not() -> None:
    check(signed(sent_at=NOW - timedelta(hours=48)))
    with pytest.raises(BadSignature):
        check(signed(sent_at=NOW - timedelta(hours=50)))
    with pytest.raises(BadSignature):
        check(signed(sent_at=NOW + timedelta(minutes=10)))


@pytest.mark.parametrize(
    ("scope", "data", "kind", "external_id"),
    [
        ("store/order/statusUpdated", {"type": "order", "id": 250, "status": {}}, HintKind.ORDER, "250"),
        ("store/channel/1/order/updated", {"order_id": 127}, HintKind.ORDER, "127"),
        ("store/order/transaction/created", {"type": "transaction", "order_id": "250"}, HintKind.ORDER, "250"),
        ("store/shipment/created", {"type": "shipment", "id": 12, "orderId": 251}, HintKind.ORDER, "251"),
        ("store/product/updated", {"type": "product", "id": 205}, HintKind.CATALOGUE, "205"),
        ("store/sku/created", {"id": 461, "sku": {"product_id": 6, "variant_id": 9}}, HintKind.CATALOGUE, "6/9"),
        (
            "store/sku/inventory/updated",
            {"id": 461, "inventory": {"product_id": 6, "variant_id": 9}},
            HintKind.STOCK,
            "6/9",
        ),
        ("store/product/inventory/updated", {"id": 6, "inventory": {"product_id": 6}}, HintKind.STOCK, "6"),
        (
            "store/channel/*/inventory/product/stock_changed",
            {"variant_id": 9, "product_id": 6, "location_id": 2},
            HintKind.STOCK,
            "6/9",
        ),
        ("store/app/uninstalled", {"type": "store"}, HintKind.STORE, "1025646"),
    ],
)
def test_each_scope_names_what_to_look_at(
    scope: str, data: dict[str, object], kind: HintKind, external_id: str
) -> None:
    body = json.dumps({"scope": scope, "store_id": "1025646", "data": data, "hash": "h"}).encode()

    (hint,) = hints({}, body)

    assert (hint.kind, hint.external_id) == (kind, external_id)


@pytest.mark.parametrize(
    "scope", ["store/cart/converted", "store/customer/created", "store/inventory/location/created"]
)
def test_scopes_we_do_not_use_ask_for_nothing(scope: str) -> None:
    assert hints({}, json.dumps({"scope": scope, "data": {"id": 1}}).encode()) == ()


def test_a_repeated_delivery_has_the_same_key_and_two_changes_in_one_second_do_not() -> None:
    first, repeated = hints({"webhook-id": "msg_1"}, BODY), hints({"webhook-id": "msg_1"}, BODY)
    second_change = hints({"webhook-id": "msg_2"}, BODY)

    assert first[0].dedupe_key == repeated[0].dedupe_key != second_change[0].dedupe_key


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"scope": "store/order/created", "data": {}}'])
def test_a_body_that_says_nothing_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        hints({}, body)
