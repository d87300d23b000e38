"""GET /v3/catalog/products and /v3/catalog/variants: simple products, tracked by product, with one base variant."""

from collections.abc import Sequence
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.bigcommerce.answers import Problem, Row, listed, number, only_filters, v3, v3_page
from sandbox.bigcommerce.state import State
from sandbox.things import Product

_PRODUCT_FILTERS = ("id", "id:in", "id:greater", "include", "include_fields", "sort", "direction", "page", "limit")
_VARIANT_FILTERS = ("id", "product_id", "sku", "page", "limit")
_MOST = 250


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def product_row(state: State, product: Product) -> Row:
    return {
        "id": product.number,
        "name": product.title,
        "type": "physical",
        "sku": product.sku,
        "description": "",
        "weight": 1.0,
        "price": 1.0,
        "categories": [],
        "inventory_level": product.on_sale,
        "inventory_warning_level": 0,
        "inventory_tracking": "product",
        "is_visible": True,
        "availability": "available",
        "condition": "New",
        "total_sold": product.sold,
        "base_variant_id": state.variant_id(product),
        "date_created": _iso(product.created_at),
        "date_modified": _iso(product.changed_at),
    }


def variant_row(state: State, product: Product) -> Row:
    return {
        "id": state.variant_id(product),
        "product_id": product.number,
        "sku": product.sku,
        "sku_id": None,
        "price": None,
        "calculated_price": 1.0,
        "purchasing_disabled": False,
        "purchasing_disabled_message": "",
        "inventory_level": product.on_sale,
        "inventory_warning_level": 0,
        "option_values": [],
    }


def _wanted(state: State, request: Request) -> Sequence[Product]:
    ids = listed(request, "id:in") or listed(request, "id")
    if ids is not None:
        return [product for product in map(state.shop.products.get, ids) if product]
    after = number(request, "id:greater", 0, least=0)
    return [product for product in state.shop.products if product.number > after]


def routes(state: State) -> list[Route]:
    async def products(request: Request) -> Response:
        only_filters(request, _PRODUCT_FILTERS)
        query = request.query_params
        if query.get("sort", "id") != "id" or query.get("direction", "asc") != "asc":
            raise Problem(422, "This store sorts products by id, ascending.")
        found, meta = v3_page(request, _wanted(state, request), default=50, most=_MOST)
        fields = query.get("include_fields")
        kept = {"id", *fields.split(",")} if fields else None
        rows = []
        for product in found:
            row = product_row(state, product)
            if kept:
                row = {name: value for name, value in row.items() if name in kept}
            if "variants" in query.get("include", "").split(","):
                row["variants"] = [variant_row(state, product)]
            rows.append(row)
        return v3(rows, meta)

    async def variants(request: Request) -> Response:
        only_filters(request, _VARIANT_FILTERS)
        sku = request.query_params.get("sku")
        product = state.shop.product(sku) if sku else None
        wanted = list(state.shop.products) if sku is None else [product] if product else []
        found, meta = v3_page(request, wanted, default=50, most=_MOST)
        return v3([variant_row(state, each) for each in found], meta)

    return [Route("/v3/catalog/products", products), Route("/v3/catalog/variants", variants)]
