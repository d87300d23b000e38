"""What the connector makes of Shopify's answers to any call: throttles, costs, errors, pages of orders."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from connectors.shopify.client import ShopifyConnector
from core.errors import Malformed, Rejected, Unauthorized, Unreachable
from core.model import ListingRef
from tests.shopify_answers import DATE, Script, Shopify, failed, levels, throttled

pytest_plugins = ("tests.shopify_fixtures",)

ORDER: Mapping[str, Any] = {
    "id": "gid://shopify/Order/7",
    "name": "#7",
    "createdAt": "2026-11-22T10:00:00Z",
    "updatedAt": "2026-11-22T10:05:00Z",
    "cancelledAt": None,
    "test": False,
    "displayFinancialStatus": "PAID",
    "displayFulfillmentStatus": "UNFULFILLED",
    "currentSubtotalLineItemsQuantity": 0,
    "shippingAddress": {"countryCodeV2": "CA", "provinceCode": "ON", "zip": "M5H 2N2"},
    "lineItems": {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}},
}


def test_a_short_throttle_is_waited_out(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(throttled(requested=50, available=40), levels({"1": 6}))

    (level,) = connector.read_levels([ListingRef(5, "1")])

    assert (level.listing_id, level.quantity) == (5, 6)
    assert len(shopify.asked) == 2


def test_a_page_that_costs_too_much_is_halved_and_stays_so(shopify: Shopify, connector: ShopifyConnector) -> None:
    empty = {"data": {"productVariants": {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}}}

    def answer(asked: Mapping[str, Any]) -> Mapping[str, Any]:
        return failed("MAX_COST_EXCEEDED") if asked["variables"]["first"] > 100 else empty

    shopify.will(answer)

    connector.list_listings(None)
    connector.list_listings(None)

    assert [asked["variables"]["first"] for asked in shopify.asked] == [250, 125, 62, 62]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (failed("ACCESS_DENIED"), Unauthorized),
        (failed("INTERNAL_SERVER_ERROR"), Unreachable),
        (failed("undefinedField"), Rejected),
        (lambda _: httpx.Response(401), Unauthorized),
        (lambda _: httpx.Response(423), Rejected),
        (lambda _: httpx.Response(302, headers={"Location": "https://evil.example/"}), Rejected),
        (lambda _: httpx.Response(200, text="<html>"), Malformed),
        ({"data": None}, Malformed),
        ({"data": {"nodes": []}}, Malformed),
    ],
)
def test_each_way_of_saying_no_has_its_error(
    shopify: Shopify, connector: ShopifyConnector, answer: Mapping[str, Any] | Script, error: type[Exception]
) -> None:
    shopify.will(answer)

    with pytest.raises(error) as raised:
        connector.read_levels([ListingRef(1, "1")])

    assert "shpat_secret" not in str(raised.value)


def test_a_poll_vouches_only_for_the_time_before_its_first_page(shopify: Shopify, connector: ShopifyConnector) -> None:
    def page(number: int, more: bool, date: str) -> httpx.Response:
        state = {
            "updatedAt": "2026-11-22T09:59:00Z",
            "cancelledAt": None,
            "displayFinancialStatus": "PAID",
            "displayFulfillmentStatus": "UNFULFILLED",
            "currentSubtotalLineItemsQuantity": 3,
        }
        node = {"id": f"gid://shopify/Order/{number}", **state}
        orders = {"nodes": [node], "pageInfo": {"hasNextPage": more, "endCursor": "next page"}}
        return httpx.Response(200, json={"data": {"orders": orders}}, headers={"Date": date})

    shopify.will(
        lambda _: page(1, True, DATE),
        lambda _: page(2, False, "Sun, 22 Nov 2026 10:00:30 GMT"),
    )
    watermark = datetime(2026, 11, 22, 9, 58, 30, 900_000, tzinfo=UTC)

    first = connector.orders_changed_since(watermark, None)
    second = connector.orders_changed_since(watermark, first.cursor)

    assert [change.external_id for page in (first, second) for change in page.changes] == ["1", "2"]
    assert shopify.asked[0]["variables"]["search"] == "updated_at:>='2026-11-22T09:58:30Z'"
    assert shopify.asked[1]["variables"]["after"] == "next page"
    assert first.read_at == second.read_at < datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    assert second.cursor is None


def _refused(*path: object, **extensions: object) -> Mapping[str, Any]:
    """As Shopify words it for a field of protected customer data."""
    error = {"message": "This app is not approved to access the field.", "path": list(path)}
    return {**error, "extensions": extensions} if extensions else error


@pytest.mark.parametrize(
    "refusals",
    [
        [_refused("nodes", 0, "shippingAddress")],
        [_refused("nodes", 0, "shippingAddress", "zip"), _refused("nodes", 1, "shippingAddress", code="ACCESS_DENIED")],
    ],
)
def test_an_address_that_the_app_may_not_see_keeps_no_order_back(
    shopify: Shopify, connector: ShopifyConnector, refusals: list[Any]
) -> None:
    shopify.will({"data": {"nodes": [{**ORDER, "shippingAddress": None}]}, "errors": refusals})

    (order,) = connector.fetch_orders(["7"]).orders

    assert (order.number, order.destination) == ("#7", "")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (_refused("nodes", 0, "shippingAddress", code="INTERNAL_SERVER_ERROR"), Unreachable),
        (_refused("nodes", 0, "lineItems", code="ACCESS_DENIED"), Unauthorized),
        (_refused("customer", "phone"), Rejected),
    ],
)
def test_what_else_is_kept_back_is_not_taken_for_an_empty_address(
    shopify: Shopify, connector: ShopifyConnector, error: Mapping[str, Any], expected: type[Exception]
) -> None:
    shopify.will({"data": {"nodes": [ORDER]}, "errors": [_refused("nodes", 0, "shippingAddress"), error]})

    with pytest.raises(expected):
        connector.fetch_orders(["7"])
