"""What WooCommerce does by itself when something changes: webhooks, dates, and cancelling what nobody pays."""

import asyncio

from sandbox.shop import Shop
from sandbox.things import Order, OrderEvent, Product, StockCause
from sandbox.woocommerce.catalogue import Catalogue
from sandbox.woocommerce.webhooks import Hooks

HOLD_MINUTES = 60


class Watch:
    """Hears of every change in the shop."""

    def __init__(self, shop: Shop, catalogue: Catalogue, hooks: Hooks) -> None:
        self._shop = shop
        self._catalogue = catalogue
        self._hooks = hooks

    def product_added(self, product: Product) -> None:
        self._catalogue.add(product)
        self._hooks.fire("product.created", product.number)

    def order_changed(self, order: Order, event: OrderEvent) -> None:
        if event is OrderEvent.PLACED:
            self._hooks.fire("order.created", order.number)
            if not order.paid_at:
                asyncio.get_running_loop().call_later(HOLD_MINUTES * 60, self._give_up, order)
        self._hooks.fire("order.updated", order.number)

    def stock_changed(self, product: Product, _cause: StockCause) -> None:
        self._catalogue.changed(product)
        self._hooks.fire("product.updated", product.number)

    def _give_up(self, order: Order) -> None:
        if not order.paid_at:
            self._shop.cancel(order.number)
