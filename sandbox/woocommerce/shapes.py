"""Our things as wc/v3 JSON. Pure; every key as in WooCommerce 11.0.1's answers, prices and addresses invented."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sandbox.addresses import ADDRESSES, Address
from sandbox.things import Line, Order, Product, Refund
from sandbox.woocommerce.catalogue import Catalogue, Parent, Row

Json = dict[str, object]

VERSION = "11.0.1"
SHOP_ZONE = ZoneInfo("Europe/Berlin")
PRICE = 10
ALL = ("GET", "POST", "PUT", "PATCH", "DELETE")
# What is the same of all that is sold here, as a product or as a variation.
PLAIN: Mapping[str, object] = {
    "status": "publish",
    "description": "",
    "price": str(PRICE),
    "sale_price": "",
    "date_on_sale_from": None,
    "date_on_sale_from_gmt": None,
    "date_on_sale_to": None,
    "date_on_sale_to_gmt": None,
    "on_sale": False,
    "purchasable": True,
    "virtual": False,
    "downloadable": False,
    "downloads": [],
    "download_limit": -1,
    "download_expiry": -1,
    "tax_status": "taxable",
    "dimensions": {"length": "", "width": "", "height": ""},
    "shipping_class": "",
    "shipping_class_id": 0,
    "menu_order": 0,
    "meta_data": [],
    "global_unique_id": "",
}
# And what only the products routes tell.
PLAIN_PRODUCT: Mapping[str, object] = {
    **PLAIN,
    "featured": False,
    "catalog_visibility": "visible",
    "short_description": "",
    "price_html": f"<span>&euro;{PRICE}.00</span>",
    "external_url": "",
    "button_text": "",
    "tax_class": "",
    "sold_individually": False,
    "shipping_required": True,
    "shipping_taxable": True,
    "average_rating": "0.00",
    "rating_count": 0,
    "upsell_ids": [],
    "cross_sell_ids": [],
    "purchase_note": "",
    "brands": [],
    "tags": [],
    "images": [],
    "default_attributes": [],
    "grouped_products": [],
    "related_ids": [],
    "post_password": "",
}
NOBODY: Mapping[str, object] = dict.fromkeys(
    (
        *("first_name", "last_name", "company", "address_1", "address_2"),
        *("city", "state", "postcode", "country", "phone"),
    ),
    "",
)


def dates(name: str, moment: datetime | None) -> Json:
    """``<name>`` in shop time and ``<name>_gmt``, both to the second and naive."""
    if moment is None:
        return {name: None, f"{name}_gmt": None}
    local, gmt = moment.astimezone(SHOP_ZONE), moment.astimezone(UTC)
    return {name: f"{local:%Y-%m-%dT%H:%M:%S}", f"{name}_gmt": f"{gmt:%Y-%m-%dT%H:%M:%S}"}


def links(home: str, path: str, up: str = "", allow: Sequence[str] = ALL) -> Json:
    base = f"{home}/wp-json/wc/v3/"
    shown: Json = {
        "self": [{"href": base + path, "targetHints": {"allow": list(allow)}}],
        "collection": [{"href": base + path.rpartition("/")[0]}],
    }
    if up:
        shown["up"] = [{"href": base + up}]
    return shown


def stock(row: Row) -> Json:
    """The five stock fields; a variable parent of own-counting variations manages nothing."""
    if isinstance(row, Parent):
        on_sale = any(product.stock > 0 for product in row.variations)
        managed, quantity = False, None
    else:
        on_sale, managed, quantity = row.stock > 0, True, row.stock
    return {
        "manage_stock": managed,
        "stock_quantity": quantity,
        "stock_status": "instock" if on_sale else "outofstock",
        "backorders": "no",
        "backorders_allowed": False,
        "backordered": False,
        "low_stock_amount": None,
    }


def attribute(product: Product) -> Json:
    return {"id": 0, "name": "Option", "slug": "option", "option": product.sku}


def product(row: Row, catalogue: Catalogue, home: str) -> Json:
    """A simple product, a variable parent, or a variation read through ``products/<id>``."""
    parent = catalogue.parent_of(row) if isinstance(row, Product) else None
    shown = _product_words(row, parent, home)
    shown |= stock(row) | dates("date_created", row.created_at) | dates("date_modified", row.changed_at)
    shown["_links"] = links(home, f"products/{row.number}", f"products/{parent.number}" if parent else "")
    return shown


def _product_words(row: Row, parent: Parent | None, home: str) -> Json:
    variable = isinstance(row, Parent)
    kind = "variable" if variable else "variation" if parent else "simple"
    name = f"{parent.title} - {row.title}" if parent else row.title
    return {
        **PLAIN_PRODUCT,
        "id": row.number,
        "name": name,
        "slug": f"product-{row.number}",
        "permalink": f"{home}/product/product-{row.number}/",
        "type": kind,
        "sku": "" if isinstance(row, Parent) else row.sku,
        "regular_price": "" if variable else str(PRICE),
        "total_sales": _total_sales(row, parent),
        "weight": "" if variable or parent else "0.5",
        "reviews_allowed": not parent,
        "parent_id": parent.number if parent else 0,
        "categories": [] if parent else [{"id": 15, "name": "Uncategorized", "slug": "uncategorized"}],
        "attributes": _attributes(row, parent),
        "variations": [each.number for each in row.variations] if isinstance(row, Parent) else [],
        "has_options": variable,
    }


def _total_sales(row: Row, parent: Parent | None) -> int | str:
    if isinstance(row, Parent):
        return sum(each.sold for each in row.variations)
    return "0" if parent else row.sold


def _attributes(row: Row, parent: Parent | None) -> list[Json]:
    if isinstance(row, Parent):
        options = [each.sku for each in row.variations]
        return [
            {
                "id": 0,
                "name": "Option",
                "slug": "Option",
                "position": 0,
                "visible": True,
                "variation": True,
                "options": options,
            }
        ]
    return [attribute(row)] if parent else []


def variation(row: Product, parent: Parent, home: str) -> Json:
    """As the variations routes show it: fewer fields than a product."""
    return {
        **PLAIN,
        "id": row.number,
        "type": "variation",
        **dates("date_created", row.created_at),
        **dates("date_modified", row.changed_at),
        "permalink": f"{home}/product/product-{parent.number}/?attribute_option={row.number}",
        "sku": row.sku,
        "regular_price": str(PRICE),
        "tax_class": "parent",
        **stock(row),
        "weight": "",
        "image": None,
        "gallery_image_ids": [],
        "attributes": [attribute(row)],
        "name": row.sku,
        "parent_id": parent.number,
        "_links": links(home, f"products/{parent.number}/variations/{row.number}", f"products/{parent.number}"),
    }


def status(order: Order) -> str:
    """Cancelled, refunded (all units), completed (shipped), processing (paid) or pending."""
    if order.cancelled_at:
        return "cancelled"
    if order.wholly_refunded:
        return "refunded"
    if order.fulfilled_at:
        return "completed"
    return "processing" if order.paid_at else "pending"


def money(units: int) -> str:
    return f"{PRICE * units}.00"


def order(row: Order, catalogue: Catalogue, home: str) -> Json:
    state, key = status(row), f"wc_order_{row.number:013d}"
    return {
        "id": row.number,
        "parent_id": 0,
        "status": state,
        "currency": "EUR",
        "version": VERSION,
        "prices_include_tax": False,
        "discount_total": "0.00",
        "discount_tax": "0.00",
        "shipping_total": "0.00",
        "shipping_tax": "0.00",
        "cart_tax": "0.00",
        "total": money(sum(line.quantity for line in row.lines)),
        "total_tax": "0.00",
        "customer_id": 0,
        "order_key": key,
        "billing": {**person(row.ship_to or ADDRESSES[0]), "email": "sam@example.test"},
        "shipping": person(row.ship_to) if row.ship_to else dict(NOBODY),
        "payment_method": "card",
        "payment_method_title": "Card",
        "transaction_id": "",
        "customer_ip_address": "203.0.113.7",
        "customer_user_agent": "Mozilla/5.0",
        "created_via": "store-api",
        "customer_note": "",
        "cart_hash": "",
        "number": row.name,
        "meta_data": [{"id": row.number, "key": "is_vat_exempt", "value": "no"}],
        "line_items": [order_line(line, catalogue) for line in row.lines],
        "tax_lines": [],
        "shipping_lines": [],
        "fee_lines": [],
        "coupon_lines": [],
        "refunds": [_refund_summary(refund) for refund in reversed(row.refunds)],
        "payment_url": f"{home}/checkout/order-pay/{row.number}/?pay_for_order=true&key={key}",
        "is_editable": state == "pending",
        "needs_payment": state == "pending",
        "needs_processing": True,
        **dates("date_created", row.placed_at),
        **dates("date_modified", row.changed_at),
        **dates("date_completed", row.fulfilled_at),
        **dates("date_paid", row.paid_at),
        "currency_symbol": "€",
        "_links": links(home, f"orders/{row.number}"),
    }


def person(where: Address) -> Json:
    """A shopper's address; subdivisions of Germany bear the country, as in WooCommerce's own list."""
    state = f"DE-{where.subdivision}" if where.country == "DE" else where.subdivision
    return {
        **NOBODY,
        "first_name": "Sam",
        "last_name": "Shopper",
        "address_1": "Example Street 1",
        "city": where.city,
        "state": "" if where.country == "AT" else state,
        "postcode": where.postcode,
        "country": where.country,
        "phone": "030",
    }


def _refund_summary(refund: Refund) -> Json:
    total = money(sum(part.quantity for part in refund.lines))
    return {"id": refund.number, "reason": "", "total": f"-{total}", "total_tax": "0.00"}


def order_line(line: Line, catalogue: Catalogue) -> Json:
    """``_reduced_stock`` is what the shop's number has lost for the line; gone when that is nothing."""
    meta: list[Json] = []
    if line.taken:
        meta.append(_meta(line, 1, "_reduced_stock", str(line.taken)))
    if line.restocked:
        meta.append(_meta(line, 2, "_restock_refunded_items", str(line.restocked)))
    parent = catalogue.parent_of(line.product)
    if parent:
        meta.insert(0, _meta(line, 0, "option", line.product.sku))
    return _line(line, parent, line.number, line.quantity, meta)


def _meta(line: Line, place: int, key: str, value: str) -> Json:
    return {"id": line.number * 10 + place, "key": key, "value": value, "display_key": key, "display_value": value}


def _line(line: Line, parent: Parent | None, number: int, quantity: int, meta: list[Json]) -> Json:
    title = line.product.title
    total = f"{PRICE * quantity}.00"
    return {
        "id": number,
        "name": f"{parent.title} - {title}" if parent else title,
        "product_id": parent.number if parent else line.product.number,
        "variation_id": line.product.number if parent else 0,
        "quantity": quantity,
        "tax_class": "",
        "subtotal": total,
        "subtotal_tax": "0.00",
        "total": total,
        "total_tax": "0.00",
        "taxes": [],
        "meta_data": meta,
        "sku": line.product.sku,
        "global_unique_id": "",
        "price": PRICE,
        "image": {"id": 0 if parent else "", "src": ""},
        "parent_name": parent.title if parent else None,
    }


def refund(row: Refund, order_row: Order, catalogue: Catalogue, home: str) -> Json:
    """Negative quantities, and no word on whether it restocked."""
    path = f"orders/{order_row.number}/refunds/{row.number}"
    lines = []
    for place, part in enumerate(row.lines):
        number = row.number * 1000 + place
        origin = str(part.line.number)
        meta = {
            "id": number,
            "key": "_refunded_item_id",
            "value": origin,
            "display_key": "_refunded_item_id",
            "display_value": origin,
        }
        lines.append(_line(part.line, catalogue.parent_of(part.line.product), number, -part.quantity, [meta]))
    full = order_row.wholly_refunded and row is order_row.refunds[-1]
    return {
        "id": row.number,
        **dates("date_created", row.at),
        "amount": money(sum(part.quantity for part in row.lines)),
        "reason": "",
        "refunded_by": 1,
        "refunded_payment": False,
        "meta_data": [{"id": row.number, "key": "_refund_type", "value": "full" if full else "partial"}],
        "line_items": lines,
        "shipping_lines": [],
        "tax_lines": [],
        "fee_lines": [],
        "_links": links(home, path, f"orders/{order_row.number}", allow=("GET", "DELETE")),
    }
