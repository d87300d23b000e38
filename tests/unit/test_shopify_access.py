"""Getting in: what a shop is asked before it is connected, and the tokens of calls."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from connectors.http import Net
from connectors.shopify.client import ShopifyConnector
from core.errors import Unauthorized
from core.model import ListingRef
from tests.shopify_answers import ACCESS, DATE, URL, WRITTEN, Shopify, intent, levels

pytest_plugins = ("tests.shopify_fixtures",)


def probe_answer(scopes: Sequence[str], *online: bool) -> Mapping[str, Any]:
    locations = [
        {
            "id": f"gid://shopify/Location/{number}",
            "name": f"Room {number}",
            "isActive": True,
            "fulfillsOnlineOrders": sells,
            "isFulfillmentService": False,
            "shipsInventory": number == 3,
        }
        for number, sells in enumerate(online, 1)
    ]
    return {
        "data": {
            "shop": {"name": "Goods"},
            "currentAppInstallation": {"accessScopes": [{"handle": scope} for scope in scopes]},
            "locations": {"nodes": locations},
        }
    }


ALL_SCOPES = ["read_products", "write_inventory", "read_locations", "read_orders", "read_all_orders"]


def test_the_one_location_that_sells_online_is_written(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(probe_answer(ALL_SCOPES, False, True))

    profile = connector.probe()

    assert (profile.name, dict(profile.settings)) == ("Goods", {"location_id": "2"})
    ten = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    assert ten - timedelta(seconds=5) < profile.clock <= ten
    assert list(profile.warnings) == []


def test_several_such_locations_are_warned_of(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(probe_answer(ALL_SCOPES, True, False, True))

    profile = connector.probe()

    assert profile.settings["location_id"] == "3"
    (warning,) = profile.warnings
    assert "Room 1" in warning


def test_a_missing_scope_is_named(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(probe_answer(["read_products", "read_inventory", "read_locations"], True))

    with pytest.raises(Unauthorized, match=r"write_inventory.*read_orders"):
        connector.probe()


def test_threads_that_need_a_token_fetch_one(shopify: Shopify) -> None:
    grant = httpx.Response(200, json={"access_token": "a", "scope": "", "expires_in": 86399})
    grants = shopify.router.post(f"{URL}/admin/oauth/access_token").mock(return_value=grant)
    shopify.will(WRITTEN)
    connector = ShopifyConnector(replace(ACCESS, credentials={"client_id": "app", "client_secret": "hush"}), Net())

    connector.push([intent(number, 9, 7) for number in range(1, 161)])

    connector.close()
    assert grants.call_count == 1


def test_a_token_is_fetched_once_and_again_when_it_is_refused(shopify: Shopify) -> None:
    grants = shopify.router.post(f"{URL}/admin/oauth/access_token").mock(
        side_effect=[
            httpx.Response(200, json={"access_token": token, "scope": "", "expires_in": 86399}) for token in "ab"
        ]
    )
    shopify.will(levels({"1": 1}), levels({"1": 2}), lambda _: httpx.Response(401), levels({"1": 3}))
    connector = ShopifyConnector(replace(ACCESS, credentials={"client_id": "app", "client_secret": "hush"}), Net())

    seen = [connector.read_levels([ListingRef(1, "1")])[0].quantity for _ in range(3)]

    connector.close()
    assert seen == [1, 2, 3]
    assert grants.call_count == 2
    tokens = [call.request.headers["X-Shopify-Access-Token"] for call in shopify.route.calls]
    assert tokens == ["a", "a", "a", "b"]


def test_two_shops_never_share_a_token(shopify: Shopify, connector: ShopifyConnector) -> None:
    elsewhere = shopify.router.post("https://other.myshopify.com/admin/api/2026-10/graphql.json").mock(
        return_value=httpx.Response(200, json={"data": {"nodes": [None]}}, headers={"Date": DATE})
    )
    other = ShopifyConnector(
        replace(ACCESS, url="https://other.myshopify.com", credentials={"access_token": "theirs"}), Net()
    )
    shopify.will(levels({"1": 1}))

    for each in (connector, other, connector):
        each.read_levels([ListingRef(1, "1")])

    other.close()
    assert [call.request.headers["X-Shopify-Access-Token"] for call in shopify.route.calls] == ["shpat_secret"] * 2
    assert [call.request.headers["X-Shopify-Access-Token"] for call in elsewhere.calls] == ["theirs"]
