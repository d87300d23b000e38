"""What the shops have sold and not yet taken back or shipped: which earlier order does a cancellation undo? Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from drills.plan import Wanted


@dataclass(slots=True, eq=False)
class Sold:
    """An order as a shop took it; ``left`` are the units it still holds, by SKU, all above 0."""

    reference: str
    shop: str
    order_id: str
    left: dict[str, int]


@dataclass(frozen=True, slots=True)
class Takeback:
    """Units of one order that come back; ``whole``: then it holds nothing any more."""

    order: Sold
    units: Mapping[str, int]
    whole: bool


@dataclass(slots=True)
class OrdersBook:
    """Orders by reference and, per SKU, in the order of their sale."""

    _orders: dict[str, Sold] = field(default_factory=dict)
    _by_sku: dict[str, list[Sold]] = field(default_factory=dict)

    def add(self, order: Sold, *, refundable: bool) -> None:
        """Note a sale; no cancellation finds it before it is ``refundable``, that is paid."""
        self._orders[order.reference] = order
        if refundable:
            self.refundable(order)

    def refundable(self, order: Sold) -> None:
        for sku in order.left:
            self._by_sku.setdefault(sku, []).append(order)

    def find(self, reference: str) -> Sold | None:
        return self._orders.get(reference)

    def close(self, order: Sold) -> None:
        """Its units left the house or came back: no cancellation finds them any more."""
        for sku in order.left:
            self._by_sku[sku].remove(order)
        order.left.clear()

    def match(self, lines: Sequence[Wanted]) -> tuple[list[Takeback], list[Wanted]]:
        """Find where these units were sold: the newest order that still holds them all, else the newest per item.

        Returns: what to take back from which order, one per order; and what no single order holds enough of.
        Nothing changes until ``take``.
        """
        wanted: Counter[str] = Counter()
        for line in lines:
            wanted[line.sku] += line.quantity
        whole = self._newest(wanted)
        if whole:
            return [_takeback(whole, wanted)], []
        parts: dict[str, tuple[Sold, dict[str, int]]] = {}
        unmatched = []
        for sku, quantity in wanted.items():
            order = self._newest({sku: quantity})
            if order:
                parts.setdefault(order.reference, (order, {}))[1][sku] = quantity
            else:
                unmatched.append(Wanted(sku, quantity))
        return [_takeback(order, units) for order, units in parts.values()], unmatched

    def take(self, order: Sold, units: Mapping[str, int]) -> None:
        """Note that these units came back."""
        for sku, quantity in units.items():
            order.left[sku] -= quantity
            if order.left[sku] <= 0:
                del order.left[sku]
                self._by_sku[sku].remove(order)

    def _newest(self, units: Mapping[str, int]) -> Sold | None:
        first = next(iter(units), "")
        for order in reversed(self._by_sku.get(first, ())):
            if all(order.left.get(sku, 0) >= quantity for sku, quantity in units.items()):
                return order
        return None


def _takeback(order: Sold, units: Mapping[str, int]) -> Takeback:
    return Takeback(order, dict(units), whole=dict(units) == order.left)
