"""What commands would do, decided on the books as they are, with nothing written."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from core.command import Command
from core.errors import Broken
from core.ledger import TRIES, Batch, home_of
from core.rows import DocumentRow, IncidentRow
from core.stock import BalanceKey, Movement
from core.transaction import Database


class Rehearsed(NamedTuple):
    """Results as ``core.ledger.run`` would give them, each document with what it would move, and the shortfalls.

    ``orders``: numbers of the orders concerned, by the ids that the documents name.
    """

    results: list[Any]
    documents: list[tuple[DocumentRow, list[Movement]]]
    incidents: Sequence[IncidentRow]
    orders: Mapping[int, str]


class _Rehearsal(Batch):
    """Reads, waits for others and decides as any batch does, and keeps what it decided to itself."""

    def _write_part(self) -> None:
        return

    def _flush(self) -> None:
        return

    def _warn(self) -> None:
        return

    def outcome(self, results: list[Any]) -> Rehearsed:
        books = self.books
        moves: dict[int, list[Movement]] = {}
        for document_id, _, movement in books.movements:
            moves.setdefault(document_id, []).append(movement)
        documents = [(document, moves.get(document.id, [])) for document in books.documents]
        return Rehearsed(results, documents, books.incidents, {row.id: row.number for row in books.orders.values()})


def rehearse(db: Database, merchant_id: int, command: Command, *, actor: str) -> Any:
    """The answer that one command would get now, a ``Refused`` included."""
    return rehearse_all(db, merchant_id, [command], actor=actor).results[0]


def rehearse_all(db: Database, merchant_id: int, commands: Sequence[Command], *, actor: str) -> Rehearsed:
    """Decide all commands in one transaction that is taken back; rows stay locked for as long as a batch takes.

    Raises: Broken when an invariant would be violated; database errors.
    """
    home, numbered = home_of(db, merchant_id), dict(enumerate(commands))
    extra: dict[int, frozenset[BalanceKey]] = dict.fromkeys(numbered, frozenset())
    for _ in range(TRIES):
        with db.begin_piped(merchant_id, actor=actor) as tx:
            batch = _Rehearsal(tx, home, careful=True)
            done, wider = batch.apply(numbered, extra)
            tx.connection.rollback()  # rows of nothing may have been made to be locked
        if not wider:
            return batch.outcome([done[n] for n in numbered])
        extra |= wider
    raise Broken(f"the commands found no stable set of rows in {TRIES} batches")
