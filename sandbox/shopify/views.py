"""The shop's things as GraphQL objects: dicts; callables in them are called, with arguments, when asked for."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo

from sandbox.addresses import Address
from sandbox.shopify.ids import MAIN_LOCATION, gid, item_number, variant_number
from sandbox.things import Line, Order, Product, Refund

View = Mapping[str, Any]
Info = GraphQLResolveInfo[Any]

LOCATIONS: Sequence[View] = tuple(
    {
        "__typename": "Location",
        "id": gid("Location", number),
        "name": name,
        "isActive": active,
        "fulfillsOnlineOrders": online,
        "isFulfillmentService": service,
        "shipsInventory": online,
    }
    for number, name, active, online, service in (
        (MAIN_LOCATION - 2, "Old cellar", False, True, False),
        (MAIN_LOCATION - 1, "Post and Parcel Ltd", True, True, True),
        (MAIN_LOCATION, "Warehouse", True, True, False),
        (MAIN_LOCATION + 1, "Showroom", True, False, False),
    )
)


def stamp(moment: datetime) -> str:
    """UTC to the second, as Shopify gives its times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def page_of(things: Sequence[Any], view: Callable[[Any], View], first: int | None, after: str | None) -> dict[str, Any]:
    """A connection over a sequence that only grows at its end; cursors are positions."""
    size = page_size(first)
    start = position(after)
    end = min(start + size, len(things))
    return {
        "nodes": [view(thing) for thing in things[start:end]],
        "pageInfo": {"hasNextPage": end < len(things), "endCursor": str(end) if end > start else None},
    }


def page_size(first: int | None) -> int:
    if first is None:
        raise GraphQLError("you must provide one of first or last", extensions={"code": "BAD_USER_INPUT"})
    if not 1 <= first <= 250:
        raise GraphQLError("first must be between 1 and 250", extensions={"code": "BAD_USER_INPUT"})
    return first


def position(after: str | None) -> int:
    if after is not None and not after.isdecimal():
        raise GraphQLError("Invalid cursor for current pagination sort.", extensions={"code": "BAD_USER_INPUT"})
    return int(after or 0)


def variant(product: Product) -> View:
    return {
        "__typename": "ProductVariant",
        "id": gid("ProductVariant", variant_number(product)),
        "sku": product.sku,
        "displayName": f"{product.title} - Default Title",
        "requiresComponents": False,
        "product": {"id": gid("Product", product.number), "title": product.title},
        "inventoryItem": lambda _info: item(product),
    }


def item(product: Product) -> View:
    def level(_info: Info, locationId: str, **_: object) -> View | None:
        return level_of(product) if locationId == gid("Location", MAIN_LOCATION) else None

    return {
        "__typename": "InventoryItem",
        "id": gid("InventoryItem", item_number(product)),
        "sku": product.sku,
        "tracked": True,
        "inventoryLevel": level,
    }


def level_of(product: Product) -> View:
    def quantities(_info: Info, names: Sequence[str]) -> list[View]:
        numbers = quantity_names(product)
        return [
            {"id": f"{level_id(product)}&name={name}", "name": name, "quantity": numbers[name]}
            for name in names
            if name in numbers
        ]

    return {
        "__typename": "InventoryLevel",
        "id": level_id(product),
        "isActive": True,
        "item": lambda _info: item(product),
        "location": next(each for each in LOCATIONS if each["id"] == gid("Location", MAIN_LOCATION)),
        "quantities": quantities,
    }


def level_id(product: Product) -> str:
    return f"{gid('InventoryLevel', MAIN_LOCATION)}?inventory_item_id={item_number(product)}"


def quantity_names(product: Product) -> Mapping[str, int]:
    return {
        "available": product.stock,
        "committed": product.committed,
        "on_hand": product.stock + product.committed,
        "incoming": 0,
    }


def financial_status(order: Order) -> str:
    if order.cancelled_at:
        return "REFUNDED" if order.paid_at else "VOIDED"
    if not order.paid_at:
        return "PENDING"
    if order.wholly_refunded:
        return "REFUNDED"
    return "PARTIALLY_REFUNDED" if order.refunds else "PAID"


def fulfilment_status(order: Order) -> str:
    shipped = any(line.fulfilled for line in order.lines)
    owed = not order.cancelled_at and any(line.unshipped for line in order.lines)
    if not shipped:
        return "UNFULFILLED"
    return "PARTIALLY_FULFILLED" if owed else "FULFILLED"


def order(order: Order) -> View:
    def line_items(_info: Info, first: int | None = None, after: str | None = None) -> View:
        return page_of(order.lines, lambda each: line(order, each), first, after)

    return {
        "__typename": "Order",
        "id": gid("Order", order.number),
        "name": order.name,
        "createdAt": stamp(order.placed_at),
        "updatedAt": stamp(order.changed_at),
        "cancelledAt": stamp(order.cancelled_at) if order.cancelled_at else None,
        "currentSubtotalLineItemsQuantity": lambda _info: sum(current(order, each) for each in order.lines),
        "shippingAddress": address(order, order.ship_to) if order.ship_to else None,
        "test": False,
        "displayFinancialStatus": financial_status(order),
        "displayFulfillmentStatus": fulfilment_status(order),
        "lineItems": line_items,
        "refunds": lambda _info, first=None: refunds(order)[:first],
        "fulfillments": lambda _info, first=None: fulfilments(order)[:first],
    }


def address(order: Order, to: Address) -> View:
    return {
        "__typename": "MailingAddress",
        "id": f"{gid('MailingAddress', order.number)}?model_name=Address",
        "firstName": "Sam",
        "lastName": "Shopper",
        "address1": "Example Street 1",
        "city": to.city,
        "coordinatesValidated": False,
        "province": to.subdivision_name or None,
        "provinceCode": to.subdivision or None,
        "country": to.country_name,
        "countryCodeV2": to.country,
        "zip": to.postcode,
    }


def unfulfilled(order: Order, line: Line) -> int:
    return 0 if order.cancelled_at else line.unshipped


def current(order: Order, line: Line) -> int:
    return line.refundable - (line.unshipped if order.cancelled_at else 0)


def line(order: Order, line: Line) -> View:
    return {
        "__typename": "LineItem",
        "id": gid("LineItem", line.number),
        "name": line.product.title,
        "sku": line.product.sku,
        "quantity": line.quantity,
        "currentQuantity": current(order, line),
        "unfulfilledQuantity": unfulfilled(order, line),
        "variant": lambda _info: variant(line.product),
    }


def fulfilments(order: Order) -> list[View]:
    """What was shipped, as one fulfilment that bears the order's number."""
    shipped = [line for line in order.lines if line.fulfilled]

    def lines(_info: Info, first: int | None = None, after: str | None = None) -> View:
        return page_of(shipped, lambda each: fulfilment_line(order, each), first, after)

    whole = {
        "__typename": "Fulfillment",
        "id": gid("Fulfillment", order.number),
        "status": "SUCCESS",
        "fulfillmentLineItems": lines,
    }
    return [whole] if shipped else []


def fulfilment_line(order: Order, shipped: Line) -> View:
    return {
        "id": gid("FulfillmentLineItem", shipped.number),
        "quantity": shipped.fulfilled,
        "lineItem": lambda _info: line(order, shipped),
    }


def refunds(order: Order) -> list[View]:
    """The order's refunds; a cancel is one more that puts back what had not been shipped."""
    found = [refund_view(order, refund.number, refund.at, refund_parts(refund)) for refund in order.refunds]
    if order.cancelled_at:
        parts = [(each, each.unshipped, "CANCEL") for each in order.lines if each.unshipped]
        found.append(refund_view(order, order.number, order.cancelled_at, parts))
    return found


def refund_parts(refund: Refund) -> list[tuple[Line, int, str]]:
    parts: list[tuple[Line, int, str]] = []
    for part in refund.lines:
        split = ((part.removed, "CANCEL"), (part.returned, "RETURN"))
        parts += [
            (part.line, quantity, kind if refund.restock else "NO_RESTOCK") for quantity, kind in split if quantity
        ]
    return parts


def refund_view(order: Order, number: int, at: datetime, parts: Sequence[tuple[Line, int, str]]) -> View:
    def one(part: tuple[Line, int, str]) -> View:
        refunded, quantity, restock_type = part
        return {
            "id": gid("RefundLineItem", refunded.number),
            "quantity": quantity,
            "restockType": restock_type,
            "restocked": restock_type != "NO_RESTOCK",
            "lineItem": lambda _info: line(order, refunded),
        }

    def lines(_info: Info, first: int | None = None, after: str | None = None) -> View:
        return page_of(parts, one, first, after)

    return {
        "__typename": "Refund",
        "id": gid("Refund", number),
        "createdAt": stamp(at),
        "refundLineItems": lines,
    }
