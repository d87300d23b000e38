"""V2 orders and their lines, V3 refunds.

A checkout that was paid stands at 11, an unpaid one at 7 with nothing taken off stock; 2 after shipping, 5 cancelled,
4 and 14 refunded wholly or in part.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.bigcommerce.answers import Problem, Row, listed, number, only_filters, v2_list, v2_page, v3, v3_page
from sandbox.bigcommerce.state import LOCATION_ID, State
from sandbox.things import Line, Order

AWAITING_PAYMENT, AWAITING_FULFILLMENT, SHIPPED, CANCELLED, REFUNDED, PARTIALLY_REFUNDED = 7, 11, 2, 5, 4, 14
NAMES = {
    AWAITING_PAYMENT: "Awaiting Payment",
    AWAITING_FULFILLMENT: "Awaiting Fulfillment",
    SHIPPED: "Shipped",
    CANCELLED: "Cancelled",
    REFUNDED: "Refunded",
    PARTIALLY_REFUNDED: "Partially Refunded",
}
_SORTS = {"id": lambda order: order.number, "date_modified": lambda order: (order.changed_at, order.number)}


def status_of(order: Order) -> int:
    if order.cancelled_at:
        return CANCELLED
    if order.wholly_refunded:
        return REFUNDED
    if order.fulfilled_at and not (order.refunds and order.refunds[-1].at > order.fulfilled_at):
        return SHIPPED
    if order.refunds:
        return PARTIALLY_REFUNDED
    return AWAITING_FULFILLMENT if order.paid_at else AWAITING_PAYMENT


def _v2_date(moment: datetime) -> str:
    return format_datetime(moment.replace(microsecond=0))


def order_row(state: State, order: Order) -> Row:
    status = status_of(order)
    root, units = f"{state.shop.url}/stores/{state.store_hash}/v2", sum(line.quantity for line in order.lines)
    total = f"{units}.0000"
    return {
        "id": order.number,
        "customer_id": 0,
        "date_created": _v2_date(order.placed_at),
        "date_modified": _v2_date(order.changed_at),
        "date_shipped": _v2_date(order.fulfilled_at) if order.fulfilled_at else "",
        "status_id": status,
        "status": NAMES[status],
        "custom_status": NAMES[status],
        "subtotal_ex_tax": total,
        "subtotal_inc_tax": total,
        "total_ex_tax": total,
        "total_inc_tax": total,
        "items_total": units,
        "items_shipped": sum(line.fulfilled for line in order.lines),
        "payment_method": "Manual",
        "payment_status": "captured" if order.paid_at else "pending",
        "refunded_amount": f"{sum(line.removed + line.returned for line in order.lines)}.0000",
        "order_is_digital": False,
        "currency_code": "GBP",
        "default_currency_code": "GBP",
        "is_deleted": False,
        "order_source": "www",
        "channel_id": 1,
        "external_source": None,
        "external_id": None,
        "products": _resource(root, order, "products"),
        "consignments": _resource(root, order, "consignments"),
    }


def _resource(root: str, order: Order, name: str) -> Row:
    return {"url": f"{root}/orders/{order.number}/{name}", "resource": f"/orders/{order.number}/{name}"}


def consignments_of(state: State, order: Order) -> Row:
    """As the object structure has them: all that is shipped goes to one address, or all is picked up at one place."""
    root, to = f"{state.shop.url}/stores/{state.store_hash}/v2", order.ship_to
    found: Row = {"pickups": [], "shipping": [], "downloads": [], "email": {"gift_certificates": []}}
    lines = [_resource(root, order, f"products/{line.number}") for line in order.lines]
    if to is None:
        place = {
            "id": LOCATION_ID,
            "name": "Default location",
            "code": "BC-LOCATION-1",
            "city": "Berlin",
            "state": "Berlin",
            "postal_code": "10115",
            "country_alpha2": "DE",
        }
        pickup = {"id": order.number, "pickup_method_id": 1, "location": place, "line_items": lines}
        return {**found, "pickups": [pickup]}
    shipping = {
        "id": order.number,
        "first_name": "Sam",
        "last_name": "Shopper",
        "company": "",
        "street_1": "Example Street 1",
        "street_2": "",
        "city": to.city,
        "state": to.subdivision_name,
        "zip": to.postcode,
        "country": to.country_name,
        "country_iso2": to.country,
        "phone": "",
        "email": "sam@example.test",
        "form_fields": [],
        "shipping_method": "Free Shipping",
        "line_items": lines,
        "items_total": sum(line.quantity for line in order.lines),
        "items_shipped": sum(line.fulfilled for line in order.lines),
    }
    return {**found, "shipping": [shipping]}


def line_row(state: State, order: Order, line: Line) -> Row:
    refunded = line.removed + line.returned
    return {
        "id": line.number,
        "order_id": order.number,
        "product_id": line.product.number,
        "variant_id": state.variant_id(line.product),
        "order_pickup_method_id": 0,
        "order_address_id": 1,
        "name": line.product.title,
        "sku": line.product.sku,
        "type": "physical",
        "base_price": "1.0000",
        "total_inc_tax": f"{line.quantity}.0000",
        "quantity": line.quantity,
        "is_refunded": refunded == line.quantity,
        "quantity_refunded": refunded,
        "refund_amount": "0.0000",
        "quantity_shipped": line.fulfilled,
        "parent_order_product_id": None,
        "is_bundled_product": False,
        "external_id": None,
        "applied_discounts": [],
        "product_options": [],
    }


def refund_rows(order: Order) -> list[Row]:
    return [
        {
            "id": refund.number,
            "order_id": order.number,
            "user_id": 1,
            "created": refund.at.isoformat(timespec="seconds"),
            "reason": "",
            "total_amount": float(sum(part.quantity for part in refund.lines)),
            "total_tax": 0.0,
            "uses_merchant_override_values": False,
            "items": [
                {
                    "item_type": "PRODUCT",
                    "item_id": part.line.number,
                    "reason": "",
                    "quantity": part.quantity,
                    "requested_amount": float(part.quantity),
                }
                for part in refund.lines
            ],
            "payments": [
                {
                    "id": refund.number,
                    "provider_id": "custom",
                    "amount": float(sum(part.quantity for part in refund.lines)),
                    "offline": True,
                    "is_declined": False,
                }
            ],
        }
        for refund in order.refunds
    ]


def _date(request: Request, name: str) -> datetime | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise Problem(400, f"The field '{name}' is invalid.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _wanted(state: State, request: Request) -> Sequence[Order]:
    book = state.shop.orders
    least, most = number(request, "min_id", 0, least=0), number(request, "max_id", 0, least=0)
    since, until = _date(request, "min_date_modified"), _date(request, "max_date_modified")
    if since:
        found = book.changed_since(since)
    elif least and most:
        found = [order for order in map(book.get, range(least, most + 1)) if order]
    else:
        found = list(book)
    status_id = request.query_params.get("status_id")
    field, _, direction = request.query_params.get("sort", "id:asc").partition(":")
    if field not in _SORTS:
        raise Problem(400, "The field 'sort' is invalid.")
    kept = [
        order
        for order in found
        if order.number >= least
        and (not most or order.number <= most)
        and (until is None or order.changed_at.replace(microsecond=0) <= until)
        and (status_id is None or str(status_of(order)) == status_id)
    ]
    return sorted(kept, key=_SORTS[field], reverse=direction == "desc")


def _shown(state: State, request: Request, order: Order) -> Row:
    """With its consignments when they are asked for, which is understood for the object structure alone."""
    row, query = order_row(state, order), request.query_params
    if query.get("include") == "consignments" and query.get("consignment_structure") == "object":
        row["consignments"] = consignments_of(state, order)
    return row


def _order(state: State, request: Request) -> Order:
    order = state.shop.orders.get(int(request.path_params["order_id"]))
    if order is None:
        raise Problem(404, "The requested resource was not found.")
    return order


def routes(state: State) -> list[Route]:
    async def orders(request: Request) -> Response:
        return v2_list([_shown(state, request, order) for order in v2_page(request, _wanted(state, request))])

    async def one_order(request: Request) -> Response:
        return JSONResponse(_shown(state, request, _order(state, request)))

    async def lines(request: Request) -> Response:
        order = _order(state, request)
        return v2_list([line_row(state, order, line) for line in v2_page(request, order.lines)])

    async def refunds(request: Request) -> Response:
        only_filters(request, ["order_id:in", "id:in", "created:min", "created:max", "page", "limit"])
        ids = listed(request, "order_id:in")
        chosen = list(state.shop.orders) if ids is None else [o for o in map(state.shop.orders.get, ids) if o]
        rows = [row for order in chosen for row in refund_rows(order)]
        found, meta = v3_page(request, rows, default=50, most=250)
        return v3(list(found), meta)

    return [
        Route("/v2/orders", orders),
        Route("/v2/orders/{order_id:int}", one_order),
        Route("/v2/orders/{order_id:int}/products", lines),
        Route("/v3/orders/payment_actions/refunds", refunds),
    ]
