"""Fixtures: a street of two shops for each test, and both connected. Test modules ask for it as a plugin."""

from collections.abc import Iterator

import pytest

from config.wiring import App
from core.model import Sharing
from jobs import connect
from tests.hub import MERCHANT, Store, Street, connect_all, street


@pytest.fixture
def shops() -> Iterator[Street]:
    """Two shops, so that what is sold in one has to be shown in the other."""
    with street("woocommerce", "shopify") as running:
        yield running


@pytest.fixture
def stores(app: App, shops: Street) -> dict[str, Store]:
    """Both shops connected and live, each showing all of 10 mugs and 10 plates."""
    shops.stock({"mug": 10, "plate": 10})
    connect.change_sharing(app, MERCHANT, Sharing.MIRROR)
    return connect_all(app, shops)


@pytest.fixture
def woo(stores: dict[str, Store]) -> Store:
    return stores["woocommerce"]


@pytest.fixture
def shopify(stores: dict[str, Store]) -> Store:
    return stores["shopify"]
