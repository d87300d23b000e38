"""Where the rows of a file are worked on: tried out or done, by the same code."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.command import Command
from core.files import recorded
from core.files.columns import Column
from core.files.units import Outcome, Unit
from core.rehearsal import rehearse_all
from core.sales import promise_dates
from core.stock import Stocked
from core.transaction import Database, Transaction

# What a column may name; goods: no bundle; a cost is that of who sends the goods, in its currency.
ITEM, GOODS, WAREHOUSE, BIN = "item", "goods", "warehouse", "bin"
SUPPLIER, COST, PURCHASE, STORE = "supplier", "cost", "purchase", "store"

Run = Callable[[Sequence[Command]], list[Any]]


@dataclass(frozen=True, slots=True)
class Desk:
    """``import_id``: None when rows are only tried out. ``run``: does commands for this merchant.

    ``since``: when an import that was torn off had begun, and is gone on with. ``said``: options of its kind.
    ``seen``: what units of this pass were about, and did, for who has to look.
    """

    db: Database
    merchant_id: int
    actor: str
    run: Run
    import_id: int | None = None
    since: datetime | None = None
    said: Mapping[str, Any] = field(default_factory=dict)
    seen: dict[Any, Any] = field(default_factory=dict)

    @property
    def tries(self) -> bool:
        """Nothing is to be written."""
        return self.import_id is None

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """A transaction, taken back at its end when rows are only tried out."""
        with self.db.begin(self.merchant_id, actor=self.actor) as tx:
            yield tx
            if self.tries:
                tx.connection.rollback()

    def do(self, commands: Sequence[Command]) -> list[Any]:
        """Results, refusals among them, or what they would be."""
        if not commands:
            return []
        if self.tries:
            return rehearse_all(self.db, self.merchant_id, commands, actor=self.actor).results
        return self.run(commands)

    def key(self, unit: Unit) -> str:
        """By which what a unit does is done once."""
        return f"import/{self.import_id or 0}/{unit.row}"

    def note(self, tx: Transaction, *outcomes: Outcome) -> None:
        """Keep what a unit did, in the transaction that does it."""
        if self.import_id is not None:
            recorded.note(tx, self.import_id, outcomes)

    def began_before(self, at: datetime) -> bool:
        """Was this done by an import that was torn off, and is gone on with?"""
        return self.since is not None and self.since <= at

    def dates_follow(self, stocked: Sequence[Stocked]) -> None:
        """Who waits for these gets the dates that come of it."""
        if stocked and not self.tries:
            with self.begin() as tx:
                promise_dates.recompute(tx, stocked)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file may be about.

    ``work``: does, or tries out, some units, and tells what became of each, in their order. ``take_back``: takes back
    what rows did, newest first, and tells for each why it stays, or nothing. ``pages``: all rows there are, in the
    order of ``exported``, some at a time; with true also those of papers that are done. ``by`` and ``together``: see
    ``core.files.units.Gather``. ``formats``: columns as other programs name them, by the program. ``names``: what
    columns name, looked up also where something else is wrong with their row, see ``core.files.beside``.
    """

    name: str
    columns: Sequence[Column]
    by: Sequence[str]
    work: Callable[[Desk, Sequence[Unit]], list[Outcome]]
    take_back: Callable[[Desk, Sequence["recorded.Effect"], str], list[str]]
    pages: Callable[[Transaction, bool], Iterator[list[Sequence[Any]]]]
    together: bool = False
    formats: Mapping[str, Sequence[Column]] = field(default_factory=dict)
    not_exported: Sequence[str] = ()
    names: Mapping[str, str] = field(default_factory=dict)

    def columns_in(self, form: str) -> Sequence[Column]:
        """The columns of files of this kind as another program writes them; empty: as we do."""
        return self.formats[form] if form else self.columns

    @property
    def exported(self) -> list[str]:
        return [column.name for column in self.columns if column.name not in self.not_exported]
