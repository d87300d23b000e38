"""The sandbox's BigCommerce store against BigCommerce's own OpenAPI documents and error samples.

The documents require almost nothing and close nothing, so besides being valid an answer may only carry fields that they
know. What they lack though BigCommerce sends it stands in ``SENT_BUT_UNDOCUMENTED``.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from jsonschema import Draft4Validator

from connectors.bigcommerce.client import BigCommerceConnector
from connectors.http import Net
from core.model import Hint, HintKind, Platform, PushIntent, PushStatus, StoreAccess, StoreListing

ROOT = Path(__file__).parents[2]
SENT_BUT_UNDOCUMENTED = {"custom_status", "variants"}


@dataclass(frozen=True)
class Sandbox:
    control: httpx.Client
    api: httpx.Client
    access: StoreAccess

    def connect(self) -> BigCommerceConnector:
        return BigCommerceConnector(self.access, Net(allow_private=True))

    def act(self, name: str, **body: object) -> Any:
        answer = self.control.post(f"/shops/bigcommerce/{name}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def sell(self, quantities: Mapping[str, int], paid: bool = True) -> str:
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity in quantities.items()]
        return str(self.act("checkout", reference="r", paid=paid, lines=lines)["order_id"])

    def status(self, order_id: str) -> int:
        return int(self.api.get(f"/v2/orders/{order_id}").json()["status_id"])

    def on_hand(self, sku: str) -> int:
        (row,) = self.api.get("/v3/inventory/items", params={"sku:in": sku}).json()["data"]
        return int(row["locations"][0]["total_inventory_onhand"])


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    command = [sys.executable, "-P", "-m", "sandbox", "--seed", "1", "--calm", "--shops", "bigcommerce"]
    with subprocess.Popen(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            store = ready["shops"]["bigcommerce"]
            credentials = store["credentials"]
            headers = {"X-Auth-Token": credentials["access_token"]}
            root = f"{store['url']}/stores/{credentials['store_hash']}"
            with (
                httpx.Client(base_url=ready["control"]) as control,
                httpx.Client(base_url=root, headers=headers) as api,
            ):
                access = StoreAccess(1, 1, Platform.BIGCOMMERCE, store["url"], credentials)
                box = Sandbox(control, api, access)
                products = [{"sku": f"P{number}", "title": f"Product {number}", "stock": 50} for number in range(120)]
                box.act("catalogue", products=products)
                yield box
        finally:
            process.terminate()


@cache
def document(path: Path) -> dict[str, Any]:
    """The OpenAPI document with every $ref filled in and its ways to allow null said in JSON Schema.

    Some properties, such as ``sku_id`` of an inventory item, say only in their description that they may be `null`.
    """
    raw = json.loads(json.dumps(yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader), default=str))
    filled = _filled(raw, raw)
    assert isinstance(filled, dict)
    return filled


def _filled(node: Any, root: Any) -> Any:
    if isinstance(node, list):
        return [_filled(each, root) for each in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        target = root
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/")]
        return _filled(target, root)
    made = {key: _filled(value, root) for key, value in node.items() if key not in ("example", "examples", "default")}
    says_null = made.get("nullable") or made.get("x-nullable") or "`null`" in str(made.get("description"))
    if says_null and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    alternatives = made.get("oneOf")
    if isinstance(alternatives, list) and not any("required" in str(each) for each in alternatives):
        made["anyOf"] = made.pop("oneOf")  # objects without a required field are told apart by nothing
    return made


def schema_of(contracts: Path, file: str, path: str, method: str, status: str) -> dict[str, Any]:
    answer = document(contracts / "bigcommerce" / "specs" / file)["paths"][path][method]["responses"][status]
    (media,) = answer["content"].values()
    assert isinstance(media["schema"], dict)
    return media["schema"]


def parts(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield schema
    for word in ("allOf", "oneOf", "anyOf"):
        for part in schema.get(word, ()):
            yield from parts(part)


def unknown_fields(content: Any, schema: Mapping[str, Any], where: str = "") -> list[str]:
    if isinstance(content, list):
        items = [part["items"] for part in parts(schema) if "items" in part]
        return [found for each in content for found in (unknown_fields(each, items[0], f"{where}[]") if items else [])]
    if not isinstance(content, dict):
        return []
    known: dict[str, Any] = {}
    for part in parts(schema):
        known |= part.get("properties", {})
    if not known:
        return []
    strange = [f"{where}.{key}" for key in content if key not in known and key not in SENT_BUT_UNDOCUMENTED]
    deeper = [unknown_fields(value, known[key], f"{where}.{key}") for key, value in content.items() if key in known]
    return strange + [found for each in deeper for found in each]


GETS = [
    ("store_information.v2.yml", "/time", "/v2/time"),
    ("store_information.v2.yml", "/store", "/v2/store"),
    ("settings.v3.yml", "/settings/inventory", "/v3/settings/inventory"),
    ("locations.v3.yml", "/inventory/locations", "/v3/inventory/locations"),
    ("catalog/products_catalog.v3.yml", "/catalog/products", "/v3/catalog/products?include=variants&limit=3"),
    ("catalog/product-variants_catalog.v3.yml", "/catalog/variants", "/v3/catalog/variants?limit=3"),
    ("inventory.v3.yml", "/inventory/items", "/v3/inventory/items?limit=3"),
    ("orders.v2.oas2.yml", "/orders", "/v2/orders"),
    ("orders.v2.oas2.yml", "/orders/{order_id}", "/v2/orders/{order}"),
    ("orders.v2.oas2.yml", "/orders", "/v2/orders?include=consignments&consignment_structure=object"),
    ("orders.v2.oas2.yml", "/orders/{order_id}/products", "/v2/orders/{order}/products"),
    ("orders.v3.yml", "/orders/payment_actions/refunds", "/v3/orders/payment_actions/refunds?order_id:in={order}"),
    ("webhooks.v3.yml", "/hooks", "/v3/hooks"),
]


@pytest.mark.parametrize(("file", "path", "url"), GETS, ids=[url for _, _, url in GETS])
def test_each_answer_is_one_that_bigcommerce_documents(
    sandbox: Sandbox, contracts: Path, file: str, path: str, url: str
) -> None:
    order = sandbox.sell({"P1": 2, "P2": 1})
    sandbox.act("refund", order_id=order, lines=[{"sku": "P1", "quantity": 1}])
    hook = {"scope": "store/order/*", "destination": f"http://127.0.0.1:9/{time.monotonic_ns()}", "is_active": False}
    assert sandbox.api.post("/v3/hooks", json=hook).status_code == 200

    answer = sandbox.api.get(url.replace("{order}", order))

    assert answer.status_code == 200
    schema = schema_of(contracts, file, path, "get", "200")
    assert [
        f"{list(fault.path)}: {fault.message}" for fault in Draft4Validator(schema).iter_errors(answer.json())
    ] == []
    assert unknown_fields(answer.json(), schema) == []


def test_the_check_itself_sees_a_wrong_type_and_an_invented_field(sandbox: Sandbox, contracts: Path) -> None:
    schema = schema_of(contracts, "inventory.v3.yml", "/inventory/items", "get", "200")
    content = sandbox.api.get("/v3/inventory/items?limit=1").json()
    content["data"][0]["identity"]["variant_id"] = "12"
    content["data"][0]["invented"] = 1

    assert [fault.message for fault in Draft4Validator(schema).iter_errors(content)] == [
        "'12' is not of type 'integer'"
    ]
    assert unknown_fields(content, schema) == [".data[].invented"]


def test_an_absolute_adjustment_is_answered_first_and_takes_effect_later(sandbox: Sandbox, contracts: Path) -> None:
    (row,) = sandbox.api.get("/v3/inventory/items", params={"sku:in": "P3"}).json()["data"]
    item = {"location_id": 1, "product_id": row["identity"]["product_id"], "quantity": 7}

    answer = sandbox.api.put("/v3/inventory/adjustments/absolute", json={"reason": "count", "items": [item]})
    at_once = sandbox.on_hand("P3")
    time.sleep(0.2)

    schema = schema_of(contracts, "inventory.v3.yml", "/inventory/adjustments/absolute", "put", "200")
    assert (answer.status_code, list(answer.json())) == (200, ["transaction_id"])
    assert Draft4Validator(schema).is_valid(answer.json())
    assert (at_once, sandbox.on_hand("P3")) == (50, 7)


def test_naming_the_variant_of_a_product_tracked_item_refuses_the_whole_call(sandbox: Sandbox, contracts: Path) -> None:
    samples = json.loads((contracts / "bigcommerce" / "examples" / "errors.json").read_text("utf-8"))
    sample = samples["PUT /v3/inventory/adjustments/absolute 422: Item has another tracking mode error"]
    four, five = sandbox.api.get("/v3/inventory/items", params={"sku:in": "P4,P5"}).json()["data"]
    items = [
        {"location_id": 1, "product_id": four["identity"]["product_id"], "quantity": 1},
        {"location_id": 1, "variant_id": five["identity"]["variant_id"], "quantity": 1},
    ]

    answer = sandbox.api.put("/v3/inventory/adjustments/absolute", json={"items": items})
    time.sleep(0.1)

    assert answer.status_code == sample["http_status"]
    assert answer.headers["content-type"] == sample["content_type"]
    expected = dict(sample["body"], title=sample["body"]["title"].replace("106", str(five["identity"]["variant_id"])))
    assert answer.json() == expected
    assert sandbox.on_hand("P4") == 50


def test_errors_have_the_shape_of_their_version(sandbox: Sandbox, contracts: Path) -> None:
    samples = json.loads((contracts / "bigcommerce" / "examples" / "errors.json").read_text("utf-8"))

    missing = sandbox.api.get("/v2/orders/999999")

    assert (missing.status_code, missing.json()) == (404, samples["GET /v2/orders/{id} 404"]["body"])
    assert sandbox.api.get("/v3/inventory/items?colour=red").status_code == 422
    assert sandbox.api.get("/v3/inventory/items?limit=1001").status_code == 413
    assert sandbox.api.get("/v2/time", headers={"X-Auth-Token": "another"}).status_code == 401


def test_every_answer_tells_what_is_left_of_the_quota(sandbox: Sandbox, contracts: Path) -> None:
    sample = json.loads((contracts / "bigcommerce" / "examples" / "rate_limit_429_headers.json").read_text("utf-8"))
    named = {name for name in sample["headers"] if name.startswith("X-Rate-Limit")}

    first, second = sandbox.api.get("/v2/time"), sandbox.api.get("/v2/time")

    assert named <= {name.title() for name in first.headers}
    left = [int(answer.headers["X-Rate-Limit-Requests-Left"]) for answer in (first, second)]
    assert left[1] in (left[0] - 1, int(second.headers["X-Rate-Limit-Requests-Quota"]) - 1)


def test_lists_of_orders_and_lines_come_in_pages_and_end_with_204(sandbox: Sandbox) -> None:
    order = sandbox.sell({f"P{number}": 1 for number in range(20, 95)})

    pages = [sandbox.api.get(f"/v2/orders/{order}/products", params={"page": page}) for page in (1, 2, 3)]

    assert [answer.status_code for answer in pages] == [200, 200, 204]
    assert [len(answer.json()) for answer in pages[:2]] == [50, 25]
    assert sandbox.api.get("/v2/orders?min_date_modified=2099-01-01T00:00:00Z").status_code == 204


def test_an_order_walks_through_its_states_and_stock_follows(sandbox: Sandbox) -> None:
    unpaid = sandbox.sell({"P10": 3}, paid=False)
    assert (sandbox.status(unpaid), sandbox.on_hand("P10")) == (7, 50)

    sandbox.act("pay", order_id=unpaid)
    assert (sandbox.status(unpaid), sandbox.on_hand("P10")) == (11, 47)

    sandbox.act("refund", order_id=unpaid, lines=[{"sku": "P10", "quantity": 1}], restock=True)
    assert (sandbox.status(unpaid), sandbox.on_hand("P10")) == (14, 48)

    sandbox.act("fulfil", order_id=unpaid)
    (line,) = sandbox.api.get(f"/v2/orders/{unpaid}/products").json()
    assert (sandbox.status(unpaid), line["quantity_shipped"], line["quantity_refunded"]) == (2, 2, 1)

    cancelled = sandbox.sell({"P11": 5})
    sandbox.act("cancel", order_id=cancelled)
    assert (sandbox.status(cancelled), sandbox.on_hand("P11")) == (5, 50)


def test_what_the_store_delivers_the_connector_verifies_and_understands(sandbox: Sandbox) -> None:
    connected, heard = sandbox.connect(), list[Hint]()
    arrived = threading.Event()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            heard.extend(connected.read_webhook({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()
            arrived.set()

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/hook"
        assert connected.ensure_webhooks(url)[0] == "Subscribed to store/order/*."
        assert connected.ensure_webhooks(url) == []

        order = sandbox.sell({"P12": 1})

        assert arrived.wait(5)
        server.shutdown()
    assert (heard[0].kind, heard[0].external_id) == (HintKind.ORDER, order)


def test_a_hook_that_was_switched_off_or_points_elsewhere_is_mended(sandbox: Sandbox) -> None:
    connected = sandbox.connect()
    connected.ensure_webhooks("http://127.0.0.1:9/before")
    (hook,) = [row for row in sandbox.api.get("/v3/hooks").json()["data"] if row["scope"] == "store/app/uninstalled"]
    sandbox.api.put(f"/v3/hooks/{hook['id']}", json={**hook, "is_active": False})

    assert connected.ensure_webhooks("http://127.0.0.1:9/before") == [
        "Mended the subscription to store/app/uninstalled."
    ]
    assert len(connected.ensure_webhooks("http://127.0.0.1:9/after")) == 6


def test_an_order_of_many_lines_arrives_whole_with_its_refunds(sandbox: Sandbox) -> None:
    order = sandbox.sell({f"P{number}": 1 for number in range(13, 120)})
    sandbox.act("refund", order_id=order, lines=[{"sku": "P100", "quantity": 1}])
    other = sandbox.sell({"P13": 2}, paid=False)

    fetched = sandbox.connect().fetch_orders([other, order, "999999"])

    whole, small = fetched.orders
    assert (whole.state, len({line.line_id for line in whole.lines})) == ("Partially Refunded", 107)
    assert {line.sku: (line.cancelled, line.counted) for line in whole.lines if line.cancelled} == {"P100": (1, 0)}
    assert (small.external_id, small.paid, small.lines[0].counted) == (other, False, 0)
    assert fetched.missing == ("999999",)


def test_pages_of_changed_orders_leave_none_out(sandbox: Sandbox) -> None:
    connected, placed = sandbox.connect(), {sandbox.sell({"P2": 1}, paid=False) for _ in range(260)}
    found: set[str] = set()
    cursor: str | None = None
    pages = 0
    while cursor or not pages:
        page = connected.orders_changed_since(datetime.now(UTC) - timedelta(minutes=5), cursor)
        found |= {change.external_id for change in page.changes}
        cursor, pages = page.cursor, pages + 1

    assert placed <= found
    assert pages >= 2
    assert page.read_at <= datetime.now(UTC)


def test_the_catalogue_is_listed_once_and_a_push_shows_in_the_shop(sandbox: Sandbox) -> None:
    connected = sandbox.connect()
    listings: list[StoreListing] = []
    cursor: str | None = None
    while not listings or cursor:
        page = connected.list_listings(cursor)
        listings += page.listings
        cursor = page.cursor
    (chosen,) = [listing for listing in listings if listing.sku == "P5"]

    (outcome,) = connected.push([PushIntent(1, chosen.external_id, chosen.quantity, 33, "key")])

    assert len({listing.external_id for listing in listings}) == len(listings) == 120
    assert (outcome.status, outcome.shown) == (PushStatus.APPLIED, 33)
    assert sandbox.control.get("/shops/bigcommerce/levels").json()["P5"] == 33


def test_safety_stock_is_added_when_writing(sandbox: Sandbox) -> None:
    connected = sandbox.connect()
    (row,) = sandbox.api.get("/v3/inventory/items", params={"sku:in": "P6"}).json()["data"]
    identity = row["identity"]
    settings = {"settings": [{"identity": {"product_id": identity["product_id"]}, "safety_stock": 4}]}
    assert sandbox.api.put("/v3/inventory/locations/1/items", json=settings).status_code == 200

    (outcome,) = connected.push(
        [
            PushIntent(
                1, f"{identity['product_id']}/{identity['variant_id']}", believed=46, wanted=20, idempotency_key="k"
            )
        ]
    )

    assert (outcome.status, outcome.observed, outcome.shown) == (PushStatus.APPLIED, 46, 20)
    assert sandbox.on_hand("P6") == 24
