"""All that a file may be about."""

from collections.abc import Mapping

from core.errors import NotFound
from core.files import bundles, items, locks, purchases, receipts, stock, supplier_items, suppliers, transfers
from core.files.desk import Kind

_ALL = (
    items.KIND, bundles.KIND, suppliers.KIND, supplier_items.KIND, stock.KIND, purchases.KIND, receipts.KIND,
    transfers.KIND, locks.KIND,
)  # fmt: skip
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}


def kind_named(name: str) -> Kind:
    """Raises: NotFound."""
    if name not in KINDS:
        raise NotFound(f"there are no files of {name}; there are files of {', '.join(KINDS)}")
    return KINDS[name]
