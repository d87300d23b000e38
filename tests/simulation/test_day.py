"""A generated day: a sound hub comes through it, the same seed tells the same day, and wrong books are found."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url
from typer.testing import CliRunner

from core.combiner import Combiner
from core.command import Command
from core.goods.receiving import Receive
from core.stock import DocumentKind
from core.transaction import Database, connect
from drills.day.house import Clock
from drills.day.plan import Sizes
from drills.day.play import Outcome, play
from edge.cli import app
from tests.conftest import Logins

SMALL = Sizes(items=400, orders=240, bins=3, slice_minutes=60)

EACH_DAY = {
    "opening", "purchase", "receipt", "put_away", "transfer", "reservation", "deduction", "allocation", "hand_over",
    "shipment", "release", "expiry", "fill", "return", "lock", "unlock", "found", "missing", "damage", "regrade",
}  # fmt: skip

Play = Callable[..., Outcome]


@pytest.fixture
def play_day(template: Logins, _server: Engine) -> Iterator[Play]:
    """Plays a small day, each on a fresh database."""
    made: list[str] = []

    def play_one(seed: int, make_combiner: Callable[[Database], Combiner] = Combiner) -> Outcome:
        name = f"{template.database}_day_{len(made)}"
        with _server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template.database} OWNER holdfast_owner"))
        made.append(name)
        clock, engine = Clock(), connect(template.at(name).app)
        try:
            with psycopg.connect(plain(template.at(name).superuser), autocommit=True) as database:
                return play(seed, SMALL, Database(engine, clock), clock, database, make_combiner)
        finally:
            engine.dispose()

    yield play_one
    for name in made:
        with _server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def plain(url: str) -> str:
    """A login as the driver itself takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def test_every_unit_of_a_day_is_accounted_for_and_the_same_seed_tells_the_same_day(play_day: Play) -> None:
    first, again, other = play_day(1), play_day(1), play_day(2)
    assert first.violations == other.violations == []
    assert first.oversold == other.oversold == 0
    assert first.orders == other.orders == SMALL.orders
    assert first.journal == again.journal != other.journal


def test_goods_pass_through_all_layers_and_all_that_people_do_is_done(play_day: Play) -> None:
    outcome = play_day(3)
    assert outcome.violations == []
    assert not EACH_DAY - outcome.documents_by_kind.keys()
    assert outcome.units_in > outcome.units_out > 0


class TakesBackTwice(Combiner):
    """Takes each parcel that comes back for two."""

    def run(self, merchant_id: int, commands: Sequence[Command], *, actor: str) -> list[Any]:
        return super().run(merchant_id, [_doubled(command) for command in commands], actor=actor)


def _doubled(command: Command) -> Command:
    if not isinstance(command, Receive) or command.kind is not DocumentKind.RETURN:
        return command
    return replace(command, quantities={one: 2 * units for one, units in command.quantities.items()})


def test_units_that_nobody_brought_are_found(play_day: Play) -> None:
    violations = play_day(1, TakesBackTwice).violations
    assert any("outside count" in violation for violation in violations)


class Forger(Combiner):
    """Writes a number into the books that no document moved."""

    forged = False

    def run(self, merchant_id: int, commands: Sequence[Command], *, actor: str) -> list[Any]:
        results = super().run(merchant_id, commands, actor=actor)
        if commands and not self.forged:
            self.forged = True
            with self._db.begin(merchant_id, actor="test") as tx:
                tx.run(
                    """UPDATE warehouse_balance SET available = available + 1 WHERE merchant_id = :merchant_id
                       AND (item_id, bin_id) IN (SELECT item_id, bin_id FROM warehouse_balance
                           WHERE merchant_id = :merchant_id ORDER BY item_id LIMIT 1)"""
                )
        return results


def test_numbers_that_no_document_moved_are_found(play_day: Play) -> None:
    violations = play_day(1, Forger).violations
    assert any(violation.startswith("audit: 2 ") for violation in violations)
    assert any("outside count" in violation for violation in violations)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([], "--day for a day"),
        (["--day", "--seeds", "1..3"], "--seeds is not for --day"),
        (["--seeds", "1", "--orders", "500"], "--orders is not for a storm"),
        (["--seeds", "3..1"], "is no range of seeds"),
    ],
)
def test_what_makes_no_sense_together_is_said(said: list[str], told: str) -> None:
    answer = CliRunner().invoke(app, ["simulate", *said])
    assert answer.exit_code == 2
    assert told in " ".join(answer.output.split())
