"""Shopify's words in ours, without I/O. Admin API 2026-10: Order, LineItem, Refund, Fulfillment, InventoryItem."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.dispatch.destinations import destination_of
from core.errors import Malformed
from core.model import StoreListing, StoreOrder, StoreOrderLine

Node = Mapping[str, Any]

_PAID = frozenset({"PAID", "PARTIALLY_REFUNDED", "REFUNDED"})
_NEVER_LEFT = frozenset({"CANCELLED", "ERROR", "FAILURE"})


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn a missing or misshapen field into Malformed, naming only ``what`` was read."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise Malformed(f"Shopify's answer is not what its schema promises for {what}") from None


def number_of(gid: str) -> str:
    """The number in a global id, as text: ``gid://shopify/Order/123`` -> ``123``; a query part is dropped."""
    number = gid.rpartition("/")[2].partition("?")[0]
    if not number.isdecimal():
        raise ValueError("not a global id with a number")
    return number


def gid(kind: str, number: str) -> str:
    """The global id of a number, as Shopify writes it."""
    return f"gid://shopify/{kind}/{number}"


@dataclass(frozen=True, slots=True)
class Level:
    """What an inventory item shows at one location; ``quantity`` is None with the reason when nothing is counted."""

    quantity: int | None
    untracked_reason: str = ""


def level_of(item: Node | None) -> Level:
    """The ``available`` of an InventoryItem node at the location it was asked for; below 0 when oversold."""
    if not item:
        return Level(None, "Shopify no longer has this item; import the catalogue again")
    if not item["tracked"]:
        return Level(None, 'Shopify does not count it; switch on "Track quantity" for the variant')
    level = item["inventoryLevel"]
    if level is None or not level["isActive"]:
        return Level(None, "it is not stocked at the location that Holdfast writes; stock it there in Shopify")
    return Level(next(int(entry["quantity"]) for entry in level["quantities"] if entry["name"] == "available"))


def listing_of(variant: Node) -> StoreListing:
    """A ProductVariant as a listing. Its id is the inventory item's: that is what is counted, written and sold."""
    item = variant["inventoryItem"]
    level = level_of(item)
    if variant["requiresComponents"]:
        level = Level(None, "it is a bundle, whose number Shopify derives from its components; map those")
    return StoreListing(
        external_id=number_of(item["id"]),
        sku=variant["sku"] or "",
        title=variant["displayName"],
        quantity=level.quantity,
        untracked_reason=level.untracked_reason,
    )


@dataclass(slots=True)
class History:
    """Units per LineItem id, summed over an order's fulfilments and refunds.

    ``cancelled`` and ``returned`` are refunded units that Shopify put back on the shelf before and after shipping,
    ``restocked`` such of old orders that do not say which of both, ``kept_off`` refunded ones that it did not put back.
    """

    fulfilled: Counter[str] = field(default_factory=Counter)
    cancelled: Counter[str] = field(default_factory=Counter)
    returned: Counter[str] = field(default_factory=Counter)
    restocked: Counter[str] = field(default_factory=Counter)
    kept_off: Counter[str] = field(default_factory=Counter)

    def add_fulfilment(self, status: str, lines: Sequence[Node]) -> None:
        """Count a fulfilment's lines unless it was called off or failed."""
        if status not in _NEVER_LEFT:
            for line in lines:
                self.fulfilled[line["lineItem"]["id"]] += int(line["quantity"])

    def add_refund(self, lines: Sequence[Node]) -> None:
        """Count a refund's lines by what became of the goods."""
        by_type = {"CANCEL": self.cancelled, "RETURN": self.returned, "LEGACY_RESTOCK": self.restocked}
        for line in lines:
            # A restock that was asked for fails when the location is gone; then nothing came back.
            counter = by_type.get(line["restockType"], self.kept_off) if line["restocked"] else self.kept_off
            counter[line["lineItem"]["id"]] += int(line["quantity"])


def needs_history(order: Node, lines: Sequence[Node]) -> bool:
    """True when the lines' own numbers cannot say what was cancelled, written off or returned."""
    return order["cancelledAt"] is not None or any(line["currentQuantity"] != line["quantity"] for line in lines)


_STATE = (
    *("updatedAt", "cancelledAt", "displayFinancialStatus", "displayFulfillmentStatus"),
    "currentSubtotalLineItemsQuantity",
)


def version_of(order: Node) -> str:
    """The version of an Order node's state, from what costs nothing to list; see ``OrderChange``.

    ``updatedAt`` has whole seconds. What can change twice within one and show in no other field: a second part of an
    order fulfilled, an edit that swaps units of one line for another's, a fulfilment called off for another. Then only
    the webhook of the second change brings the newer state.
    """
    return " ".join(str(order[name]) for name in _STATE)


def order_of(order: Node, lines: Sequence[Node], history: History | None) -> StoreOrder:
    """An Order node with all its lines; ``history`` is needed when ``needs_history``."""
    financial, fulfilment = order["displayFinancialStatus"], order["displayFulfillmentStatus"]
    words = [word for word in (financial, fulfilment) if word]
    if order["cancelledAt"] is not None:
        words.insert(0, "CANCELLED")
    return StoreOrder(
        external_id=number_of(order["id"]),
        number=order["name"],
        state=", ".join(words),
        placed_at=datetime.fromisoformat(order["createdAt"]),
        version=version_of(order),
        holds=not order["test"],
        paid=financial in _PAID,
        lines=[_line_of(line, order, history) for line in lines],
        destination=_destination(order.get("shippingAddress")),
    )


def _destination(address: object) -> str:
    """Empty for what is picked up, and where the shop may not tell us."""
    if not isinstance(address, Mapping):
        return ""
    return destination_of(address.get("countryCodeV2"), address.get("provinceCode"), address.get("zip"))


@dataclass(frozen=True, slots=True)
class _Fate:
    cancelled: int
    written_off: int
    shipped: int
    returned: int


def _line_of(line: Node, order: Node, history: History | None) -> StoreOrderLine:
    quantity = int(line["quantity"])
    if history is None:
        fate = _Fate(0, 0, shipped=min(max(quantity - int(line["unfulfilledQuantity"]), 0), quantity), returned=0)
    else:
        fate = _fate_of(line, order, history)
    item = line["variant"]["inventoryItem"] if line["variant"] else None
    counted = quantity - fate.cancelled - fate.returned if item and item["tracked"] else 0
    if order["test"]:
        fate = _Fate(0, 0, 0, 0)  # Shopify's number follows a test order; no goods do
    return StoreOrderLine(
        line_id=number_of(line["id"]),
        external_id=number_of(item["id"]) if item else None,
        sku=line["sku"] or "",
        title=line["name"],
        quantity=quantity,
        cancelled=fate.cancelled,
        written_off=fate.written_off,
        shipped=fate.shipped,
        returned=fate.returned,
        counted=counted,
    )


def _fate_of(line: Node, order: Node, history: History) -> _Fate:
    """Split ``quantity``, which still counts every removed unit, into what became of each.

    Units taken off by an edit stand in no refund; Shopify puts them back on the shelf.
    """
    key, quantity = line["id"], int(line["quantity"])
    fulfilled = min(history.fulfilled[key], quantity)
    cancelled, returned, kept_off = history.cancelled[key], history.returned[key], history.kept_off[key]
    if fulfilled:
        returned += history.restocked[key]
    else:
        cancelled += history.restocked[key]
    edited = max(quantity - int(line["currentQuantity"]) - cancelled - returned - kept_off, 0)
    if order["cancelledAt"] is not None:
        if not (cancelled or kept_off or int(line["currentQuantity"]) > fulfilled):
            edited = 0  # nothing tells such an edit from a cancellation that no refund goes with
        return _fate_when_cancelled(quantity, fulfilled, cancelled + edited, kept_off, returned, order)
    cancelled = min(cancelled + edited, quantity - fulfilled)
    left = quantity - fulfilled - cancelled
    owed = min(int(line["unfulfilledQuantity"]), left)
    written_off = min(kept_off, left - owed)
    # What is neither owed nor taken off needs no shipping, such as a download: it counts as delivered.
    shipped = quantity - cancelled - written_off - owed
    return _Fate(cancelled, written_off, shipped, min(returned, shipped))


def _fate_when_cancelled(
    quantity: int, fulfilled: int, cancelled: int, kept_off: int, returned: int, order: Node
) -> _Fate:
    """Whatever has not left never will; without a word that it was put back, it was not."""
    cancelled = min(cancelled, quantity - fulfilled)
    left = quantity - fulfilled - cancelled
    written_off = min(kept_off, left) if order["displayFulfillmentStatus"] == "RESTOCKED" else left
    return _Fate(quantity - fulfilled - written_off, written_off, fulfilled, min(returned, fulfilled))
