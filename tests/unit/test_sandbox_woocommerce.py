"""The WooCommerce shop's app without a network: what a caller that leaves early does to it."""

import asyncio

import httpx
from starlette.types import Message, Scope

from sandbox.deliveries import Deliveries
from sandbox.faults import CALM, Counters, Faults, Panel
from sandbox.journal import Journal
from sandbox.shop import Shop
from sandbox.woocommerce.api import BASE, Api
from sandbox.woocommerce.catalogue import Catalogue
from sandbox.woocommerce.webhooks import Hooks


def test_a_caller_that_hangs_up_before_its_body_arrived_changes_nothing_and_breaks_nothing() -> None:
    faults = Faults(Panel(CALM, Counters()), "7/test")
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    shop = Shop("test", "http://shop.test", "7/test", faults, Deliveries(faults, client), Journal())
    product = shop.add_product("A", "Apple", 5)
    catalogue = Catalogue(shop)
    catalogue.add(product)
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": f"{BASE}/products/batch",
        "query_string": b"",
        "headers": [],
    }
    arriving: list[Message] = [
        {"type": "http.request", "body": b'{"update": [', "more_body": True},
        {"type": "http.disconnect"},
    ]
    answered: list[Message] = []

    async def receive() -> Message:
        return arriving.pop(0)

    async def send(message: Message) -> None:
        answered.append(message)

    asyncio.run(Api(shop, catalogue, Hooks(shop, catalogue)).app()(scope, receive, send))

    assert answered[0]["status"] == 400
    assert product.stock == 5
