"""Products, orders and their lines, as every platform's shop keeps them. Counts are whole sale units."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from sandbox.addresses import Address


class Refused(Exception):
    """The shop does not do this; the text says why."""


class UnpaidUnits(StrEnum):
    """What an unpaid order does to the shop's own number.

    TAKEN: off it at once (Shopify). HIDDEN: still in it, but no shopper sees them until the order is paid or cancelled
    (WooCommerce). FREE: nothing is held until the payment, which is refused when too little is left (BigCommerce).
    """

    TAKEN = "taken"
    HIDDEN = "hidden"
    FREE = "free"


class OrderEvent(StrEnum):
    PLACED = "placed"
    PAID = "paid"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


class StockCause(StrEnum):
    """Why a product's number changed."""

    ORDER = "order"
    WRITE = "write"
    EDIT = "edit"


@dataclass(slots=True, eq=False)
class Product:
    """One sellable thing.

    ``stock`` is the number the platform keeps (may fall below 0). ``withheld`` of them are not offered to shoppers:
    units hidden by unpaid orders, or a safety stock the platform module added. ``committed``: taken off ``stock`` by
    orders and still in the house.
    """

    number: int
    sku: str
    title: str
    stock: int
    created_at: datetime
    changed_at: datetime
    withheld: int = 0
    committed: int = 0
    sold: int = 0

    @property
    def on_sale(self) -> int:
        return max(self.stock - self.withheld, 0)


@dataclass(slots=True, eq=False)
class Line:
    """One line of an order.

    ``quantity`` is what was sold and never changes. ``removed`` were refunded before shipping, ``written_off`` of them
    without going back on sale; ``fulfilled`` were shipped, ``returned`` of them refunded. ``taken``: units the shop's
    own number has lost for this line, net of what it put back. ``hidden``: units kept from shoppers, still in the
    number. ``restocked``: units that refunds put back.
    """

    number: int
    product: Product
    quantity: int
    fulfilled: int = 0
    removed: int = 0
    written_off: int = 0
    returned: int = 0
    taken: int = 0
    hidden: int = 0
    restocked: int = 0

    @property
    def unshipped(self) -> int:
        return self.quantity - self.removed - self.fulfilled

    @property
    def refundable(self) -> int:
        return self.quantity - self.removed - self.returned


@dataclass(frozen=True, slots=True)
class RefundedLine:
    """``removed`` units had not been shipped, ``returned`` had."""

    line: Line
    removed: int
    returned: int

    @property
    def quantity(self) -> int:
        return self.removed + self.returned


@dataclass(frozen=True, slots=True)
class Refund:
    number: int
    at: datetime
    restock: bool
    lines: tuple[RefundedLine, ...]


@dataclass(slots=True, eq=False)
class Order:
    """One order as it stands now; ``reference`` is the shopper's own word for it and is not shown by any API.

    ``ship_to``: None when the shopper comes for the goods.
    """

    number: int
    name: str
    reference: str
    lines: list[Line]
    placed_at: datetime
    changed_at: datetime
    ship_to: Address | None
    paid_at: datetime | None = None
    fulfilled_at: datetime | None = None
    cancelled_at: datetime | None = None
    refunds: list[Refund] = field(default_factory=list)

    @property
    def wholly_refunded(self) -> bool:
        return bool(self.refunds) and not any(line.refundable for line in self.lines)


class Watcher(Protocol):
    """A platform module hears of every change right after it happened, before anything else can happen."""

    def product_added(self, product: Product) -> None: ...

    def order_changed(self, order: Order, event: OrderEvent) -> None: ...

    def stock_changed(self, product: Product, cause: StockCause) -> None:
        """``product.stock`` moved, or was written with the number it already had."""


class Changing(Protocol):
    number: int
    changed_at: datetime


T = TypeVar("T", bound=Changing)


class ByChange(Generic[T]):
    """Things by number that also remember in which order they changed last."""

    def __init__(self) -> None:
        self._things: dict[int, T] = {}
        self._recent: OrderedDict[int, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._things)

    def __iter__(self) -> Iterator[T]:
        """In order of number, lowest first."""
        return iter(self._things.values())

    def get(self, number: int) -> T | None:
        return self._things.get(number)

    def touch(self, thing: T, now: datetime) -> None:
        """Add the thing or mark it as changed."""
        thing.changed_at = now
        self._things.setdefault(thing.number, thing)
        self._recent[thing.number] = thing
        self._recent.move_to_end(thing.number)

    def changed_since(self, moment: datetime) -> list[T]:
        """Those with ``changed_at`` at or after ``moment``, oldest change first; costs only as much as it answers."""
        found: list[T] = []
        for thing in reversed(self._recent.values()):
            if thing.changed_at < moment:
                break
            found.append(thing)
        found.reverse()
        return found
