"""Reading what a shop says of itself: may we work there, and which location do we write?"""

from collections.abc import Iterable, Mapping, Sequence

from connectors.shopify.documents import API_VERSION
from connectors.shopify.graphql import Answer
from connectors.shopify.translate import Node, number_of, reading
from core.errors import Rejected, Unauthorized
from core.model import StoreProfile

LOCATION = "location_id"

_NEEDED_SCOPES: Mapping[str, str] = {
    "read_products": "read the catalogue",
    "read_inventory": "read stock levels",
    "write_inventory": "write stock levels",
    "read_locations": "see which location sells online",
    "read_orders": "read orders",
}


def profile_of(answer: Answer, chosen_location: str | None) -> StoreProfile:
    """The profile from a probe's answer; ``chosen_location`` (a number as text) is kept while it can be written.

    Raises: Unauthorized naming the missing scopes; Rejected when no location can be written.
    """
    with reading("the probe"):
        scopes = {scope["handle"] for scope in answer.data["currentAppInstallation"]["accessScopes"]}
        _require(scopes)
        fitting = _fitting(answer.data["locations"]["nodes"])
        chosen = _choose(fitting, chosen_location)
        return StoreProfile(
            name=answer.data["shop"]["name"],
            clock=answer.asked_at,
            settings={LOCATION: number_of(chosen["id"])},
            warnings=[*_scope_warnings(scopes), *_location_warnings(fitting, chosen), *_version_warnings(answer)],
        )


def _require(scopes: Iterable[str]) -> None:
    granted = set(scopes)
    # The right to write a thing includes reading it; Shopify then lists only the write scope.
    granted |= {"read_" + scope.removeprefix("write_") for scope in granted if scope.startswith("write_")}
    missing = [f"{scope} (to {use})" for scope, use in _NEEDED_SCOPES.items() if scope not in granted]
    if missing:
        raise Unauthorized(f"the app lacks {', '.join(missing)}; add it to the app's scopes and install the app again")


def _fitting(locations: Sequence[Node]) -> Sequence[Node]:
    """Locations that online shoppers are served from and whose stock is the merchant's own to count."""
    fitting = [
        each
        for each in locations
        if each["isActive"] and each["fulfillsOnlineOrders"] and not each["isFulfillmentService"]
    ]
    if not fitting:
        raise Rejected(
            'no active location fulfils online orders; switch that on in Shopify under Settings, "Locations"',
            status=200,
        )
    return fitting


def _choose(fitting: Sequence[Node], chosen_location: str | None) -> Node:
    kept = [each for each in fitting if number_of(each["id"]) == chosen_location]
    shipping = [each for each in fitting if each["shipsInventory"]]
    return (kept or shipping or fitting)[0]


def _scope_warnings(scopes: Iterable[str]) -> Sequence[str]:
    if "read_all_orders" in scopes:
        return []
    return ["Orders older than 60 days cannot be seen; ask Shopify for read_all_orders if late refunds matter."]


def _location_warnings(fitting: Sequence[Node], chosen: Node) -> Sequence[str]:
    if len(fitting) == 1:
        return []
    others = ", ".join(each["name"] for each in fitting if each["id"] != chosen["id"])
    return [
        f"Only {chosen['name']} is written, but {others} also serves online orders;"
        " switch that off in Shopify, or its stock is sold unseen."
    ]


def _version_warnings(answer: Answer) -> Sequence[str]:
    if answer.version in ("", API_VERSION):
        return []
    return [f"Shopify answers as API {answer.version} instead of {API_VERSION}; update Holdfast."]
