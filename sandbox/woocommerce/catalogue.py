"""Simple products, and variable parents whose variations count their own stock.

Every 40th product is a variation and a parent holds up to ten: each parent's numbers cost a call of their own, so this
share decides how many calls a push takes.
"""

from dataclasses import dataclass, field
from datetime import datetime

from sandbox.shop import Shop
from sandbox.things import ByChange, Product

VARIATION_EVERY = 40
VARIATIONS_PER_PARENT = 10


@dataclass(slots=True, eq=False)
class Parent:
    """A variable product: not sold itself, counts nothing, has no SKU."""

    number: int
    title: str
    created_at: datetime
    changed_at: datetime
    variations: list[Product] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Variation:
    product: Product
    parent: Parent


Row = Product | Parent


class Catalogue:
    """``rows`` are what the product list shows, in order of id; ``variations`` are not among them."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._added = 0
        self._parents: dict[int, Parent] = {}
        self._open_parent: Parent | None = None
        self.rows: ByChange[Row] = ByChange()
        self.variations: ByChange[Product] = ByChange()

    def add(self, product: Product) -> None:
        self._added += 1
        if self._added % VARIATION_EVERY:
            self.rows.touch(product, product.changed_at)
            return
        parent = self._parent_with_room(product.created_at)
        parent.variations.append(product)
        self._parents[product.number] = parent
        self.changed(product)

    def changed(self, product: Product) -> None:
        """A product's number or date moved; a variation moves its parent's date too."""
        parent = self._parents.get(product.number)
        if parent is None:
            self.rows.touch(product, product.changed_at)
            return
        self.variations.touch(product, product.changed_at)
        self.rows.touch(parent, product.changed_at)

    def parent_of(self, product: Product) -> Parent | None:
        return self._parents.get(product.number)

    def by_sku(self, sku: str) -> Product | None:
        """Exact, as the list's ``sku`` filter is."""
        product = self._shop.product(sku)
        return product if product and product.sku == sku else None

    def _parent_with_room(self, now: datetime) -> Parent:
        parent = self._open_parent
        if parent is None or len(parent.variations) >= VARIATIONS_PER_PARENT:
            number = self._shop.new_number()
            parent = self._open_parent = Parent(number, f"Assortment {number}", now, now)
            self.rows.touch(parent, now)
        return parent
