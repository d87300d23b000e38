"""The connection test: names the cause and the cure of what commonly stands between a hub and a WooCommerce shop."""

from contextlib import suppress

from core.errors import Malformed, Rejected
from core.model import StoreProfile

from .shop import Shop

_OPTION = "settings/products/woocommerce_{}"


def probe(shop: Shop, name: str, secure: bool) -> StoreProfile:
    """Read two settings and try an empty write; see Connector.probe for what is raised."""
    try:
        manage_stock = shop.get(_OPTION.format("manage_stock"), {"_fields": "id,value"})
        hold_minutes = shop.get(_OPTION.format("hold_stock_minutes"), {"_fields": "id,value"})
    except Rejected as fault:
        if fault.status != 404:
            raise
        raise Malformed(
            "there is no WooCommerce REST API at this URL: check that WooCommerce is active and that permalinks are "
            "not 'Plain' (Settings > Permalinks)"
        ) from None
    # Only a write shows a read-only key. An empty batch changes nothing, and a shop that finds it senseless has at
    # least accepted the key.
    with suppress(Rejected):
        shop.send("POST", "products/batch", {"update": []})
    hold = _value(hold_minutes.content)
    warnings = []
    if _value(manage_stock.content) != "yes":
        warnings.append(
            "Stock management is off for the whole shop, so it ignores every number; switch it on under "
            "WooCommerce > Settings > Products > Inventory."
        )
    if not hold.isdecimal():
        warnings.append(
            "'Hold stock' is empty, so unpaid orders neither keep their units from other shoppers nor run out; set "
            "minutes under WooCommerce > Settings > Products > Inventory."
        )
    if not secure:
        warnings.append("The shop is reached over plain http, so orders travel readable; give its https URL.")
    settings = {"hold_minutes": hold if hold.isdecimal() else ""}
    return StoreProfile(name, manage_stock.asked_at, settings, tuple(warnings))


def _value(content: object) -> str:
    if not isinstance(content, dict) or "value" not in content:
        raise Malformed("the shop's settings are not as WooCommerce documents them; is a proxy or plugin in between?")
    return str(content["value"] if content["value"] is not None else "")


def hold_minutes(settings_text: str) -> int | None:
    """The shop's limit for unpaid orders in minutes; None when it has none."""
    return int(settings_text) if settings_text.isdecimal() and int(settings_text) > 0 else None


def denial(status: int, code: str, writing: bool, secure: bool) -> str:
    """Why a shop said 401 or 403, and what to do. Its sentences are in its own language, so only codes count."""
    if not code:
        return (
            f"a firewall or proxy in front of the shop turned us away ({status}); let it pass the user agent Holdfast "
            "to /wp-json/"
        )
    if status == 403:
        return f"the key's user has too few rights ({code}); make the key for an administrator or shop manager"
    if code == "woocommerce_rest_authentication_error" and writing:
        return "the key may only read; make one with read/write permission (WooCommerce > Settings > Advanced)"
    if code == "woocommerce_rest_authentication_error" and secure:
        return "the consumer secret is wrong; paste key and secret again"
    if code == "woocommerce_rest_authentication_error":
        return (
            "the signature is wrong: check key and secret, that the URL is the shop's own address, and that both "
            "clocks are right within 15 minutes"
        )
    return (
        f"the shop does not know the key, or never saw it ({code}): check the consumer key, and that the host passes "
        "the Authorization header on"
    )
