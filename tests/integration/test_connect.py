"""Connecting a store: nothing is kept of credentials that do not work, and nothing is counted twice."""

import time
from collections.abc import Mapping
from types import MappingProxyType

import pytest
from sqlalchemy import Engine, inspect, text

from config.wiring import App
from core import stores as core_stores
from core.errors import Refused, Unauthorized
from core.model import Platform, StoreMode
from jobs import connect
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
)

pytest_plugins = ("tests.street_fixtures",)
WRONG = {
    "shopify": {"access_token": "shpat_of_nobody"},
    "woocommerce": {"consumer_secret": "cs_wrong"},
    "bigcommerce": {"access_token": "token-of-nobody"},
}


def connect_one(
    app: App, shops: Street, name: str, *, opening: bool = False, wrong: Mapping[str, str] = MappingProxyType({})
) -> Store:
    shop = shops.told["shops"][name]
    row, _ = connect.connect_store(
        app, MERCHANT, name=name, platform=Platform(name), url=shop["url"],
        credentials={**shop["credentials"], **wrong}, opening=opening,
    )  # fmt: skip
    return Store(app, shops, name, row.id)


def test_credentials_that_do_not_work_leave_nothing_behind(app: App) -> None:
    with street(*WRONG) as shops:
        for name, wrong in WRONG.items():
            with pytest.raises(Unauthorized) as refused:
                connect_one(app, shops, name, wrong=wrong)
            assert not any(secret in str(refused.value) for secret in wrong.values())
    with app.db.begin(MERCHANT, actor="test") as tx:
        for table in ("store", "listing", "schedule", "work"):
            assert tx.run(f"SELECT count(*) FROM {table} WHERE merchant_id = :merchant_id").scalar_one() == 0


def test_a_new_store_only_observes_and_knows_its_catalogue(app: App, shops: Street) -> None:
    shops.stock({"mug": 10, "plate": 0})

    woo = connect_one(app, shops, "woocommerce")
    serve(app)

    assert woo.row().mode == StoreMode.OBSERVE
    assert (woo.listing("mug").observed, woo.listing("plate").observed) == (10, 0)
    assert units(app, "mug") == (0, 0, 0), "only the opening counts a shop's numbers as stock"
    assert shops.writes("woocommerce") == 0


def test_the_opening_counts_what_is_shown_and_what_open_orders_hold(app: App, shops: Street) -> None:
    shops.stock({"mug": 10})
    shops.checkout("woocommerce", ("mug", 2), paid=True)
    shipped = shops.checkout("woocommerce", ("mug", 3))
    shops.act("woocommerce", "fulfil", order_id=shipped)
    assert shops.shown("woocommerce", "mug") == 5
    let_a_second_pass()

    woo = connect_one(app, shops, "woocommerce", opening=True)
    serve(app)

    assert units(app, "mug") == (5, 0, 2)
    connect.change_mode(app, MERCHANT, woo.id, StoreMode.LIVE)
    serve(app)
    assert woo.shown("mug") == 5


def let_a_second_pass() -> None:
    """Shops tell when an order was placed to the second; what came in the two seconds before counts as later."""
    time.sleep(2.2)


def test_opening_again_and_a_second_store_change_no_stock(app: App, stores: dict[str, Store]) -> None:
    woo, known = stores["woocommerce"], documents(app)

    connect.open_stock(app, MERCHANT, woo.id, app.connector(MERCHANT, woo.id))

    assert documents(app) == known
    assert units(app, "mug") == (10, 0, 0)


def test_orders_from_before_and_after_the_connection_are_counted_once(app: App, shops: Street) -> None:
    shops.stock({"mug": 40})
    before = [shops.checkout("woocommerce", ("mug", 1)) for _ in range(3)]
    let_a_second_pass()
    stores = connect_all(app, shops)
    after = [shops.checkout("woocommerce", ("mug", 1)) for _ in range(3)]
    for order_id in (*before, *after):
        stores["woocommerce"].hint(order_id)
    serve(app)

    assert units(app, "mug") == (34, 0, 6)
    come_to_rest(app, shops, poll=[*stores.values()])
    assert shops.everywhere("mug") == {34}


def test_a_name_in_use_is_refused(app: App, shops: Street) -> None:
    connect_one(app, shops, "woocommerce")
    with pytest.raises(Refused, match="woocommerce"):
        connect_one(app, shops, "woocommerce")


def test_credentials_are_stored_only_sealed(app: App, shops: Street, superuser: Engine) -> None:
    connect_one(app, shops, "woocommerce")
    secrets = list(shops.told["shops"]["woocommerce"]["credentials"].values())
    assert len(secrets) >= 2
    for table in inspect(superuser).get_table_names():
        with superuser.connect() as connection:
            rows = [str(tuple(row)) for row in connection.execute(text(f"SELECT * FROM {table}"))]
        assert not [secret for secret in secrets for row in rows if secret in row]


def test_renewed_credentials_are_tested_before_the_old_ones_are_given_up(app: App, stores: dict[str, Store]) -> None:
    woo = stores["woocommerce"]
    working = dict(woo.street.told["shops"]["woocommerce"]["credentials"])
    with app.db.begin(MERCHANT, actor="test") as tx:
        row = core_stores.get(tx, woo.id)

    with pytest.raises(Unauthorized):
        connect.renew_credentials(app, MERCHANT, row, {**working, "consumer_secret": "cs_wrong"})
    woo.checkout(("mug", 1))
    woo.poll()
    assert units(app, "mug") == (9, 0, 1)

    connect.renew_credentials(app, MERCHANT, row, working)
    serve(app)
    assert woo.row().trouble == ""
    assert_nothing_lost(app, woo.street)
