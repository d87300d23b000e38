"""A street of two calm shops of the sandbox, connected and live, for tests of the jobs."""

from collections.abc import Iterator

import pytest

from config.wiring import App
from tests.hub import Store, Street, connect_all, street


@pytest.fixture
def shops() -> Iterator[Street]:
    """Two shops with empty shelves."""
    with street("woocommerce", "shopify") as running:
        yield running


@pytest.fixture
def stores(app: App, shops: Street) -> dict[str, Store]:
    """Both shops, connected and live: ten mugs and ten plates, which the first one's numbers opened."""
    shops.stock({"mug": 10, "plate": 10})
    return connect_all(app, shops)


@pytest.fixture
def woo(stores: dict[str, Store]) -> Store:
    return stores["woocommerce"]


@pytest.fixture
def shopify(stores: dict[str, Store]) -> Store:
    return stores["shopify"]
