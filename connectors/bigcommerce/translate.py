"""BigCommerce's words into ours. Pure.

**Ids.** A listing is ``"product_id/variant_id"``, always. A simple product has one hidden base variant (its
``base_variant_id``), and order lines name product and variant in every case, so lines and listings meet without a call.

**Order states**, by ``status_id``, since merchants rename the labels (V2 Orders, GET /v2/order_statuses):

====  ============================  =====  =====  ==============================================================
id    name                          holds  paid   units
====  ============================  =====  =====  ==============================================================
0, 1  Incomplete, Pending           no     no     a checkout that did not end
7     Awaiting Payment              yes    no     waiting
12    Manual Verification Required  yes    no     waiting; the store has taken them off its number
11    Awaiting Fulfillment          yes    yes    waiting
9, 8  Awaiting Shipment, Pickup     yes    yes    waiting
3     Partially Shipped             yes    yes    ``quantity_shipped`` left
2,10  Shipped, Completed            yes    yes    all left, except what was refunded before
5, 6  Cancelled, Declined           yes    yes    what had not left is cancelled
4     Refunded                      yes    yes    what had not left is released, refund lines or not
14    Partially Refunded            yes    yes    refund lines release what had not left; never a cancellation
13    Disputed                      yes    yes    as its lines say, nothing by itself
else  (unknown)                     yes    row    held: an unknown word must not put units back on sale
====  ============================  =====  =====  ==============================================================

**What had left.** Lines of an order that was marked as shipped by hand have no ``quantity_shipped``. Its later states
(4, 5, 6, 13, 14 and unknown ones) still tell by ``date_shipped``, "the date when the order is fully shipped"; refunds
made since then are refunds of goods that had left. Whether an order in an unknown state is paid, ``payment_status`` and
that date tell.

A refund line takes units that have not left first. BigCommerce does not say per refund whether goods went back on the
shelf, the store's ``refund_order_stock_adjustment`` does: on, they are cancelled; off, written off. Units that had left
come back by a receipt only, never by a refund.

**What the store's own number lost** (``counted``): with ``update_stock_behavior`` = order_placed all units of orders
in every state but 0, 1 and 7, less ``quantity_backordered``, which were never on hand; with order_completed_or_shipped
the units that left. ``refund_order_stock_adjustment`` puts all cancelled and refunded units back into the number.
BigCommerce's pages disagree on part refunds and on refunds made by API. Where they do, we expect the units back: to
expect too much looks like a sale that we have not heard of, and delays a rise; to expect too little would hide one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from connectors.bigcommerce.states import code_of
from core.dispatch.destinations import destination_of
from core.errors import Malformed
from core.model import StoreListing, StoreOrder, StoreOrderLine

Row = Mapping[str, Any]

STATUS_NAMES: Mapping[int, str] = {
    0: "Incomplete",
    1: "Pending",
    2: "Shipped",
    3: "Partially Shipped",
    4: "Refunded",
    5: "Cancelled",
    6: "Declined",
    7: "Awaiting Payment",
    8: "Awaiting Pickup",
    9: "Awaiting Shipment",
    10: "Completed",
    11: "Awaiting Fulfillment",
    12: "Manual Verification Required",
    13: "Disputed",
    14: "Partially Refunded",
}
_NO_ORDER_YET = frozenset({0, 1})
_UNPAID = frozenset({0, 1, 7, 12})
_NOT_COUNTED = frozenset({0, 1, 7})
_ALL_LEFT = frozenset({2, 10})
_CANCELLED = frozenset({5, 6})
_REFUNDED = 4
_WAITING = frozenset({3, 7, 8, 9, 11, 12})
_PAYMENT_TAKEN = frozenset({"captured", "capture pending", "paid", "partially refunded", "refunded"})
MAY_HAVE_REFUNDS = frozenset({4, 14})


@dataclass(frozen=True, slots=True)
class StockRules:
    """What the store does to its own numbers (GET /v3/settings/inventory)."""

    counts_when_shipped: bool = False
    restocks_refunds: bool = True


@dataclass(frozen=True, slots=True)
class RefundedUnits:
    """Units of an order line in one refund, and when it was made."""

    units: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Level:
    """One inventory item at our location. ``product_tracked``: it must be written by product id (base variant)."""

    on_hand: int
    safety_stock: int
    product_tracked: bool

    @property
    def quantity(self) -> int:
        """What may be sold of it, the number the rest of Holdfast speaks of; never below 0."""
        return max(self.on_hand - self.safety_stock, 0)


def external_id(product_id: int, variant_id: int) -> str:
    return f"{product_id}/{variant_id}"


def split_id(listing: str) -> tuple[int, int]:
    """(product id, variant id) of a listing id of ours."""
    product, _, variant = listing.partition("/")
    try:
        return int(product), int(variant)
    except ValueError:
        raise Malformed(f"{listing!r} is not a BigCommerce listing id (product/variant)") from None


def whole(row: Row, name: str, default: int | None = None) -> int:
    """A whole number of the row; Malformed when it is missing (and has no default) or is anything else."""
    value = row.get(name, default)
    if value is None and default is not None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise Malformed(f"BigCommerce sent no whole number as {name}")
    return int(value)


def moment(text: object) -> datetime:
    """An aware UTC time from RFC 2822 (V2) or ISO 8601 (V3)."""
    try:
        parsed = parsedate_to_datetime(str(text))
    except ValueError:
        try:
            parsed = datetime.fromisoformat(str(text))
        except ValueError:
            raise Malformed("BigCommerce sent a date that cannot be read") from None
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def refunded_units(refunds: Sequence[Row]) -> dict[int, dict[int, list[RefundedUnits]]]:
    """order id -> order line id -> its refunds, from V3 refunds; money-only items (shipping, fees) count nothing."""
    found: dict[int, dict[int, list[RefundedUnits]]] = {}
    for refund in refunds:
        lines = found.setdefault(whole(refund, "order_id"), {})
        for item in refund.get("items") or ():
            if item.get("item_type") == "PRODUCT":
                units = RefundedUnits(whole(item, "quantity", 0), moment(refund.get("created")))
                lines.setdefault(whole(item, "item_id"), []).append(units)
    return found


_STATE = (
    *("date_modified", "status_id", "payment_status", "date_shipped", "is_deleted"),
    *("items_total", "items_shipped", "total_inc_tax", "refunded_amount"),
)


def version_of(order: Row) -> str:
    """The version of a V2 order's state, from its own row; see ``OrderChange``.

    ``date_modified`` has whole seconds. What can change twice within one and show in no other field: an edit that
    swaps units of one line for as many of another at the same price.
    """
    return " ".join(str(order.get(name)) for name in _STATE)


def store_order(
    order: Row, products: Sequence[Row], refunds: Mapping[int, Sequence[RefundedUnits]], rules: StockRules
) -> StoreOrder:
    """A V2 order with all its ``products`` and the refunds of each line id.

    Raises: Malformed.
    """
    status = whole(order, "status_id")
    shipped_at = moment(order["date_shipped"]) if order.get("date_shipped") else None
    return StoreOrder(
        external_id=str(whole(order, "id")),
        number=str(whole(order, "id")),
        state=STATUS_NAMES.get(status, f"status {status}"),
        placed_at=moment(order.get("date_created")),
        version=version_of(order),
        holds=status not in _NO_ORDER_YET,
        paid=_is_paid(status, order.get("payment_status"), shipped_at),
        lines=tuple(
            _line(status, product, refunds.get(whole(product, "id"), ()), shipped_at, rules)
            for product in products
            if product.get("type") != "giftcertificate"
        ),
        destination=_destination(order.get("consignments")),
    )


def _destination(consignments: object) -> str:
    """Where all of it is shipped to; empty for what is picked up, and where its parts go to different places."""
    shipping = consignments.get("shipping") if isinstance(consignments, dict) else None
    found = {_ship_to(address) for address in shipping} if isinstance(shipping, list) else set()
    return found.pop() if len(found) == 1 else ""


def _ship_to(address: object) -> str:
    if not isinstance(address, dict):
        return ""
    country = address.get("country_iso2")
    return destination_of(country, code_of(country, address.get("state")), address.get("zip"))


def _is_paid(status: int, payment: object, shipped_at: datetime | None) -> bool:
    if status in STATUS_NAMES:
        return status not in _UNPAID
    return payment in _PAYMENT_TAKEN or shipped_at is not None


@dataclass(frozen=True, slots=True)
class _Fate:
    """``released`` units never left, ``refunded`` are all that refunds name, ``left`` went out."""

    released: int = 0
    refunded: int = 0
    left: int = 0


def _fate_of(status: int, product: Row, refunds: Sequence[RefundedUnits], shipped_at: datetime | None) -> _Fate:
    if status in _NO_ORDER_YET:
        return _Fate()
    quantity = max(whole(product, "quantity"), 0)
    listed = sum(one.units for one in refunds)
    refunded = min(max(listed, whole(product, "quantity_refunded", 0)), quantity)
    left = min(max(whole(product, "quantity_shipped", 0), 0), quantity)
    if shipped_at is not None and not left and status not in _WAITING:
        released = min(sum(one.units for one in refunds if one.at <= shipped_at), quantity)
        return _Fate(released, refunded, quantity - released)
    ended = status in _CANCELLED or status == _REFUNDED
    released = quantity - left if ended else min(refunded, quantity - left)
    return _Fate(released, refunded, quantity - released if status in _ALL_LEFT else left)


def _line(
    status: int, product: Row, refunds: Sequence[RefundedUnits], shipped_at: datetime | None, rules: StockRules
) -> StoreOrderLine:
    fate = _fate_of(status, product, refunds, shipped_at)
    back_on_shelf = status in _CANCELLED or rules.restocks_refunds
    return StoreOrderLine(
        line_id=str(whole(product, "id")),
        external_id=_listing_of(product),
        sku=str(product.get("sku") or ""),
        title=str(product.get("name") or ""),
        quantity=max(whole(product, "quantity"), 0),
        cancelled=fate.released if back_on_shelf else 0,
        written_off=0 if back_on_shelf else fate.released,
        shipped=fate.left,
        counted=_counted(status, product, fate, rules),
    )


def _listing_of(product: Row) -> str | None:
    """None for a custom line: it has no product or no variant."""
    product_id, variant_id = whole(product, "product_id", 0), whole(product, "variant_id", 0)
    return external_id(product_id, variant_id) if product_id and variant_id else None


def _counted(status: int, product: Row, fate: _Fate, rules: StockRules) -> int:
    ended = status in _CANCELLED or status == _REFUNDED
    if status in _NOT_COUNTED or (ended and rules.restocks_refunds):
        return 0
    quantity = max(whole(product, "quantity"), 0)
    taken = fate.left if rules.counts_when_shipped else quantity
    put_back = fate.refunded if rules.restocks_refunds else 0
    if rules.counts_when_shipped:
        put_back = max(put_back - fate.released, 0)
    return max(taken - put_back - max(whole(product, "quantity_backordered", 0), 0), 0)


def levels(items: Sequence[Row], location_id: int) -> dict[int, Level]:
    """variant id -> its level at our location, from V3 inventory items; what has no row there is left out."""
    found: dict[int, Level] = {}
    for item in items:
        identity = item.get("identity") or {}
        for place in item.get("locations") or ():
            if whole(place, "location_id") == location_id:
                found[whole(identity, "variant_id")] = Level(
                    on_hand=whole(place, "total_inventory_onhand"),
                    safety_stock=whole(place.get("settings") or {}, "safety_stock", 0),
                    product_tracked=identity.get("sku_id") is None,
                )
    return found


def listings(product: Row, known: Mapping[int, Level]) -> list[StoreListing]:
    """The sellable things of one catalogue product (with its ``variants`` included)."""
    product_id = whole(product, "id")
    variants = {whole(variant, "id"): variant for variant in product.get("variants") or ()}
    base = product.get("base_variant_id")
    if base is not None and base not in variants:
        variants[whole(product, "base_variant_id")] = product
    tracking = product.get("inventory_tracking")
    made = []
    for variant_id, variant in variants.items():
        level = known.get(variant_id)
        reason = _untracked_reason(tracking, simple=base is not None, level=level)
        made.append(
            StoreListing(
                external_id=external_id(product_id, variant_id),
                sku=str(variant.get("sku") or product.get("sku") or ""),
                title=_title(product, variant),
                quantity=level.quantity if level is not None and not reason else None,
                untracked_reason=reason,
            )
        )
    return made


def _untracked_reason(tracking: object, *, simple: bool, level: Level | None) -> str:
    if tracking not in ("product", "variant"):
        return "BigCommerce does not track this product's stock; switch its inventory tracking on."
    if tracking == "product" and not simple:
        return "One stock is kept for all options of this product; track its inventory by variant instead."
    if level is None:
        return "Stock was never set for this at our location; enter it once in the control panel."
    return ""


def _title(product: Row, variant: Row) -> str:
    name = str(product.get("name") or "")
    labels = [str(option.get("label") or "") for option in variant.get("option_values") or ()]
    return f"{name} ({', '.join(labels)})" if any(labels) else name
