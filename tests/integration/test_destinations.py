"""What stores tell of an address decides which warehouse sends the order, and nothing more of it is kept."""

import pytest

from config.wiring import App
from core.dispatch import rules
from core.fulfilment import automatic
from tests.builders import World, line, order
from tests.hub import MERCHANT, Store, connect_all, serve, street
from tests.integration.fulfilment_acts import place, put


def _sent_from(app: App, order_id: str) -> list[str]:
    with app.db.begin(MERCHANT, actor="test") as tx:
        rows = tx.run(
            """SELECT w.code FROM store_order o JOIN fulfilment_order f ON (f.merchant_id, f.order_id) = (:m, o.id)
               JOIN warehouse w ON (w.merchant_id, w.id) = (:m, f.warehouse_id)
               WHERE o.merchant_id = :m AND o.external_id = :id ORDER BY f.nth""",
            m=MERCHANT, id=order_id,
        ).scalars()  # fmt: skip
        return list(rows)


def _bought_in(store: Store, city: str) -> str:
    told = store.street.act(store.name, "checkout", reference="R", city=city, lines=[{"sku": "mug", "quantity": 1}])
    order_id: str = told["order_id"]
    store.hint(order_id)
    serve(store.app)
    return order_id


def test_an_order_is_booked_whatever_is_told_of_where_it_goes(world: World) -> None:
    store = world.stocked("mug", units=3)

    world.hear(store, order(line("mug", 1), paid=True, destination="Lindenstrasse 5, 80331 Munich"))
    assert world.scalar("SELECT destination FROM store_order") == ""
    world.hear(store, order(line("mug", 1), paid=True, destination="DE-BY-80331"))
    assert world.scalar("SELECT destination FROM store_order") == "DE-BY-803"
    world.hear(store, order(line("mug", 2), paid=True, destination="?"))

    assert world.scalar("SELECT destination FROM store_order") == "DE-BY-803"
    assert world.units("mug").sold == 2


@pytest.mark.parametrize("platform", ["shopify", "woocommerce", "bigcommerce"])
def test_the_closest_warehouse_sends_what_a_storefront_sold(app: App, world: World, platform: str) -> None:
    with street(platform) as shops:
        shops.stock({"mug": 10})
        store = connect_all(app, shops)[platform]
        for code, country, postal in (("MUNICH", "DE", "80339"), ("NEWARK", "US", "10005"), ("LA", "US", "90021")):
            place(world, code, country=country, postal=postal)
            put(world, code, mug=5)
        with app.db.begin(MERCHANT, actor="test") as tx:
            rules.set_strategy(tx, None, "closest")
            automatic.switch(tx, True)

        orders = {city: _bought_in(store, city) for city in ("Los Angeles", "Munich", "New York")}

        assert {city: _sent_from(app, order_id) for city, order_id in orders.items()} == {
            "Los Angeles": ["LA"], "Munich": ["MUNICH"], "New York": ["NEWARK"],
        }  # fmt: skip
        kept = {row.destination[-3:] for row in world.ask("SELECT destination FROM store_order")}
        assert kept == {"900", "803", "100"}
