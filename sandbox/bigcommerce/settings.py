"""GET /v2/time, /v2/store, /v3/settings/inventory and /v3/inventory/locations."""

import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.bigcommerce.answers import Row, only_filters, v3, v3_page
from sandbox.bigcommerce.state import LOCATION_ID, State

_LOCATION: Row = {
    "id": LOCATION_ID,
    "code": "BC-LOCATION-1",
    "label": "Default location",
    "description": "Where everything ships from",
    "managed_by_external_source": False,
    "type_id": "PHYSICAL",
    "enabled": True,
    "time_zone": "Etc/UTC",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "storefront_visibility": True,
    "special_hours": [],
}

INVENTORY_SETTINGS: Row = {
    "product_out_of_stock_behavior": "do_nothing",
    "option_out_of_stock_behavior": "do_nothing",
    "update_stock_behavior": "order_placed",
    "edit_order_stock_adjustment": True,
    "refund_order_stock_adjustment": True,
    "stock_level_display": "show",
    "default_out_of_stock_message": "Currently out of stock",
    "hide_in_product_filtering": False,
    "show_pre_order_stock_levels": True,
    "show_out_of_stock_message": True,
}


def routes(state: State) -> list[Route]:
    async def clock(_request: Request) -> Response:
        return JSONResponse({"time": int(time.time())})

    async def store(_request: Request) -> Response:
        return JSONResponse(
            {
                "id": state.store_hash,
                "account_uuid": "8d4d492f-17a1-4d95-b396-e1c5720815a5",
                "domain": "sandbox.example.com",
                "secure_url": state.shop.url,
                "control_panel_base_url": state.shop.url,
                "status": "live",
                "name": "Sandbox on BigCommerce",
                "country": "United Kingdom",
                "country_code": "GB",
                "timezone": {"name": "Etc/UTC", "raw_offset": 0, "dst_offset": 0, "dst_correction": False},
                "language": "en",
                "currency": "GBP",
                "plan_name": "Enterprise",
                "plan_level": "Enterprise",
                "plan_is_trial": False,
                "store_id": state.store_id,
                "default_channel_id": 1,
                "default_site_id": 1000,
            }
        )

    async def inventory_settings(request: Request) -> Response:
        only_filters(request, ["channel_id"])
        return v3(INVENTORY_SETTINGS)

    async def locations(request: Request) -> Response:
        only_filters(request, ["location_id:in", "is_default", "is_active", "page", "limit"])
        found, meta = v3_page(request, [_LOCATION], default=50, most=1000)
        return v3(list(found), meta)

    return [
        Route("/v2/time", clock),
        Route("/v2/store", store),
        Route("/v3/settings/inventory", inventory_settings),
        Route("/v3/inventory/locations", locations),
    ]
