"""What is asked for by a transfer is kept for it in its first warehouse, as far as it is there, until it is sent.

Asking and closing post within the transaction of whoever asks, which holds the row of the transfer. What comes there
later is kept by ``core.supply.topping_up``.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from core import flows, single
from core.books import Books, key_hash
from core.command import Command
from core.goods.receiving import keys_of_goods
from core.stock import At, BalanceKey, Bucket, DocumentKind, Layer, Movement, Stocked
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Keep(Command):
    """Of each line keep so many units as are told, or as there are; below 0: give so many back, or all."""

    transfer_id: int
    number: str
    warehouse_id: int
    units: Mapping[int, tuple[Stocked, int]] = field(hash=False)  # by line
    closing: Mapping[int, int] = field(default_factory=dict, hash=False)  # units by line that are not sent after all

    def transfer_ids(self) -> Iterable[int]:
        return (self.transfer_id,)

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return {stocked for stocked, _ in self.units.values()}

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        things = set(self.stocked(books))
        return keys_of_goods(books, things) | {BalanceKey(Layer.DISPATCH, *one, self.warehouse_id) for one in things}

    def decide(self, books: Books) -> None:
        """Raises: Widen."""
        kept, given = list[Movement](), list[Movement]()
        for line_id, (stocked, units) in self.units.items():
            row = books.kept[line_id]
            there = books.units(Layer.DISPATCH, stocked, At(self.warehouse_id, Bucket.AVAILABLE))
            more = min(units, there) if units > 0 else max(units, -row.allocated)
            kept += flows.keep(self.warehouse_id, stocked, max(more, 0))
            given += flows.let_go(self.warehouse_id, stocked, max(-more, 0))
            books.put(books.kept, line_id, row._replace(allocated=row.allocated + more))
        self._post(books, DocumentKind.ALLOCATION, kept)
        self._post(books, DocumentKind.DEALLOCATION, given)
        if self.closing:  # once for each transfer: then nothing of it is left to be closed
            books.note_effect(_closing(self.transfer_id), "", None)
            books.note_result(json.dumps(self.closing))

    def _post(self, books: Books, kind: DocumentKind, moves: list[Movement]) -> None:
        if moves:
            key = f"transfer/{self.transfer_id}/{kind}/{books.new_id()}"
            books.post(kind, key, moves, order_id=self.transfer_id, reason=self.number)


def keep(tx: Transaction, command: Keep) -> None:
    """Raises: Broken when no batch was wide enough."""
    if command.units:
        single.within(tx, command)


def kept(tx: Transaction, transfer_id: int) -> dict[int, int]:
    """By line of a transfer, the units that are kept for it."""
    rows = tx.run(
        "SELECT id, allocated FROM transfer_line WHERE merchant_id = :merchant_id AND transfer_id = :id", id=transfer_id
    )
    return {row.id: row.allocated for row in rows}


def closed(tx: Transaction, transfer_id: int) -> dict[int, int]:
    """By line of a transfer, the units that were asked for and are not sent after all; only lines with any."""
    noted = tx.run(
        "SELECT result FROM effect WHERE merchant_id = :merchant_id AND key_hash = :hash",
        hash=key_hash(_closing(transfer_id)),
    ).scalar_one_or_none()
    return {int(line_id): units for line_id, units in (noted or {}).items()}


def _closing(transfer_id: int) -> str:
    return f"transfer/{transfer_id}/closed"
