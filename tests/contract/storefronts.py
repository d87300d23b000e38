"""What the connector suite is parametrised over: one case per platform. A platform joins with one entry in CASES."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, TypeVar

import httpx

from connectors.http import Net
from connectors.port import Connector
from core.model import ListingRef, Platform, StoreAccess, StoreListing

LOOPBACK = Net(allow_private=True)
PATIENCE_S = 15.0

Found = TypeVar("Found")


def _change_a_byte(headers: Mapping[str, str], body: bytes) -> tuple[Mapping[str, str], bytes]:
    middle = len(body) // 2
    return headers, body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


@dataclass(frozen=True)
class Case:
    """What differs between the platforms.

    ``connector`` is module:class, imported only when its tests run. ``unknown_id`` has the shape of a listing's id and
    exists in no shop. ``wrong`` replaces credentials. ``forged`` changes a delivery so that it must be refused.
    ``names_states``: it tells subdivisions by name. ``bills_pick_ups``: who comes for the goods has an address, too.
    """

    connector: str
    unknown_id: str
    wrong: Mapping[str, str]
    forged: Callable[[Mapping[str, str], bytes], tuple[Mapping[str, str], bytes]] = _change_a_byte
    names_states: bool = False
    bills_pick_ups: bool = False

    def connect(self, access: StoreAccess) -> Connector:
        module, _, name = self.connector.partition(":")
        connector: Connector = getattr(import_module(module), name)(access, LOOPBACK)
        return connector


CASES: Mapping[Platform, Case] = {
    Platform.SHOPIFY: Case(
        connector="connectors.shopify.client:ShopifyConnector",
        unknown_id="999999999",
        wrong={"access_token": "shpat_of_nobody"},
    ),
    Platform.WOOCOMMERCE: Case(
        connector="connectors.woocommerce.client:WooCommerceConnector",
        unknown_id="999999999",
        wrong={"consumer_secret": "cs_wrong"},
        bills_pick_ups=True,
    ),
    Platform.BIGCOMMERCE: Case(
        connector="connectors.bigcommerce.client:BigCommerceConnector",
        unknown_id="999999999/999999999",
        wrong={"access_token": "token-of-nobody"},
        names_states=True,
    ),
}


@dataclass
class Storefront:
    """One shop of the sandbox: ``connector`` talks to its API, the rest plays its shoppers and its staff."""

    case: Case
    access: StoreAccess
    connector: Connector
    control: httpx.Client
    _listings: dict[str, StoreListing] = field(default_factory=dict)

    def act(self, action: str, **body: object) -> Any:
        answer = self.control.post(f"/shops/{self.access.platform}/{action}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def stock(self, quantities: Mapping[str, int]) -> None:
        """Put new products on sale."""
        products = [{"sku": sku, "title": f"Thing {sku}", "stock": units} for sku, units in quantities.items()]
        self.act("catalogue", products=products)

    def checkout(self, *lines: tuple[str, int], paid: bool = True, city: str = "Berlin") -> str:
        """A shopper of this city buys, or comes for it when there is none; gives the order's id."""
        wanted = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
        order_id: str = self.act("checkout", reference="R", paid=paid, lines=wanted, city=city)["order_id"]
        return order_id

    def shown(self, sku: str) -> int:
        """What shoppers see."""
        levels: dict[str, int] = self.control.get(f"/shops/{self.access.platform}/levels").json()
        return levels[sku]

    def writes_pending(self) -> int:
        """Writes that the shop has accepted and not yet applied."""
        pending: int = self.control.get("/state").json()["shops"][self.access.platform]["writes_pending"]
        return pending

    def listings(self) -> list[StoreListing]:
        """All pages of the catalogue."""
        found: list[StoreListing] = []
        cursor: str | None = None
        while True:
            page = self.connector.list_listings(cursor)
            found += page.listings
            if (cursor := page.cursor) is None:
                return found

    def refs(self, *skus: str) -> Sequence[ListingRef]:
        """Listings by SKU, numbered in the order asked."""
        if not set(skus) <= set(self._listings):
            self._listings = {listing.sku: listing for listing in self.listings()}
        return [ListingRef(number, self._listings[sku].external_id) for number, sku in enumerate(skus, 1)]


def eventually(look: Callable[[], Found], good: Callable[[Found], bool]) -> Found:
    """Look again until it is good: a shop may apply a write, or send a webhook, a moment later."""
    deadline = time.monotonic() + PATIENCE_S
    found = look()
    while not good(found) and time.monotonic() < deadline:
        time.sleep(0.05)
        found = look()
    return found


@dataclass
class Receiver:
    """A web server that keeps what it is sent; ``deliveries`` are lower-case headers and raw bodies."""

    url: str
    deliveries: list[tuple[Mapping[str, str], bytes]]
