"""A WooCommerce 11.0.1 shop on WordPress 7.1: wc/v3 over plain http, so OAuth 1.0a, on pretty permalinks.

Left out: everything that writes except stock and webhooks; `_fields` looks at two levels of names.
"""

from sandbox.shop import Shop, Storefront
from sandbox.things import UnpaidUnits
from sandbox.woocommerce.api import Api
from sandbox.woocommerce.catalogue import Catalogue
from sandbox.woocommerce.oauth import KeyPair, OneLegged
from sandbox.woocommerce.watch import Watch
from sandbox.woocommerce.webhooks import Hooks


def build(shop: Shop) -> Storefront:
    """Make ``shop`` a WooCommerce one: pending orders hide units, and a cancel restores even what was written off."""
    shop.unpaid_units = UnpaidUnits.HIDDEN
    shop.cancel_returns_written_off = True
    catalogue = Catalogue(shop)
    hooks = Hooks(shop, catalogue)
    shop.watch(Watch(shop, catalogue, hooks))
    keys = KeyPair(f"ck_{shop.token('consumer key')[:40]}", f"cs_{shop.token('consumer secret')[:40]}")
    credentials = {
        "consumer_key": keys.consumer_key,
        "consumer_secret": keys.consumer_secret,
        "webhook_secret": shop.token("webhook secret"),
    }
    return Storefront(OneLegged(Api(shop, catalogue, hooks).app(), shop.url, keys), credentials)
