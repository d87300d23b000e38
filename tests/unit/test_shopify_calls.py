"""What the connector makes of Shopify's answers: scripted answers, and the requests that they led to."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import respx

from connectors.http import Net
from connectors.shopify.batches import BatchSize
from connectors.shopify.client import ShopifyConnector
from core.errors import Malformed, Rejected, Throttled, Unauthorized, Unreachable
from core.model import ListingRef, Platform, PushIntent, PushStatus, StoreAccess

URL = "https://goods.myshopify.com"
ENDPOINT = f"{URL}/admin/api/2026-10/graphql.json"
DATE = "Sun, 22 Nov 2026 10:00:00 GMT"
ACCESS = StoreAccess(
    1, 1, Platform.SHOPIFY, URL, {"access_token": "shpat_secret", "api_secret": "hush"}, {"location_id": "82"}
)

Script = Callable[[Mapping[str, Any]], Mapping[str, Any] | httpx.Response]


class Shopify:
    """Answers requests one after another from a script and keeps what was asked; the last answer stays."""

    def __init__(self, router: respx.MockRouter) -> None:
        self.router = router
        self.asked: list[Mapping[str, Any]] = []
        self.answers: list[Script] = []
        self._lock = threading.Lock()
        self.route = router.post(ENDPOINT).mock(side_effect=self._answer)

    def will(self, *answers: Mapping[str, Any] | Script) -> None:
        self.answers += [answer if callable(answer) else _fixed(answer) for answer in answers]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        with self._lock:
            self.asked.append(asked)
            script = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer = script(asked)
        return (
            answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer, headers={"Date": DATE})
        )


def _fixed(answer: Mapping[str, Any]) -> Script:
    return lambda _asked: answer


@pytest.fixture
def shopify() -> Iterator[Shopify]:
    with respx.mock(assert_all_called=False) as router:
        yield Shopify(router)


@pytest.fixture
def connector() -> Iterator[ShopifyConnector]:
    made = ShopifyConnector(ACCESS, Net())
    yield made
    made.close()


def failed(code: str, **extensions: Any) -> Mapping[str, Any]:
    return {"errors": [{"message": code, "extensions": {"code": code}}], "extensions": extensions}


def throttled(requested: float, available: float) -> Mapping[str, Any]:
    status = {"maximumAvailable": 2000.0, "currentlyAvailable": available, "restoreRate": 100.0}
    return failed("THROTTLED", cost={"requestedQueryCost": requested, "throttleStatus": status})


def refused(*errors: tuple[str, Sequence[str] | None]) -> Mapping[str, Any]:
    told = [{"code": code, "field": field, "message": "no"} for code, field in errors]
    return {"data": {"inventorySetQuantities": {"inventoryAdjustmentGroup": None, "userErrors": told}}}


def at_row(index: int) -> Sequence[str]:
    return ["input", "quantities", str(index), "changeFromQuantity"]


WRITTEN: Mapping[str, Any] = {
    "data": {"inventorySetQuantities": {"inventoryAdjustmentGroup": {"changes": []}, "userErrors": []}}
}


def levels(quantities: Mapping[str, int]) -> Script:
    """Answers a read of levels with these numbers."""

    def answer(asked: Mapping[str, Any]) -> Mapping[str, Any]:
        nodes = []
        for item in asked["variables"]["ids"]:
            level = {"isActive": True, "quantities": [{"name": "available", "quantity": quantities[item[-1]]}]}
            nodes.append({"id": item, "tracked": True, "inventoryLevel": level})
        return {"data": {"nodes": nodes}}

    return answer


def intent(number: int, believed: int | None, wanted: int) -> PushIntent:
    return PushIntent(number, str(number), believed, wanted, idempotency_key=f"key-{number}")


def rows(asked: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """(item, expected, quantity) of a write."""
    return [
        (row["inventoryItemId"][-1], row["changeFromQuantity"], row["quantity"])
        for row in asked["variables"]["input"]["quantities"]
    ]


def keys(shopify: Shopify) -> list[str]:
    return [asked["variables"]["key"] for asked in shopify.asked if "key" in asked["variables"]]


def test_a_write_names_the_number_it_expects(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(WRITTEN)

    outcomes = connector.push([intent(1, 9, 7), intent(2, 4, 0)])

    (asked,) = shopify.asked
    assert rows(asked) == [("1", 9, 7), ("2", 4, 0)]
    assert asked["variables"]["input"]["name"] == "available"
    assert [(each.status, each.shown) for each in outcomes] == [(PushStatus.APPLIED, 7), (PushStatus.APPLIED, 0)]


def test_a_stale_row_is_read_and_only_lowered_while_the_others_are_written(
    shopify: Shopify, connector: ShopifyConnector
) -> None:
    shopify.will(
        refused(("CHANGE_FROM_QUANTITY_STALE", at_row(1))),
        levels({"1": 9, "2": 8}),
        WRITTEN,
    )

    fine, stale = connector.push([intent(1, 9, 12), intent(2, 10, 9)])

    assert sorted(rows(shopify.asked[2])) == [("1", 9, 12), ("2", 8, 7)]
    assert fine.status is PushStatus.APPLIED
    assert (stale.status, stale.observed, stale.shown, stale.pull_orders) == (PushStatus.STALE, 8, 7, True)
    assert stale.observed_at == datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    assert len(set(keys(shopify))) == 2


def test_a_rise_over_an_unexplained_number_is_not_written(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(refused(("CHANGE_FROM_QUANTITY_STALE", at_row(0))), levels({"1": 7}))

    (outcome,) = connector.push([intent(1, 9, 20)])

    assert (outcome.status, outcome.shown, outcome.pull_orders) == (PushStatus.STALE, 7, True)
    assert len(keys(shopify)) == 1


def test_an_error_that_names_no_row_is_cornered_by_halving(shopify: Shopify, connector: ShopifyConnector) -> None:
    def answer(asked: Mapping[str, Any]) -> Mapping[str, Any]:
        found = any(item == "3" for item, _, _ in rows(asked))
        return refused(("INVALID_INVENTORY_ITEM", None)) if found else WRITTEN

    shopify.will(answer)

    outcomes = connector.push([intent(number, 5, 4) for number in range(1, 6)])

    assert [each.status for each in outcomes] == [
        PushStatus.REFUSED if number == 3 else PushStatus.APPLIED for number in range(1, 6)
    ]
    assert "import the catalogue" in outcomes[2].reason


def test_what_was_never_read_is_read_before_it_is_written(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(levels({"1": 6, "2": 3}), WRITTEN)

    lowered, kept = connector.push([intent(1, None, 4), intent(2, None, 5)])

    assert rows(shopify.asked[1]) == [("1", 6, 4)]
    assert (lowered.observed, lowered.shown) == (6, 4)
    assert (kept.status, kept.shown, kept.pull_orders) == (PushStatus.STALE, 3, True)


def test_a_number_below_zero_is_never_written(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(WRITTEN)

    connector.push([intent(1, 3, -2)])

    assert rows(shopify.asked[0]) == [("1", 3, 0)]


def test_a_write_still_running_is_asked_for_again_under_its_key(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(refused(("IDEMPOTENCY_CONCURRENT_REQUEST", None)), WRITTEN)

    (outcome,) = connector.push([intent(1, 9, 7)])

    assert outcome.status is PushStatus.APPLIED
    assert len(set(keys(shopify))) == 1


def test_a_burnt_key_is_replaced(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(refused(("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", None)), WRITTEN)

    (outcome,) = connector.push([intent(1, 9, 7)])

    assert outcome.status is PushStatus.APPLIED
    assert len(set(keys(shopify))) == 2


def test_a_lost_answer_is_asked_for_again_under_its_key(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(lambda _: httpx.Response(502), WRITTEN)

    (outcome,) = connector.push([intent(1, 9, 7)])

    assert outcome.status is PushStatus.APPLIED
    assert len(keys(shopify)) == 2
    assert len(set(keys(shopify))) == 1


def test_a_push_of_which_nothing_was_learnt_raises(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(throttled(requested=1000, available=0))

    with pytest.raises(Throttled) as wait:
        connector.push([intent(1, 9, 7)])

    assert wait.value.retry_after_s == pytest.approx(10.0)


def test_what_was_learnt_before_a_failure_is_kept(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(refused(("NON_MUTABLE_INVENTORY_ITEM", at_row(0))), failed("ACCESS_DENIED"))

    bundle, other = connector.push([intent(1, 9, 7), intent(2, 9, 7)])

    assert bundle.status is PushStatus.REFUSED
    assert other.status is PushStatus.RETRY


def test_a_row_that_keeps_selling_is_left_to_the_next_job(shopify: Shopify, connector: ShopifyConnector) -> None:
    def answer(asked: Mapping[str, Any]) -> Mapping[str, Any] | httpx.Response:
        if "key" in asked["variables"]:
            return refused(("CHANGE_FROM_QUANTITY_STALE", at_row(0)))
        return levels({"1": 8})(asked)

    shopify.will(answer)

    (outcome,) = connector.push([intent(1, 9, 2)])

    assert (outcome.status, outcome.pull_orders) == (PushStatus.RETRY, True)


class Shelf:
    """Items that Shopify counts: writes are compared row by row and taken or refused as a whole."""

    def __init__(self, quantities: Mapping[str, int], sells: Sequence[str] = ()) -> None:
        self.quantities = dict(quantities)
        self.sells = set(sells)
        self.writes: list[int] = []
        self.reads: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._lock:
            return self._write(asked) if "key" in asked["variables"] else self._read(asked)

    def _read(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        items = [item.rpartition("/")[2] for item in asked["variables"]["ids"]]
        self.reads += items
        numbers = [{"name": "available", "quantity": self.quantities[item]} for item in items]
        nodes = [
            {"id": gid, "tracked": True, "inventoryLevel": {"isActive": True, "quantities": [number]}}
            for gid, number in zip(asked["variables"]["ids"], numbers, strict=True)
        ]
        for item in self.sells.intersection(items):
            self.quantities[item] -= 1
        return {"data": {"nodes": nodes}}

    def _write(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        wanted = asked["variables"]["input"]["quantities"]
        self.writes.append(len(wanted))
        items = [row["inventoryItemId"].rpartition("/")[2] for row in wanted]
        stale = [
            index
            for index, (item, row) in enumerate(zip(items, wanted, strict=True))
            if self.quantities[item] != row["changeFromQuantity"]
        ]
        if stale:
            return refused(*(("CHANGE_FROM_QUANTITY_STALE", at_row(index)) for index in stale))
        self.quantities |= {item: row["quantity"] for item, row in zip(items, wanted, strict=True)}
        return WRITTEN


def test_stale_rows_of_many_batches_are_read_and_only_lowered(shopify: Shopify, connector: ShopifyConnector) -> None:
    items = range(1, 321)
    shelf = Shelf({str(item): 10 if item % 8 else 9 for item in items})
    shopify.will(shelf)

    outcomes = connector.push([intent(item, 10, 5) for item in items])

    assert [each.status for each in outcomes] == [
        PushStatus.APPLIED if item % 8 else PushStatus.STALE for item in items
    ]
    assert all((each.observed, each.shown) == (9, 4) for each in outcomes if each.status is PushStatus.STALE)
    assert len(set(keys(shopify))) == len(keys(shopify))


def test_the_size_of_a_batch_follows_what_the_shop_takes() -> None:
    size = BatchSize()
    seen = []

    for _ in range(5):
        seen.append(size.rows)
        size.was_stale(size.rows)
    for _ in range(8):
        seen.append(size.rows)
        size.was_written(size.rows)

    assert seen == [40, 20, 10, 5, 5, 5, 10, 20, 40, 80, 160, 250, 250]


def test_answers_to_smaller_batches_do_not_change_the_size() -> None:
    size = BatchSize()

    size.was_stale(39)
    size.was_written(39)

    assert size.rows == 40


def test_a_busy_shop_gets_smaller_batches_in_the_next_push(shopify: Shopify, connector: ShopifyConnector) -> None:
    items = [str(item) for item in range(1, 401)]
    shelf = Shelf(dict.fromkeys(items, 10), sells=items)
    shopify.will(shelf)
    connector.push([intent(int(item), 11, 3) for item in items])
    first = max(shelf.writes)
    shelf.writes.clear()

    connector.push([intent(int(item), 11, 3) for item in items])

    assert (first, max(shelf.writes)) == (40, 5)


def test_an_item_that_sells_at_every_look_costs_its_neighbours_nothing(
    shopify: Shopify, connector: ShopifyConnector
) -> None:
    items = [str(item) for item in range(1, 41)]
    shelf = Shelf(dict.fromkeys(items, 10) | {"7": 9}, sells=["7"])
    shopify.will(shelf)

    outcomes = {each.listing_id: each for each in connector.push([intent(int(item), 10, 3) for item in items])}

    hot = outcomes.pop(7)
    assert (hot.status, hot.pull_orders, hot.shown) == (PushStatus.RETRY, True, None)
    assert {each.status for each in outcomes.values()} == {PushStatus.APPLIED}
    assert shelf.reads.count("7") == 2
    assert {item: shelf.quantities[item] for item in items if item != "7"} == {item: 3 for item in items if item != "7"}


def test_four_batches_are_under_way_at_once(shopify: Shopify, connector: ShopifyConnector) -> None:
    together = threading.Barrier(4)

    def answer(_asked: Mapping[str, Any]) -> Mapping[str, Any]:
        together.wait(5)
        return WRITTEN

    shopify.will(answer)

    outcomes = connector.push([intent(number, 9, 7) for number in range(1, 161)])

    assert {each.status for each in outcomes} == {PushStatus.APPLIED}
    assert [each.listing_id for each in outcomes] == list(range(1, 161))


def test_a_batch_that_fails_leaves_the_others_their_outcomes(shopify: Shopify, connector: ShopifyConnector) -> None:
    written = threading.Event()

    def answer(asked: Mapping[str, Any]) -> Mapping[str, Any]:
        if asked["variables"]["input"]["quantities"][0]["inventoryItemId"].endswith("/1"):
            written.wait(5)
            return failed("undefinedField")
        written.set()
        return WRITTEN

    shopify.will(answer)

    outcomes = connector.push([intent(number, 9, 7) for number in range(1, 21)])

    assert [each.status for each in outcomes] == [PushStatus.RETRY] * 5 + [PushStatus.APPLIED] * 15


def test_threads_that_need_a_token_fetch_one(shopify: Shopify) -> None:
    grant = httpx.Response(200, json={"access_token": "a", "scope": "", "expires_in": 86399})
    grants = shopify.router.post(f"{URL}/admin/oauth/access_token").mock(return_value=grant)
    shopify.will(WRITTEN)
    connector = ShopifyConnector(replace(ACCESS, credentials={"client_id": "app", "client_secret": "hush"}), Net())

    connector.push([intent(number, 9, 7) for number in range(1, 161)])

    connector.close()
    assert grants.call_count == 1


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
