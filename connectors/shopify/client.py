"""The Shopify connector: Admin GraphQL API 2026-10 (shopify.dev/docs/api/admin-graphql/2026-10).

Credentials: {access_token, api_secret} of an app made in the shop's admin, or {client_id, client_secret} of an own app
from the Dev Dashboard. A listing is an inventory item; its number is ``available`` at the one location in
``settings["location_id"]``, which ``probe`` finds.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from connectors.crew import Crew
from connectors.http import Net
from connectors.port import Abilities
from connectors.shopify import orders, push
from connectors.shopify.batches import BatchSize
from connectors.shopify.caller import ShopifyCaller
from connectors.shopify.documents import CHANGED_ORDERS, LISTINGS, PROBE
from connectors.shopify.graphql import Answer
from connectors.shopify.levels import read_levels
from connectors.shopify.probe import LOCATION, profile_of
from connectors.shopify.subscriptions import ensure_subscriptions
from connectors.shopify.translate import Node, gid, listing_of, number_of, reading, version_of
from connectors.shopify.webhooks import read_delivery
from core.errors import ConfigError
from core.model import (
    FetchedOrders,
    Hint,
    ListingPage,
    ListingRef,
    ObservedLevel,
    OrderChange,
    OrderPage,
    PushIntent,
    PushOutcome,
    StoreAccess,
    StoreProfile,
)

_PAGE = 250

# Orders are found by Shopify's search index, which trails the orders themselves by an undocumented moment.
_SEARCH_LAG = timedelta(seconds=2)


class ShopifyConnector:
    """One Shopify shop behind the port."""

    abilities = Abilities(compare_and_set=True, push_limit=push.PUSH_LIMIT, fetch_limit=orders.FETCH_LIMIT)

    def __init__(self, access: StoreAccess, net: Net) -> None:
        self._settings = access.settings
        self._caller = ShopifyCaller(access, net)
        self._lanes = push.Lanes(Crew("shopify", push.LANES), BatchSize())

    def probe(self) -> StoreProfile:
        """One call: name, clock, granted scopes and the location to write."""
        return profile_of(self._caller.ask(PROBE), self._settings.get(LOCATION))

    def list_listings(self, cursor: str | None) -> ListingPage:
        """Variants by id; an inventory item that several variants share comes once per page."""
        location = gid("Location", self._location_id())

        def attempt(size: int) -> Answer:
            return self._caller.ask(LISTINGS, {"first": size, "after": cursor, "location": location})

        with reading("the catalogue"):
            variants = self._caller.sized("listings", _PAGE, attempt).data["productVariants"]
            listings = {listing.external_id: listing for listing in map(listing_of, variants["nodes"])}
            return ListingPage(list(listings.values()), _next_cursor(variants))

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[Hint]:
        """See ``webhooks.read_delivery``."""
        return read_delivery(self._caller.webhook_secret, headers, body)

    def fetch_orders(self, order_ids: Sequence[str]) -> FetchedOrders:
        """See ``orders.fetch_orders``."""
        return orders.fetch_orders(self._caller, order_ids)

    def orders_changed_since(self, watermark: datetime, cursor: str | None) -> OrderPage:
        """Oldest change first. An order that changes during the run moves to its end, so none is left out.

        Our cursor carries the moment of the run's first page: only changes up to then are surely in it.
        """
        started, _, after = (cursor or "").partition(" ")
        variables = {"first": _PAGE, "after": after or None, "search": _changed_since(watermark)}
        answer = self._caller.ask(CHANGED_ORDERS, variables)
        with reading("changed orders"):
            read_at = (
                datetime.fromisoformat(started) if started else (answer.asked_at - _SEARCH_LAG).replace(microsecond=0)
            )
            page = answer.data["orders"]
            following = _next_cursor(page)
            return OrderPage(
                changes=[OrderChange(number_of(node["id"]), version_of(node)) for node in page["nodes"]],
                read_at=read_at,
                cursor=f"{read_at.isoformat()} {following}" if following else None,
            )

    def read_levels(self, listings: Sequence[ListingRef]) -> Sequence[ObservedLevel]:
        """``available`` at the location we write; below 0 where the shop oversold."""
        levels = read_levels(self._caller, self._location_id(), [listing.external_id for listing in listings])
        found = [(listing, levels[listing.external_id]) for listing in listings]
        return [ObservedLevel(listing.listing_id, read.level.quantity, read.read_at) for listing, read in found]

    def push(self, intents: Sequence[PushIntent]) -> Sequence[PushOutcome]:
        """See the module ``push``."""
        return push.push(self._lanes, self._caller, self._location_id(), intents)

    def ensure_webhooks(self, delivery_url: str) -> Sequence[str]:
        """See ``subscriptions.ensure_subscriptions``."""
        return ensure_subscriptions(self._caller, delivery_url)

    def close(self) -> None:
        """End the threads and give back sockets."""
        self._lanes.crew.close()
        self._caller.close()

    def _location_id(self) -> str:
        try:
            return self._settings[LOCATION]
        except KeyError:
            raise ConfigError("the store's location is not known yet; test the store once to find it") from None


def _changed_since(watermark: datetime) -> str:
    return f"updated_at:>='{watermark.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')}'"


def _next_cursor(connection: Node) -> str | None:
    page = connection["pageInfo"]
    return page["endCursor"] if page["hasNextPage"] else None
