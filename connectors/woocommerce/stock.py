"""Reading the numbers a shop shows now: one call per 100 rows where the shop allows it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from core.errors import Malformed, Rejected
from core.model import ListingRef, ObservedLevel

from .rows import STOCK_FIELDS, Product, parse_list
from .shop import Shop
from .translate import split_external_id, whole_stock

PAGE = 100
Thing = TypeVar("Thing")


def chunks(things: Sequence[Thing], size: int) -> Iterator[Sequence[Thing]]:
    for start in range(0, len(things), size):
        yield things[start : start + size]


@dataclass(frozen=True, slots=True)
class Reading:
    """Rows by external id, without those the shop does not have. ``read_at`` is the shop's time of the last answer."""

    rows: Mapping[str, Product]
    read_at: datetime


class StockReader:
    """Finds products and variations by id, and remembers what this shop has taught us.

    Namely whether it can list variations across products (since WooCommerce 10.3), and which variations sell from
    their parent's number.
    """

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._has_variations_route = True
        self._pools: dict[int, bool] = {}

    def read(self, external_ids: Sequence[str]) -> Reading:
        """Products and variations by external id, at least one; in as few calls as the shop allows."""
        pairs = [split_external_id(one) for one in external_ids]
        found: dict[str, Product] = {}
        times: list[datetime] = []
        simple = [product for product, variation in pairs if not variation]
        for product, row in self._read("products", simple, times).items():
            found[str(product)] = row
        found |= self._variations([pair for pair in pairs if pair[1]], times)
        if not times:
            raise Malformed("no listing to read")
        return Reading(found, max(times))

    def pooled(self, pairs: Sequence[tuple[int, int]]) -> frozenset[int]:
        """Those of the variations, given as (product id, variation id), that sell from their parent's number."""
        unknown = [pair for pair in pairs if pair[1] not in self._pools]
        self._variations(unknown, [])
        for _, variation in unknown:
            self._pools.setdefault(variation, False)
        return frozenset(variation for _, variation in pairs if self._pools[variation])

    def _variations(self, pairs: Sequence[tuple[int, int]], times: list[datetime]) -> dict[str, Product]:
        rows = self._across_products(pairs, times) if self._has_variations_route else None
        if rows is None:
            rows = self._product_by_product(pairs, times)
        self._pools |= {row.id: row.manage_stock == "parent" for row in rows.values()}
        return {f"{product}/{variation}": rows[variation] for product, variation in pairs if variation in rows}

    def _across_products(self, pairs: Sequence[tuple[int, int]], times: list[datetime]) -> dict[int, Product] | None:
        try:
            return self._read("variations", [variation for _, variation in pairs], times)
        except Rejected as fault:
            if fault.status != 404:
                raise
            self._has_variations_route = False
            return None

    def _product_by_product(self, pairs: Sequence[tuple[int, int]], times: list[datetime]) -> dict[int, Product]:
        of_product: dict[int, list[int]] = defaultdict(list)
        for product, variation in pairs:
            of_product[product].append(variation)
        found: dict[int, Product] = {}
        for product in self._read("products", list(of_product), times):
            found |= self._read(f"products/{product}/variations", of_product[product], times)
        return found

    def _read(self, endpoint: str, ids: Sequence[int], times: list[datetime]) -> dict[int, Product]:
        found: dict[int, Product] = {}
        for some in chunks(ids, PAGE):
            include = ",".join(str(one) for one in some)
            answer = self._shop.get(endpoint, {"include": include, "per_page": PAGE, "_fields": STOCK_FIELDS})
            found |= {row.id: row for row in parse_list(Product, answer.content)}
            times.append(answer.answered_at)
        return found


def read_levels(reader: StockReader, listings: Sequence[ListingRef]) -> Sequence[ObservedLevel]:
    """The numbers the shop shows now, same order as asked."""
    if not listings:
        return ()
    reading = reader.read([listing.external_id for listing in listings])
    return [
        ObservedLevel(
            listing.listing_id,
            whole_stock(reading.rows[listing.external_id])[0] if listing.external_id in reading.rows else None,
            reading.read_at,
        )
        for listing in listings
    ]
