"""What tests of races share: many callers at one moment, seeing that one waits, and batches without row locks."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from config.processes import wait_until
from core import ledger
from core.command import Command
from core.errors import Refused
from core.ledger import Batch
from core.stock import BalanceKey
from core.transaction import Transaction
from tests.builders import World

THREADS = 16
Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
Act = Callable[[Transaction], object]


def together(act: Callable[[Asked], Answer], asked: Sequence[Asked], threads: int = THREADS) -> list[Answer]:
    """Answers to all questions, asked from many threads that start at one moment."""
    start = threading.Barrier(min(threads, len(asked)))

    def share(first: int) -> list[tuple[int, Answer]]:
        start.wait()
        return [(n, act(asked[n])) for n in range(first, len(asked), threads)]

    with ThreadPoolExecutor(threads) as pool:
        shares = pool.map(share, range(min(threads, len(asked))))
        return [answer for _, answer in sorted((pair for done in shares for pair in done), key=lambda pair: pair[0])]


def kept(results: Sequence[Any]) -> int:
    return sum(not isinstance(result, Refused) for result in results)


def somebody_waits(world: World) -> bool:
    """True when another connection of this database waits for a row lock."""
    return bool(
        world.scalar(
            """SELECT count(*) FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'"""
        )
    )


def crosswise(world: World, pool: ThreadPoolExecutor, low: Act, high: Act, both: Act) -> None:
    """One transaction takes the low row and then the high one; ``both`` wants the two in between.

    PostgreSQL ends one of them as a deadlock unless ``both`` takes the low row first, too.
    """

    def take_both() -> None:
        with world.db.begin(1, actor="both") as tx:
            both(tx)

    with world.db.begin(1, actor="test") as tx:
        low(tx)
        other = pool.submit(take_both)
        assert wait_until(lambda: somebody_waits(world), 10)
        high(tx)
    other.result(30)


def meanwhile(world: World, pool: ThreadPoolExecutor, first: Command, second: Command) -> Any:
    """The result of ``second``, which starts before ``first`` commits and has to wait for its rows."""
    with world.db.begin(1, actor="test") as tx:
        Batch(tx, ledger.home_of(world.db, 1)).apply({0: first}, {0: frozenset()})
        later = pool.submit(world.run, second)
        assert wait_until(lambda: somebody_waits(world), 10)
    return later.result(30)[0]


def forget_row_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the ledger would be without row locks: from now on two batches have both read before either writes."""
    both_have_read = threading.Barrier(2)

    class ReadsWithoutLock(Batch):
        row_lock = ""

        def _lock_balances(self, keys: list[BalanceKey]) -> bool:
            stands = super()._lock_balances(keys)
            if stands:  # else it found pools that it did not know of, and reads again
                both_have_read.wait(timeout=20)
            return stands

    monkeypatch.setattr(ledger, "Batch", ReadsWithoutLock)
