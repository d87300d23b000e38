"""Their words to ours, pure: order states, lines, stock numbers and ids of WooCommerce (wc/v3 orders and products).

The states of an order, as WooCommerce means them:

    checkout-draft, auto-draft   no order yet; holds nothing
    pending                      holds; the shop hides the units for its hold minutes and still counts them
    on-hold                      holds, unpaid unless a payment date is known; the shop's number is already lower
    processing                   holds, paid
    completed                    paid; all that was not refunded before has shipped
    cancelled, failed            nothing is delivered any more
    refunded                     nothing is delivered any more; only what a refund restocked is back on the shelf
    any other word               a plugin's: it changes nothing, so it holds, and is paid once a payment date is known

WooCommerce keeps the date of completion when the status moves on. An order that has one has shipped, whatever its
status says since.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.dispatch.destinations import destination_of
from core.errors import Malformed
from core.model import StoreListing, StoreOrder, StoreOrderLine

from .rows import Order, OrderLine, OrderStamp, Product, Refund, meta_units, utc, whole_units

_DRAFTS = frozenset({"checkout-draft", "auto-draft"})
_UNPAID = frozenset({"pending", "cancelled", "failed"}) | _DRAFTS
_PAID = frozenset({"processing", "completed", "refunded"})
_ENDED = frozenset({"cancelled", "failed"})
_RESERVES = frozenset({"checkout", "store-api"})


@dataclass(frozen=True, slots=True)
class Refunded:
    """Units of one line that refunds name, by whether they were made before the order was completed."""

    before: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a line's units; see StoreOrderLine."""

    cancelled: int = 0
    written_off: int = 0
    shipped: int = 0
    returned: int = 0


def external_id(product_id: int, variation_id: int, pooled: Collection[int]) -> str | None:
    """The listing's id: product, or product/variation; None when the shop has deleted the product.

    A variation in ``pooled`` sells from its parent's number, so the parent is the listing.
    """
    if not product_id:
        return None
    if not variation_id or variation_id in pooled:
        return str(product_id)
    return f"{product_id}/{variation_id}"


def is_external_id(text: str) -> bool:
    return re.fullmatch(r"[1-9]\d*(/[1-9]\d*)?", text) is not None


def split_external_id(listing: str) -> tuple[int, int]:
    """(product id, variation id or 0); Malformed for what is no id of ours."""
    if not is_external_id(listing):
        raise Malformed("this is no id of a WooCommerce product; import the catalogue again")
    product, _, variation = listing.partition("/")
    return int(product), int(variation or 0)


def whole_number(quantity: object) -> int | None:
    """A stock number as WooCommerce shows it; None for what is no whole number, as some plugins make them."""
    if isinstance(quantity, str):
        return int(quantity) if re.fullmatch(r"-?\d+", quantity) else None
    if isinstance(quantity, bool) or not isinstance(quantity, int | float) or quantity % 1:
        return None
    return int(quantity)


def whole_stock(row: Product) -> tuple[int | None, str]:
    """The number the shop counts down for this row, or None and the reason why it counts none."""
    if row.manage_stock == "parent":
        return None, "WooCommerce counts this variation on its parent product; use the parent's listing."
    if row.manage_stock is not True:
        return None, "WooCommerce does not manage stock here; tick 'Manage stock' in the product's inventory tab."
    if row.stock_quantity is None:
        return 0, ""
    quantity = whole_number(row.stock_quantity)
    return quantity, "" if quantity is not None else "A plugin of this shop does not count in whole units."


def is_reserved(row: Product) -> bool:
    """True where an unpaid order keeps its units from other shoppers: counted, and never sold below zero."""
    return row.manage_stock is True and row.backorders == "no"


def to_listing(row: Product, parent_name: str = "") -> StoreListing:
    quantity, reason = whole_stock(row)
    listing = f"{row.parent_id}/{row.id}" if row.parent_id else str(row.id)
    title = " - ".join(part for part in (parent_name, row.name or "") if part)
    return StoreListing(listing, row.sku or "", title, quantity, reason)


def refunded_units(refunds: Sequence[Refund], completed_at: datetime | None) -> Mapping[int, Refunded]:
    """Refunded units per order line id. Refunds of money alone name no units."""
    sums: dict[int, Refunded] = {}
    for refund in refunds:
        late = completed_at is not None and utc(refund.date_created_gmt) >= utc(completed_at)
        for line in refund.line_items:
            line_id = meta_units(line.meta_data, "_refunded_item_id")
            units, so_far = whole_units(abs(line.quantity)), sums.get(line_id, Refunded())
            sums[line_id] = (
                Refunded(so_far.before, so_far.after + units) if late else Refunded(so_far.before + units, so_far.after)
            )
    return sums


def fate_of(status: str, shipped: bool, quantity: int, restocked: int, refunded: Refunded) -> Fate:
    """Share a line's units out over what became of them.

    A refund does not say whether it restocked; the line's own tally ``restocked`` does, for all its refunds together.
    Restocked units are taken to be those refunded first.
    """
    if shipped:
        kept_back = min(refunded.before, quantity)
        cancelled = min(restocked, kept_back)
        sent = quantity - kept_back
        returned = sent if status in _ENDED else min(restocked - cancelled, sent)
        return Fate(cancelled, kept_back - cancelled, sent, returned)
    cancelled = min(restocked, quantity)
    unshelved = max(refunded.before + refunded.after - restocked, 0)
    written_off = min(unshelved, quantity - cancelled)
    if status in _ENDED:
        cancelled = quantity - written_off
    elif status == "refunded":
        written_off = quantity - cancelled
    return Fate(cancelled, written_off)


def version_of(row: OrderStamp) -> str:
    """The version of an order's state, from what a list shows of it; see ``OrderChange``.

    WooCommerce's stamps have whole seconds. What can change twice within one and show in none of the other fields: an
    edit that keeps the total. And a line's tally of units taken off stock is written a moment after the order's new
    state; it bears on what we expect of the shop's number, never on what the order holds.
    """
    stamps = (row.date_modified_gmt, row.date_paid_gmt, row.date_completed_gmt)
    times = " ".join(utc(moment).isoformat() if moment else "-" for moment in stamps)
    refunds = ",".join(str(number) for number in sorted(refund.id for refund in row.refunds))
    return f"{row.status} {times} {row.total} [{refunds}]"


def to_order(
    row: Order,
    refunds: Sequence[Refund],
    hold_minutes: int | None,
    now: datetime,
    pooled: Collection[int] = (),
    unreserved: Collection[str] = (),
) -> StoreOrder:
    """An order as it stands at ``now`` (the shop's clock).

    ``hold_minutes`` is the shop's time limit for unpaid orders; None: it neither reserves nor cancels. ``unreserved``
    are listings that it does not reserve for unpaid orders, as it does for none that may be backordered.
    """
    placed_at = utc(row.date_created_gmt) if row.date_created_gmt else now
    shipped = row.status == "completed" or (row.status not in _DRAFTS and row.date_completed_gmt is not None)
    sums = refunded_units(refunds, row.date_completed_gmt)
    hold_ends = hold_end(row, hold_minutes, now)
    lines = []
    for line in row.line_items:
        quantity = max(whole_units(line.quantity), 0)
        restocked = meta_units(line.meta_data, "_restock_refunded_items")
        fate = fate_of(row.status, shipped, quantity, restocked, sums.get(line.id, Refunded()))
        listing = external_id(line.product_id, line.variation_id, pooled)
        hidden = hold_ends is not None and listing is not None and listing not in unreserved
        lines.append(_to_line(line, listing, quantity, fate, hidden))
    return StoreOrder(
        external_id=str(row.id),
        number=row.number or str(row.id),
        state=row.status,
        placed_at=placed_at,
        version=version_of(row),
        holds=row.status not in _DRAFTS,
        paid=row.status in _PAID or shipped or (row.status not in _UNPAID and row.date_paid_gmt is not None),
        lines=lines,
        look_again_at=hold_ends,
        destination=_destination(row.shipping) or _destination(row.billing),
    )


def _destination(address: object) -> str:
    """Empty for an empty one: without another address, goods go to the one that is billed."""
    if not isinstance(address, Mapping):
        return ""
    return destination_of(address.get("country"), address.get("state"), address.get("postcode"))


def hold_end(row: Order, hold_minutes: int | None, now: datetime) -> datetime | None:
    """When the shop stops hiding this order's units; None when it does not hide any (now).

    Only a shopper's own checkout reserves; orders made by a person or over REST do not, and are never cancelled.
    Payment ends the reservation, and setting the order back to pending does not bring it back.
    """
    if row.status != "pending" or row.created_via not in _RESERVES or not hold_minutes:
        return None
    if row.date_created_gmt is None or row.date_paid_gmt is not None or row.date_completed_gmt is not None:
        return None
    end = utc(row.date_created_gmt) + timedelta(minutes=hold_minutes)
    return end if end > now else None


def _to_line(line: OrderLine, listing: str | None, quantity: int, fate: Fate, hidden: bool) -> StoreOrderLine:
    counted = max(meta_units(line.meta_data, "_reduced_stock"), 0)
    outstanding = quantity - fate.cancelled - fate.written_off
    return StoreOrderLine(
        line_id=str(line.id),
        external_id=listing,
        sku=line.sku or "",
        title=line.name or "",
        quantity=quantity,
        cancelled=fate.cancelled,
        written_off=fate.written_off,
        shipped=fate.shipped,
        returned=fate.returned,
        counted=counted,
        hidden=max(outstanding - counted, 0) if hidden else 0,
    )
