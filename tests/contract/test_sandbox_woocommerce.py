"""The sandbox's WooCommerce shop against recorded answers of a real one, over real sockets and the real client."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
import requests
from woocommerce.oauth import OAuth

from tests.contract.woocommerce_shop import STOCK, Running, assert_like, running, sample, unlike


@pytest.fixture(scope="module")
def shop() -> Iterator[Running]:
    with running() as started:
        yield started


def test_the_comparison_itself_sees_unknown_keys_and_other_types() -> None:
    assert unlike({"a": [{"b": 1}]}, [{"a": [{"b": 2}]}]) == []
    assert unlike({"a": [{"c": 1}]}, [{"a": [{"b": 2}]}]) == [".a[].c: unknown"]
    assert unlike({"a": [{"b": "1"}]}, [{"a": [{"b": 2}]}]) == [".a[].b: str instead of number"]
    assert unlike({"a": True}, [{"a": 1}]) == [".a: bool instead of number"]


def test_products_look_like_the_real_ones(shop: Running, contracts: Path) -> None:
    simple, variation = shop.product("S0"), shop.product("S39")
    parent = shop.api.get(f"products/{variation['parent_id']}").json()

    for ours, name in (
        (simple, "product_get_simple"),
        (parent, "product_get_variable"),
        (variation, "variation_id_read_through_products"),
    ):
        theirs = sample(contracts, f"rest/{name}")["body"]
        assert set(ours) == set(theirs)
        assert_like(ours, theirs)
    assert (simple["type"], parent["type"], variation["type"]) == ("simple", "variable", "variation")
    assert parent["variations"] == [shop.product(sku)["id"] for sku in ("S39", "S79", "S119", "S159")]


def test_variations_look_like_the_real_ones(shop: Running, contracts: Path) -> None:
    found = shop.product("S39")
    path = f"products/{found['parent_id']}/variations"

    one = shop.api.get(f"{path}/{found['id']}").json()

    theirs = sample(contracts, "rest/variation_get_own_stock")["body"]
    assert set(one) == set(theirs)
    assert_like(one, theirs)
    assert len(shop.api.get(path).json()) == len(shop.api.get("variations").json()) == 4


def test_orders_look_like_the_real_ones_in_every_state(shop: Running, contracts: Path) -> None:
    theirs = [
        sample(contracts, f"rest/{name}")["body"]
        for name in (
            "order_get_after_partial_refunds",
            "order_get_cancelled",
            "order_get_on-hold_bank_transfer",
            "order_get_pending_unpaid",
            "order_get_processing_storefront",
        )
    ]
    pending, processing, refunded, cancelled, completed, part = (
        shop.buy(("S0", 2), ("S39", 1), paid=number > 0) for number in range(6)
    )
    shop.act("refund", order_id=str(refunded), lines=[{"sku": "S0", "quantity": 2}, {"sku": "S39", "quantity": 1}])
    shop.act("cancel", order_id=str(cancelled))
    shop.act("fulfil", order_id=str(completed))
    shop.act("refund", order_id=str(part), lines=[{"sku": "S0", "quantity": 1}])

    states = {}
    for number in (pending, processing, refunded, cancelled, completed, part):
        ours = shop.api.get(f"orders/{number}").json()
        states[number] = ours["status"]
        assert_like(ours, *theirs)
        assert set(ours) == set(theirs[0])

    assert list(states.values()) == ["pending", "processing", "refunded", "cancelled", "completed", "processing"]
    refunds = shop.api.get(f"orders/{part}/refunds").json()
    assert_like(refunds, sample(contracts, "rest/refunds_list")["body"])
    assert refunds[0]["line_items"][0]["quantity"] == -1
    assert refunds[0]["id"] in [refund["id"] for refund in shop.api.get("refunds").json()]


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("error_400_per_page", lambda api: api.get("products", params={"per_page": 101})),
        ("error_400_stock_not_integer", lambda api: api.put("products/1001", {"stock_quantity": 5.7})),
        ("error_400_webhook_invalid_topic", lambda api: api.post("webhooks", {"topic": "order.published"})),
        ("error_404_no_route", lambda api: api.get("nosuch")),
        ("error_404_order", lambda api: api.get("orders/999999")),
        ("error_404_product", lambda api: api.get("products/999999")),
        ("error_404_variation", lambda api: api.get("products/1041/variations/999999")),
        ("error_404_put_variation_through_products", lambda api: api.put("products/1040", {"stock_quantity": 3})),
        ("error_413_batch_over_100", lambda api: api.post("products/batch", {"update": [{"id": 1}] * 101})),
    ],
)
def test_refusals_are_word_for_word_the_real_ones(
    shop: Running, contracts: Path, name: str, call: Callable[[Any], requests.Response]
) -> None:
    theirs = sample(contracts, f"rest/{name}")

    answer = call(shop.api)

    assert answer.status_code == theirs["status"]
    assert answer.json() == theirs["body"]


def test_a_body_that_is_no_json_is_refused_as_by_the_real_one(shop: Running, contracts: Path) -> None:
    theirs = sample(contracts, "rest/error_400_invalid_json")

    answer = requests.put(signed(shop, "PUT", "products/1001"), data="{no", timeout=5)

    assert (answer.status_code, answer.json()) == (theirs["status"], theirs["body"])


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("settings/products/woocommerce_manage_stock", "setting_manage_stock"),
        ("settings/products/woocommerce_hold_stock_minutes", "setting_hold_stock_minutes"),
    ],
)
def test_settings_look_like_the_real_ones(shop: Running, contracts: Path, path: str, name: str) -> None:
    ours, theirs = shop.api.get(path).json(), sample(contracts, f"rest/{name}")["body"]

    assert_like(ours, theirs)
    assert (ours["id"], ours["value"]) == (theirs["id"], theirs["value"])


def test_system_status_looks_like_the_real_one(shop: Running, contracts: Path) -> None:
    assert_like(shop.api.get("system_status").json(), sample(contracts, "rest/system_status_subset"))


def signed(shop: Running, method: str, endpoint: str, *, secret: str = "", **overrides: object) -> str:
    """The URL as the client signs it; ``overrides`` replace its parameters after signing."""
    url = f"{shop.url}/wp-json/wc/v3/{endpoint}"
    oauth = OAuth(
        url, shop.keys["consumer_key"], secret or shop.keys["consumer_secret"], version="wc/v3", method=method
    )
    given, query = oauth.get_oauth_url().split("?")
    return f"{given}?{urlencode({**dict(parse_qsl(query)), **overrides})}"


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("error_401_no_credentials_or_unknown_key", lambda shop: f"{shop.url}/wp-json/wc/v3/products"),
        ("error_401_oauth_bad_signature_over_http", lambda shop: signed(shop, "GET", "products", secret="cs_wrong")),
        ("error_401_oauth_bad_signature_over_http", lambda shop: signed(shop, "PUT", "products")),
        ("error_401_oauth_bad_signature_over_http", lambda shop: signed(shop, "GET", "products", page=2)),
    ],
)
def test_a_call_that_is_not_signed_right_is_refused(
    shop: Running, contracts: Path, name: str, make: Callable[[Running], str]
) -> None:
    theirs = sample(contracts, f"rest/{name}")

    answer = requests.get(make(shop), timeout=5)

    assert (answer.status_code, answer.json()) == (theirs["status"], theirs["body"])


def test_a_replayed_call_is_refused(shop: Running) -> None:
    url = signed(shop, "GET", "products")

    first, second = requests.get(url, timeout=5), requests.get(url, timeout=5)

    assert (first.status_code, second.status_code) == (200, 401)
    assert "nonce" in second.json()["message"]


def test_a_call_from_a_clock_twenty_minutes_late_is_refused(shop: Running) -> None:
    late = str(int(time.time()) - 1200)
    oauth = OAuth(
        f"{shop.url}/wp-json/wc/v3/products",
        shop.keys["consumer_key"],
        shop.keys["consumer_secret"],
        version="wc/v3",
        oauth_timestamp=late,
    )

    answer = requests.get(oauth.get_oauth_url(), timeout=5)

    assert (answer.status_code, answer.json()["message"]) == (401, "Invalid timestamp.")


def test_basic_credentials_count_for_nothing_over_plain_http(shop: Running) -> None:
    pair = (shop.keys["consumer_key"], shop.keys["consumer_secret"])

    answer = requests.get(f"{shop.url}/wp-json/wc/v3/products", auth=pair, timeout=5)

    assert answer.json()["code"] == "woocommerce_rest_cannot_view"


def test_filters_with_colons_and_commas_survive_signing(shop: Running) -> None:
    answer = shop.api.get("orders", params={"modified_after": "2020-01-01T00:00:00", "status": "processing,on-hold"})

    assert answer.status_code == 200


def test_a_paid_order_lowers_the_number_and_says_so_on_its_line(shop: Running) -> None:
    before = shop.product("S1")["stock_quantity"]

    order = shop.api.get(f"orders/{shop.buy(('S1', 3))}").json()

    assert shop.product("S1")["stock_quantity"] == before - 3
    assert reduced(order) == ["3"]


def test_a_pending_order_hides_its_units_only_from_shoppers(shop: Running) -> None:
    before = shop.product("S2")["stock_quantity"]

    number = shop.buy(("S2", 4), paid=False)
    pending = shop.api.get(f"orders/{number}").json()
    shown = (shop.product("S2")["stock_quantity"], shop.control.get("/shops/woocommerce/levels").json()["S2"])
    shop.act("pay", order_id=str(number))

    assert (pending["status"], reduced(pending), shown) == ("pending", [], (before, before - 4))
    assert reduced(shop.api.get(f"orders/{number}").json()) == ["4"]
    assert shop.product("S2")["stock_quantity"] == before - 4


def reduced(order: Mapping[str, Any]) -> list[str]:
    return [
        meta["value"] for line in order["line_items"] for meta in line["meta_data"] if meta["key"] == "_reduced_stock"
    ]


def test_a_restocking_refund_lowers_what_the_line_has_reduced(shop: Running) -> None:
    before = shop.product("S3")["stock_quantity"]
    number = shop.buy(("S3", 4))

    shop.act("refund", order_id=str(number), lines=[{"sku": "S3", "quantity": 1}], restock=True)
    shop.act("refund", order_id=str(number), lines=[{"sku": "S3", "quantity": 1}], restock=False)
    refunded = shop.api.get(f"orders/{number}").json()
    shop.act("cancel", order_id=str(number))

    assert reduced(refunded) == ["3"]
    assert refunded["line_items"][0]["quantity"] == 4
    assert reduced(shop.api.get(f"orders/{number}").json()) == []
    assert shop.product("S3")["stock_quantity"] == before


def test_a_batch_answers_in_order_and_lets_one_bad_row_fail_alone(shop: Running, contracts: Path) -> None:
    one, other, variation = (shop.product(sku)["id"] for sku in ("S4", "S5", "S39"))
    rows = [(one, 7), (999999, 1), (variation, 2), (other, "abc"), (one, 5.7)]

    answer = shop.api.post("products/batch", {"update": [{"id": n, "stock_quantity": q} for n, q in rows]})

    items = answer.json()["update"]
    theirs = sample(contracts, "rest/products_batch_mixed_failures")["body"]
    assert answer.status_code == 200
    assert_like(answer.json(), theirs)
    assert [item["id"] for item in items] == [number for number, _ in rows]
    assert [item.get("stock_quantity") for item in items] == [7, None, None, 0, 5]
    assert [items[1]["error"], items[2]["error"]] == [theirs["update"][1]["error"], theirs["update"][4]["error"]]


def test_variations_are_written_under_their_parent_only(shop: Running, contracts: Path) -> None:
    found, stranger = shop.product("S79"), shop.product("S6")
    path = f"products/{found['parent_id']}/variations/batch"

    rows = [{"id": found["id"], "stock_quantity": 9}, {"id": stranger["id"], "stock_quantity": 1}]
    items = shop.api.post(path, {"update": rows}).json()["update"]

    theirs = sample(contracts, "rest/variations_batch_mixed_failures")["body"]["update"]
    assert_like(items, theirs)
    assert items[0]["stock_quantity"] == 9
    assert items[1] == {"id": stranger["id"], "error": theirs[1]["error"]}


def test_a_parent_of_own_counting_variations_ignores_a_number(shop: Running) -> None:
    parent = shop.product("S39")["parent_id"]

    answer = shop.api.put(f"products/{parent}", {"stock_quantity": 5})

    assert (answer.status_code, answer.json()["stock_quantity"]) == (200, None)


def test_null_becomes_zero_and_out_of_stock(shop: Running) -> None:
    answer = shop.api.put(f"products/{shop.product('S7')['id']}", {"stock_quantity": None}).json()

    assert (answer["stock_quantity"], answer["stock_status"]) == (0, "outofstock")


def test_many_threads_never_buy_more_than_there_is(shop: Running) -> None:
    shop.act("stock", sku="S8", quantity=50)

    def checkout(number: int) -> int:
        lines = [{"sku": "S8", "quantity": 1 + number % 3}, {"sku": "S8", "quantity": 1}]
        return sum(int(line["sold"]) for line in shop.act("checkout", reference="r", paid=True, lines=lines)["lines"])

    with ThreadPoolExecutor(8) as threads:
        sold = sum(threads.map(checkout, range(60)))

    assert sold == 50
    assert shop.product("S8")["stock_quantity"] == 0
    journalled = [
        line["quantity"]
        for entry in shop.control.get("/journal").json()["entries"]
        if entry["kind"] == "sale"
        for line in entry["lines"]
        if line["sku"] == "S8"
    ]
    assert sum(journalled) == 50


def test_writes_through_the_api_are_journalled_with_before_after_and_answer(shop: Running) -> None:
    product = shop.product("S11")
    last = shop.control.get("/journal", params={"limit": 0}).json()["last"]

    shop.api.put(f"products/{product['id']}", {"stock_quantity": 3})

    (entry,) = shop.control.get("/journal", params={"after": last}).json()["entries"]
    assert (entry["kind"], entry["sku"], entry["before"], entry["after"]) == ("stock_write", "S11", STOCK, 3)
    assert entry["seq"] == last + 1
    assert entry["answered_at"] >= entry["at"]


def test_pages_cover_every_product_once_and_count_them(shop: Running) -> None:
    params = {"per_page": 60, "orderby": "id", "order": "asc", "_fields": "id,type"}

    pages = [shop.api.get("products", params={**params, "page": number}) for number in (1, 2, 3, 4)]

    ids = [row["id"] for page in pages for row in page.json()]
    assert ids == sorted(set(ids))
    assert len(ids) == 157  # 156 simple products and one parent
    assert {(page.headers["X-WP-Total"], page.headers["X-WP-TotalPages"]) for page in pages} == {("157", "3")}
    assert set(pages[0].json()[0]) == {"id", "type"}


def test_modified_after_is_strict_to_the_second_and_in_shop_time_unless_told(shop: Running) -> None:
    number = shop.buy(("S12", 1))
    order = shop.api.get(f"orders/{number}").json()
    changed = datetime.fromisoformat(order["date_modified_gmt"])

    def listed(moment: datetime, **more: str) -> bool:
        rows = shop.api.get("orders", params={"modified_after": f"{moment:%Y-%m-%dT%H:%M:%S}", "per_page": 100, **more})
        return number in [row["id"] for row in rows.json()]

    assert not listed(changed, dates_are_gmt="true")
    assert listed(changed - timedelta(seconds=1), dates_are_gmt="true")
    assert listed(changed)  # read as Berlin time, one or two hours ago


def test_orders_are_found_by_id_and_by_status(shop: Running) -> None:
    first, second = shop.buy(("S13", 1)), shop.buy(("S13", 1), paid=False)

    found = shop.api.get("orders", params={"include": f"{first},{second}", "orderby": "id", "order": "asc"}).json()
    pending = shop.api.get("orders", params={"include": f"{first},{second}", "status": "pending,on-hold"}).json()

    assert [order["id"] for order in found] == [first, second]
    assert [order["id"] for order in pending] == [second]
