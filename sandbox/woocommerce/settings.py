"""What the shop says of itself and how it is set up."""

from collections.abc import Mapping

from sandbox.woocommerce import shapes
from sandbox.woocommerce.errors import ApiError
from sandbox.woocommerce.watch import HOLD_MINUTES

READ_WRITE = ("GET", "POST", "PUT", "PATCH")
SETTINGS: Mapping[str, Mapping[str, object]] = {
    "woocommerce_manage_stock": {
        "label": "Manage stock",
        "description": "Enable stock management",
        "type": "checkbox",
        "default": "yes",
        "value": "yes",
    },
    "woocommerce_hold_stock_minutes": {
        "label": "Hold stock (minutes)",
        "description": "Minutes an unpaid order keeps its units before it is cancelled.",
        "type": "number",
        "default": "60",
        "value": str(HOLD_MINUTES),
    },
}


def setting(name: str, home: str) -> shapes.Json:
    """Raises: ApiError 404."""
    found = SETTINGS.get(name)
    if found is None:
        raise ApiError(404, "rest_setting_setting_invalid", "Invalid setting.")
    path = f"settings/products/{name}"
    return {"id": name, **found, "group_id": "products", "_links": shapes.links(home, path, allow=READ_WRITE)}


def system_status(home: str) -> shapes.Json:
    """The few fields a connector looks at."""
    return {
        "environment": {
            "home_url": home,
            "site_url": home,
            "version": shapes.VERSION,
            "wp_version": "7.1",
            "wp_cron": True,
            "language": "en_US",
            "external_object_cache": None,
        },
        "settings": {
            "api_enabled": False,
            "currency": "EUR",
            "order_datastore": "Automattic\\WooCommerce\\Internal\\DataStores\\Orders\\OrdersTableDataStore",
            "HPOS_enabled": True,
            "HPOS_sync_enabled": False,
        },
        "active_plugins": [{"plugin": "woocommerce/woocommerce.php", "version": shapes.VERSION}],
    }


def index(home: str) -> shapes.Json:
    """The public front page of the API."""
    return {
        "name": "Sandbox Store",
        "description": "",
        "url": home,
        "home": home,
        "gmt_offset": 1,
        "timezone_string": str(shapes.SHOP_ZONE),
        "namespaces": ["wc/v3", "wp/v2"],
    }
