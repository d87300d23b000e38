"""What a BigCommerce store knows beyond the shop: its ids, secrets, settings and hooks."""

from dataclasses import dataclass, field
from itertools import count

from sandbox.shop import Shop
from sandbox.things import Product

LOCATION_ID = 1
_VARIANTS_FROM = 500_000


@dataclass(slots=True)
class Hook:
    id: int
    scope: str
    destination: str
    headers: dict[str, str]
    is_active: bool
    created_at: int
    updated_at: int


@dataclass(slots=True)
class State:
    shop: Shop
    store_hash: str = "sandbox1"
    store_id: int = 1025646
    access_token: str = field(default="sandbox-access-token", repr=False)
    client_secret: str = field(default="sandbox-client-secret", repr=False)
    client_id: str = "sandbox-client-id"
    hooks: dict[int, Hook] = field(default_factory=dict)
    ids: "count[int]" = field(default_factory=lambda: count(20_000_001))

    def variant_id(self, product: Product) -> int:
        """The hidden base variant of a simple product."""
        return product.number + _VARIANTS_FROM

    def by_variant(self, variant_id: int) -> Product | None:
        return self.shop.products.get(variant_id - _VARIANTS_FROM)
