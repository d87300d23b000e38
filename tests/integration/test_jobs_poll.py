"""The poll and what it heals: lost hints, time away, and webhooks that a shop gave up."""

from datetime import timedelta

import pytest
from woocommerce import API

from config.wiring import App
from core import stores as core_stores
from core.transaction import wall_clock
from tests.hub import (
    MERCHANT,
    Store,
    Street,
    assert_nothing_lost,
    come_to_rest,
    connect_all,
    documents,
    serve,
    street,
    units,
    until,
)

pytest_plugins = ("tests.street_fixtures",)


@pytest.mark.parametrize("platform", ["shopify", "woocommerce", "bigcommerce"])
def test_orders_edits_and_cancellations_of_which_no_hint_came_are_all_found(app: App, platform: str) -> None:
    with street(platform) as shops:
        shops.stock({"mug": 50})
        store = connect_all(app, shops)[platform]
        bought = [store.checkout(("mug", 1)) for _ in range(12)]
        store.poll()
        assert units(app, "mug") == (38, 0, 12)

        shops.act(platform, "cancel", order_id=bought[0])
        shops.act(platform, "fulfil", order_id=bought[1])
        shops.act(platform, "refund", order_id=bought[2], lines=[{"sku": "mug", "quantity": 1}], restock=True)
        until(lambda: units(app, "mug") == (40, 0, 9), poll=[store])

        come_to_rest(app, shops, poll=[store])
        assert_nothing_lost(app, shops)


def test_a_poll_that_finds_nothing_new_fetches_no_order_again(woo: Store) -> None:
    for _ in range(3):
        woo.checkout(("mug", 1))
    woo.poll()
    known, calls = documents(woo.app), woo.street.state()["api_calls"]

    woo.poll()

    assert documents(woo.app) == known
    assert woo.street.state()["api_calls"] - calls <= 2


def test_the_watermark_stays_where_it_was_when_a_poll_fails(woo: Store) -> None:
    woo.poll()
    before = woo.row()
    woo.checkout(("mug", 1))
    woo.street.turn(calls_failed=1.0)

    woo.want("poll")
    woo.do("poll")

    after = woo.row()
    assert (after.polled_until, after.last_poll_at) == (before.polled_until, before.last_poll_at)
    (left,) = woo.work("poll")
    assert left.tries == 1
    assert left.reason


def test_the_watermark_is_the_shops_clock_and_never_goes_back(woo: Store) -> None:
    app = woo.app
    woo.poll()
    first = woo.row().polled_until
    # Our own clock is a day ahead of the shop's.
    app.db.clock = lambda: wall_clock() + timedelta(days=1)
    woo.poll()
    second = woo.row().polled_until

    assert first <= second <= wall_clock()


def test_a_blind_store_sees_again_after_one_complete_poll(woo: Store) -> None:
    app = woo.app
    with app.db.begin(MERCHANT, actor="test") as tx:
        core_stores.blind(tx, [woo.id])
    assert woo.row().blind
    woo.street.turn(calls_failed=1.0)
    woo.do("poll")
    assert woo.row().blind

    woo.street.turn(calls_failed=0)
    woo.poll()
    app.db.clock = lambda: wall_clock() + timedelta(minutes=5)
    serve(app)

    assert not woo.row().blind


def test_hooks_that_the_shop_gave_up_are_switched_on_again(app: App, shops: Street) -> None:
    """WooCommerce never sends a delivery twice, and gives up a webhook whose deliveries fail."""
    app.settings = app.settings.model_copy(update={"public_url": "http://127.0.0.1:1"})
    shops.stock({"mug": 50})
    woo = connect_all(app, shops)["woocommerce"]
    serve(app)
    assert set(statuses(woo)) == {"active"}
    for _ in range(8):
        woo.checkout(("mug", 1))
        until(lambda: shops.state()["shops"]["woocommerce"]["webhooks_pending"] == 0)
    assert "disabled" in statuses(woo)

    woo.want("hooks")
    serve(app)

    assert set(statuses(woo)) == {"active"}


def statuses(woo: Store) -> list[str]:
    """The state of each webhook, as the shop's own API tells it."""
    shop = woo.street.told["shops"]["woocommerce"]
    keys = shop["credentials"]
    api = API(shop["url"], keys["consumer_key"], keys["consumer_secret"], version="wc/v3")
    return [hook["status"] for hook in api.get("webhooks", params={"per_page": 100}).json()]
