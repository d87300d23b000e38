"""Read-only views of listings: what each sells, in which pack and grade, and the rules that hold for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.selling import facts
from core.selling.availability import Facts, number_to_write
from core.selling.rulebook import INHERITED, Value
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class ListingView:
    """One listing of a store.

    ``item``     SKU of what it sells; empty while it is not mapped.
    ``kind``     of that item: plain, bundle or kit.
    ``number``   what the store should show; None while that is nobody's to say.
    ``shown``    what it is believed to show.
    ``rules``    those that hold, where somebody set them; ``set_by``: whose they are.
    """

    external_id: str
    sku: str
    title: str
    item: str
    kind: str
    pack_size: int
    grade: str
    number: int | None
    shown: int | None
    parked: str
    rules: Mapping[str, Value]
    set_by: Mapping[str, str]


def listing_views(tx: Transaction, store_id: int, *, listing_id: int | None = None) -> list[ListingView]:
    """All listings of a store by its own ids, or one of them."""
    source = """SELECT l.*, coalesce(i.sku, '') AS item_sku, coalesce(i.kind, '') AS kind FROM listing l
        LEFT JOIN item i ON i.merchant_id = :merchant_id AND i.id = l.item_id
        WHERE l.merchant_id = :merchant_id AND l.store_id = :store_id
          AND (CAST(:listing_id AS bigint) IS NULL OR l.id = :listing_id)"""
    found = facts.read(tx, source, store_id=store_id, listing_id=listing_id)
    return [_view(row, told) for row, told in sorted(found, key=lambda one: one[0].external_id)]


def _view(row: Any, told: Facts) -> ListingView:
    counts = row.item_id is not None and not row.untracked_reason
    return ListingView(
        external_id=row.external_id,
        sku=row.sku,
        title=row.title,
        item=row.item_sku,
        kind=row.kind,
        pack_size=row.pack_size,
        grade=row.grade,
        number=number_to_write(told) if counts else None,
        shown=row.believed,
        parked=row.untracked_reason or row.quarantine_reason,
        rules={name: getattr(told.rules, name) for name in INHERITED if name in told.rules.set_by},
        set_by={name: str(scope) for name, scope in told.rules.set_by.items()},
    )
