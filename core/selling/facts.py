"""What each listing's number depends on, read for many listings at once.

Push jobs ask for hundreds of numbers, over and over. So a listing of a plain item without pools of its own is told by
one statement that looks everything up by key; the few others are told by ``core.selling.compound_facts``.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from core import plans
from core.selling import channels, compound_facts
from core.selling.availability import Facts
from core.selling.channels import Channels
from core.selling.rulebook import INHERITED
from core.transaction import Transaction

# What ``source`` has to select of ``listing``, beside what its reader wants of it.
NEEDED = ("id", "store_id", "item_id", "grade", "pack_size", *INHERITED)

# ``source`` selects from ``listing``. Subqueries are looked up row by row, by key: no statistics, however old, can turn
# them into joins over whole tables. What a merchant has nothing of is not in the statement at all. ``elsewhere``: units
# of the item that other live stores may show at this moment, by what we believe and by what is being written there.
_OWN_RULES = ", ".join(f"l.{name}" for name in INHERITED)
_FACTS = """
    SELECT l.*, num_nonnulls({own_rules}) > 0 AS has_own_rules,
        coalesce(balance.free, 0) AS free, coalesce(balance.backordered, 0) AS waiting,
        (SELECT coalesce(sum(hidden), 0)::bigint FROM order_line
            WHERE merchant_id = :merchant_id AND listing_id = l.id AND hidden > 0) AS hidden,
        (SELECT coalesce(max(wanted), 0) FROM (SELECT wanted FROM promise WHERE merchant_id = :merchant_id
            AND item_id = l.item_id ORDER BY promised_at DESC, id DESC LIMIT 20) newest) AS largest,
        shared.sharers, shared.before, shared.elsewhere, {of_item}, {is_compound} AS is_compound
    FROM ({source}) l
    LEFT JOIN LATERAL (SELECT free, backordered FROM sales_balance WHERE merchant_id = :merchant_id
        AND item_id = l.item_id AND grade = l.grade AND pool_id = :shared_pool_id OFFSET 0) balance ON true
    {item}
    CROSS JOIN LATERAL (
        SELECT count(*) AS sharers, count(*) FILTER (WHERE x.id < l.id) AS before,
            coalesce(sum(x.pack_size * (greatest(x.believed, x.asked) - (SELECT coalesce(sum(hidden), 0) FROM order_line
                WHERE merchant_id = :merchant_id AND listing_id = x.id AND hidden > 0)))
                FILTER (WHERE x.id <> l.id), 0)::bigint AS elsewhere
        FROM listing x WHERE x.merchant_id = :merchant_id AND x.item_id = l.item_id AND (x.id = l.id
            OR x.grade = l.grade AND x.untracked_reason = '' AND x.quarantine_reason = ''
                AND x.store_id = ANY(CAST(:live AS bigint[])))
    ) shared
"""
_OF_ITEM = """i.kind AS item_kind, i.safety_stock AS item_safety_stock, i.backorder AS item_backorder,
        i.backorder_limit AS item_backorder_limit"""
_ITEM = """LEFT JOIN LATERAL (SELECT kind, safety_stock, backorder, backorder_limit FROM item
        WHERE merchant_id = :merchant_id AND id = l.item_id OFFSET 0) i ON true"""
_NO_ITEM = """NULL AS item_kind, NULL AS item_safety_stock, NULL AS item_backorder, NULL AS item_backorder_limit"""
_OF_BUNDLES = """i.kind = 'bundle' OR EXISTS (SELECT FROM component
            WHERE merchant_id = :merchant_id AND item_id = l.item_id AND grade = l.grade)"""
_OF_POOLS = """EXISTS (SELECT FROM pool_item
            WHERE merchant_id = :merchant_id AND item_id = l.item_id AND grade = l.grade AND is_open)"""


@lru_cache(maxsize=128)
def _statement(source: str, has_bundles: bool, has_pools: bool, has_item_rules: bool) -> str:
    """The statement for a merchant who has these."""
    kinds = [kind for kind, has in ((_OF_BUNDLES, has_bundles), (_OF_POOLS, has_pools)) if has]
    has_item = has_bundles or has_item_rules
    return _FACTS.format(
        source=source,
        own_rules=_OWN_RULES,
        of_item=_OF_ITEM if has_item else _NO_ITEM,
        item=_ITEM if has_item else "",
        is_compound=f"({' OR '.join(kinds)})" if kinds else "false",
    )


def read(tx: Transaction, source: str, **values: object) -> list[tuple[Any, Facts]]:
    """The rows of ``source``, each with the facts of its listing.

    Args: source: a select from ``listing`` with at least the columns ``NEEDED``; ``values`` are bound in it.
    """
    with plans.kept(tx):
        return _read(tx, channels.read(tx), source, values)


def read_with_marks(tx: Transaction, source: str, **values: object) -> list[tuple[Any, Facts]]:
    """The same, where ``source`` has marks of who wanted another look: no number is older than the mark beside it.

    Stores and rules are read before the rows. Had they changed in between, a row would bear the mark of that change and
    a number from before it, and nobody would look again; so all is read anew then.
    """
    with plans.kept(tx):
        shops = channels.read(tx)
        while True:
            found = _read(tx, shops, source, values)
            before, shops = shops, channels.read(tx)
            if shops == before:
                return found


def _read(tx: Transaction, shops: Channels, source: str, values: Mapping[str, object]) -> list[tuple[Any, Facts]]:
    statement = _statement(source, shops.has_bundles, shops.has_pools, shops.has_item_rules)
    rows = tx.run(statement, shared_pool_id=shops.shared_pool_id, live=list(shops.live), **values).all()
    compound = compound_facts.read(tx, shops, [row for row in rows if row.is_compound])
    return [(row, compound.get(row.id) or _plain(shops, row)) for row in rows]


def _plain(shops: Channels, row: Any) -> Facts:
    sharers = max(row.sharers, 1)
    return Facts(
        free=row.free,
        pack_size=row.pack_size,
        hidden=row.hidden,
        rules=shops.rules_of(row),
        sharing=shops.sharing,
        share_below=shops.share_below,
        sharers=sharers,
        place=(row.before + (row.item_id or 0)) % sharers,  # so that odd units fall to every store in turn
        largest=row.largest,
        waiting=row.waiting,
        elsewhere=row.elsewhere,
    )
