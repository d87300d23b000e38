"""Global ids. Numbers exceed 2**53 and differ between a variant and its inventory item, as in real shops."""

from sandbox.things import Product

MAIN_LOCATION = 82_014_863_546
_VARIANTS = 9_100_000_000_000_000
_ITEMS = 9_300_000_000_000_000


def gid(kind: str, number: int) -> str:
    return f"gid://shopify/{kind}/{number}"


def number_in(global_id: str, kind: str) -> int | None:
    """The number of a global id of that kind; None for anything else."""
    head, _, number = global_id.rpartition("/")
    return int(number) if head == f"gid://shopify/{kind}" and number.isdecimal() else None


def kind_of(global_id: str) -> str:
    return global_id.removeprefix("gid://shopify/").partition("/")[0]


def variant_number(product: Product) -> int:
    return _VARIANTS + product.number


def item_number(product: Product) -> int:
    return _ITEMS + product.number


def product_number(item: int) -> int:
    """The product of an inventory item's number."""
    return item - _ITEMS
