"""Fixtures: a scripted Shopify and a connector to it. Test modules ask for it as a plugin."""

from collections.abc import Iterator

import pytest
import respx

from connectors.http import Net
from connectors.shopify.client import ShopifyConnector
from tests.shopify_answers import ACCESS, Shopify


@pytest.fixture
def shopify() -> Iterator[Shopify]:
    with respx.mock(assert_all_called=False) as router:
        yield Shopify(router)


@pytest.fixture
def connector() -> Iterator[ShopifyConnector]:
    made = ShopifyConnector(ACCESS, Net())
    yield made
    made.close()
