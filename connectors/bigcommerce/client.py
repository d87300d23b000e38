"""A BigCommerce store behind the port. V3 catalogue, inventory, refunds and hooks; V2 orders, time and store.

Credentials: ``store_hash``, ``access_token``, ``client_secret`` (of the API account) and ``webhook_secret`` (the value
of the header that our hooks carry). ``StoreAccess.url`` is the API's root, https://api.bigcommerce.com.
Settings: ``location_id``, ``update_stock_behavior``, ``refund_order_stock_adjustment``, all from ``probe``.

The number that goes in and out is on-hand at our location less its safety stock; this module's neighbours add and take
it off. Orders are read header first, then lines, so lines are never older than the state they are read with.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx

from connectors import http
from connectors.bigcommerce import webhooks
from connectors.bigcommerce.api import READ_CHUNK, Api, list_of, object_of
from connectors.bigcommerce.push import PUSH_LIMIT, Pusher
from connectors.bigcommerce.translate import (
    MAY_HAVE_REFUNDS,
    Level,
    RefundedUnits,
    Row,
    StockRules,
    listings,
    refunded_units,
    split_id,
    store_order,
    version_of,
    whole,
)
from connectors.port import Abilities
from core.errors import BadSignature, Malformed, Rejected, Unauthorized
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

_ORDERS_LIMIT = 250
_LINES_LIMIT = 250
_LINES_SURELY_MORE = 50
"""BigCommerce's own page of lines is 50 and no maximum is published: a page of fewer is surely the last."""
_PARALLEL_READS = 3
_WITH_ADDRESSES = {"include": "consignments", "consignment_structure": "object"}
_PRODUCT_FIELDS = "name,sku,inventory_tracking,base_variant_id"
_OVERLAP = timedelta(seconds=1)


class BigCommerceConnector:
    """One BigCommerce store."""

    abilities = Abilities(compare_and_set=False, push_limit=PUSH_LIMIT, fetch_limit=50)

    def __init__(self, access: StoreAccess, net: http.Net) -> None:
        self._access = access
        self._location_id = _location_setting(access)
        self._rules = StockRules(
            counts_when_shipped=access.settings.get("update_stock_behavior") == "order_completed_or_shipped",
            restocks_refunds=access.settings.get("refund_order_stock_adjustment", "true") == "true",
        )
        self._api = Api(access, net)
        self._pusher = Pusher(self._api, self._location_id)

    def close(self) -> None:
        self._api.close()

    def probe(self) -> StoreProfile:
        clock = self._granted("/v2/time", "store_v2_information_read_only")
        store = self._granted("/v2/store", "store_v2_information_read_only")
        rules = self._granted("/v3/settings/inventory", "store_v2_information_read_only")
        try:
            locations = self._api.all_rows("/v3/inventory/locations", {})
        except Unauthorized as refusal:
            raise _lacks("store_locations_read_only", refusal) from None
        enabled = sorted(whole(place, "id") for place in locations if place.get("enabled"))
        if not enabled:
            raise Malformed("the store has no enabled location; enable one under Settings > Inventory > Locations")
        return StoreProfile(
            name=str(store.get("name") or store.get("domain") or ""),
            clock=datetime.fromtimestamp(whole(clock, "time"), UTC),
            settings={
                "location_id": str(enabled[0]),
                "update_stock_behavior": str(rules.get("update_stock_behavior") or "order_placed"),
                "refund_order_stock_adjustment": "false"
                if rules.get("refund_order_stock_adjustment") is False
                else "true",
            },
            warnings=_warnings(rules, enabled),
        )

    def _granted(self, path: str, scope: str) -> Row:
        try:
            return object_of(self._api.get(path))
        except Unauthorized as refusal:
            raise _lacks(scope, refusal) from None

    def list_listings(self, cursor: str | None) -> ListingPage:
        params: dict[str, str | int] = {
            "include": "variants",
            "include_fields": _PRODUCT_FIELDS,
            "sort": "id",
            "direction": "asc",
            "limit": 250,
        }
        if cursor is not None:
            params["id:greater"] = cursor
        products = self._api.rows("/v3/catalog/products", params)
        known = self._levels(
            [whole(variant, "id") for product in products for variant in product.get("variants") or ()]
        )
        return ListingPage(
            listings=tuple(listing for product in products for listing in listings(product, known)),
            cursor=str(whole(products[-1], "id")) if products else None,
        )

    def _levels(self, variant_ids: Sequence[int]) -> dict[int, Level]:
        found: dict[int, Level] = {}
        for start in range(0, len(variant_ids), READ_CHUNK):
            found.update(self._api.levels(variant_ids[start : start + READ_CHUNK], self._location_id).levels)
        return found

    def read_levels(self, listings: Sequence[ListingRef]) -> Sequence[ObservedLevel]:
        observed: list[ObservedLevel] = []
        for start in range(0, len(listings), READ_CHUNK):
            refs = listings[start : start + READ_CHUNK]
            variants = [split_id(ref.external_id)[1] for ref in refs]
            read = self._api.levels(variants, self._location_id)
            for ref, variant_id in zip(refs, variants, strict=True):
                level = read.levels.get(variant_id)
                observed.append(ObservedLevel(ref.listing_id, level.quantity if level else None, read.read_at))
        return observed

    def push(self, intents: Sequence[PushIntent]) -> Sequence[PushOutcome]:
        return self._pusher.push(intents)

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[Hint]:
        secrets = self._access.credentials
        if not secrets.get("webhook_secret") or not secrets.get("client_secret"):
            raise BadSignature("no webhook secret is stored for this store; connect it again")
        webhooks.verify(
            headers,
            body,
            webhook_secret=secrets["webhook_secret"],
            client_secret=secrets["client_secret"],
            now=datetime.now(UTC),
        )
        return webhooks.hints(headers, body)

    def fetch_orders(self, order_ids: Sequence[str]) -> FetchedOrders:
        ids = sorted({int(order_id) for order_id in order_ids if order_id.isdecimal()})
        found: dict[int, Row] = {}
        for group in _runs(ids):
            found.update(self._order_rows(group))
        with ThreadPoolExecutor(_PARALLEL_READS) as readers:
            lines = dict(zip(found, readers.map(self._lines, found), strict=True))
        refunds = self._refunds(order_id for order_id, row in found.items() if _has_refunds(row, lines[order_id]))
        return FetchedOrders(
            orders=tuple(
                store_order(row, lines[order_id], refunds.get(order_id, {}), self._rules)
                for order_id, row in found.items()
            ),
            missing=tuple(one for one in order_ids if not one.isdecimal() or int(one) not in found),
        )

    def _order_rows(self, ids: Sequence[int]) -> dict[int, Row]:
        """Headers by id. A list may leave out orders of some states, so what it lacks is asked for by itself."""
        found: dict[int, Row] = {}
        if len(ids) > 1:
            span = {"min_id": ids[0], "max_id": ids[-1], "limit": _ORDERS_LIMIT}
            wanted = set(ids)
            found = {
                whole(row, "id"): row
                for row in self._api.rows("/v2/orders", {**span, **_WITH_ADDRESSES})
                if row.get("id") in wanted
            }
        for order_id in ids:
            if order_id not in found:
                try:
                    found[order_id] = object_of(self._api.get(f"/v2/orders/{order_id}", _WITH_ADDRESSES))
                except Rejected as refusal:
                    if refusal.status != 404:
                        raise
        return found

    def _lines(self, order_id: int) -> list[Row]:
        found: list[Row] = []
        page = 1
        while True:
            rows = self._api.rows(f"/v2/orders/{order_id}/products", {"limit": _LINES_LIMIT, "page": page})
            found += rows
            if len(rows) < _LINES_SURELY_MORE:
                return found
            page += 1

    def _refunds(self, order_ids: Iterable[int]) -> dict[int, dict[int, list[RefundedUnits]]]:
        listed = ",".join(map(str, order_ids))
        if not listed:
            return {}
        return refunded_units(self._api.all_rows("/v3/orders/payment_actions/refunds", {"order_id:in": listed}))

    def orders_changed_since(self, watermark: datetime, cursor: str | None) -> OrderPage:
        """Pages go by order id, which never moves, while the date of change does.

        The cursor is the last id and the clock at the first page: an order that changes behind it changes after that.
        """
        after, _, first_read = (cursor or "0|").partition("|")
        since = (watermark.astimezone(UTC) - _OVERLAP).isoformat(timespec="seconds")
        params: dict[str, str | int] = {"min_date_modified": since, "sort": "id:asc", "limit": _ORDERS_LIMIT}
        answer = self._api.get("/v2/orders", {**params, "min_id": int(after) + 1})
        rows = list_of(answer)
        read_at = datetime.fromisoformat(first_read) if first_read else _vouched_until(answer)
        changes = tuple(OrderChange(str(whole(row, "id")), version_of(row)) for row in rows)
        more = len(rows) >= _ORDERS_LIMIT
        return OrderPage(changes, read_at, f"{rows[-1]['id']}|{read_at.isoformat()}" if more else None)

    def ensure_webhooks(self, delivery_url: str) -> Sequence[str]:
        """Also mends hooks that BigCommerce switched off, or that deliver elsewhere but carry our header."""
        done: list[str] = []
        # Repeated as a whole: after a lost answer only a new list says what the store already has.
        http.safely(self._mend_webhooks)(delivery_url, done)
        return done

    def _mend_webhooks(self, delivery_url: str, done: list[str]) -> None:
        hooks = self._api.all_rows("/v3/hooks", {})
        for scope in webhooks.SCOPES:
            wanted = {
                "scope": scope,
                "destination": delivery_url,
                "is_active": True,
                "headers": {webhooks.OUR_HEADER: self._access.credentials["webhook_secret"]},
            }
            ours = [hook for hook in hooks if hook.get("scope") == scope and _is_ours(hook, delivery_url)]
            if not ours:
                self._api.write("POST", "/v3/hooks", wanted)
                done.append(f"Subscribed to {scope}.")
            elif not any(all(hook.get(name) == value for name, value in wanted.items()) for hook in ours):
                self._api.write("PUT", f"/v3/hooks/{whole(ours[0], 'id')}", wanted)
                done.append(f"Mended the subscription to {scope}.")


def _vouched_until(answer: httpx.Response) -> datetime:
    """In whole seconds like the times of levels, so that a later one surely covers what such a number holds."""
    return (http.asked_at(answer) - _OVERLAP).replace(microsecond=0)


def _location_setting(access: StoreAccess) -> int:
    text = access.settings.get("location_id", "1")
    if not text.isdecimal():
        raise Malformed("the store's location_id setting is not a number; connect the store again")
    return int(text)


def _lacks(scope: str, refusal: Unauthorized) -> Unauthorized:
    return Unauthorized(
        f"{refusal}. It needs the scope {scope}; scopes of an API account cannot be changed, so make a new one"
    )


def _warnings(rules: Row, enabled_locations: Sequence[int]) -> tuple[str, ...]:
    found: list[str] = []
    if rules.get("update_stock_behavior") == "order_completed_or_shipped":
        found.append(
            "This store takes stock off only when an order ships, so it sells units that open orders already hold. "
            "Set 'Adjust stock levels' to 'When an order is placed' under Settings > Inventory."
        )
    if rules.get("edit_order_stock_adjustment") is False:
        found.append(
            "Edited orders do not change this store's stock, so its numbers are off until the next sync. "
            "Switch on stock adjustment for edited orders under Settings > Inventory."
        )
    if len(enabled_locations) > 1:
        found.append(
            f"The store has {len(enabled_locations)} enabled locations; Holdfast keeps number {enabled_locations[0]} "
            "right. Move stock there, and disable the others or leave them empty."
        )
    return tuple(found)


def _runs(ids: Sequence[int]) -> list[list[int]]:
    """Sorted ids in groups that one list call can cover."""
    groups: list[list[int]] = []
    for one in ids:
        if groups and one - groups[-1][0] < _ORDERS_LIMIT:
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def _has_refunds(order: Row, lines: Sequence[Row]) -> bool:
    return order.get("status_id") in MAY_HAVE_REFUNDS or any(line.get("quantity_refunded") for line in lines)


def _is_ours(hook: Row, delivery_url: str) -> bool:
    headers = hook.get("headers") or {}
    return hook.get("destination") == delivery_url or webhooks.OUR_HEADER in {name.lower() for name in headers}
