"""Orders in: hints that come twice, late, in the wrong order or never, and orders that cannot be understood at once."""

from typing import Any

import pytest

from config.wiring import App
from core import catalog
from core.errors import Malformed
from core.model import StoreMode
from core.orders.apply import ApplyOrder
from tests.hub import (
    MERCHANT,
    Store,
    Street,
    assert_nothing_lost,
    come_to_rest,
    connect_all,
    documents,
    serve,
    skip,
    street,
    units,
)

pytest_plugins = ("tests.street_fixtures",)


@pytest.mark.parametrize("platform", ["shopify", "woocommerce", "bigcommerce"])
def test_doubled_late_and_reordered_hints_change_nothing(app: App, platform: str) -> None:
    with street(platform) as shops:
        shops.stock({"mug": 10, "plate": 10})
        store = connect_all(app, shops)[platform]
        first, second = store.checkout(("mug", 2), ("plate", 1)), store.checkout(("mug", 1))
        for order_id in (second, first, first):
            store.hint(order_id)
        serve(app)
        known = documents(app)
        assert units(app, "mug") == (7, 0, 3)
        assert units(app, "plate") == (9, 0, 1)

        for order_id in (first, second, first):
            store.hint(order_id)
            store.do("order")
        serve(app)

        assert documents(app) == known
        store.street.act(platform, "cancel", order_id=first)
        for order_id in (first, second, first):
            store.hint(order_id)
        serve(app)
        assert units(app, "mug") == (9, 0, 1)
        come_to_rest(app, shops, poll=[store])
        assert_nothing_lost(app, shops)


def test_an_answer_that_was_fetched_earlier_and_comes_later_is_dropped(woo: Store) -> None:
    order_id = woo.checkout(("mug", 3))
    app, connector = woo.app, woo.app.connector(MERCHANT, woo.id)
    with app.db.begin(MERCHANT, actor="test") as tx:
        early_seq = int(tx.run("SELECT nextval('fetch_seq')").scalar_one())
    (early,) = connector.fetch_orders([order_id]).orders
    woo.street.act("woocommerce", "cancel", order_id=order_id)
    woo.hint(order_id)
    serve(app)
    known = documents(app)

    app.combiner.run(MERCHANT, [ApplyOrder(woo.id, early, early_seq)], actor="test")

    assert documents(app) == known
    assert units(app, "mug") == (10, 0, 0)


def test_an_order_that_nobody_told_us_of_is_found_by_the_poll(stores: dict[str, Store]) -> None:
    woo, shopify = stores["woocommerce"], stores["shopify"]
    woo.checkout(("mug", 4))

    woo.poll()

    assert units(woo.app, "mug") == (6, 0, 4)
    assert shopify.shown("mug") == 6


def test_a_sale_in_one_shop_lowers_the_number_in_the_other(stores: dict[str, Store]) -> None:
    woo, shopify = stores["woocommerce"], stores["shopify"]
    shopify.hint(shopify.checkout(("mug", 3), ("plate", 2)))

    serve(woo.app)

    assert (woo.shown("mug"), woo.shown("plate")) == (7, 8)
    assert woo.street.writes("shopify") == 0, "the shop that sold has counted by itself"


def test_an_unpaid_order_is_reserved_and_paying_it_deducts_it(shopify: Store) -> None:
    order_id = shopify.checkout(("mug", 2), paid=False)
    shopify.hint(order_id)
    serve(shopify.app)
    assert units(shopify.app, "mug") == (8, 2, 0)

    shopify.street.act("shopify", "pay", order_id=order_id)
    shopify.hint(order_id)
    serve(shopify.app)

    assert units(shopify.app, "mug") == (8, 0, 2)


def test_a_line_of_an_unknown_product_is_held_and_replayed_once_it_is_mapped(app: App, woo: Store) -> None:
    woo.street.act("woocommerce", "catalogue", products=[{"sku": "new", "title": "New", "stock": 5}])
    order_id = woo.checkout(("mug", 1), ("new", 2))
    woo.hint(order_id)
    serve(app)
    (held,) = held_lines(woo)
    assert (held.sku, units(app, "mug")) == ("new", (9, 0, 1))
    assert "holdfast sync" in held.held_reason

    woo.want("full_sync")
    serve(app)

    assert held_lines(woo) == []
    # The unit had been sold before anybody received it, so it is owed.
    assert units(app, "new") == (0, 0, 0)
    (promise,) = woo.ask(
        """SELECT p.waiting FROM promise p JOIN item i ON i.merchant_id = p.merchant_id AND i.id = p.item_id
           WHERE p.merchant_id = :merchant_id AND i.sku = 'new'"""
    )
    assert promise.waiting == 2


def test_a_line_that_is_held_for_a_mapping_by_hand_is_replayed_by_that_mapping(app: App, woo: Store) -> None:
    woo.street.act("woocommerce", "catalogue", products=[{"sku": "mug-old", "title": "Mug", "stock": 5}])
    woo.want("full_sync")
    woo.do("full_sync")
    external_id = woo.listing("mug-old").external_id
    with app.db.begin(MERCHANT, actor="test") as tx:
        tx.run(
            """UPDATE listing SET item_id = NULL
               WHERE merchant_id = :merchant_id AND store_id = :store_id AND external_id = :id""",
            id=external_id,
            store_id=woo.id,
        )
    woo.hint(woo.checkout(("mug-old", 2)))
    serve(app)
    assert [line.sku for line in held_lines(woo)] == ["mug-old"]

    with app.db.begin(MERCHANT, actor="test") as tx:
        catalog.map_listing(tx, woo.id, external_id, "mug")
    serve(app)

    assert held_lines(woo) == []
    assert units(app, "mug") == (8, 0, 2)


def held_lines(store: Store) -> list[Any]:
    return list(store.ask("SELECT * FROM order_line WHERE merchant_id = :merchant_id AND held_reason <> ''"))


def test_an_order_that_the_store_does_not_know_yet_is_asked_for_again_and_then_let_go(app: App, woo: Store) -> None:
    woo.hint("424242")
    tried = 0
    while woo.work("order") and tried < 20:
        tried += 1
        skip(app, 60)
        serve(app)

    assert 2 <= tried <= 6
    assert units(app, "mug") == (10, 0, 0)


def test_wrong_credentials_mark_the_store_and_other_stores_go_on(app: App, stores: dict[str, Store]) -> None:
    woo, shopify = stores["woocommerce"], stores["shopify"]
    working = woo.row().credentials
    spoil_credentials(app, woo)
    woo_order, shopify_order = woo.checkout(("mug", 1)), shopify.checkout(("mug", 2))
    woo.hint(woo_order)
    shopify.hint(shopify_order)

    serve(app)

    assert "check key and secret" in woo.row().trouble
    assert woo.row().trouble_since is not None
    assert (shopify.row().trouble, units(app, "mug")) == ("", (8, 0, 2))
    (left,) = woo.work("order")
    assert (left.subject, left.tries, left.dead_at) == (woo_order, 0, None), "a person's delay is no failed try"
    assert "cs_" not in woo.row().trouble

    with app.db.begin(MERCHANT, actor="test") as tx:
        tx.run("UPDATE store SET credentials = :c WHERE merchant_id = :merchant_id AND id = :id", c=working, id=woo.id)
    skip(app, 61)
    serve(app)
    assert woo.row().trouble == ""
    assert units(app, "mug") == (7, 0, 3)


def spoil_credentials(app: App, store: Store) -> None:
    told = app.secrets.open(bytes(store.row().credentials))
    sealed = app.secrets.seal({**told, "consumer_secret": "cs_wrong"})
    with app.db.begin(MERCHANT, actor="test") as tx:
        tx.run("UPDATE store SET credentials = :c WHERE merchant_id = :merchant_id AND id = :id", c=sealed, id=store.id)
    skip(app, 2)  # a process may keep what it read of a store for a second


def test_a_store_that_asks_us_to_wait_costs_no_try(app: App, woo: Store) -> None:
    order_id = woo.checkout(("mug", 1))
    woo.street.turn(calls_throttled=1.0)
    for _ in range(3):
        woo.hint(order_id)
        skip(app, 30)
        woo.do("order")
        (left,) = woo.work("order")
        assert (left.tries, left.dead_at) == (0, None)
        assert "wait" in left.reason

    woo.street.turn(calls_throttled=0)
    skip(app, 30)
    serve(app)

    assert units(app, "mug") == (9, 0, 1)


def test_a_store_that_is_down_is_tried_again_with_growing_waits(app: App, woo: Store) -> None:
    woo.hint(woo.checkout(("mug", 1)))
    woo.street.turn(calls_failed=1.0)
    waits = []
    for _ in range(2):
        woo.do("order")
        (left,) = woo.work("order")
        waits.append((left.due_at - app.db.clock()).total_seconds())
        skip(app, 10)
    assert waits[1] > waits[0]
    assert left.tries == 2

    woo.street.turn(calls_failed=0)
    skip(app, 10)
    serve(app)

    assert units(app, "mug") == (9, 0, 1)


def test_one_order_that_cannot_be_read_stops_no_other(app: App, woo: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store's connector is the outside here: it cannot read one of three orders."""
    orders_placed = [woo.checkout(("mug", 1)) for _ in range(3)]
    connector = app.connector(MERCHANT, woo.id)
    fetch = connector.fetch_orders

    def fetch_orders(order_ids: list[str]) -> object:
        if orders_placed[1] in order_ids:
            raise Malformed("an order that is no order")
        return fetch(order_ids)

    monkeypatch.setattr(connector, "fetch_orders", fetch_orders)
    for order_id in orders_placed:
        woo.hint(order_id)
    woo.do("order")

    assert units(app, "mug") == (8, 0, 2)
    (left,) = woo.work("order")
    assert (left.subject, left.reason) == (orders_placed[1], "an order that is no order")
    monkeypatch.undo()
    skip(app, 30)
    serve(app)
    assert units(app, "mug") == (7, 0, 3)


def test_a_store_that_is_off_is_not_read(app: App, shops: Street) -> None:
    shops.stock({"mug": 10})
    woo = connect_all(app, shops, StoreMode.OFF)["woocommerce"]
    calls = shops.state()["api_calls"]
    woo.hint(woo.checkout(("mug", 1)))
    woo.want("poll")
    woo.want("full_sync")
    woo.want("hooks")

    serve(app)

    assert shops.state()["api_calls"] == calls
    assert units(app, "mug") == (10, 0, 0)
