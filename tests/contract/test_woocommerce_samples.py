"""WooCommerce's recorded exchanges and deliveries, read by our code."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.woocommerce import webhooks
from connectors.woocommerce.rows import BatchReply, Order, Product, Refund, Webhook, parse, parse_list
from connectors.woocommerce.translate import to_order, whole_stock
from core.errors import BadSignature
from core.model import HintKind, StoreOrder

NOW = datetime(2026, 11, 22, 2, 42, tzinfo=UTC)
SECRET = "sample-webhook-secret"


def _body(contracts: Path, name: str) -> Any:
    return json.loads((contracts / "woocommerce/samples/rest" / f"{name}.json").read_text())["body"]


def _order(contracts: Path, name: str, refunds: str | None = None) -> StoreOrder:
    found = parse_list(Refund, _body(contracts, refunds)) if refunds else []
    return to_order(parse(Order, _body(contracts, name)), found, 60, NOW)


def test_each_recorded_delivery_is_accepted_and_refused_with_one_byte_changed(contracts: Path) -> None:
    files = sorted((contracts / "woocommerce/samples/webhooks").glob("*.json"))
    kinds = set()

    for file in files:
        delivery = json.loads(file.read_text())
        headers = {name.lower(): value for name, value in delivery["headers"].items()}
        body = delivery["raw_body"].encode()
        if file.stem == "ping-on-create":
            assert webhooks.read(SECRET, headers, body) == ()
            continue
        (hint,) = webhooks.read(SECRET, headers, body)
        kinds.add(hint.kind)
        assert hint.external_id.rpartition("/")[2] == str(delivery["json"]["id"])
        with pytest.raises(BadSignature):
            webhooks.read(SECRET, headers, body[:-1] + bytes([body[-1] ^ 1]))

    assert kinds == {HintKind.ORDER, HintKind.STOCK, HintKind.CATALOGUE}


@pytest.mark.parametrize(
    ("name", "state", "paid", "counts"),
    [
        ("order_get_pending_unpaid", "pending", False, [(1, 0, 0, 0, 1)]),
        ("order_get_on-hold_bank_transfer", "on-hold", False, [(1, 0, 0, 1, 0)]),
        ("order_get_processing_storefront", "processing", True, [(2, 0, 0, 2, 0), (1, 0, 0, 1, 0)]),
        ("order_put_edit_quantity", "processing", True, [(3, 0, 0, 3, 0), (1, 0, 0, 1, 0)]),
        ("order_get_cancelled", "cancelled", False, [(2, 2, 0, 0, 0)]),
        ("order_put_status_refunded", "refunded", True, [(1, 0, 1, 1, 0)]),
    ],
)
def test_a_recorded_order_reads_as_it_stood(
    contracts: Path, name: str, state: str, paid: bool, counts: list[tuple[int, ...]]
) -> None:
    order = _order(contracts, name)

    assert (order.state, order.paid, order.holds) == (state, paid, True)
    assert [
        (line.quantity, line.cancelled, line.written_off, line.counted, line.hidden) for line in order.lines
    ] == counts


@pytest.mark.parametrize(
    ("name", "destination"),
    [("order_get_processing_storefront", "DE-BE-101"), ("order_get_product_since_deleted", "")],
)
def test_a_recorded_address_reads_as_a_place(contracts: Path, name: str, destination: str) -> None:
    assert _order(contracts, name).destination == destination


def test_two_recorded_refunds_part_into_restocked_and_lost(contracts: Path) -> None:
    order = _order(contracts, "order_get_after_partial_refunds", "refunds_list")

    tray, shirt = order.lines
    assert (tray.quantity, tray.cancelled, tray.written_off, tray.counted) == (3, 2, 1, 1)
    assert (shirt.external_id, shirt.cancelled, shirt.written_off) == ("46/48", 0, 0)


def test_a_line_of_a_product_since_deleted_names_no_listing(contracts: Path) -> None:
    (line,) = _order(contracts, "order_get_product_since_deleted").lines

    assert (line.external_id, line.sku, line.title) == (None, "", "Ephemeral")


def test_recorded_stock_reads_as_the_shop_counts_it(contracts: Path) -> None:
    names = ("product_get_simple", "product_get_unmanaged", "variation_get_own_stock", "variation_get_parent_stock")

    counted = [whole_stock(parse(Product, _body(contracts, name)))[0] is not None for name in names]

    assert counted == [True, False, True, False]


def test_a_recorded_batch_tells_its_failures_row_by_row(contracts: Path) -> None:
    reply = parse(BatchReply, _body(contracts, "products_batch_mixed_failures"))

    assert [item.error is not None for item in reply.update] == [False, True, True, False, True]


def test_recorded_lists_of_products_and_webhooks_are_read(contracts: Path) -> None:
    assert parse_list(Product, _body(contracts, "products_list_page"))
    assert parse_list(Product, _body(contracts, "variations_list_global"))
    assert parse_list(Webhook, _body(contracts, "webhooks_list"))
