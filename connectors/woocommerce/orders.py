"""Fetching orders by id, and finding those that changed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.errors import Malformed, Rejected
from core.model import FetchedOrders, OrderChange, OrderPage, StoreOrder

from .rows import ORDER_FIELDS, STAMP_FIELDS, Order, OrderStamp, Refund, parse_list
from .shop import Params, Shop
from .stock import PAGE, StockReader, chunks
from .translate import external_id, hold_end, is_reserved, to_order, version_of

# ``any`` leaves these out, so each is asked for by name. A trashed order is gone like a deleted one: see ``fetch``.
_DRAFTS = "checkout-draft,auto-draft"
_SWEPT_STATES = ("any", "trash")
# The filter is strict and stamps have whole seconds.
_STRICTNESS = timedelta(seconds=1)
_CLOCK_RESOLUTION = timedelta(seconds=1)


def fetch(shop: Shop, reader: StockReader, hold_minutes: int | None, order_ids: Sequence[str]) -> FetchedOrders:
    """The newest state of each order; trashed and deleted ones are missing, as the shop restocks neither."""
    wanted = list(dict.fromkeys(order_ids))
    numbers = [one for one in wanted if one.isdecimal()]
    found: dict[str, StoreOrder] = {}
    for some in chunks(numbers, PAGE):
        rows, now = _rows(shop, some, "any")
        if unknown := [one for one in some if one not in rows]:
            rows |= _rows(shop, unknown, _DRAFTS)[0]
        pooled = reader.pooled(_variations(list(rows.values())))
        unreserved = _unreserved(reader, [row for row in rows.values() if hold_end(row, hold_minutes, now)], pooled)
        for number, row in rows.items():
            refunds = _refunds(shop, row)
            if refunds is not None:
                found[number] = to_order(row, refunds, hold_minutes, now, pooled, unreserved)
    return FetchedOrders(
        [found[one] for one in wanted if one in found], tuple(one for one in wanted if one not in found)
    )


def _rows(shop: Shop, ids: Sequence[str], status: str) -> tuple[dict[str, Order], datetime]:
    asked: Params = {"include": ",".join(ids), "status": status, "per_page": PAGE, "_fields": ORDER_FIELDS}
    answer = shop.get("orders", asked)
    return {str(row.id): row for row in parse_list(Order, answer.content)}, answer.answered_at


def _variations(rows: Sequence[Order]) -> Sequence[tuple[int, int]]:
    """(product id, variation id) of all variations that these orders name, each once."""
    return sorted(
        {(line.product_id, line.variation_id) for row in rows for line in row.line_items if line.variation_id}
    )


def _unreserved(reader: StockReader, rows: Sequence[Order], pooled: Collection[int]) -> Collection[str]:
    """The listings these unpaid orders name that the shop is not known to reserve for them."""
    named = {external_id(line.product_id, line.variation_id, pooled) for row in rows for line in row.line_items}
    listings = sorted(one for one in named if one is not None)
    if not listings:
        return ()
    found = reader.read(listings).rows
    return [one for one in listings if one not in found or not is_reserved(found[one])]


def _refunds(shop: Shop, row: Order) -> Sequence[Refund] | None:
    """The order's refunds with their lines, which the order itself does not carry; None when it was just deleted."""
    if not row.refunds:
        return ()
    found: list[Refund] = []
    page = 1
    while len(found) < len(row.refunds):
        try:
            answer = shop.get(f"orders/{row.id}/refunds", {"per_page": PAGE, "page": page})
        except Rejected as fault:
            if fault.status == 404:
                return None
            raise
        rows = parse_list(Refund, answer.content)
        found += rows
        if len(rows) < PAGE:
            break
        page += 1
    return found


@dataclass(frozen=True, slots=True)
class _Position:
    """Where a run of pages stands.

    ``total`` is the row count its earlier pages were cut from. Should it shrink, a row has left the list, the later
    ones have moved up, and the run of this state starts again.
    """

    state: str
    page: int
    read_at: datetime | None
    total: int | None

    def text(self) -> str:
        read_at = int(self.read_at.timestamp()) if self.read_at else ""
        return f"{self.state}:{self.page}:{read_at}:{'' if self.total is None else self.total}"


def _position(cursor: str | None) -> _Position:
    if cursor is None:
        return _Position(_SWEPT_STATES[0], 1, None, None)
    try:
        state, page, read_at, total = cursor.split(":")
        _SWEPT_STATES.index(state)
        moment = datetime.fromtimestamp(int(read_at), UTC) if read_at else None
        return _Position(state, int(page), moment, int(total) if total else None)
    except ValueError:
        raise Malformed("this cursor is none of WooCommerce's; start again without one") from None


def changed_since(shop: Shop, watermark: datetime, cursor: str | None) -> OrderPage:
    """Orders changed at or after ``watermark``, by ascending id; first the living, then the trashed."""
    at = _position(cursor)
    after = (watermark - _STRICTNESS).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    filters = {"status": at.state, "modified_after": after, "dates_are_gmt": "true"}
    paging: Params = {"per_page": PAGE, "page": at.page, "orderby": "id", "order": "asc", "_fields": STAMP_FIELDS}
    answer = shop.get("orders", {**filters, **paging})
    rows = parse_list(OrderStamp, answer.content)
    read_at = at.read_at or (answer.asked_at - _CLOCK_RESOLUTION).replace(microsecond=0)
    following = _following(at, read_at, len(rows), answer.total)
    changes = [OrderChange(str(row.id), version_of(row)) for row in rows]
    return OrderPage(changes, read_at, following.text() if following else None)


def _following(at: _Position, read_at: datetime, count: int, total: int | None) -> _Position | None:
    if at.total is not None and total is not None and total < at.total:
        return _Position(at.state, 1, read_at, None)
    if count == PAGE and (total is None or at.page * PAGE < total):
        return _Position(at.state, at.page + 1, read_at, total)
    later = _SWEPT_STATES.index(at.state) + 1
    return _Position(_SWEPT_STATES[later], 1, read_at, None) if later < len(_SWEPT_STATES) else None
