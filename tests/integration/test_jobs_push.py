"""Numbers out: down at once, up only with evidence, and never where a person said no."""

import pytest

from config.wiring import App
from core import stores as core_stores
from core import work
from core.goods.receiving import Receive
from core.model import StoreMode
from core.sales.holds import Hold
from core.stock import DocumentKind
from jobs import connect
from tests.builders import World, at
from tests.hub import (
    MERCHANT,
    Store,
    assert_nothing_lost,
    come_to_rest,
    connect_all,
    serve,
    skip,
    street,
    units,
    until,
)

pytest_plugins = ("tests.street_fixtures",)
PLATFORMS = ["shopify", "woocommerce", "bigcommerce"]


def receive(app: App, sku: str, quantity: int) -> None:
    """Goods arrive in the warehouse."""
    world = World(app.db)
    world.do(Receive(f"test/{sku}/{quantity}", DocumentKind.RECEIPT, {world.item(sku): quantity}))


def lose(app: App, sku: str, quantity: int) -> None:
    """Units go to a customer of our own interface."""
    world = World(app.db)
    world.do(Hold(f"test/{sku}/{quantity}", {world.item(sku): quantity}, at(10**9)))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_number_falls_at_once_and_rises_again_with_evidence(app: App, platform: str) -> None:
    with street(platform) as shops:
        shops.stock({"mug": 10})
        store = connect_all(app, shops)[platform]

        lose(app, "mug", 4)
        store.do("push")
        until(lambda: store.shown("mug") == 6)

        receive(app, "mug", 5)
        serve(app)
        until(lambda: store.shown("mug") == 11, poll=[store])


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_unit_sold_by_the_shop_and_not_heard_of_is_never_put_back_on_sale(app: App, platform: str) -> None:
    with street(platform) as shops:
        shops.stock({"mug": 10})
        store = connect_all(app, shops)[platform]
        store.checkout(("mug", 3))
        assert store.shown("mug") == 7

        receive(app, "mug", 5)
        for _ in range(4):
            store.do("push")
            assert store.shown("mug") <= 12, "10 less 3 sold and 5 new ones are 12"
            skip(app, 40)

        until(lambda: store.shown("mug") == 12, poll=[store])
        come_to_rest(app, shops, poll=[store])
        assert units(app, "mug") == (12, 0, 3)
        assert_no_write_above(store, "mug", 12)


def assert_no_write_above(store: Store, sku: str, most: int) -> None:
    written = [e["after"] for e in store.street.journal() if e["kind"] == "stock_write" and e["sku"] == sku]
    assert max(written, default=0) <= most


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_number_that_a_person_changed_in_the_shop_is_set_right(app: App, platform: str) -> None:
    with street(platform) as shops:
        shops.stock({"mug": 10, "plate": 10})
        store = connect_all(app, shops)[platform]
        shops.act(platform, "stock", sku="mug", quantity=25)
        shops.act(platform, "stock", sku="plate", quantity=2)

        store.want("full_sync")
        until(lambda: shops.levels(platform) == {"mug": 10, "plate": 10}, poll=[store])

        come_to_rest(app, shops, poll=[store])
        assert_nothing_lost(app, shops)


def test_a_foreign_edit_and_a_sale_at_once_never_put_the_sold_unit_back(app: App, stores: dict[str, Store]) -> None:
    woo = stores["woocommerce"]
    woo.street.act("woocommerce", "stock", sku="mug", quantity=20)
    woo.checkout(("mug", 6))

    woo.want("full_sync")
    until(lambda: woo.shown("mug") == 4, poll=[woo])

    come_to_rest(app, woo.street, poll=[*stores.values()])
    assert units(app, "mug") == (4, 0, 6)


def test_polls_that_know_too_little_read_no_number_again_and_one_that_knows_enough_sets_it_right(
    app: App, stores: dict[str, Store]
) -> None:
    """An order is stuck, so nobody can say whether it is behind a number that a person changed in the shop."""
    woo = stores["woocommerce"]
    woo.want("order", "424242")
    with app.db.begin(MERCHANT, actor="test") as tx:
        stuck = work.claim(tx, "order", woo.id, limit=1, lease_s=3600)
    woo.street.act("woocommerce", "stock", sku="mug", quantity=2)
    woo.want("full_sync")
    serve(app)
    still = app.db.clock()
    app.db.clock = lambda: still  # no wait of ours is ever over

    looks = len(attempts(woo, "mug"))
    for _ in range(5):
        woo.poll()
    assert len(attempts(woo, "mug")) == looks > 0
    assert woo.shown("mug") == 2

    with app.db.begin(MERCHANT, actor="test") as tx:
        work.settle(tx, stuck)
    until(lambda: woo.shown("mug") == 10, poll=[woo])


def attempts(store: Store, sku: str) -> list[str]:
    """What became of each push of a listing."""
    rows = store.ask(
        """SELECT p.status FROM push p JOIN listing l ON l.merchant_id = p.merchant_id AND l.id = p.listing_id
           WHERE p.merchant_id = :merchant_id AND p.store_id = :store_id AND l.sku = :sku ORDER BY p.id""",
        sku=sku,
    )
    return [row.status for row in rows]


@pytest.mark.parametrize("mode", [StoreMode.OBSERVE, StoreMode.DRY_RUN, StoreMode.OFF])
def test_a_store_that_is_not_live_is_never_written_to(app: App, stores: dict[str, Store], mode: StoreMode) -> None:
    woo, shopify = stores["woocommerce"], stores["shopify"]
    connect.change_mode(app, MERCHANT, shopify.id, mode)
    serve(app)
    before = woo.street.writes("shopify")

    woo.hint(woo.checkout(("mug", 4)))
    serve(app)
    shopify.want("push")
    serve(app)

    assert (shopify.shown("mug"), woo.street.writes("shopify")) == (10, before)
    planned = shopify.ask(
        "SELECT wanted FROM push WHERE merchant_id = :merchant_id AND store_id = :store_id AND status = 'planned'"
    )
    assert bool(planned) == (mode is StoreMode.DRY_RUN)
    connect.change_mode(app, MERCHANT, shopify.id, StoreMode.LIVE)
    serve(app)
    until(lambda: shopify.shown("mug") == 6, poll=[shopify])


def test_a_paused_store_is_never_written_to_and_catches_up_when_it_is_resumed(
    app: App, stores: dict[str, Store]
) -> None:
    woo, shopify = stores["woocommerce"], stores["shopify"]
    pause(app, shopify, paused=True)
    before = woo.street.writes("shopify")

    woo.hint(woo.checkout(("mug", 4)))
    serve(app)
    shopify.want("push")
    serve(app)
    assert woo.street.writes("shopify") == before

    pause(app, shopify, paused=False)
    serve(app)
    assert shopify.shown("mug") == 6


def pause(app: App, store: Store, *, paused: bool) -> None:
    with app.db.begin(MERCHANT, actor="test") as tx:
        core_stores.set_paused(tx, [store.id], paused)


def test_a_blind_store_may_fall_but_does_not_rise(app: App, stores: dict[str, Store]) -> None:
    woo = stores["woocommerce"]
    woo.checkout(("mug", 1))  # nobody hears of it
    with app.db.begin(MERCHANT, actor="test") as tx:
        core_stores.blind(tx, [woo.id])
        tx.run("DELETE FROM work WHERE merchant_id = :merchant_id AND topic IN ('poll', 'hooks')")
    receive(app, "mug", 5)
    lose(app, "plate", 3)

    woo.do("push")

    assert woo.shown("mug") == 9
    assert woo.shown("plate") == 7


def test_a_listing_that_the_shop_no_longer_has_is_set_aside_and_stops_no_other(
    app: App, stores: dict[str, Store]
) -> None:
    woo = stores["woocommerce"]
    with app.db.begin(MERCHANT, actor="test") as tx:
        # As if the product had been deleted in the shop since it was imported.
        tx.run(
            """UPDATE listing SET external_id = '999999' WHERE merchant_id = :merchant_id AND store_id = :id
               AND sku = 'plate'""",
            id=woo.id,
        )
    lose(app, "plate", 1)
    lose(app, "mug", 2)

    serve(app)

    assert woo.shown("mug") == 8
    assert "no longer has this product" in woo.listing("plate").quarantine_reason
    assert woo.listing("mug").quarantine_reason == ""
    assert woo.work("push") == []


def test_a_store_that_throttles_delays_its_numbers_and_costs_no_try(app: App, stores: dict[str, Store]) -> None:
    woo, shopify = stores["woocommerce"], stores["shopify"]
    woo.hint(woo.checkout(("mug", 2)))
    woo.do("order")
    woo.street.turn(calls_throttled=1.0)

    shopify.do("push")

    (left,) = shopify.work("push")
    assert (left.tries, left.dead_at) == (0, None)
    assert "wait" in left.reason
    woo.street.turn(calls_throttled=0)
    skip(app, 60)
    serve(app)
    assert shopify.shown("mug") == 8


def test_ten_changes_of_an_item_are_one_write(app: App, stores: dict[str, Store]) -> None:
    woo, shopify = stores["woocommerce"], stores["shopify"]
    before = woo.street.writes("shopify")
    for _ in range(5):
        woo.hint(woo.checkout(("mug", 1)))
    woo.do("order")

    shopify.do("push")

    assert (shopify.shown("mug"), woo.street.writes("shopify")) == (5, before + 1)


def test_each_push_keeps_its_evidence(app: App, stores: dict[str, Store]) -> None:
    woo, shopify = stores["woocommerce"], stores["shopify"]
    woo.hint(woo.checkout(("mug", 2)))
    serve(app)

    (row,) = shopify.ask(
        """SELECT p.* FROM push p JOIN listing l ON l.merchant_id = p.merchant_id AND l.id = p.listing_id
           WHERE p.merchant_id = :merchant_id AND p.store_id = :store_id AND l.sku = 'mug' AND p.status = 'applied'"""
    )

    assert (row.believed, row.wanted, row.shown) == (10, 8, 8)
    assert row.heard_at <= row.claimed_at <= row.settled_at
    assert 0 <= row.own_ms <= (row.settled_at - row.heard_at).total_seconds() * 1000 + 1
