"""One suite for every connector, against the sandbox's storefronts over real HTTP."""

import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from core.errors import BadSignature, Unauthorized
from core.model import FetchedOrders, HintKind, ListingRef, Platform, PushIntent, PushOutcome, PushStatus, StoreOrder
from tests.contract.storefronts import Receiver, Storefront, eventually

_attempts = count(1)


def _intent(listing: ListingRef, believed: int, wanted: int) -> PushIntent:
    return PushIntent(listing.listing_id, listing.external_id, believed, wanted, f"attempt-{next(_attempts)}")


def _push(shop: Storefront, sku: str, believed: int, wanted: int) -> PushOutcome:
    (listing,) = shop.refs(sku)
    (outcome,) = shop.connector.push([_intent(listing, believed, wanted)])
    return outcome


def _fetch(shop: Storefront, order_id: str) -> StoreOrder:
    fetched: FetchedOrders = shop.connector.fetch_orders([order_id])
    assert list(fetched.missing) == []
    (order,) = fetched.orders
    return order


def _changed_since(shop: Storefront, watermark: datetime) -> tuple[dict[str, str], datetime]:
    """Version by order id."""
    versions: dict[str, str] = {}
    cursor: str | None = None
    while True:
        page = shop.connector.orders_changed_since(watermark, cursor)
        versions |= {change.external_id: change.version for change in page.changes}
        if (cursor := page.cursor) is None:
            return versions, page.read_at


def _do(shop: Storefront, order_id: str, sku: str, step: str) -> None:
    """``step``: a control action, or "refund" and "lose" for one unit, restocked or not."""
    if step in ("refund", "lose"):
        lines = [{"sku": sku, "quantity": 1}]
        shop.act("refund", order_id=order_id, lines=lines, restock=step == "refund")
    else:
        shop.act(step, order_id=order_id)


def test_a_probe_names_the_shop_and_tells_its_clock(storefront: Storefront) -> None:
    profile = storefront.connector.probe()

    assert profile.name
    assert abs(profile.clock - datetime.now(UTC)) < timedelta(seconds=10)


def test_wrong_credentials_are_named_as_such(storefront: Storefront) -> None:
    wrong = replace(storefront.access, credentials={**storefront.access.credentials, **storefront.case.wrong})
    connector = storefront.case.connect(wrong)

    with pytest.raises(Unauthorized) as refusal:
        connector.probe()

    connector.close()
    assert not any(secret in str(refusal.value) for secret in wrong.credentials.values())


def test_all_listings_are_listed_once_with_their_numbers(storefront: Storefront) -> None:
    stock = {f"LIST-{number:03}": number for number in range(260)}
    storefront.stock(stock)

    listings = storefront.listings()

    assert {one.sku: one.quantity for one in listings if one.sku.startswith("LIST-")} == stock
    assert max(Counter(one.external_id for one in listings).values()) == 1


def test_an_order_is_fetched_with_each_of_its_lines(storefront: Storefront) -> None:
    storefront.stock({"ORDER-A": 5, "ORDER-B": 5})
    one, other = storefront.refs("ORDER-A", "ORDER-B")

    order = _fetch(storefront, storefront.checkout(("ORDER-A", 2), ("ORDER-B", 1), ("ORDER-A", 1)))

    assert (order.holds, order.paid) == (True, True)
    assert Counter((line.external_id, line.quantity) for line in order.lines) == Counter(
        [(one.external_id, 2), (one.external_id, 1), (other.external_id, 1)]
    )
    assert len({line.line_id for line in order.lines}) == 3
    assert [line.counted for line in order.lines] == [line.quantity for line in order.lines]
    assert all(line.cancelled == line.written_off == line.shipped == line.returned == 0 for line in order.lines)


def test_an_unpaid_order_holds_its_units(storefront: Storefront) -> None:
    storefront.stock({"UNPAID": 5})

    order = _fetch(storefront, storefront.checkout(("UNPAID", 2), paid=False))

    assert (order.holds, order.paid) == (True, False)
    (line,) = order.lines
    assert (line.quantity, line.cancelled) == (2, 0)
    assert line.counted + line.hidden in (0, 2)


@pytest.mark.parametrize(
    ("city", "by_code", "by_name"),
    [
        ("Los Angeles", "US-CA-900", "US-CA-900"),
        ("Toronto", "CA-ON-M5H", "CA-ON-M5H"),
        ("Munich", "DE-BY-803", "DE--803"),
        ("London", "GB--EC1", "GB--EC1"),
    ],
)
def test_of_an_address_no_more_is_kept_than_routing_needs(
    storefront: Storefront, city: str, by_code: str, by_name: str
) -> None:
    sku = f"TO-{city}"
    storefront.stock({sku: 5})

    order = _fetch(storefront, storefront.checkout((sku, 1), city=city))

    assert order.destination == (by_name if storefront.case.names_states else by_code)


def test_what_the_shopper_comes_for_goes_nowhere(storefront: Storefront) -> None:
    storefront.stock({"PICK-UP": 5})

    order = _fetch(storefront, storefront.checkout(("PICK-UP", 1), city=""))

    assert order.destination == ("DE-BE-101" if storefront.case.bills_pick_ups else "")


def test_a_paid_order_that_ships_says_so(storefront: Storefront) -> None:
    storefront.stock({"SHIP": 5})
    order_id = storefront.checkout(("SHIP", 2))

    storefront.act("fulfil", order_id=order_id)

    (line,) = _fetch(storefront, order_id).lines
    assert (line.quantity, line.cancelled, line.shipped, line.returned) == (2, 0, 2, 0)


def test_a_cancelled_order_gives_all_its_units_back(storefront: Storefront) -> None:
    storefront.stock({"CANCEL": 5})
    order_id = storefront.checkout(("CANCEL", 2))

    storefront.act("cancel", order_id=order_id)

    (line,) = _fetch(storefront, order_id).lines
    assert (line.quantity, line.cancelled, line.shipped, line.counted) == (2, 2, 0, 0)


@pytest.mark.parametrize("restock", [True, False])
def test_a_refund_before_shipping_gives_back_only_what_it_restocks(storefront: Storefront, restock: bool) -> None:
    if storefront.access.platform is Platform.BIGCOMMERCE and not restock:
        pytest.skip("on BigCommerce the store's settings decide about all refunds, not a refund about itself")
    sku = f"REFUND-{restock}"
    storefront.stock({sku: 5})
    order_id = storefront.checkout((sku, 3))

    storefront.act("refund", order_id=order_id, lines=[{"sku": sku, "quantity": 1}], restock=restock)

    (line,) = _fetch(storefront, order_id).lines
    assert (line.cancelled, line.written_off) == ((1, 0) if restock else (0, 1))
    assert line.quantity - line.cancelled - line.written_off == 2
    assert line.counted == (2 if restock else 3)


def test_an_unknown_order_is_missing_and_fails_no_other(storefront: Storefront) -> None:
    storefront.stock({"MISSING": 5})
    order_id = storefront.checkout(("MISSING", 1))
    unknown = str(int(order_id) + 1_000_000)

    fetched = storefront.connector.fetch_orders([unknown, order_id])

    assert [order.external_id for order in fetched.orders] == [order_id]
    assert list(fetched.missing) == [unknown]


def test_an_order_is_found_by_when_it_changed(storefront: Storefront) -> None:
    storefront.stock({"SINCE": 500})
    watermark = storefront.connector.probe().clock
    ids = {storefront.checkout(("SINCE", 1)) for _ in range(110)}

    found, read_at = _changed_since(storefront, watermark)

    assert ids <= found.keys()
    assert read_at <= storefront.connector.probe().clock


LIVES = [
    (),
    ("pay",),
    ("cancel",),
    ("pay", "cancel"),
    ("pay", "fulfil"),
    ("pay", "refund"),
    ("pay", "lose"),
    ("pay", "refund", "fulfil"),
    ("pay", "fulfil", "refund"),
    ("pay", "fulfil", "lose", "lose"),
    ("pay", "refund", "refund", "refund"),
]


@pytest.mark.parametrize("life", LIVES, ids=" ".join)
def test_an_order_has_one_version_in_the_list_and_when_it_is_fetched(
    storefront: Storefront, life: tuple[str, ...]
) -> None:
    sku = f"VERSION-{'-'.join(life)}"
    storefront.stock({sku: 5})
    watermark = storefront.connector.probe().clock
    order_id = storefront.checkout((sku, 3), paid=False)
    for step in life:
        _do(storefront, order_id, sku, step)

    listed, _ = _changed_since(storefront, watermark)

    assert _fetch(storefront, order_id).version == listed[order_id]


@pytest.mark.parametrize(
    "life",
    [
        ("pay", "fulfil", "refund"),
        ("pay", "cancel"),
        ("pay", "refund", "refund"),
        ("pay", "lose", "lose"),
        ("pay", "lose", "refund", "fulfil"),
    ],
    ids=" ".join,
)
def test_changes_within_one_second_are_told_apart(storefront: Storefront, life: tuple[str, ...]) -> None:
    sku = f"SECOND-{'-'.join(life)}"
    storefront.stock({sku: 100})
    seconds: set[str] = set()
    versions: list[str] = []
    while len(seconds) != 1:  # a busy machine may need more than a second; then another order tries again
        time.sleep(1.02 - time.time() % 1)
        before = storefront.control.get("/journal", params={"limit": 0}).json()["last"]
        order_id = storefront.checkout((sku, 4), paid=False)
        versions = [_fetch(storefront, order_id).version]
        for step in life:
            _do(storefront, order_id, sku, step)
            versions.append(_fetch(storefront, order_id).version)
        entries = storefront.control.get("/journal", params={"after": before}).json()["entries"]
        seconds = {entry["at"][:19] for entry in entries if entry.get("order_id") == order_id}

    assert len(set(versions)) == len(life) + 1


def test_no_clock_of_a_shop_is_ahead_of_what_it_tells(storefront: Storefront) -> None:
    before = datetime.now(UTC)
    told = storefront.connector.probe().clock
    _, vouched = _changed_since(storefront, before)

    assert told <= datetime.now(UTC)
    assert vouched < before
    assert vouched.microsecond == 0


def test_an_old_order_is_not_found_after_its_time(storefront: Storefront) -> None:
    storefront.stock({"OLD": 5})
    old = storefront.checkout(("OLD", 1))

    found, _ = _changed_since(storefront, storefront.connector.probe().clock + timedelta(minutes=10))

    assert old not in found


def test_levels_are_the_shops_own_in_the_order_asked(storefront: Storefront) -> None:
    stock = {f"LEVEL-{number}": number * 3 for number in range(12)}
    storefront.stock(stock)
    refs = storefront.refs(*reversed(stock))

    levels = storefront.connector.read_levels([*refs, ListingRef(99, storefront.case.unknown_id)])

    assert [level.quantity for level in levels] == [*reversed(stock.values()), None]
    assert [level.listing_id for level in levels] == [*(ref.listing_id for ref in refs), 99]


@pytest.mark.parametrize("wanted", [0, 4, 40])
def test_a_push_sets_the_number_when_nothing_unseen_stands_between(storefront: Storefront, wanted: int) -> None:
    sku = f"PUSH-{wanted}"
    storefront.stock({sku: 10})

    outcome = _push(storefront, sku, believed=10, wanted=wanted)

    assert (outcome.status, outcome.shown) == (PushStatus.APPLIED, wanted)
    assert eventually(lambda: storefront.shown(sku), lambda shown: shown == wanted) == wanted


def test_a_push_of_the_number_already_shown_writes_nothing(storefront: Storefront) -> None:
    storefront.stock({"EQUAL": 10})

    outcome = _push(storefront, "EQUAL", believed=10, wanted=10)

    assert outcome.status is PushStatus.EQUAL
    entries = storefront.control.get("/journal").json()["entries"]
    assert not [entry for entry in entries if entry["kind"] == "stock_write" and entry["sku"] == "EQUAL"]


@pytest.mark.parametrize("wanted", [10, 9, 30])
def test_a_push_never_puts_a_sold_unit_back_that_we_have_not_heard_of(storefront: Storefront, wanted: int) -> None:
    sku = f"UNSEEN-{wanted}"
    storefront.stock({sku: 10})
    storefront.refs(sku)
    storefront.checkout((sku, 3))

    outcome = _push(storefront, sku, believed=10, wanted=wanted)

    assert outcome.pull_orders
    assert (outcome.status, outcome.observed) == (PushStatus.STALE, 7)
    assert outcome.shown == min(7, wanted - 3)
    assert eventually(storefront.writes_pending, lambda pending: pending == 0) == 0
    assert storefront.shown(sku) <= min(7, wanted - 3)


def test_a_push_rises_over_a_foreign_edit_once_all_orders_are_known(storefront: Storefront) -> None:
    storefront.stock({"FOREIGN": 10})
    storefront.act("stock", sku="FOREIGN", quantity=6)
    first = _push(storefront, "FOREIGN", believed=10, wanted=10)
    assert first.observed_at is not None
    (listing,) = storefront.refs("FOREIGN")
    shown = storefront.shown("FOREIGN")
    evidence = replace(
        _intent(listing, believed=10, wanted=10),
        last_observed=shown,
        last_observed_at=first.observed_at,
        orders_known_until=first.observed_at + timedelta(seconds=1),
    )

    (outcome,) = storefront.connector.push([evidence])

    assert outcome.status is PushStatus.APPLIED
    assert eventually(lambda: storefront.shown("FOREIGN"), lambda shown: shown == 10) == 10


def test_one_bad_row_fails_no_neighbour(storefront: Storefront) -> None:
    skus = [f"ROW-{number}" for number in range(24)]
    storefront.stock(dict.fromkeys(skus, 10))
    refs = list(storefront.refs(*skus))
    intents = [_intent(ref, believed=10, wanted=5) for ref in refs]
    intents.insert(7, _intent(ListingRef(99, storefront.case.unknown_id), believed=10, wanted=5))

    outcomes = storefront.connector.push(intents)

    assert [outcome.listing_id for outcome in outcomes] == [intent.listing_id for intent in intents]
    bad = outcomes[7]
    assert bad.status is PushStatus.REFUSED
    assert bad.reason
    assert {outcome.status for outcome in outcomes if outcome is not bad} == {PushStatus.APPLIED}
    levels = eventually(lambda: [storefront.shown(sku) for sku in skus], lambda shown: set(shown) == {5})
    assert levels == [5] * len(skus)


def test_a_webhook_of_the_shop_is_accepted_and_a_forged_one_is_not(storefront: Storefront, receiver: Receiver) -> None:
    storefront.stock({"HOOK": 5})
    storefront.connector.ensure_webhooks(receiver.url)
    order_id = storefront.checkout(("HOOK", 1))

    def told() -> list[str]:
        hints = [hint for delivery in receiver.deliveries for hint in storefront.connector.read_webhook(*delivery)]
        return [hint.external_id for hint in hints if hint.kind is HintKind.ORDER]

    assert order_id in eventually(told, lambda ids: order_id in ids)
    headers, body = next(one for one in receiver.deliveries if storefront.connector.read_webhook(*one))
    with pytest.raises(BadSignature):
        storefront.connector.read_webhook(*storefront.case.forged(headers, body))


def test_the_same_delivery_has_the_same_dedupe_key(storefront: Storefront, receiver: Receiver) -> None:
    storefront.stock({"TWICE": 5})
    storefront.connector.ensure_webhooks(receiver.url)
    storefront.checkout(("TWICE", 1))
    eventually(lambda: receiver.deliveries, lambda all_: any(storefront.connector.read_webhook(*one) for one in all_))
    delivery = next(one for one in receiver.deliveries if storefront.connector.read_webhook(*one))

    first, again = storefront.connector.read_webhook(*delivery), storefront.connector.read_webhook(*delivery)

    assert [hint.dedupe_key for hint in first] == [hint.dedupe_key for hint in again]
    assert all(hint.dedupe_key for hint in first)


def test_webhooks_that_stand_are_left_alone(storefront: Storefront, receiver: Receiver) -> None:
    storefront.connector.ensure_webhooks(receiver.url)

    assert list(storefront.connector.ensure_webhooks(receiver.url)) == []
    assert list(storefront.connector.ensure_webhooks(f"{receiver.url}/moved")) != []
