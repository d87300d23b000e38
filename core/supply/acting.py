"""Acts on a purchase order that move units: its row, its documents and its lines change in one transaction."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from core import bulk, single, tables
from core.books import Books
from core.command import Command
from core.errors import Broken, NotFound
from core.goods import costing
from core.goods.receiving import keys_of_goods
from core.sales.shortage import Loss
from core.stock import BalanceKey, Layer, Stocked
from core.supply import purchases
from core.supply.lines import Came, PurchaseLine
from core.supply.purchases import Purchase
from core.transaction import Database, Transaction


class Receipt(NamedTuple):
    """Units that came for a line with one document."""

    document_id: int
    line_id: int
    good: int
    damaged: int
    regraded: int
    bin_id: int
    received_at: datetime
    taken_back_by: int | None = None

    @property
    def came(self) -> Came:
        return Came(self.good, self.damaged, self.regraded)


@dataclass(frozen=True, slots=True)
class Acted:
    """``document_ids``: empty when nothing was to be done. ``lines``: those that changed, as they are now.

    ``losses``: who gave units up that do not come. ``repeated``: its key was used before, and nothing was done again.
    ``stocked``: what it concerned.
    """

    document_ids: Sequence[int] = ()
    lines: Sequence[PurchaseLine] = ()
    receipts: Sequence[Receipt] = ()
    losses: Sequence[Loss] = ()
    repeated: bool = False
    stocked: Sequence[Stocked] = ()


@dataclass(frozen=True, slots=True)
class OnPurchase(Command):
    """A command on a purchase order that nobody else changes meanwhile; once per ``effect_key``.

    Derived ones return ``Acted`` and leave it to ``act`` to write the lines.
    """

    effect_key: str
    purchase: Purchase = field(hash=False)

    def effect_keys(self) -> Collection[str]:
        return (self.effect_key,)

    def concerned(self) -> Collection[PurchaseLine]:
        """Lines that it may change."""
        return self.purchase.lines

    def stocked(self, _books: Books) -> Collection[Stocked]:
        return {line.stocked for line in self.concerned()}

    def balance_keys(self, books: Books) -> set[BalanceKey]:
        stocked = self.stocked(books)
        place = self.purchase.row.warehouse_id
        at_home = {BalanceKey(Layer.DISPATCH, *one, place) for one in stocked}
        return keys_of_goods(books, stocked) | at_home | costing.keys(books, {one.item_id for one in stocked})

    def earlier(self, books: Books, content: object) -> Acted | None:
        """What this key did before. Raises: KeyReused."""
        effect = books.effect(self.effect_key, content)
        if effect is None:
            return None
        return Acted([effect.document_id] if effect.document_id else [], repeated=True)


Build = Callable[[Transaction, Purchase], OnPurchase]
Then = Callable[[Transaction, Purchase, Acted], None]


def _nothing_more(_tx: Transaction, _purchase: Purchase, _acted: Acted) -> None:
    return


def act(
    db: Database, merchant_id: int, number: str, build: Build, *, actor: str, dry_run: bool = False,
    then: Then = _nothing_more,
) -> Acted:  # fmt: skip
    """Do what ``build`` makes of a purchase order as it stands, or with ``dry_run`` find out what it would do.

    Args: then: is told of the order as it was before, in the same transaction.
    Raises: what the act is refused with; NotFound; Broken when no batch was wide enough.
    """
    orders: list[Purchase] = []

    def begin(tx: Transaction) -> OnPurchase:
        orders[:] = [purchases.locked(tx, number)]
        return build(tx, orders[0])

    def end(tx: Transaction, answer: object) -> Acted:
        return _end(tx, orders[0], answer, then)

    return single.do(db, merchant_id, begin, end, actor=actor, dry_run=dry_run)


def _end(tx: Transaction, purchase: Purchase, answer: object, then: Then) -> Acted:
    """Write what became of the lines."""
    if not isinstance(answer, Acted):
        raise Broken(f"an act on a purchase order answered {answer!r}")
    if answer.repeated:
        return replace(answer, stocked=[line.stocked for line in purchase.lines])
    purchases.write_lines(tx, answer.lines)
    bulk.put(tx, tables.purchase_receipt, Receipt._fields, answer.receipts, ("document_id", "line_id"))
    then(tx, purchase, answer)
    return replace(answer, stocked=purchases.follow(tx, purchases.find(tx, purchase.row.number)))


def require_lines(purchase: Purchase, line_ids: Collection[int]) -> None:
    """Raises: NotFound when one of these is no line of the order."""
    if unknown := set(line_ids) - {line.id for line in purchase.lines}:
        raise NotFound(f"{purchase.row.number} has no line with the id {min(unknown)}")
