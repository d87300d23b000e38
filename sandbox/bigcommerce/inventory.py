"""/v3/inventory/items, absolute adjustments that take effect after their answer, and safety stock."""

from collections.abc import Mapping, Sequence
from functools import partial
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.bigcommerce.answers import Problem, Row, content_of, listed, only_filters, v3, v3_page
from sandbox.bigcommerce.state import LOCATION_ID, State
from sandbox.things import Product

MOST_ROWS = 2000
CEILING = 2_147_483_647
_FILTERS = ("sku:in", "variant_id:in", "product_id:in", "location_id:in", "page", "limit")
_IDENTITIES = ("sku", "variant_id", "product_id")


def item_row(state: State, product: Product, *, shown_at: bool) -> Row:
    """``shown_at``: the filter on locations lets ours through."""
    place = {
        "location_id": LOCATION_ID,
        "location_code": "BC-LOCATION-1",
        "location_name": "Default location",
        "available_to_sell": product.stock - product.withheld,
        "total_inventory_onhand": product.stock,
        "location_enabled": True,
        "settings": {
            "safety_stock": product.withheld,
            "is_in_stock": product.on_sale > 0,
            "warning_level": 0,
            "bin_picking_number": "",
        },
    }
    identity = {
        "sku": product.sku,
        "variant_id": state.variant_id(product),
        "product_id": product.number,
        "sku_id": None,
    }
    return {"identity": identity, "locations": [place] if shown_at else []}


def _wanted(state: State, request: Request) -> Sequence[Product]:
    variants, products = listed(request, "variant_id:in"), listed(request, "product_id:in")
    skus = request.query_params.get("sku:in")
    if variants is not None:
        found = [state.by_variant(variant) for variant in variants]
    elif products is not None:
        found = [state.shop.products.get(one) for one in products]
    elif skus is not None:
        found = [state.shop.product(sku) for sku in skus.split(",")]
    else:
        return list(state.shop.products)
    return [product for product in dict.fromkeys(found) if product]


def _named(state: State, row: Mapping[str, object]) -> Product | str:
    """The product that a row means, or why the call is refused."""
    identities = [name for name in _IDENTITIES if name in row]
    if len(identities) != 1:
        return "Exactly one of sku, variant_id and product_id identifies an item"
    name, value = identities[0], row[identities[0]]
    found: Product | None = None
    if name == "sku" and isinstance(value, str):
        found = state.shop.product(value)
    elif name == "product_id" and isinstance(value, int):
        found = state.shop.products.get(value)
    elif name == "variant_id" and isinstance(value, int) and state.by_variant(value):
        return f"Item with variant_id {value} is tracked by product, please update stock by product id"
    return found or f"Item with {name} {value} was not found"


def _read_items(state: State, content: Row, key: str) -> list[tuple[Product, Row]]:
    rows = content.get(key)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise Problem(422, "Payload contains invalid fields", {key: "A list of items is required"})
    if len(rows) > MOST_ROWS:
        raise Problem(413, f"The request payload is too large. The maximum items allowed in the array is {MOST_ROWS}")
    read: list[tuple[Product, Row]] = []
    faults: list[str] = []
    for row in rows:
        product = _named(state, row.get("identity", {}) if key == "settings" else row)
        if isinstance(product, str):
            faults.append(product)
        else:
            read.append((product, row))
    if faults:
        raise Problem(422, f"[{', '.join(faults)}]")
    return read


def _check_quantities(items: Sequence[tuple[Product, Row]]) -> None:
    for position, (_, row) in enumerate(items):
        quantity = row.get("quantity")
        if isinstance(quantity, bool) or not isinstance(quantity, int) or quantity > CEILING:
            raise Problem(
                422,
                "Payload contains invalid fields",
                {f"items.{position}.quantity": f"A whole number up to {CEILING}"},
            )
        if row.get("location_id") != LOCATION_ID:
            raise Problem(422, "Payload contains invalid fields", {f"items.{position}.location_id": "Unknown location"})


def routes(state: State) -> list[Route]:
    async def items(request: Request) -> Response:
        only_filters(request, _FILTERS)
        places = listed(request, "location_id:in")
        found, meta = v3_page(request, _wanted(state, request), default=50, most=1000)
        shown = places is None or LOCATION_ID in places
        return v3([item_row(state, product, shown_at=shown) for product in found], meta)

    async def set_absolute(request: Request) -> Response:
        """Refused as a whole, or answered now and applied later: 25 ms when calm, 60 to 400 ms by the usual dials."""
        wanted = _read_items(state, await content_of(request), "items")
        _check_quantities(wanted)
        wait_s = 0.025 + 0.75 * state.shop.faults.one_way_s()
        for product, row in wanted:
            state.shop.later(wait_s, partial(state.shop.write_stock, product, row["quantity"]))
        return JSONResponse({"transaction_id": str(uuid4())})

    async def set_safety_stock(request: Request) -> Response:
        for product, row in _read_items(state, await content_of(request), "settings"):
            safety_stock = row.get("safety_stock")
            if not isinstance(safety_stock, int) or safety_stock < 0:
                raise Problem(422, "Payload contains invalid fields", {"safety_stock": "A whole number, 0 or more"})
            product.withheld = safety_stock
        return JSONResponse({"transaction_id": str(uuid4())})

    return [
        Route("/v3/inventory/items", items),
        Route("/v3/inventory/adjustments/absolute", set_absolute, methods=["PUT"]),
        Route(f"/v3/inventory/locations/{LOCATION_ID}/items", set_safety_stock, methods=["PUT"]),
    ]
