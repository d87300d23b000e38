"""The simulation itself: a sound hub passes, the same seed tells the same story, and a broken hub is caught."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count, islice
from typing import Any

import pytest

from core import flows, stores
from core.combiner import Combiner
from core.command import Command
from core.fulfilment.acts import Done, Ship
from core.goods import bundles
from core.goods.adjusting import Lose, SetOnShelf
from core.goods.receiving import Receive
from core.mirror import known
from core.mirror.known import Outcome
from core.model import FetchedOrders, StoreOrder
from core.orders.apply import ApplyOrder
from core.reversing import Reverse, Reversed
from core.sales.drawing import OWN
from core.stock import DocumentKind
from core.stocktake import posting
from core.supply import taking_back
from core.supply.acting import Receipt
from core.supply.lines import PurchaseLine, Split, Taken
from drills.simulate import play
from drills.simulate.acts import ACTS, done_by
from drills.simulate.connectors import CompareAndSet, ModelConnector
from drills.simulate.outside import OutsideModel
from drills.simulate.play import KINDS, Build
from drills.simulate.run import Server, serving

EVENTS = 20
SEEDS = (1, 2, 3)
SOME = range(1, 13)  # seeds to look for something in, one after another


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


def test_what_people_do_in_vain_is_not_called_done() -> None:
    assert done_by("lock-7: consume lock-3", "Drawn(2)") == {"consume lock-"}
    assert done_by("lock-7: consume lock-3", "Refused") == set()


def test_a_run_in_which_somebody_never_did_his_part_fails_when_that_is_asked_for() -> None:
    command = [sys.executable, "-P", "-m", "edge.cli", "simulate", "--seeds", "1", "--events", "12", "--json"]
    asked = subprocess.run([*command, "--all-acts"], capture_output=True, text=True, check=False)

    found = json.loads(asked.stdout)
    assert found["violations"] == 0
    assert 0 < len(found["never_done"]) < len(ACTS)
    assert asked.returncode == 1
    assert f"nobody did: {', '.join(found['never_done'])}" in asked.stderr


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


class MiscountsShelves(Combiner):
    """Takes what somebody counted on a shelf for one unit more."""

    def run(self, merchant_id: int, commands: Sequence[Command], *, actor: str) -> list[Any]:
        more = [replace(c, counted=c.counted + 1) if isinstance(c, SetOnShelf) else c for c in commands]
        return super().run(merchant_id, more, actor=actor)


class CorrectsNothing(Combiner):
    """Says of documents that they were taken back, and leaves them as they are."""

    def run(self, merchant_id: int, commands: Sequence[Command], *, actor: str) -> list[Any]:
        done = iter(super().run(merchant_id, [c for c in commands if not isinstance(c, Reverse)], actor=actor))
        return [_undone(command) if isinstance(command, Reverse) else next(done) for command in commands]


def _undone(command: Reverse) -> Reversed:
    return Reversed(command.document.id, DocumentKind.REVERSAL)


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


def finds(server: Server, build: Build, finding: str, events: int) -> bool:
    """Is it found in one of a few storms? Not in every one does it happen at all."""
    outcomes = (server.play(seed, events, build) for seed in SOME)
    return any("VIOLATION" in line and finding in line for outcome in outcomes for line in outcome.story)


def finds_often(server: Server, build: Build, events: int) -> bool:
    """Do three of a few storms have findings?"""
    found = (seed for seed in SOME if server.play(seed, events, build).violations)
    return len(list(islice(found, 3))) == 3


def test_units_that_do_not_exist_are_found(server: Server) -> None:
    assert finds_often(server, Build(make_combiner=ReceivesTwice), EVENTS)


def test_goods_that_are_gone_and_were_not_lost_are_found(server: Server) -> None:
    assert finds(server, Build(make_combiner=LosesTwice), "", 2 * EVENTS)


def test_orders_of_our_own_interface_that_are_forgotten_are_found(server: Server) -> None:
    assert finds(server, Build(make_combiner=ForgetsOwnOrders), "own order", 3 * EVENTS)


def test_parcels_that_left_and_are_not_in_the_books_are_found(server: Server) -> None:
    assert finds(server, Build(make_combiner=ForgetsParcels), "and does not stand", 4 * EVENTS)


def test_units_that_are_split_off_twice_are_found(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = flows.turn_into
    monkeypatch.setattr(
        flows, "turn_into", lambda home, before, after, units, found: turn(home, before, after, units, found + 1)
    )
    assert finds(server, Build(), "exist", 4 * EVENTS)


def test_a_stocktake_that_books_what_nobody_counted_is_found(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = posting._due
    monkeypatch.setattr(posting, "_due", lambda *of: [one._replace(variance=2 * one.variance) for one in lines(*of)])
    assert finds(server, Build(), "were booked", 15 * EVENTS)


def test_a_shelf_that_is_not_as_it_was_counted_is_found(server: Server) -> None:
    assert finds(server, Build(make_combiner=MiscountsShelves), "the books were wrong by", 2 * EVENTS)


def test_kits_that_are_made_of_nothing_are_found(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    decide = bundles.decide_assembly
    monkeypatch.setattr(bundles, "decide_assembly", lambda books, _, made, times: decide(books, [], made, times))
    assert finds(server, Build(), "exist", 3 * EVENTS)


def test_a_document_that_still_stands_though_it_was_taken_back_is_found(server: Server) -> None:
    assert finds(server, Build(make_combiner=CorrectsNothing), "and does not stand", 2 * EVENTS)


def test_a_receipt_taken_back_whose_goods_nobody_awaits_any_more_is_found(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left_the_world(_line: PurchaseLine, receipt: Receipt, _early: int) -> Split:
        return Split(*(Taken(0, 0, units) for units in receipt.came))

    monkeypatch.setattr(taking_back, "split_back", left_the_world)
    assert finds(server, Build(), "are awaited", 4 * EVENTS)


def test_a_late_count_that_is_booked_is_found(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "judge", lambda *_: Outcome.OPEN)
    assert finds(server, Build(), "is older", 4 * EVENTS)


def test_an_order_that_is_not_wholly_taken_over_is_found(server: Server) -> None:
    assert finds(server, broken(ForgetsALine), "was lost", EVENTS)


def test_a_number_that_never_arrives_at_a_storefront_is_found(server: Server) -> None:
    assert finds(server, broken(WritesBlindly), "availability gives", EVENTS)


def test_polls_that_find_nothing_let_lost_hints_show(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The storm really loses hints: without the net below it orders are lost. A sound hub rests much sooner."""
    monkeypatch.setattr(stores, "needs_fetch", lambda *_: [])
    monkeypatch.setattr(play, "_REST_LIMIT", timedelta(minutes=10))
    assert finds_often(server, Build(), 3 * EVENTS)
