"""Pushes against a store that answers first and applies later, and calls against one that asks to slow down."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import respx

from connectors.bigcommerce.client import BigCommerceConnector
from connectors.http import Net
from core.errors import Throttled, Unauthorized
from core.model import ListingRef, Platform, PushIntent, PushOutcome, PushStatus, StoreAccess

ROOT = "https://api.bigcommerce.com/stores/abc"
CLOCK = "Sun, 22 Nov 2026 12:00:00 GMT"
NEVER = 10**6


@dataclass
class Store:
    """Simple products by product id (variant id is 1000 more). A write lands after ``lands_after`` more reads."""

    on_hand: dict[int, int]
    safety_stock: int = 0
    lands_after: int = 1
    refusal: Callable[[list[dict[str, int]]], str | None] = lambda rows: None
    before_landing: Callable[["Store"], None] = lambda store: None
    written: list[list[dict[str, int]]] = field(default_factory=list)
    pending: list[tuple[int, list[dict[str, int]]]] = field(default_factory=list)
    reads: int = 0

    def read(self, request: httpx.Request) -> httpx.Response:
        self.reads += 1
        for due, rows in list(self.pending):
            if self.reads >= due:
                self.before_landing(self)
                self.on_hand.update({row["product_id"]: row["quantity"] for row in rows})
                self.pending.remove((due, rows))
        asked = {int(text) - 1000 for text in request.url.params["variant_id:in"].split(",")}
        data = [self.row(product, quantity) for product, quantity in self.on_hand.items() if product in asked]
        return httpx.Response(200, json={"data": data, "meta": {}}, headers={"Date": CLOCK})

    def row(self, product: int, quantity: int) -> dict[str, object]:
        place = {
            "location_id": 1,
            "total_inventory_onhand": quantity,
            "available_to_sell": quantity - self.safety_stock,
            "settings": {"safety_stock": self.safety_stock},
        }
        identity = {"product_id": product, "variant_id": product + 1000, "sku_id": None, "sku": str(product)}
        return {"identity": identity, "locations": [place]}

    def write(self, request: httpx.Request) -> httpx.Response:
        rows = json.loads(request.content)["items"]
        self.written.append(rows)
        if title := self.refusal(rows):
            return httpx.Response(422, json={"status": 422, "title": title, "type": "x", "errors": {}})
        self.pending.append((self.reads + self.lands_after, rows))
        return httpx.Response(200, json={"transaction_id": "t"})


@pytest.fixture
def network() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        yield router


def connect(network: respx.MockRouter, store: Store) -> BigCommerceConnector:
    network.get(f"{ROOT}/v3/inventory/items").mock(side_effect=store.read)
    network.put(f"{ROOT}/v3/inventory/adjustments/absolute").mock(side_effect=store.write)
    return connector()


def connector(credentials: dict[str, str] | None = None) -> BigCommerceConnector:
    known = {"store_hash": "abc", "access_token": "t", "client_secret": "c", "webhook_secret": "w"}
    url = "https://api.bigcommerce.com"
    return BigCommerceConnector(
        StoreAccess(1, 1, Platform.BIGCOMMERCE, url, known if credentials is None else credentials), Net()
    )


def intent(product: int, believed: int | None, wanted: int) -> PushIntent:
    return PushIntent(product, f"{product}/{product + 1000}", believed, wanted, "key")


def push_one(connected: BigCommerceConnector, wish: PushIntent) -> PushOutcome:
    (outcome,) = connected.push([wish])
    return outcome


def test_a_write_is_claimed_only_once_it_shows(network: respx.MockRouter) -> None:
    store = Store({1: 9}, lands_after=3)

    outcome = push_one(connect(network, store), intent(1, believed=9, wanted=7))

    assert store.written == [[{"location_id": 1, "product_id": 1, "quantity": 7}]]
    assert (outcome.status, outcome.shown, outcome.observed) == (PushStatus.APPLIED, 7, 9)
    assert outcome.observed_at == datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert store.reads == 4


def test_equal_numbers_are_not_written(network: respx.MockRouter) -> None:
    store = Store({1: 9})

    outcome = push_one(connect(network, store), intent(1, believed=9, wanted=9))

    assert (outcome.status, store.written) == (PushStatus.EQUAL, [])


def test_safety_stock_stays_on_the_stores_side(network: respx.MockRouter) -> None:
    store = Store({1: 9}, safety_stock=2)
    connected = connect(network, store)

    outcome = push_one(connected, intent(1, believed=7, wanted=4))

    assert store.on_hand == {1: 6}
    assert (outcome.shown, outcome.observed) == (4, 7)
    assert [level.quantity for level in connected.read_levels([ListingRef(1, "1/1001")])] == [4]


def test_a_sale_we_have_not_heard_of_never_lets_the_number_rise(network: respx.MockRouter) -> None:
    store = Store({1: 6})

    outcome = push_one(connect(network, store), intent(1, believed=8, wanted=20))

    assert store.written == []
    assert (outcome.status, outcome.observed, outcome.pull_orders) == (PushStatus.STALE, 6, True)


def test_an_unheard_sale_is_taken_off_a_falling_number(network: respx.MockRouter) -> None:
    store = Store({1: 6})

    outcome = push_one(connect(network, store), intent(1, believed=8, wanted=5))

    assert store.on_hand == {1: 3}
    assert (outcome.status, outcome.shown, outcome.pull_orders) == (PushStatus.STALE, 3, True)


def test_evidence_lets_a_foreign_number_be_corrected(network: respx.MockRouter) -> None:
    store = Store({1: 6})
    seen = datetime(2026, 11, 22, 11, tzinfo=UTC)
    wish = replace(
        intent(1, believed=8, wanted=20),
        last_observed=6,
        last_observed_at=seen,
        orders_known_until=seen + timedelta(seconds=1),
    )

    assert push_one(connect(network, store), wish).status is PushStatus.APPLIED
    assert store.on_hand == {1: 20}


def test_a_sale_right_after_a_rise_landed_is_told_apart_from_a_write_that_did_not(network: respx.MockRouter) -> None:
    store = Store({1: 5}, lands_after=1)
    connected = connect(network, store)
    answer = store.read

    def sell_one_after_landing(request: httpx.Request) -> httpx.Response:
        landed = bool(store.pending)
        answer(request)
        store.on_hand[1] -= landed
        return answer(request)

    network.get(f"{ROOT}/v3/inventory/items").mock(side_effect=sell_one_after_landing)

    outcome = push_one(connected, intent(1, believed=5, wanted=10))

    assert store.on_hand == {1: 9}
    assert (outcome.status, outcome.shown, outcome.pull_orders) == (PushStatus.APPLIED, 10, True)


def test_a_write_that_does_not_show_in_time_is_not_claimed_and_blocks_rises_until_it_does(
    network: respx.MockRouter,
) -> None:
    store = Store({1: 9}, lands_after=NEVER)
    connected = connect(network, store)

    first = push_one(connected, intent(1, believed=9, wanted=4))
    meanwhile = push_one(connected, intent(1, believed=9, wanted=12))
    same_again = push_one(connected, intent(1, believed=9, wanted=9))

    assert (first.status, first.shown, first.pull_orders) == (PushStatus.STALE, None, False)
    assert [meanwhile.status, same_again.status] == [PushStatus.STALE, PushStatus.STALE]
    assert len(store.written) == 1

    store.on_hand, store.pending, store.lands_after = {1: 4}, [], 1
    landed = push_one(connected, intent(1, believed=9, wanted=12))

    assert (landed.status, landed.observed, landed.shown) == (PushStatus.APPLIED, 4, 12)


def test_a_late_write_that_left_room_for_unheard_sales_never_lets_the_number_rise_to_them(
    network: respx.MockRouter,
) -> None:
    store = Store({1: 6}, lands_after=NEVER)
    connected = connect(network, store)
    push_one(connected, intent(1, believed=8, wanted=5))
    store.on_hand, store.pending = {1: 3}, []

    outcome = push_one(connected, intent(1, believed=8, wanted=5))

    assert outcome.status is PushStatus.STALE
    assert all(row["quantity"] <= 3 for rows in store.written for row in rows)


def test_a_lower_number_is_written_while_another_write_is_unseen(network: respx.MockRouter) -> None:
    store = Store({1: 9}, lands_after=NEVER)
    connected = connect(network, store)
    push_one(connected, intent(1, believed=9, wanted=4))
    store.pending, store.lands_after = [], 1

    push_one(connected, intent(1, believed=9, wanted=2))

    assert store.on_hand == {1: 2}


def test_a_refused_row_that_the_title_names_leaves_its_neighbours_alone(network: respx.MockRouter) -> None:
    def refusal(rows: list[dict[str, int]]) -> str | None:
        named = [row["product_id"] for row in rows if row["product_id"] == 2]
        return f"[Item with product_id {named[0]} is tracked by variant]" if named else None

    store = Store({1: 9, 2: 9, 3: 9}, refusal=refusal)

    outcomes = connect(network, store).push([intent(product, 9, 5) for product in (1, 2, 3)])

    assert [outcome.status for outcome in outcomes] == [PushStatus.APPLIED, PushStatus.REFUSED, PushStatus.APPLIED]
    assert "tracked by variant" in outcomes[1].reason
    assert store.on_hand == {1: 5, 2: 9, 3: 5}
    assert len(store.written) == 2


def test_a_refusal_that_names_nobody_is_narrowed_down_by_halves(network: respx.MockRouter) -> None:
    store = Store(
        dict.fromkeys(range(1, 9), 9),
        refusal=lambda rows: "Something is wrong" if any(row["product_id"] == 6 for row in rows) else None,
    )

    outcomes = connect(network, store).push([intent(product, 9, 5) for product in range(1, 9)])

    assert [outcome.listing_id for outcome in outcomes if outcome.status is PushStatus.REFUSED] == [6]
    assert {product: quantity for product, quantity in store.on_hand.items() if quantity != 5} == {6: 9}


def test_a_deleted_product_and_an_unreadable_id_are_refused_beside_a_good_row(network: respx.MockRouter) -> None:
    store = Store({1: 9})
    strange = PushIntent(3, "gid://elsewhere/3", 9, 5, "key")

    outcomes = connect(network, store).push([intent(1, 9, 5), intent(2, 9, 5), strange])

    assert [outcome.status for outcome in outcomes] == [PushStatus.APPLIED, PushStatus.REFUSED, PushStatus.REFUSED]


def test_a_write_without_an_answer_is_retried_later_and_never_repeated_at_once(network: respx.MockRouter) -> None:
    store = Store({1: 9})
    connected = connect(network, store)
    put = network.put(f"{ROOT}/v3/inventory/adjustments/absolute").mock(return_value=httpx.Response(500))

    outcome = push_one(connected, intent(1, believed=9, wanted=5))

    assert (outcome.status, outcome.observed) == (PushStatus.RETRY, 9)
    assert put.call_count == 1


def test_a_write_that_was_throttled_can_be_made_at_once_when_the_store_has_time(network: respx.MockRouter) -> None:
    store = Store({1: 5})
    connected = connect(network, store)
    busy = httpx.Response(429, headers={"X-Rate-Limit-Time-Reset-Ms": "50"})
    put = network.put(f"{ROOT}/v3/inventory/adjustments/absolute").mock(return_value=busy)

    throttled = push_one(connected, intent(1, believed=5, wanted=9))
    put.mock(side_effect=store.write)
    written = push_one(connected, intent(1, believed=5, wanted=9))

    assert [throttled.status, written.status] == [PushStatus.RETRY, PushStatus.APPLIED]


def test_calls_wait_for_the_window_to_turn_when_the_quota_is_nearly_used_up(network: respx.MockRouter) -> None:
    store = Store({1: 9})
    connected = connect(network, store)
    headers = {"X-Rate-Limit-Requests-Left": "1", "X-Rate-Limit-Time-Reset-Ms": "20000", "Date": CLOCK}
    items = network.get(f"{ROOT}/v3/inventory/items").mock(
        return_value=httpx.Response(200, json={"data": []}, headers=headers)
    )
    connected.read_levels([ListingRef(1, "1/1001")])

    with pytest.raises(Throttled) as caught:
        connected.read_levels([ListingRef(1, "1/1001")])

    assert 19 < caught.value.retry_after_s <= 20
    assert items.call_count == 1


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [({"X-Rate-Limit-Time-Reset-Ms": "15000"}, 15.0), ({"X-Retry-After": "7"}, 7.0), ({}, 10.0)],
)
def test_a_429_says_how_long_to_wait_and_longest_when_it_does_not(
    network: respx.MockRouter, headers: dict[str, str], wait_s: float
) -> None:
    network.get(f"{ROOT}/v3/inventory/items").mock(return_value=httpx.Response(429, headers=headers))

    with pytest.raises(Throttled) as caught:
        connector().read_levels([ListingRef(1, "1/1001")])

    assert caught.value.retry_after_s == wait_s


def test_a_short_429_is_waited_out(network: respx.MockRouter) -> None:
    busy = httpx.Response(429, headers={"X-Rate-Limit-Time-Reset-Ms": "50"})
    calm = httpx.Response(200, json={"data": []}, headers={"Date": CLOCK})
    network.get(f"{ROOT}/v3/inventory/items").mock(side_effect=[busy, calm])

    assert connector().read_levels([ListingRef(1, "1/1001")])[0].quantity is None


def test_a_missing_credential_is_named_and_no_secret_is_shown() -> None:
    with pytest.raises(Unauthorized, match="access_token"):
        connector({"store_hash": "abc", "client_secret": "very-secret"})


def test_a_probe_names_the_scope_that_is_missing(network: respx.MockRouter) -> None:
    network.get(f"{ROOT}/v2/time").mock(return_value=httpx.Response(200, json={"time": 1795305600}))
    network.get(f"{ROOT}/v2/store").mock(return_value=httpx.Response(403, json=[{"status": 403, "message": "no"}]))

    with pytest.raises(Unauthorized, match="store_v2_information_read_only"):
        connector().probe()


def test_a_probe_warns_of_settings_that_bend_the_numbers(network: respx.MockRouter) -> None:
    places = [{"id": 3, "enabled": True}, {"id": 1, "enabled": True}, {"id": 2, "enabled": False}]
    rules = {"update_stock_behavior": "order_completed_or_shipped", "refund_order_stock_adjustment": False}
    network.get(f"{ROOT}/v2/time").mock(return_value=httpx.Response(200, json={"time": 1795305600}))
    network.get(f"{ROOT}/v2/store").mock(return_value=httpx.Response(200, json={"name": "Mugs", "store_id": 1}))
    network.get(f"{ROOT}/v3/settings/inventory").mock(return_value=httpx.Response(200, json={"data": rules}))
    network.get(f"{ROOT}/v3/inventory/locations").mock(return_value=httpx.Response(200, json={"data": places}))

    profile = connector().probe()

    assert (profile.name, profile.clock) == ("Mugs", datetime.fromtimestamp(1795305600, UTC))
    assert profile.settings == {
        "location_id": "1",
        "update_stock_behavior": "order_completed_or_shipped",
        "refund_order_stock_adjustment": "false",
    }
    assert [warning.split(",")[0] for warning in profile.warnings] == [
        "This store takes stock off only when an order ships",
        "The store has 2 enabled locations; Holdfast keeps number 1 right. Move stock there",
    ]
