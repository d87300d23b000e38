"""What presales may offer of the supply that they wait for: what it still brings, less what they have sold of it.

Of each supply: while presales that wait for it have any free units, these and the units that they sold and that have
not been handed over come to no more than what it still brings. So what comes, or never will, ends so much of the offer;
it is not offered in the presale and in the shared pool at once. What was sold stays sold: it waits for other goods.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from core import flows
from core.books import Books
from core.command import Command
from core.errors import Refused
from core.pipe import Pipe
from core.rows import SupplyRow
from core.stock import BalanceKey, Bucket, DocumentKind, Layer, Pool, PoolKind, Stocked

_OFFERED = (Bucket.FREE, Bucket.RESERVED, Bucket.SOLD)


def load(sent: Pipe, books: Books, named: Collection[int]) -> None:
    """Read what is still to come for the presales whose rows this batch holds, and of the supply ``named`` by id.

    Whoever changes supply comes after us, and sees to these presales then.
    """
    presales = {pool.id for pool in books.pools.values() if pool.kind is PoolKind.PRESALE}
    stocked = sorted({Stocked(key.item_id, key.grade) for key, _ in books.cells if key.place_id in presales})
    if not stocked and not named:
        return
    rows = sent.run(
        """SELECT u.pool_id, e.id, e.item_id, e.grade, t.sku, e.reference, greatest(e.quantity - e.received, 0)
           FROM (SELECT i.pool_id, i.expected_id FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[]))
                     k (item_id, grade)
                 CROSS JOIN LATERAL (SELECT pool_id, expected_id FROM pool_item WHERE merchant_id = :merchant_id
                     AND item_id = k.item_id AND grade = k.grade AND is_open AND expected_id IS NOT NULL OFFSET 0) i
                 UNION ALL SELECT NULL, k.id FROM unnest(CAST(:named AS bigint[])) k (id)) u
           CROSS JOIN LATERAL (SELECT * FROM expected WHERE merchant_id = :merchant_id AND id = u.expected_id
               OFFSET 0) e
           CROSS JOIN LATERAL (SELECT sku FROM item WHERE merchant_id = :merchant_id AND id = e.item_id OFFSET 0) t""",
        items=[one.item_id for one in stocked],
        grades=[one.grade for one in stocked],
        named=sorted(named),
    )
    for pool_id, *row in rows.fetchall():
        supply = SupplyRow(*row)
        books.supplies[supply.id] = supply
        if pool_id is not None:
            books.supplied[supply.stocked, pool_id] = supply.id


def require_room(books: Books, pool: Pool, units: Mapping[Stocked, int]) -> None:
    """May a pool offer so many units more? What waits for no supply may. Raises: Refused; Widen."""
    for stocked, more in units.items():
        supply = books.supplies.get(_supply_of(books, stocked, pool.id))
        if supply is None:
            continue
        offered = _offered(books, supply, _presales(books, supply))
        left = max(supply.open - offered, 0)
        if more > left:
            raise Refused(
                f"{supply.reference} brings {supply.open:,} {supply.sku}, of which presales sell {offered:,} already: "
                f"{left:,} are left, not {more:,}"
            )


def _supply_of(books: Books, stocked: Stocked, pool_id: int) -> int:
    """The supply that a presale waits for with an item; 0: none."""
    if changed := books.pool_items.get((stocked, pool_id)):
        return (changed.is_open and changed.expected_id) or 0
    return books.supplied.get((stocked, pool_id), 0)


def keep_to_supply(books: Books) -> None:
    """End what presales offer and their supply does not bring any more, the newest first. Raises: Widen."""
    for supply in books.supplies.values():
        presales = _presales(books, supply)
        if not any(books.cells.get((pool.key(supply.stocked), Bucket.FREE)) for pool in presales):
            continue
        excess = _offered(books, supply, presales) - supply.open
        for pool in sorted(presales, key=lambda one: one.id, reverse=True):
            if (ended := min(excess, books.free(supply.stocked, pool))) > 0:
                excess -= ended
                moves = flows.end_presale(pool, supply.stocked, ended)
                why = f"{supply.reference} brings so many less to sell in pool {pool.code}"
                books.post(DocumentKind.PRESALE_END, f"pool/{pool.id}/supply/{books.new_id()}", moves, reason=why)


def _presales(books: Books, supply: SupplyRow) -> list[Pool]:
    pools = books.open_pools_of(supply.stocked)
    return [pool for pool in pools if _supply_of(books, supply.stocked, pool.id) == supply.id]


def _offered(books: Books, supply: SupplyRow, presales: Iterable[Pool]) -> int:
    """Free units, and what was sold and not handed over. Raises: Widen."""
    return sum(books.units(Layer.SALES, supply.stocked, pool.at(bucket)) for pool in presales for bucket in _OFFERED)


@dataclass(frozen=True, slots=True)
class KeepToSupply(Command):
    """Supply of these items is not what it was: presales that wait for it offer no more than it brings."""

    items: Collection[Stocked] = field(hash=False)

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return self.items

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        return {key for stocked in self.items for key in books.sales_keys(stocked)}

    def decide(self, books: Books) -> None:
        keep_to_supply(books)
