"""The merchant's stores as a number sees them: which are live, what their rules say, how they share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.model import Sharing
from core.selling.rulebook import INHERITED, Rules, Scope, Told, Value, resolve
from core.transaction import Transaction

_CHANNELS = f"""
    SELECT m.sharing, m.share_below, s.id, s.live, {", ".join(f"s.{name}" for name in INHERITED)},
        (SELECT id FROM pool WHERE merchant_id = :merchant_id AND kind = 'shared') AS shared_pool_id,
        EXISTS (SELECT FROM component WHERE merchant_id = :merchant_id) AS has_bundles,
        EXISTS (SELECT FROM pool_item WHERE merchant_id = :merchant_id AND is_open) AS has_pools,
        EXISTS (SELECT FROM item WHERE merchant_id = :merchant_id
            AND (safety_stock IS NOT NULL OR backorder IS NOT NULL OR backorder_limit IS NOT NULL)) AS has_item_rules
    FROM merchant m LEFT JOIN LATERAL (SELECT *, mode = 'live' AND NOT paused AS live FROM store
        WHERE merchant_id = :merchant_id) s ON true
    WHERE m.id = :merchant_id
"""


@dataclass(frozen=True, slots=True)
class Channels:
    """What all listings of a merchant share.

    ``live``    ids of the stores that are told numbers.
    ``said``    per store, what it says of each rule.
    ``rules``   per store, what holds there for a listing that has none of its own.
    ``has_*``   False: the merchant has nothing of the kind, so that nobody need look for it.
    """

    sharing: Sharing
    share_below: int
    shared_pool_id: int
    live: tuple[int, ...]
    said: Mapping[int, Told]
    rules: Mapping[int, Rules]
    has_bundles: bool
    has_pools: bool
    has_item_rules: bool

    def rules_of(self, row: Any) -> Rules:
        """The rules of one listing, whose row has its own and those of its item."""
        if not row.has_own_rules and not self.has_item_rules:
            return self.rules[row.store_id]
        told = [Told(Scope.LISTING, values(row)), Told(Scope.ITEM, values(row, "item_"))]
        return resolve([*told, self.said[row.store_id]])


def values(row: Any, prefix: str = "") -> Mapping[str, Value]:
    """What a row says of rules that are inherited: those that it has and that are set."""
    said = row._mapping
    return {name: value for name in INHERITED if (value := said.get(prefix + name)) is not None}


def read(tx: Transaction) -> Channels:
    """One query, however many stores there are."""
    rows = tx.run(_CHANNELS).all()
    stores = [row for row in rows if row.id is not None]
    said = {row.id: Told(Scope.STORE, values(row)) for row in stores}
    first = rows[0]
    return Channels(
        sharing=Sharing(first.sharing),
        share_below=first.share_below,
        shared_pool_id=first.shared_pool_id,
        live=tuple(sorted(row.id for row in stores if row.live)),
        said=said,
        rules={store_id: resolve([told]) for store_id, told in said.items()},
        has_bundles=first.has_bundles,
        has_pools=first.has_pools,
        has_item_rules=first.has_item_rules,
    )
