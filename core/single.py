"""One command made from rows that its own transaction locks, with what follows from its answer, in one transaction.

For papers with a life of their own, like transfers: their rows say what may be done, and follow what was done.
"""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import IntegrityError

from core.command import Command
from core.errors import Broken, Refused
from core.ledger import TRIES, Batch, home_in, home_of, lost_a_race
from core.pipe import pipe
from core.stock import BalanceKey
from core.transaction import Database, Transaction

T = TypeVar("T")


def do(
    db: Database,
    merchant_id: int,
    build: Callable[[Transaction], Command],
    end: Callable[[Transaction, object], T],
    *,
    actor: str,
    dry_run: bool = False,
) -> T:
    """Build, do, end; or with ``dry_run`` find out what would come of it.

    Args: build: locks its rows, before all rows of balances. end: is given what the command answered.
    Raises: what the command is refused with, what ``build`` and ``end`` raise; Broken when no batch was wide enough.
    """
    home, wider = home_of(db, merchant_id), frozenset[BalanceKey]()
    raced: IntegrityError | None = None
    for _ in range(TRIES):
        try:
            with db.begin(merchant_id, actor=actor) as tx:
                done, more = Batch(tx, home, careful=True).apply({0: build(tx)}, {0: wider})
                if not more:
                    answer = done[0]
                    if isinstance(answer, Refused):
                        raise answer
                    ended = end(tx, answer)
                if more or dry_run:
                    tx.connection.rollback()
        except IntegrityError as error:
            if not lost_a_race(error):
                raise
            raced = error  # look again and find what was made between our look and our write
            continue
        if not more:
            return ended
        wider |= more[0]
    raise Broken(f"an act found no stable set of rows in {TRIES} batches") from raced


def within(tx: Transaction, command: Command) -> object:
    """Do one command in a transaction that is under way; its owner commits.

    Raises: what the command is refused with; Broken when no batch was wide enough.
    """
    home, wider = home_in(tx), frozenset[BalanceKey]()
    for _ in range(TRIES):
        _tell(tx, b"SAVEPOINT within")
        done, more = Batch(tx, home, careful=True).apply({0: command}, {0: wider})
        if not more:
            answer: object = done[0]
            if isinstance(answer, Refused):
                raise answer
            return answer
        _tell(tx, b"ROLLBACK TO SAVEPOINT within")
        wider |= more[0]
    raise Broken(f"a command found no stable set of rows in {TRIES} batches")


def _tell(tx: Transaction, command: bytes) -> None:
    """Through a pipe: the driver forgets statements that batches have prepared when it is told itself to roll back."""
    with pipe(tx) as sent:
        sent.command(command)
