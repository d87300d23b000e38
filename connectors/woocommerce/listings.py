"""The catalogue, page by page: products first, then variations.

A cursor is ``phase:page``. A variation that sells from its parent's number is no listing of its own: its parent is.
"""

from collections.abc import Iterable, Sequence

from core.errors import Rejected
from core.model import ListingPage, StoreListing

from .rows import PRODUCT_FIELDS, Product, parse_list
from .shop import Params, Shop
from .stock import PAGE
from .translate import to_listing

# Grouped products only show others, external ones are sold elsewhere; a variable one counts only when it manages stock.
_NOT_SOLD = frozenset({"grouped", "external"})
_PARENTS_PER_PAGE = 10


def list_page(shop: Shop, cursor: str | None) -> ListingPage:
    phase, _, number = (cursor or "products:1").partition(":")
    page = int(number)
    if phase == "products":
        return _products(shop, page)
    if phase == "variations":
        try:
            return _variations(shop, page)
        except Rejected as fault:
            if fault.status != 404:
                raise
            return _by_parent(shop, 1)
    return _by_parent(shop, page)


def _get_page(shop: Shop, endpoint: str, page: int, size: int = PAGE, **filters: str) -> tuple[list[Product], bool]:
    """The rows of one page, and whether there are more."""
    paging: Params = {"per_page": size, "page": page, "orderby": "id", "order": "asc", "_fields": PRODUCT_FIELDS}
    answer = shop.get(endpoint, {**paging, **filters})
    rows = parse_list(Product, answer.content)
    more = len(rows) == size and (answer.total is None or page * size < answer.total)
    return rows, more


def _products(shop: Shop, page: int) -> ListingPage:
    rows, more = _get_page(shop, "products", page)
    sold = [row for row in rows if row.type not in _NOT_SOLD and (row.type != "variable" or row.manage_stock is True)]
    return ListingPage([to_listing(row) for row in sold], f"products:{page + 1}" if more else "variations:1")


def _variations(shop: Shop, page: int) -> ListingPage:
    """All products' variations at once: WooCommerce 10.3 and newer."""
    rows, more = _get_page(shop, "variations", page)
    names = _names(shop, {row.parent_id for row in rows if row.manage_stock != "parent"})
    return ListingPage(_own_stock(rows, names), f"variations:{page + 1}" if more else None)


def _names(shop: Shop, parents: Iterable[int]) -> dict[int, str]:
    ids = sorted(parents)
    if not ids:
        return {}
    include = ",".join(str(one) for one in ids)
    answer = shop.get("products", {"include": include, "per_page": PAGE, "_fields": "id,name"})
    return {row.id: row.name or "" for row in parse_list(Product, answer.content)}


def _by_parent(shop: Shop, page: int) -> ListingPage:
    parents, more = _get_page(shop, "products", page, _PARENTS_PER_PAGE, type="variable")
    listings: list[StoreListing] = []
    for parent in parents:
        variations: list[Product] = []
        number, going_on = 1, True
        while going_on:
            rows, going_on = _get_page(shop, f"products/{parent.id}/variations", number)
            variations += rows
            number += 1
        listings += _own_stock(variations, {parent.id: parent.name or ""})
    return ListingPage(listings, f"parents:{page + 1}" if more else None)


def _own_stock(rows: Sequence[Product], names: dict[int, str]) -> list[StoreListing]:
    return [to_listing(row, names.get(row.parent_id, "")) for row in rows if row.manage_stock != "parent"]
