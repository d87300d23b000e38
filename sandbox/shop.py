"""One shop in memory: its catalogue, its own stock counter and its orders, whatever platform shows them.

How a platform plugs in. ``sandbox/<platform>`` exposes ``build(shop: Shop) -> Storefront``. ``build`` sets
``shop.unpaid_units`` and what else differs, calls ``shop.watch(watcher)`` to hear of changes (and queue webhooks with
``shop.deliveries``), and answers with the ASGI app of the platform's routes, the credentials a client needs, and how
the platform says "slow down" and "I failed". The frame around it adds delays, faults, the outage, the Date header and
the journal's ``answered_at``. Platform routes change stock through ``write_stock`` only, and through ``later`` where
the platform applies writes after its answer.

Everything here runs on the event loop's thread and never awaits: one method call is one atomic step. So endpoints must
be ``async def`` (a plain ``def`` runs in another thread) and must not await between reading a number and writing it.
Orders and lines carry plain numbers; control API and journal show them as decimal text, whatever ids the platform wraps
around them.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp

from sandbox import addresses
from sandbox.addresses import Address
from sandbox.deliveries import Deliveries
from sandbox.faults import Faults
from sandbox.journal import Journal
from sandbox.things import (
    ByChange,
    Line,
    Order,
    OrderEvent,
    Product,
    Refund,
    RefundedLine,
    Refused,
    StockCause,
    UnpaidUnits,
    Watcher,
)


def slow_down() -> Response:
    return PlainTextResponse("Too Many Requests", status_code=429, headers={"Retry-After": "1"})


def broken() -> Response:
    return HTMLResponse("<html><body><h1>500 Internal Server Error</h1></body></html>", status_code=500)


@dataclass(frozen=True, slots=True)
class Storefront:
    """What a platform module hands to the frame. ``credentials`` are the connector's own names."""

    app: ASGIApp
    credentials: Mapping[str, str] = field(repr=False)
    throttled: Callable[[], Response] = slow_down
    failed: Callable[[], Response] = broken


@dataclass(frozen=True, slots=True)
class Wish:
    """A checkout line: the shopper wants ``quantity`` (>= 1) of ``sku``."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Served:
    """What became of a wish; ``line`` is None when nothing could be sold."""

    wish: Wish
    line: Line | None


class Shop:
    """``url`` is where the shop answers, without a slash.

    ``build`` sets ``unpaid_units``, ``name_prefix`` (before order numbers, such as "#") and
    ``cancel_returns_written_off`` (a cancel also puts back what refunds had written off: WooCommerce).
    """

    def __init__(
        self, name: str, url: str, seed: str, faults: Faults, deliveries: Deliveries, journal: Journal
    ) -> None:
        self.name = name
        self._seed = seed
        self.url = url
        self.faults = faults
        self.deliveries = deliveries
        self.journal = journal
        self.unpaid_units = UnpaidUnits.TAKEN
        self.name_prefix = ""
        self.cancel_returns_written_off = False
        self.products: ByChange[Product] = ByChange()
        self.orders: ByChange[Order] = ByChange()
        self.writes_pending = 0
        self._by_sku: dict[str, Product] = {}
        self._watchers: list[Watcher] = []
        self._last_number = 1000
        self._last_line = 0

    def watch(self, watcher: Watcher) -> None:
        self._watchers.append(watcher)

    def token(self, label: str) -> str:
        """64 hex digits, always the same for one seed and label: for keys, secrets and hashes of this shop."""
        return hashlib.sha256(f"{self._seed}/{label}".encode()).hexdigest()

    def new_number(self) -> int:
        """Products, orders and refunds share one sequence, so a number never means two things."""
        self._last_number += 1
        return self._last_number

    def product(self, sku: str) -> Product | None:
        """By SKU; codes that differ only in case are one product."""
        return self._by_sku.get(sku.casefold())

    def add_product(self, sku: str, title: str, stock: int) -> Product:
        if self.product(sku):
            raise Refused(f"sku {sku!r} exists already")
        now = datetime.now(UTC)
        product = Product(self.new_number(), sku, title, stock, now, now)
        self._by_sku[sku.casefold()] = product
        self.products.touch(product, now)
        self.journal.write(self.name, "opening", sku=sku, quantity=stock)
        for watcher in self._watchers:
            watcher.product_added(product)
        return product

    def checkout(
        self, reference: str, paid: bool, wishes: Sequence[Wish], city: str | None = None
    ) -> tuple[Order | None, list[Served]]:
        """Sell what is left of each line in order and refuse the rest; no order when nothing could be sold.

        Args: city: where it goes, '' for nowhere: the shopper comes for it; None: where the next shopper lives.
        Raises: Refused for a city where nobody lives.
        """
        ship_to = self._address(city)
        now = datetime.now(UTC)
        served = [Served(wish, self._sell(wish, paid)) for wish in wishes]
        lines = [each.line for each in served if each.line]
        if not lines:
            return None, served
        number = self.new_number()
        name = f"{self.name_prefix}{number}"
        order = Order(number, name, reference, lines, now, now, ship_to, now if paid else None)
        self._journal_order("sale", order, self._counted(lines), number=order.name, reference=reference)
        self.faults.order_placed()
        self._changed(order, OrderEvent.PLACED, [line for line in lines if line.taken])
        return order, served

    def _address(self, city: str | None) -> Address | None:
        if city is None:
            return addresses.ADDRESSES[len(self.orders) % len(addresses.ADDRESSES)]
        if not city:
            return None
        found = addresses.of(city)
        if found is None:
            raise Refused(f"nobody lives in {city}; say one of {', '.join(one.city for one in addresses.ADDRESSES)}")
        return found

    def pay(self, number: int) -> Order:
        """Raises: Refused when the order is cancelled, or FREE units ran out meanwhile. Twice is once."""
        order = self._open_order(number)
        if order.paid_at:
            return order
        if self.unpaid_units is UnpaidUnits.FREE:
            self._refuse_oversell(order)
        for line in order.lines:
            self._take_unpaid(line)
        order.paid_at = datetime.now(UTC)
        self._journal_order("pay", order)
        self._changed(order, OrderEvent.PAID, [] if self.unpaid_units is UnpaidUnits.TAKEN else order.lines)
        return order

    def fulfil(self, number: int) -> list[tuple[Line, int]]:
        """Ship all that is unshipped; returns the lines with the units shipped now."""
        order = self._open_order(number)
        if not order.paid_at and self.unpaid_units is not UnpaidUnits.TAKEN:
            raise Refused(f"order {number} is not paid")
        shipped = [(line, line.unshipped) for line in order.lines if line.unshipped]
        if not shipped:
            return []
        for line, quantity in shipped:
            line.fulfilled += quantity
            line.product.committed -= quantity
        order.fulfilled_at = datetime.now(UTC)
        self._journal_order("fulfil", order, shipped)
        self._changed(order, OrderEvent.FULFILLED, [])
        return shipped

    def cancel(self, number: int) -> list[tuple[Line, int]]:
        """Put back what the order holds; returns the lines with the units released. Twice is once.

        Raises: Refused when a unit was shipped.
        """
        order = self.order(number)
        if order.cancelled_at:
            return []
        if any(line.fulfilled for line in order.lines):
            raise Refused(f"order {number} was shipped; refund it instead")
        counted = [line for line in order.lines if line.taken]
        released = [(line, self._release(line)) for line in order.lines]
        released = [(line, quantity) for line, quantity in released if quantity]
        order.cancelled_at = datetime.now(UTC)
        self._journal_order("cancel", order, released)
        self._changed(order, OrderEvent.CANCELLED, counted)
        return released

    def refund(self, number: int, wanted: Mapping[str, int], restock: bool) -> Refund | None:
        """Refund up to ``wanted`` units per SKU over the order's lines, unshipped units first; None when none was left.

        Raises: Refused when the order is cancelled, or has never been paid on a platform where that leaves nothing to
        refund.
        """
        order = self._open_order(number)
        if not order.paid_at and self.unpaid_units is not UnpaidUnits.TAKEN:
            raise Refused(f"order {number} is not paid")
        left = {sku.casefold(): quantity for sku, quantity in wanted.items()}
        parts: list[RefundedLine] = []
        for line in order.lines:
            quantity = min(left.get(line.product.sku.casefold(), 0), line.refundable)
            if quantity:
                left[line.product.sku.casefold()] -= quantity
                parts.append(self._take_back(line, quantity, restock))
        if not parts:
            return None
        refund = Refund(self.new_number(), datetime.now(UTC), restock, tuple(parts))
        order.refunds.append(refund)
        self._journal_order("refund", order, [(part.line, part.quantity) for part in parts], restock=restock)
        self._changed(order, OrderEvent.REFUNDED, [part.line for part in parts] if restock else [])
        return refund

    def write_stock(self, product: Product, quantity: int) -> None:
        """A write through the platform's API takes effect now."""
        before, product.stock = product.stock, quantity
        self.journal.write(self.name, "stock_write", sku=product.sku, before=before, after=quantity)
        self._stock_changed(product, StockCause.WRITE)

    def edit_stock(self, product: Product, quantity: int) -> None:
        """A person changes the number in the shop's admin."""
        before, product.stock = product.stock, quantity
        self.journal.write(self.name, "foreign_edit", sku=product.sku, before=before, after=quantity)
        self._stock_changed(product, StockCause.EDIT)

    def later(self, wait_s: float, act: Callable[[], None]) -> None:
        """Let a write take effect after ``wait_s``; it counts as pending and still belongs to the call that asked."""
        self.writes_pending += 1

        def run() -> None:
            self.writes_pending -= 1
            act()

        asyncio.get_running_loop().call_later(wait_s, run)

    def order(self, number: int) -> Order:
        order = self.orders.get(number)
        if order is None:
            raise Refused(f"no order {number}")
        return order

    def _open_order(self, number: int) -> Order:
        order = self.order(number)
        if order.cancelled_at:
            raise Refused(f"order {number} is cancelled")
        return order

    def _sell(self, wish: Wish, paid: bool) -> Line | None:
        product = self.product(wish.sku)
        quantity = min(product.on_sale, wish.quantity) if product else 0
        if product is None or quantity < 1:
            return None
        self._last_line += 1
        line = Line(self._last_line, product, quantity)
        product.sold += quantity
        if paid or self.unpaid_units is UnpaidUnits.TAKEN:
            self._take(line, quantity)
        elif self.unpaid_units is UnpaidUnits.HIDDEN:
            line.hidden = quantity
            product.withheld += quantity
        return line

    def _take(self, line: Line, quantity: int) -> None:
        line.taken += quantity
        line.product.stock -= quantity
        line.product.committed += quantity

    def _take_unpaid(self, line: Line) -> None:
        if self.unpaid_units is UnpaidUnits.TAKEN:
            return
        line.product.withheld -= line.hidden
        line.hidden = 0
        self._take(line, line.quantity)

    def _refuse_oversell(self, order: Order) -> None:
        wanted: dict[Product, int] = {}
        for line in order.lines:
            wanted[line.product] = wanted.get(line.product, 0) + line.quantity
        short = [product.sku for product, quantity in wanted.items() if product.on_sale < quantity]
        if short:
            raise Refused(f"out of stock meanwhile: {', '.join(short)}")

    def _release(self, line: Line) -> int:
        back = line.taken if self.cancel_returns_written_off else line.taken - line.written_off
        released = back + line.hidden
        line.product.stock += back
        line.product.committed -= line.unshipped if line.taken else 0
        line.product.withheld -= line.hidden
        line.taken -= back
        line.hidden = 0
        return released

    def _take_back(self, line: Line, quantity: int, restock: bool) -> RefundedLine:
        removed = min(quantity, line.unshipped)
        line.removed += removed
        line.returned += quantity - removed
        line.product.committed -= removed
        if restock:
            line.restocked += quantity
            line.taken -= quantity
            line.product.stock += quantity
        else:
            line.written_off += removed
        return RefundedLine(line, removed, quantity - removed)

    def _changed(self, order: Order, event: OrderEvent, lines: Sequence[Line]) -> None:
        """Tell of the order, then of each product on ``lines`` once."""
        self.orders.touch(order, datetime.now(UTC))
        for watcher in self._watchers:
            watcher.order_changed(order, event)
        for product in dict.fromkeys(line.product for line in lines):
            self._stock_changed(product, StockCause.ORDER)

    def _stock_changed(self, product: Product, cause: StockCause) -> None:
        self.products.touch(product, datetime.now(UTC))
        for watcher in self._watchers:
            watcher.stock_changed(product, cause)

    def _counted(self, lines: Sequence[Line]) -> list[tuple[Line, int]]:
        return [(line, line.quantity) for line in lines]

    def _journal_order(
        self, kind: str, order: Order, lines: Sequence[tuple[Line, int]] | None = None, **facts: object
    ) -> None:
        if lines is not None:
            facts["lines"] = [
                {"line_id": str(line.number), "sku": line.product.sku, "quantity": quantity} for line, quantity in lines
            ]
        self.journal.write(self.name, kind, order_id=str(order.number), **facts)
