"""One day from its first hour to its last, slice by slice: people act, shoppers shop, and the books are looked at."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import psycopg
from cryptography.fernet import Fernet

from config.secrets import Secrets
from config.settings import Settings
from config.wiring import App
from connectors.http import Net
from core import audit
from core.combiner import Combiner
from core.transaction import Database
from drills.day import opening
from drills.day.buying import Buying
from drills.day.clockwork import Clockwork
from drills.day.count import judge, ledger
from drills.day.finding import Finding
from drills.day.house import Clock, House
from drills.day.moving import Moving
from drills.day.plan import MERCHANT, Sizes, instant, slices
from drills.day.rota import Rota
from drills.day.selling import Selling
from drills.day.sending import Sending
from drills.day.shoppers import Shoppers, catalogue

_JUDGE_MINUTES = 120


@dataclass(slots=True)
class Outcome:
    """``violations``: of the audit, of the outside count, and what was refused that should not have been.

    ``tally``: how often each kind of thing was done. ``parts``: seconds by what they went into.
    """

    seed: int
    orders: int = 0
    documents: int = 0
    movements: int = 0
    oversold: int = 0
    units_in: int = 0
    units_out: int = 0
    refused: int = 0
    journal: str = ""
    violations: list[str] = field(default_factory=list)
    tally: Mapping[str, int] = field(default_factory=dict)
    documents_by_kind: Mapping[str, int] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)


def play(
    seed: int,
    sizes: Sizes,
    db: Database,
    clock: Clock,
    database: "psycopg.Connection[Any]",
    make_combiner: Callable[[Database], Combiner] = Combiner,
    tell: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Play the day of a seed on an empty, migrated database whose ``db`` has this clock.

    Args: database: a connection that sees all rows, for the outside count. tell: is told how far the day is.
    """
    outcome = Outcome(seed)
    watch = _Watch(outcome.parts)
    random = Random(seed)
    house = House(sizes, _app(db, make_combiner(db)), clock, random)
    known = catalogue(random, sizes)
    opening.make_merchant(db)
    opening.open_up(house, known)
    shoppers, rota = Shoppers(random, sizes, known), Rota()
    skus = opening.plain_skus(known)
    selling = Selling(house, shoppers)
    for people in (Buying(house, rota, skus), Moving(house, rota), Finding(house, rota, skus)):
        people.plan()
    Sending(house, rota, shoppers).plan()
    clockwork = Clockwork(house)
    clockwork.wind_up()
    watch.past("opening")
    tell(f"{sizes.items:,} items stand in {len(house.warehouses())} warehouses")
    for minute in slices(sizes):
        clock.now = instant(minute)
        _live(minute, clockwork, rota, selling, watch)
        if minute % _JUDGE_MINUTES == 0:
            _judge(house, database)
            watch.past("counting")
            done, wrong = house.tally["order told"], len(house.findings)
            tell(f"{clock.now:%H:%M}: orders told {done:,} times, {wrong} findings")
    _look_back(house, database, watch)
    _sum_up(outcome, house, shoppers, database)
    return outcome


class _Watch:
    """Adds up how long each part of a day took, in seconds."""

    def __init__(self, parts: dict[str, float]) -> None:
        self._parts, self._began = parts, time.monotonic()

    def past(self, part: str) -> None:
        """What was done since the last call was this."""
        now = time.monotonic()
        self._parts[part] = self._parts.get(part, 0.0) + now - self._began
        self._began = now


def _live(minute: int, clockwork: Clockwork, rota: Rota, selling: Selling, watch: _Watch) -> None:
    """A slice of the day: what runs out ends, people act, shoppers shop, and what was paid is sent on its way."""
    clockwork.end_what_ran_out()
    watch.past("clockwork")
    rota.go_on(minute)
    watch.past("people")
    selling.tell(minute)
    watch.past("orders")
    clockwork.dispatch()
    watch.past("dispatch")


def _look_back(house: House, database: "psycopg.Connection[Any]", watch: _Watch) -> None:
    """When the day is over: are the books right, and what was written into them."""
    _judge(house, database)
    watch.past("counting")
    _audit(house)
    watch.past("audit")
    for line in ledger(database):
        house.journal.add(line)
    watch.past("journal")


def _app(db: Database, combiner: Combiner) -> App:
    """What the hub's processes work with; no store is ever called."""
    key = Fernet.generate_key().decode()
    return App(Settings.load(secret_keys=key), db, combiner, Secrets(key), Net())


def _judge(house: House, database: "psycopg.Connection[Any]") -> None:
    for what in judge(house.count, database):
        house.found(f"outside count: {what}")


def _audit(house: House) -> None:
    with house.db.begin(MERCHANT, actor="day") as tx:
        for violation in audit.audit(tx):
            house.found(f"audit: {violation.invariant}: {dict(violation.row)}")


def _sum_up(outcome: Outcome, house: House, shoppers: Shoppers, database: "psycopg.Connection[Any]") -> None:
    kinds: Any = database.execute("SELECT kind, count(*) FROM document GROUP BY 1 ORDER BY 2 DESC, 1").fetchall()
    outcome.documents_by_kind = dict(kinds)
    outcome.documents = sum(outcome.documents_by_kind.values())
    ((outcome.movements,),) = database.execute("SELECT count(*) FROM movement").fetchall()
    ((outcome.orders,),) = database.execute("SELECT count(*) FROM store_order").fetchall()
    if outcome.orders != (told := sum(1 for one in shoppers.orders.values() if one.version)):
        house.found(f"{told} orders were told, and the books have {outcome.orders}")
    outcome.tally = dict(sorted(house.tally.items()))
    outcome.oversold, outcome.refused = house.count.oversold, house.refused
    outcome.units_in, outcome.units_out = house.count.came, house.count.left
    outcome.violations, outcome.journal = house.findings, house.journal.digest
