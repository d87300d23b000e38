"""What the demo shows of the shops' shelves: how many listings show exactly what may be sold."""

from collections.abc import Iterator, Mapping

import pytest

from drills.storefronts import Control
from drills.watch import Shelves
from tests.hub import Store, Street, serve, until

pytest_plugins = ("tests.street_fixtures",)
ALL = {"woocommerce": (2, 2), "shopify": (2, 2)}


@pytest.fixture
def control(shops: Street) -> Iterator[Control]:
    client = Control(shops.told["control"])
    yield client
    client.close()


def look(woo: Store, control: Control) -> Mapping[str, tuple[int, int]]:
    """A first look at all shops."""
    return Shelves(woo.app.db, control, woo.street.shops).served()


def test_at_rest_every_listing_shows_what_may_be_sold(woo: Store, control: Control) -> None:
    assert look(woo, control) == ALL


def test_a_number_that_a_person_changed_is_missed_although_nothing_is_owed(woo: Store, control: Control) -> None:
    woo.street.act("shopify", "stock", sku="mug", quantity=25)
    assert look(woo, control) == {**ALL, "shopify": (1, 2)}


def test_a_sale_is_missed_where_it_was_not_heard_of_and_then_where_it_is_not_shown_yet(
    woo: Store, control: Control
) -> None:
    order = woo.checkout(("mug", 4))
    assert look(woo, control) == {**ALL, "woocommerce": (1, 2)}
    woo.hint(order)
    woo.do("order")
    assert look(woo, control) == {**ALL, "shopify": (1, 2)}
    serve(woo.app)
    assert look(woo, control) == ALL


def test_units_of_an_unpaid_order_are_not_expected_on_the_shelf(woo: Store, control: Control) -> None:
    woo.hint(woo.checkout(("mug", 4), paid=False))
    serve(woo.app)
    assert woo.shown("mug") == 6
    assert look(woo, control) == ALL


def test_a_second_look_right_away_costs_nothing_and_a_later_one_is_new(woo: Store, control: Control) -> None:
    seen = Shelves(woo.app.db, control, woo.street.shops)
    assert seen.served() == ALL
    woo.street.act("shopify", "stock", sku="mug", quantity=25)
    assert seen.served() == ALL
    until(lambda: seen.served() == {**ALL, "shopify": (1, 2)})
