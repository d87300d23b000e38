"""A model storefront: its own stock counter and orders, and what is done there. It knows nothing of the hub.

Each shop counts its own number down the moment it sells, by its own clock, and tells of it by a hint that may be lost.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


class Unpaid(Enum):
    """What a shop does with the units of an order that nobody has paid for yet."""

    TAKEN = "off its number at once"
    HIDDEN = "in its number, and hidden from shoppers"
    FREE = "still on sale"


@dataclass(slots=True)
class Line:
    """Units of one listing. ``taken``: off the shop's number for this line; ``hidden``: see ``Unpaid``."""

    line_id: str
    sku: str
    quantity: int
    cancelled: int = 0
    written_off: int = 0
    shipped: int = 0
    returned: int = 0
    taken: int = 0
    hidden: int = 0

    @property
    def open(self) -> int:
        return self.quantity - self.cancelled - self.written_off - self.shipped


@dataclass(slots=True)
class Order:
    number: str
    placed_at: datetime
    lines: list[Line]
    paid: bool
    changed_at: datetime
    version: int = 0
    is_deleted: bool = False
    takes: str = ""  # of the merchant's own shop: the key of the hold that became this order

    @property
    def is_ours(self) -> bool:
        """Our own warehouses pack it; who sends the others tells the shop alone."""
        return int(self.number) % 2 == 0

    @property
    def is_untouched(self) -> bool:
        """No unit has shipped or was written off."""
        return not any(line.shipped or line.written_off for line in self.lines)


@dataclass(slots=True)
class Product:
    """``number`` is the shop's own count, ``withheld`` the part of it that shoppers do not see."""

    number: int = 0
    withheld: int = 0

    @property
    def on_sale(self) -> int:
        return max(self.number - self.withheld, 0)


# Per line: its SKU, and the units of it that had shipped and that had come back.
Facts = dict[str, tuple[str, int, int]]


@dataclass(slots=True)
class Shop:
    """``clock`` is the shop's own. ``tell`` is called with the number of an order that has just changed, ``after`` does
    something so many seconds later.
    """

    name: str
    unpaid: Unpaid
    clock: Callable[[], datetime]
    tell: Callable[[str], None]
    after: Callable[[float, Callable[[], None]], None]
    products: dict[str, Product]
    orders: dict[str, Order] = field(default_factory=dict)
    writes_pending: int = 0
    # What an order had shipped and taken back in each version that anybody may have fetched.
    past: dict[tuple[str, str], Facts] = field(default_factory=dict)
    _lines: int = 0

    def checkout(self, wishes: Sequence[tuple[str, int]], paid: bool) -> Order | None:
        """Sell what is left of each wish; None when nothing is."""
        lines = []
        for sku, wanted in wishes:
            units = min(wanted, self.products[sku].on_sale)
            if units:
                self._lines += 1
                line = Line(f"{self._lines}", sku, units)
                self._hold(line, units, paid)
                lines.append(line)
        if not lines:
            return None
        now = self.clock()
        order = Order(f"{1001 + len(self.orders)}", now, lines, paid, now)
        self.orders[order.number] = order
        self._changed(order)
        return order

    def pay(self, order: Order) -> bool:
        """False when units that were never held are gone meanwhile."""
        wanted: dict[str, int] = {}
        for line in order.lines:
            wanted[line.sku] = wanted.get(line.sku, 0) + line.open
        if self.unpaid is Unpaid.FREE and any(self.products[sku].on_sale < n for sku, n in wanted.items()):
            return False
        for line in order.lines:
            self.products[line.sku].withheld -= line.hidden
            missing = line.open - line.taken
            line.hidden = 0
            if self.unpaid is not Unpaid.TAKEN and missing > 0:
                self._take(line, missing)
        order.paid = True
        self._changed(order)
        return True

    def add_units(self, order: Order, line: Line, units: int) -> bool:
        """Edit an order upwards; False when the shop has not that many on sale."""
        if self.products[line.sku].on_sale < units:
            return False
        line.quantity += units
        self._hold(line, units, order.paid)
        self._changed(order)
        return True

    def drop_units(self, order: Order, line: Line, units: int, *, edited: bool) -> None:
        """Units that have not left will not: taken out of the order (``edited``), or cancelled in it."""
        if edited:
            line.quantity -= units
        else:
            line.cancelled += units
        self._put_back(line, units)
        if not line.quantity:
            order.lines.remove(line)
        self._changed(order)

    def unpay(self, order: Order) -> None:
        """The payment is taken back; the units stay held."""
        order.paid = False
        self._changed(order)

    def reopen(self, order: Order, line: Line) -> bool:
        """What was cancelled of a line is wanted after all."""
        units = line.cancelled
        if self.products[line.sku].on_sale < units:
            return False
        line.cancelled = 0
        self._hold(line, units, order.paid)
        self._changed(order)
        return True

    def cancel(self, order: Order) -> None:
        """The whole of an untouched order."""
        for line in order.lines:
            units = line.open
            line.cancelled += units
            self._put_back(line, units)
        self._changed(order)

    def write_off(self, order: Order, line: Line, units: int) -> None:
        """Refund units that have not left, without putting them back on sale."""
        line.written_off += units
        self._changed(order)

    def mend(self, order: Order, line: Line) -> None:
        """What was written off goes back on sale after all."""
        units = line.written_off
        line.written_off, line.cancelled = 0, line.cancelled + units
        self._put_back(line, units)
        self._changed(order)

    def fulfil(self, order: Order, line: Line, units: int) -> None:
        line.shipped += units
        self._changed(order)

    def take_back(self, order: Order, line: Line, units: int) -> None:
        """Refund units that had left, back on the shelf."""
        line.returned += units
        self._put_back(line, units)
        self._changed(order)

    def delete(self, order: Order) -> None:
        """The order is gone without a trace; the number of the shop stays as it is."""
        for line in order.lines:
            self.products[line.sku].withheld -= line.hidden
        order.is_deleted = True
        self._changed(order)

    def write(self, sku: str, number: int) -> None:
        """The number becomes this, whoever wants it so."""
        self.products[sku].number = number

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do what was answered already."""
        self.writes_pending += 1

        def do() -> None:
            self.writes_pending -= 1
            act()

        self.after(seconds, do)

    def version_of(self, order: Order) -> str:
        return "deleted" if order.is_deleted else str(order.version)

    def living(self) -> Iterator[Order]:
        return (order for order in self.orders.values() if not order.is_deleted)

    def _changed(self, order: Order) -> None:
        order.version += 1
        order.changed_at = self.clock()
        self.past[order.number, self.version_of(order)] = {
            line.line_id: (line.sku, line.shipped, line.returned) for line in order.lines
        }
        self.tell(order.number)

    def _hold(self, line: Line, units: int, paid: bool) -> None:
        if paid or self.unpaid is Unpaid.TAKEN:
            self._take(line, units)
        elif self.unpaid is Unpaid.HIDDEN:
            line.hidden += units
            self.products[line.sku].withheld += units

    def _take(self, line: Line, units: int) -> None:
        line.taken += units
        self.products[line.sku].number -= units

    def _put_back(self, line: Line, units: int) -> None:
        hidden = min(units, line.hidden)
        line.hidden -= hidden
        self.products[line.sku].withheld -= hidden
        taken = min(units - hidden, line.taken)
        line.taken -= taken
        self.products[line.sku].number += taken


class OwnShop(Shop):
    """The merchant's own: it asks for holds instead of counting, and numbers the states of its orders."""

    _drafts: int = 0

    def draft(self, wishes: Sequence[tuple[str, int]]) -> Order:
        """An order that somebody may place."""
        self._drafts += 1
        lines = [Line(f"{self._drafts}-{nth}", sku, units) for nth, (sku, units) in enumerate(wishes)]
        now = self.clock()
        return Order(f"{1000 + self._drafts}", now, lines, False, now)

    def place(self, order: Order, *, paid: bool, takes: str = "") -> None:
        order.paid, order.takes = paid, takes
        self.orders[order.number] = order
        self._changed(order)

    def version_of(self, order: Order) -> str:
        return str(order.version)
