"""The simulation itself: a sound hub passes, the same seed tells the same story, and a broken hub is caught."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from core import flows, stores
from core.combiner import Combiner
from core.command import Command
from core.fulfilment.acts import Done, Ship
from core.goods.adjusting import Lose
from core.goods.receiving import Receive
from core.mirror import known
from core.mirror.known import Outcome
from core.model import FetchedOrders, StoreOrder
from core.orders.apply import ApplyOrder
from core.sales.drawing import OWN
from core.stocktake import posting
from drills.simulate.connectors import CompareAndSet, ModelConnector
from drills.simulate.outside import OutsideModel
from drills.simulate.play import KINDS, Build
from drills.simulate.run import Server, serving

EVENTS = 20
SEEDS = (1, 2, 3)
MANY_SEEDS = range(1, 9)
WITH_DELIVERIES = (2, 3, 4)  # seeds whose stories have some
PACKED, SPLIT, COUNTED, TOLD_LATE = (2, 4), (3, 6), (1, 2), (7, 8)  # seeds in whose stories that happens
HINTS_LOST = (4, 5, 6)  # seeds in whose stories no other hint of an order follows
SETTER_SELLS = (6, 7)  # seeds in whose stories the first shop soon sells something that lasts


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.mark.parametrize("seed", range(1, 5))
def test_a_sound_hub_comes_through_every_storm(server: Server, seed: int) -> None:
    outcome = server.play(seed, EVENTS)
    assert outcome.violations == []
    assert outcome.oversold == 0
    assert outcome.steps > EVENTS


def test_a_seed_tells_the_same_story_each_time_and_another_seed_another_one(server: Server) -> None:
    first, again, other = (server.play(seed, EVENTS).journal for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_all_that_moves_or_promises_units_happens(server: Server) -> None:
    """Nearly all of it is refused sometimes, and does something at other times."""
    told = "\n".join(line for seed in MANY_SEEDS for line in server.play(seed, 160).story)
    for act in (
        "receipt-", "loss-", "away-", "order PO-", "delivery-", "cut-", "send T-", "receive T-", "lose T-", "hold-",
        "end of hold-", "sign of life of hold-", "deposit of presold-",
        "payment of hold-of-", "own order ", "decision on lock-", "release lock-", "close lock-", "consume lock-",
        "change lock-", "migrates", "pool-", "deal pool-", "collect pool-", "close pool-",
        "dispatch-", "switch-", "hand-", "packed-", "unhand-", "give-", "reject-",
        "apart-", "unknown-", "look-", "unblock-", "VR-", "regrade-", "split-", "join-", "rename-",
        "open S-", "count of S-", "approve S-", "post S-", "cancel S-", "wms-", "wms-all-", "decision on wms-all-",
    ):  # fmt: skip
        answers = [line.rpartition(": ")[2] for line in told.splitlines() if " caller: " in line and act in line]
        assert any(answer not in ("Refused", "NotFound", "False") for answer in answers), act


def test_the_ledger_is_looked_at_after_each_of_its_commits(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = count()
    check = OutsideModel.check

    def counted(model: OutsideModel) -> Iterator[str]:
        next(looked)
        yield from check(model)

    monkeypatch.setattr(OutsideModel, "check", counted)
    outcome = server.play(2, EVENTS)
    assert outcome.violations == []
    assert next(looked) > EVENTS // 2


class ReceivesTwice(Combiner):
    """Takes each delivery of goods for two, so that the ledger has more units than exist."""

    def run(self, merchant_id: int, commands: Sequence[Command], *, actor: str) -> list[Any]:
        twice = [replace(c, quantities=_doubled(c.quantities)) if isinstance(c, Receive) else c for c in commands]
        return super().run(merchant_id, twice, actor=actor)


def _doubled(quantities: Mapping[Any, int]) -> dict[Any, int]:
    return {stocked: 2 * units for stocked, units in quantities.items()}


class LosesTwice(Combiner):
    """Takes each loss of goods for two."""

    def run(self, merchant_id: int, commands: Sequence[Command], *, actor: str) -> list[Any]:
        twice = [replace(c, quantities=_doubled(c.quantities)) if isinstance(c, Lose) else c for c in commands]
        return super().run(merchant_id, twice, actor=actor)


class ForgetsOwnOrders(Combiner):
    """Says of orders of the merchant's own shop that they were taken, and does nothing."""

    def run(self, merchant_id: int, commands: Sequence[Command], *, actor: str) -> list[Any]:
        done = iter(super().run(merchant_id, [c for c in commands if not _is_own(c)], actor=actor))
        return [True if _is_own(command) else next(done) for command in commands]


def _is_own(command: Command) -> bool:
    return isinstance(command, ApplyOrder) and command.store_id == OWN


class ForgetsParcels(Combiner):
    """Says of parcels that they have left, and does nothing."""

    def run(self, merchant_id: int, commands: Sequence[Command], *, actor: str) -> list[Any]:
        done = iter(super().run(merchant_id, [c for c in commands if not isinstance(c, Ship)], actor=actor))
        return [Done(None, {}) if isinstance(command, Ship) else next(done) for command in commands]


class ForgetsALine(CompareAndSet):
    """Leaves out the last line of each order that it fetches."""

    def fetch_orders(self, order_ids: Sequence[str]) -> FetchedOrders:
        found = super().fetch_orders(order_ids)
        return FetchedOrders([_shortened(order) for order in found.orders], found.missing)


def _shortened(order: StoreOrder) -> StoreOrder:
    return replace(order, lines=order.lines[:-1])


class WritesBlindly(CompareAndSet):
    """Tells that everything was written, and writes nothing."""

    def _set(self, numbers: Mapping[str, int]) -> None:
        """Nothing."""


def broken(kind: type[ModelConnector]) -> Build:
    return Build(kinds={**KINDS, "setter": kind})


def findings(server: Server, build: Build, seeds: Sequence[int] = SEEDS, events: int = EVENTS) -> str:
    """What is found in a few storms."""
    outcomes = [server.play(seed, events, build) for seed in seeds]
    return "\n".join(line for outcome in outcomes for line in outcome.story if "VIOLATION" in line)


def test_units_that_do_not_exist_are_found(server: Server) -> None:
    outcomes = [server.play(seed, EVENTS, Build(make_combiner=ReceivesTwice)) for seed in WITH_DELIVERIES]
    assert all(outcome.violations for outcome in outcomes)


def test_goods_that_are_gone_and_were_not_lost_are_found(server: Server) -> None:
    outcomes = [server.play(seed, 2 * EVENTS, Build(make_combiner=LosesTwice)) for seed in SEEDS]
    assert any(outcome.violations for outcome in outcomes)


def test_orders_of_our_own_interface_that_are_forgotten_are_found(server: Server) -> None:
    assert "own order" in findings(server, Build(make_combiner=ForgetsOwnOrders), SEEDS[:2], 3 * EVENTS)


def test_parcels_that_left_and_are_not_in_the_books_are_found(server: Server) -> None:
    assert "and does not stand" in findings(server, Build(make_combiner=ForgetsParcels), PACKED, 4 * EVENTS)


def test_units_that_are_split_off_twice_are_found(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = flows.turn_into
    monkeypatch.setattr(
        flows, "turn_into", lambda home, before, after, units, found: turn(home, before, after, units, found + 1)
    )
    assert "exist" in findings(server, Build(), SPLIT, 4 * EVENTS)


def test_a_stocktake_that_books_what_nobody_counted_is_found(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = posting._due
    monkeypatch.setattr(posting, "_due", lambda *of: [one._replace(variance=one.variance + 1) for one in lines(*of)])
    assert "were booked" in findings(server, Build(), COUNTED, 4 * EVENTS)


def test_a_late_count_that_is_booked_is_found(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "judge", lambda *_: Outcome.OPEN)
    assert "is older" in findings(server, Build(), TOLD_LATE, 4 * EVENTS)


def test_an_order_that_is_not_wholly_taken_over_is_found(server: Server) -> None:
    assert "was lost" in findings(server, broken(ForgetsALine), SETTER_SELLS)


def test_a_number_that_never_arrives_at_a_storefront_is_found(server: Server) -> None:
    assert "availability gives" in findings(server, broken(WritesBlindly), SEEDS[:1])


def test_polls_that_find_nothing_let_lost_hints_show(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The storm really loses hints: without the net below it orders are lost."""
    monkeypatch.setattr(stores, "needs_fetch", lambda *_: [])
    outcomes = [server.play(seed, 3 * EVENTS) for seed in HINTS_LOST]
    assert all(outcome.violations for outcome in outcomes)
