"""Some hundred numbers at a time, posted in one transaction with what is kept of the messages that told them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from core.errors import Broken
from core.ledger import TRIES, home_of
from core.mirror.shelf import Mirror, MirrorBatch
from core.stock import BalanceKey
from core.transaction import Database, Transaction

AT_ONCE = 300  # numbers; others wait for as long as their rows are locked
T = TypeVar("T")


def post(
    db: Database,
    merchant_id: int,
    build: Callable[[Transaction], Sequence[Mirror]],
    end: Callable[[Transaction, Sequence[Any]], T],
    *,
    actor: str,
    dry_run: bool = False,
) -> T:
    """Build, post, end; or with ``dry_run`` find out what would come of it.

    Args: build: locks its rows, before all rows of balances. end: is given what each command answered, ``Adjusted`` or
          what it was refused with.
    Raises: what ``build`` and ``end`` raise; Broken when no batch was wide enough.
    """
    home, wider = home_of(db, merchant_id), frozenset[BalanceKey]()
    for _ in range(TRIES):
        with db.begin(merchant_id, actor=actor, source="mirror") as tx:
            commands = dict(enumerate(build(tx)))
            extra = dict.fromkeys(commands, wider)
            done, more = MirrorBatch(tx, home, careful=True).apply(dict(commands), extra) if commands else ({}, {})
            if not more:
                ended = end(tx, [done[n] for n in commands])
            if more or dry_run:
                tx.connection.rollback()
        if not more:
            return ended
        wider = wider.union(*more.values())
    raise Broken(f"numbers of a mirror found no stable set of rows in {TRIES} batches")
