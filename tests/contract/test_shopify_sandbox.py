"""The sandbox's Shopify shop keeps the rules that no schema shows, and the connector copes with the long cases."""

import base64
import hmac
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from connectors.shopify.client import ShopifyConnector
from connectors.shopify.documents import ORDERS, SET_AVAILABLE, SUBSCRIBE
from connectors.shopify.orders import FIRST_LINES
from core.errors import Unauthorized
from core.model import Platform, StoreAccess, StoreOrder
from sandbox.deliveries import Deliveries
from sandbox.faults import CALM, Counters, Faults, Panel
from sandbox.journal import Journal
from sandbox.shop import Shop as SandboxShop
from sandbox.shopify import build
from sandbox.shopify.cost import ADVANCED, STANDARD, Plan
from tests.contract.storefronts import LOOPBACK, Receiver, eventually

ROOT = Path(__file__).resolve().parents[2]
_keys = count(1)


@dataclass(frozen=True)
class Shop:
    access: StoreAccess
    control: httpx.Client
    api: httpx.Client
    connector: ShopifyConnector

    def act(self, name: str, **body: object) -> Any:
        answer = self.control.post(f"/shops/shopify/{name}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def stock(self, quantities: Mapping[str, int]) -> dict[str, str]:
        """Put products on sale; their inventory item ids by SKU."""
        products = [{"sku": sku, "title": sku, "stock": quantity} for sku, quantity in quantities.items()]
        self.act("catalogue", products=products)
        found: dict[str, str] = {}
        cursor: str | None = None
        while True:
            page = self.connector.list_listings(cursor)
            found |= {listing.sku: listing.external_id for listing in page.listings}
            if (cursor := page.cursor) is None:
                return {sku: found[sku] for sku in quantities}

    def sell(self, *lines: tuple[str, int]) -> str:
        wanted = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
        return str(self.act("checkout", reference="r", paid=True, lines=wanted)["order_id"])

    def order(self, order_id: str) -> StoreOrder:
        (order,) = self.connector.fetch_orders([order_id]).orders
        return order

    def shown(self, sku: str) -> int:
        return int(self.control.get("/shops/shopify/levels").json()[sku])

    def send(self, document: str, variables: Mapping[str, Any]) -> Any:
        answer = self.api.post("/admin/api/2026-10/graphql.json", json={"query": document, "variables": variables})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def write(self, *rows: Mapping[str, Any], key: str | None = None) -> list[tuple[str, list[str] | None]]:
        """Set quantities; (code, field) of each error."""
        location = f"gid://shopify/Location/{self.access.settings['location_id']}"
        quantities = [{"locationId": location, **row} for row in rows]
        body = {"name": "available", "reason": "correction", "quantities": quantities}
        answer = self.send(SET_AVAILABLE, {"input": body, "key": key or f"key-{next(_keys)}"})
        errors = answer["data"]["inventorySetQuantities"]["userErrors"]
        return [(error["code"], error["field"]) for error in errors]


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    command = [sys.executable, "-P", "-m", "sandbox", "--seed", "7", "--calm", "--shops", "shopify"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            told = ready["shops"]["shopify"]
            access = StoreAccess(1, 1, Platform.SHOPIFY, told["url"], told["credentials"])
            newcomer = ShopifyConnector(access, LOOPBACK)
            access = replace(access, settings=newcomer.probe().settings)
            newcomer.close()
            connector = ShopifyConnector(access, LOOPBACK)
            headers = {"X-Shopify-Access-Token": access.credentials["access_token"]}
            with (
                httpx.Client(base_url=ready["control"]) as control,
                httpx.Client(base_url=access.url, headers=headers) as api,
            ):
                yield Shop(access, control, api, connector)
            connector.close()
        finally:
            process.terminate()
            process.wait(timeout=10)


def row(item: str, quantity: int, **expected: int | None) -> Mapping[str, Any]:
    return {"inventoryItemId": f"gid://shopify/InventoryItem/{item}", "quantity": quantity, **expected}


def test_a_stale_row_keeps_the_whole_call_from_being_written(shop: Shop) -> None:
    items = shop.stock({"STALE-A": 5, "STALE-B": 5})

    errors = shop.write(row(items["STALE-A"], 4, changeFromQuantity=5), row(items["STALE-B"], 4, changeFromQuantity=9))

    assert errors == [("CHANGE_FROM_QUANTITY_STALE", ["input", "quantities", "1", "changeFromQuantity"])]
    assert (shop.shown("STALE-A"), shop.shown("STALE-B")) == (5, 5)


def test_the_expected_number_must_be_written_out_even_when_it_is_null(shop: Shop) -> None:
    item = shop.stock({"NULL": 5})["NULL"]

    assert [code for code, _ in shop.write(row(item, 4))] == ["COMPARE_QUANTITY_REQUIRED"]
    assert shop.shown("NULL") == 5
    assert shop.write(row(item, 4, changeFromQuantity=None)) == []
    assert shop.shown("NULL") == 4


def test_a_write_without_an_idempotency_key_is_refused(shop: Shop) -> None:
    item = shop.stock({"KEYLESS": 5})["KEYLESS"]
    location = f"gid://shopify/Location/{shop.access.settings['location_id']}"
    body = {
        "name": "available",
        "reason": "correction",
        "quantities": [{**row(item, 1, changeFromQuantity=5), "locationId": location}],
    }
    document = SET_AVAILABLE.replace(" @idempotent(key: $key)", "").replace(", $key: String!", "")

    answer = shop.send(document, {"input": body})

    assert "idempotent" in answer["errors"][0]["message"]
    assert shop.shown("KEYLESS") == 5


def test_a_key_that_comes_back_writes_nothing_again(shop: Shop) -> None:
    item = shop.stock({"REPLAY": 5})["REPLAY"]
    write = row(item, 4, changeFromQuantity=5)
    assert shop.write(write, key="once") == []
    shop.sell(("REPLAY", 1))

    assert shop.write(write, key="once") == []
    assert shop.shown("REPLAY") == 3
    errors = shop.write(row(item, 9, changeFromQuantity=3), key="once")
    assert [code for code, _ in errors] == ["IDEMPOTENCY_KEY_PARAMETER_MISMATCH"]
    assert shop.shown("REPLAY") == 3


def test_a_key_whose_write_was_refused_is_burnt(shop: Shop) -> None:
    item = shop.stock({"BURNT": 5})["BURNT"]
    write = row(item, 4, changeFromQuantity=9)
    shop.write(write, key="burnt")

    assert [code for code, _ in shop.write(write, key="burnt")] == ["IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"quantity": -1}, "INVALID_QUANTITY_NEGATIVE"),
        ({"quantity": 1_000_000_001}, "INVALID_QUANTITY_TOO_HIGH"),
        ({"inventoryItemId": "gid://shopify/InventoryItem/1"}, "INVALID_INVENTORY_ITEM"),
        ({"locationId": "gid://shopify/Location/1"}, "INVALID_LOCATION"),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(shop: Shop, change: Mapping[str, Any], code: str) -> None:
    sku = f"BAD-{code}"
    item = shop.stock({sku: 5})[sku]

    assert [found for found, _ in shop.write({**row(item, 1, changeFromQuantity=5), **change})] == [code]
    assert shop.shown(sku) == 5


def test_the_same_item_twice_in_a_call_is_refused(shop: Shop) -> None:
    item = shop.stock({"PAIR": 5})["PAIR"]
    twice = row(item, 1, changeFromQuantity=5)

    assert [code for code, _ in shop.write(twice, twice)] == ["NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"]


def test_more_than_250_rows_are_refused(shop: Shop) -> None:
    body = {
        "name": "available",
        "reason": "correction",
        "quantities": [
            {**row("1", 1, changeFromQuantity=None), "locationId": "gid://shopify/Location/1"} for _ in range(251)
        ],
    }

    answer = shop.send(SET_AVAILABLE, {"input": body, "key": "many"})

    assert answer["errors"][0]["extensions"]["code"] == "MAX_INPUT_SIZE_EXCEEDED"


def test_a_query_that_asks_for_too_much_is_refused_before_it_runs(shop: Shop) -> None:
    document = "{ orders(first: 250, sortKey: UPDATED_AT) { nodes { lineItems(first: 250) { nodes { variant { id } }"
    document += " } refunds(first: 250) { refundLineItems(first: 250) { nodes { lineItem { id } } } } } } }"

    answer = shop.send(document, {})

    assert answer["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"
    assert "data" not in answer


def test_a_shop_of_many_orders_is_on_the_largest_plan(shop: Shop) -> None:
    status = shop.send("{ shop { name } }", {})["extensions"]["cost"]["throttleStatus"]

    assert (status["maximumAvailable"], status["restoreRate"]) == (20_000, 1000)


@pytest.mark.parametrize("plan", [STANDARD, ADVANCED])
def test_points_run_out_and_come_back(plan: Plan) -> None:
    faults = Faults(Panel(CALM, Counters()), "7")
    deliveries = Deliveries(faults, httpx.AsyncClient())
    small = SandboxShop("shopify", "http://127.0.0.1", "7", faults, deliveries, Journal())
    front = build(small, plan)
    for number in range(250):
        small.add_product(f"POINTS-{number}", "Points", 1)
    document = "{ productVariants(first: 250) { nodes { inventoryItem { id } product { id } } } }"
    headers = {"X-Shopify-Access-Token": front.credentials["access_token"]}

    with TestClient(front.app, headers=headers) as api:

        def ask() -> Any:
            return api.post("/admin/api/2026-10/graphql.json", json={"query": document}).json()

        answers = [ask() for _ in range(int(plan.points // 20))]
        assert eventually(lambda: "data" in ask(), bool)

    spent = answers[0]["extensions"]["cost"]
    assert 0 < spent["actualQueryCost"] <= spent["requestedQueryCost"]
    assert spent["throttleStatus"]["maximumAvailable"] == plan.points
    refused = next(answer for answer in answers if "errors" in answer)
    assert refused["errors"] == [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]
    cost = refused["extensions"]["cost"]
    assert cost["throttleStatus"]["currentlyAvailable"] < cost["requestedQueryCost"]


def test_an_unknown_token_is_refused(shop: Shop) -> None:
    answer = shop.api.post(
        "/admin/api/2026-10/graphql.json",
        json={"query": "{ shop { name } }"},
        headers={"X-Shopify-Access-Token": "shpat_of_nobody"},
    )

    assert answer.status_code == 401
    assert "[API]" in answer.json()["errors"]


def test_the_client_credentials_grant_leads_to_the_same_shop(shop: Shop, contracts: Path) -> None:
    secret = shop.access.credentials["api_secret"]
    good = {"client_id": "sandbox-app", "client_secret": secret}
    connector = ShopifyConnector(replace(shop.access, credentials=good), LOOPBACK)
    stranger = ShopifyConnector(replace(shop.access, credentials={**good, "client_secret": "no"}), LOOPBACK)

    assert connector.probe().name == shop.connector.probe().name
    with pytest.raises(Unauthorized):
        stranger.probe()

    connector.close()
    stranger.close()
    told = shop.api.post("/admin/oauth/access_token", data={"grant_type": "client_credentials", **good}).json()
    sample = json.loads((contracts / "shopify/graphql-responses/token-client-credentials.json").read_text())
    assert told.keys() == sample.keys()


def test_an_order_of_many_lines_is_fetched_whole_through_its_whole_life(shop: Shop) -> None:
    skus = [f"LONG-{number}" for number in range(400)]
    shop.stock(dict.fromkeys(skus, 3))
    order_id = shop.sell(*((sku, 2) for sku in skus))
    assert len(shop.order(order_id).lines) == 400

    shop.act("refund", order_id=order_id, lines=[{"sku": sku, "quantity": 1} for sku in skus], restock=True)
    shop.act("fulfil", order_id=order_id)
    shop.act("refund", order_id=order_id, lines=[{"sku": sku, "quantity": 1} for sku in skus], restock=True)

    lines = shop.order(order_id).lines
    assert len({line.line_id for line in lines}) == 400
    assert {(line.quantity, line.cancelled, line.shipped, line.returned, line.counted) for line in lines} == {
        (2, 1, 1, 1, 0)
    }


def test_refunds_and_fulfilments_of_one_line_add_up(shop: Shop) -> None:
    shop.stock({"LIFE": 10})
    order_id = shop.sell(("LIFE", 6))
    shop.act("refund", order_id=order_id, lines=[{"sku": "LIFE", "quantity": 1}], restock=True)
    shop.act("refund", order_id=order_id, lines=[{"sku": "LIFE", "quantity": 1}], restock=False)
    shop.act("fulfil", order_id=order_id)
    shop.act("refund", order_id=order_id, lines=[{"sku": "LIFE", "quantity": 2}], restock=True)
    shop.act("refund", order_id=order_id, lines=[{"sku": "LIFE", "quantity": 1}], restock=False)

    (line,) = shop.order(order_id).lines

    assert (line.cancelled, line.written_off, line.shipped, line.returned) == (1, 1, 4, 2)
    assert line.counted == 3 == 10 - shop.shown("LIFE")


def test_many_refunds_of_an_order_are_all_seen(shop: Shop) -> None:
    shop.stock({"MANY": 30})
    order_id = shop.sell(("MANY", 25))
    for _ in range(23):
        shop.act("refund", order_id=order_id, lines=[{"sku": "MANY", "quantity": 1}], restock=True)

    (line,) = shop.order(order_id).lines

    assert (line.cancelled, line.quantity, line.counted) == (23, 25, 2)


@pytest.mark.parametrize(("orders", "points"), [(1, 22), (3, 49), (20, 132)])
def test_orders_of_twenty_lines_cost_no_more_points_than_a_busy_shop_has(shop: Shop, orders: int, points: int) -> None:
    skus = [f"COST-{orders}-{number}" for number in range(20)]
    shop.stock(dict.fromkeys(skus, 100))
    ids = [f"gid://shopify/Order/{shop.sell(*((sku, 1) for sku in skus))}" for _ in range(orders)]

    def ask() -> Any:
        return shop.send(ORDERS, {"ids": ids, "first": FIRST_LINES})

    cost = eventually(ask, lambda answer: "data" in answer)["extensions"]["cost"]

    assert cost["actualQueryCost"] <= points
    assert cost["requestedQueryCost"] <= 1.3 * points


def test_level_changes_are_told_to_whoever_asks_for_them(shop: Shop, receiver: Receiver, contracts: Path) -> None:
    subscription = {"uri": receiver.url, "format": "JSON"}
    answer = shop.send(SUBSCRIBE, {"topic": "INVENTORY_LEVELS_UPDATE", "subscription": subscription})
    assert answer["data"]["webhookSubscriptionCreate"]["userErrors"] == []
    item = shop.stock({"ECHO": 5})["ECHO"]

    shop.write(row(item, 4, changeFromQuantity=5))

    (headers, body), *_ = eventually(lambda: receiver.deliveries, bool)
    sample = json.loads((contracts / "shopify/webhooks/inventory_levels-update.json").read_text())
    documented = json.loads((contracts / "shopify/webhooks/_headers-example.json").read_text())
    told = json.loads(body)
    assert (told["inventory_item_id"], told["available"]) == (int(item), 4)
    assert told.keys() == sample.keys()
    assert {name.lower() for name in documented} - {"x-shopify-name"} <= headers.keys()
    secret = shop.access.credentials["api_secret"].encode()
    assert headers["x-shopify-hmac-sha256"] == base64.b64encode(hmac.digest(secret, body, "sha256")).decode()


@pytest.mark.parametrize("topic", ["orders-create", "refunds-create"])
def test_order_bodies_hold_no_field_that_shopify_does_not_send(
    shop: Shop, receiver: Receiver, contracts: Path, topic: str
) -> None:
    shop.connector.ensure_webhooks(receiver.url)
    sku = f"BODY-{topic}"
    shop.stock({sku: 5})
    order_id = shop.sell((sku, 2))
    shop.act("refund", order_id=order_id, lines=[{"sku": sku, "quantity": 1}], restock=True)

    def told() -> list[Mapping[str, Any]]:
        return [
            json.loads(body)
            for headers, body in receiver.deliveries
            if headers["x-shopify-topic"] == topic.replace("-", "/")
        ]

    body, *_ = eventually(told, bool)

    sample = json.loads((contracts / f"shopify/webhooks/{topic}.json").read_text())
    lines = "line_items" if topic == "orders-create" else "refund_line_items"
    assert body.keys() <= sample.keys()
    assert body[lines][0].keys() <= sample[lines][0].keys()
