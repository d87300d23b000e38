"""Concurrent callers share batches, and a failing batch takes only its own commands with it."""

import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from core import catalog, combiner, ledger
from core.books import Books, Widen
from core.combiner import Combiner
from core.command import Command
from core.errors import Broken, InsufficientStock, Overloaded
from core.sales.holds import Hold
from tests.builders import FAR_OFF, Units, World


@dataclass(frozen=True, slots=True)
class Fail(Command):
    error: type[BaseException]

    def decide(self, books: Books) -> None:
        raise self.error


@dataclass(frozen=True, slots=True)
class Restless(Command):
    """Never has the rows that it needs."""

    def decide(self, books: Books) -> None:
        raise Widen(())


@dataclass(frozen=True, slots=True)
class Wait(Command):
    """Keeps its batch open until it is let go."""

    begun: threading.Event
    let_go: threading.Event

    def decide(self, books: Books) -> str:
        self.begun.set()
        assert self.let_go.wait(20)
        return "done"


@dataclass(frozen=True, slots=True)
class Actor(Command):
    """Tells who asked, and shows the books of its batch, which keeps them apart from those of later ones."""

    def decide(self, books: Books) -> tuple[str, Books]:
        return books.actor, books


@dataclass(frozen=True, slots=True)
class Note(Command):
    """Tells when it was decided."""

    into: list[str]
    name: str

    def decide(self, books: Books) -> None:
        self.into.append(self.name)


def until_waiting(combiner: Combiner, commands: int) -> None:
    """Returns when so many commands stand in merchant 1's queue."""
    deadline = time.monotonic() + 10
    while sum(combiner._queues[1].waiting.values()) < commands:
        assert time.monotonic() < deadline
        time.sleep(0.002)


class Line:
    """A combiner whose leader is busy, so that what is asked now has to wait in line."""

    def __init__(self, world: World, pool: ThreadPoolExecutor, **limits: int) -> None:
        self.combiner = Combiner(world.db, **limits)
        self.pool, self.let_go = pool, threading.Event()
        begun = threading.Event()
        self.leader = self.ask(Wait(begun, self.let_go))
        assert begun.wait(10)

    def ask(self, *commands: Command, actor: str = "test") -> Future[list[Any]]:
        return self.pool.submit(self.combiner.run, 1, commands, actor=actor)


def batches(results: Iterable[tuple[str, Books]]) -> int:
    """In how many batches these acts of ``Actor`` were done."""
    return len({id(books) for _, books in results})


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(12) as threads:
        yield threads


def test_results_come_back_in_the_order_of_the_commands(world: World) -> None:
    world.stocked("mug", units=3)
    mug = world.item("mug")
    results = Combiner(world.db).run(1, [Hold(f"h{n}", {mug: 2}, FAR_OFF) for n in range(3)], actor="test")
    assert [isinstance(result, InsufficientStock) for result in results] == [False, True, True]


def test_callers_that_wait_together_share_one_batch(world: World, pool: ThreadPoolExecutor) -> None:
    queue = Line(world, pool)
    waiting = [queue.ask(Actor()) for _ in range(6)]
    until_waiting(queue.combiner, 6)
    queue.let_go.set()
    assert queue.leader.result(10) == ["done"]
    assert batches([asked.result(10)[0] for asked in waiting]) == 1


def test_actors_are_never_mixed_in_one_batch(world: World, pool: ThreadPoolExecutor) -> None:
    queue = Line(world, pool)
    user = queue.ask(Actor(), actor="user:7")
    until_waiting(queue.combiner, 1)
    job = queue.ask(Actor(), actor="job:order")
    until_waiting(queue.combiner, 2)
    queue.let_go.set()
    assert (user.result(10)[0][0], job.result(10)[0][0]) == ("user:7", "job:order")


def test_more_commands_than_a_batch_holds_take_several(world: World) -> None:
    results = Combiner(world.db, batch_limit=4).run(1, [Actor() for _ in range(10)], actor="test")
    assert len(results) == 10
    assert batches(results) == 3


def test_a_full_queue_says_when_to_come_back(world: World, pool: ThreadPoolExecutor) -> None:
    queue = Line(world, pool, queue_limit=2)
    waiting = queue.ask(Actor(), Actor())
    until_waiting(queue.combiner, 2)
    with pytest.raises(Overloaded):
        queue.combiner.run(1, [Actor()], actor="test")
    queue.let_go.set()
    assert len(waiting.result(10)) == 2


def test_one_actor_that_fills_its_line_shuts_no_other_out(world: World, pool: ThreadPoolExecutor) -> None:
    queue = Line(world, pool, queue_limit=2)
    greedy = queue.ask(Actor(), Actor(), actor="greedy")
    until_waiting(queue.combiner, 2)
    with pytest.raises(Overloaded):
        queue.combiner.run(1, [Actor()], actor="greedy")
    other = queue.ask(Actor(), actor="other")
    until_waiting(queue.combiner, 3)
    queue.let_go.set()
    assert other.result(10)[0][0] == "other"
    assert len(greedy.result(10)) == 2


def test_all_actors_together_have_a_bound_too(world: World, pool: ThreadPoolExecutor) -> None:
    queue = Line(world, pool, queue_limit=2, actors_limit=2)
    waiting = [queue.ask(Actor(), Actor(), actor=name) for name in ("a", "b")]
    until_waiting(queue.combiner, 4)
    with pytest.raises(Overloaded):
        queue.combiner.run(1, [Actor()], actor="c")
    queue.let_go.set()
    assert [len(asked.result(10)) for asked in waiting] == [2, 2]


def test_actors_take_turns_however_much_one_of_them_asks(world: World, pool: ThreadPoolExecutor) -> None:
    """The other's single command is done after one batch of the long list, not after all of it."""
    queue = Line(world, pool, batch_limit=2)
    done: list[str] = []
    long = queue.ask(*(Note(done, "long") for _ in range(8)), actor="greedy")
    until_waiting(queue.combiner, 8)
    short = queue.ask(Note(done, "short"), actor="other")
    until_waiting(queue.combiner, 9)
    queue.let_go.set()
    assert (len(long.result(10)), len(short.result(10))) == (8, 1)
    assert done.index("short") == 2


def test_a_list_longer_than_the_whole_queue_is_still_served_when_nobody_waits(world: World) -> None:
    assert len(Combiner(world.db, queue_limit=2).run(1, [Actor()] * 5, actor="test")) == 5


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_a_batch_that_dies_fails_its_own_commands_and_the_next_ones_are_served(
    world: World, pool: ThreadPoolExecutor, error: type[BaseException]
) -> None:
    queue = Line(world, pool, batch_limit=1)
    dies = queue.ask(Fail(error))
    until_waiting(queue.combiner, 1)
    after = queue.ask(Actor())
    until_waiting(queue.combiner, 2)
    queue.let_go.set()
    assert queue.leader.result(10) == ["done"]
    with pytest.raises(error):
        dies.result(10)
    assert after.result(10)[0][0] == "test"


def test_who_finds_no_stable_rows_leaves_its_neighbours_their_answers(world: World, pool: ThreadPoolExecutor) -> None:
    world.stocked("mug", units=3)
    queue = Line(world, pool)
    held = queue.ask(Hold("h", {world.item("mug"): 2}, FAR_OFF))
    until_waiting(queue.combiner, 1)
    restless = queue.ask(Restless())
    until_waiting(queue.combiner, 2)
    queue.let_go.set()

    with pytest.raises(Broken, match="no stable set of rows"):
        restless.result(10)
    assert not isinstance(held.result(10)[0], Exception)
    assert world.units("mug") == Units(free=1, reserved=2)


def test_what_was_not_done_because_who_waits_for_it_needs_more_rows_is_not_answered_as_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def needs_more(_books: Books, _mark: object) -> None:
        raise Widen(())

    monkeypatch.setattr(ledger, "fill_waiting", needs_more)
    with pytest.raises(Broken, match="no stable set of rows"):
        Combiner(world.db).run(1, [Actor()], actor="test")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_leader_that_dies_hands_the_lead_on(
    world: World, pool: ThreadPoolExecutor, error: type[BaseException]
) -> None:
    combiner = Combiner(world.db)
    with pytest.raises(error):
        combiner.run(1, [Fail(error)], actor="test")
    assert combiner.run(1, [Actor()], actor="test")[0][0] == "test"


class TornAway(BaseException):
    """What a time limit raises in a thread, between any two steps."""


def test_neighbours_of_a_leader_that_is_torn_away_are_told_to_ask_again(
    world: World, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Line(world, pool)
    waiting = [queue.ask(Actor()) for _ in range(3)]
    until_waiting(queue.combiner, 3)
    monkeypatch.setattr(queue.combiner, "_serve", tear_away)
    queue.let_go.set()
    assert queue.leader.result(10) == ["done"]
    ended = [asked.exception(10) for asked in waiting]
    assert sorted(type(error).__name__ for error in ended) == ["Overloaded", "Overloaded", "TornAway"]
    monkeypatch.undo()
    assert queue.combiner.run(1, [Actor()], actor="test")[0][0] == "test"


def test_a_caller_torn_away_while_it_waits_takes_its_commands_along(
    world: World, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Line(world, pool)
    done: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(combiner._Call, "sleep", tear_away)
        with pytest.raises(TornAway):
            queue.combiner.run(1, [Note(done, "gone")], actor="test")
    stays = queue.ask(Note(done, "stays"))
    until_waiting(queue.combiner, 1)
    queue.let_go.set()
    stays.result(10)
    assert done == ["stays"]


def test_a_caller_that_nobody_wakes_finds_its_answer(
    world: World, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(combiner, "_LOOK_S", 0.05)
    queue = Line(world, pool)
    waiting = [queue.ask(Actor()) for _ in range(4)]
    until_waiting(queue.combiner, 4)
    rouse = combiner._Call.rouse
    monkeypatch.setattr(combiner._Call, "rouse", lambda call: rouse(call) if call.leads else None)
    queue.let_go.set()
    assert [asked.result(10)[0][0] for asked in waiting] == ["test"] * 4


def tear_away(*_: object) -> None:
    raise TornAway


def test_merchants_do_not_wait_for_each_other(world: World, pool: ThreadPoolExecutor) -> None:
    catalog.ensure_merchant(world.db, 2, name="Second shop")
    queue = Line(world, pool)
    assert queue.combiner.run(2, [Actor()], actor="other")[0][0] == "other"
    queue.let_go.set()
    queue.leader.result(10)


def test_a_leader_serves_its_own_commands_and_lets_another_go_on(world: World, pool: ThreadPoolExecutor) -> None:
    """The first caller has its answer although a later caller's batch is still open."""
    queue = Line(world, pool, batch_limit=1)
    begun, let_go = threading.Event(), threading.Event()
    slow = queue.ask(Wait(begun, let_go))
    until_waiting(queue.combiner, 1)
    queue.let_go.set()
    assert queue.leader.result(10) == ["done"]
    assert begun.wait(10)
    let_go.set()
    assert slow.result(10) == ["done"]


def test_everything_asked_through_the_combiner_is_committed_when_it_answers(world: World) -> None:
    world.stocked("mug", units=3)
    Combiner(world.db).run(1, [Hold("h", {world.item("mug"): 2}, FAR_OFF)], actor="test")
    assert world.units("mug") == Units(1, 2)
