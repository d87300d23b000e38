"""Many seeds, each on a fresh clone of one prepared database, on a PostgreSQL of this run alone."""

import hashlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from config.embedded import start_postgres
from config.embedded.postgres import OWNER
from config.processes import settle_memory
from core import schema
from core.errors import HoldfastError
from core.transaction import Database, connect
from drills import scratch
from drills.simulate.acts import ACTS
from drills.simulate.play import START, Build, Logins, Outcome, play, prepare

_SAY_EVERY_S = 5.0
_STORY_LINES = 60
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Options:
    """Play the seeds ``first`` to ``last``, each with so many ``events``. ``processes`` 0: one per processor.

    ``all_acts``: it is a finding, too, when an act of people did something in none of the seeds.
    """

    first: int
    last: int
    events: int = 100
    json: bool = False
    processes: int = 0
    all_acts: bool = False

    @property
    def seeds(self) -> range:
        return range(self.first, self.last + 1)


@dataclass(frozen=True, slots=True)
class Server:
    """A prepared database, and the way to clone it."""

    template: Logins
    admin: str = field(repr=False)

    def play(self, seed: int, events: int, build: Build | None = None) -> Outcome:
        """Play one seed on a clone that is gone afterwards."""
        clone = f"simulation_{seed}"
        name, source = sql.Identifier(clone), sql.Identifier(str(make_url(self.template.app).database))
        with psycopg.connect(self.admin, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            made = "CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY FILE_COPY"
            admin.execute(sql.SQL(made).format(name, sql.Identifier(OWNER), source))
            try:
                return play(seed, events, self.template.at(clone), build)
            finally:
                admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


def run(options: Options) -> int:
    """Play, tell of progress on stderr, end with one line on stdout. Returns: 0 when nothing was found, else 1."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _settle_down()
    began = time.monotonic()
    outcomes: list[Outcome] = []
    progress = _Progress(options)
    try:
        with serving() as server:
            for outcome in _play_all(server, options):
                outcomes.append(outcome)
                progress.tell(outcome)
    except KeyboardInterrupt:
        _say("stopped; everything has ended")
        return INTERRUPTED
    except HoldfastError as error:
        _say(f"failed: {error}")
        return 1
    found = summary(outcomes, time.monotonic() - began)
    sys.stdout.write((json.dumps(found) if options.json else _sentence(found)) + "\n")
    if options.all_acts and found["never_done"]:
        _say(f"in {found['seeds']} seeds nobody did: {', '.join(found['never_done'])}; play more of them")
        return 1
    return 1 if found["violations"] else 0


def summary(outcomes: Sequence[Outcome], seconds: float) -> dict[str, Any]:
    """The findings of all seeds as JSON values; ``journal`` is equal for equal runs.

    ``never_done``: acts of people that did something in no seed.
    """
    by_seed = sorted(outcomes, key=lambda outcome: outcome.seed)
    events = sum(outcome.events for outcome in by_seed)
    return {
        "seeds": len(by_seed),
        "events": events,
        "steps": sum(outcome.steps for outcome in by_seed),
        "violations": sum(len(outcome.violations) for outcome in by_seed),
        "failed_seeds": [outcome.seed for outcome in by_seed if outcome.violations],
        "oversold_units_core": sum(outcome.oversold for outcome in by_seed),
        "never_done": sorted(ACTS.difference(*(outcome.acts for outcome in by_seed))),
        "events_per_second": round(events / seconds, 1),
        "seconds": round(seconds, 1),
        "journal": hashlib.sha256(" ".join(outcome.journal for outcome in by_seed).encode()).hexdigest()[:24],
    }


@contextmanager
def serving() -> Iterator[Server]:
    """A PostgreSQL in a folder of its own, with the prepared database; both are gone afterwards."""
    with scratch.folder("holdfast-simulation") as folder, start_postgres(folder, fsync=False) as postgres:
        with postgres.connect_as_superuser() as admin:
            # Whatever depends on the time of day would make two runs of a seed differ.
            admin.execute("ALTER SYSTEM SET autovacuum = off")
            admin.execute("ALTER ROLE ALL SET synchronous_commit = off")
            admin.execute("ALTER ROLE ALL SET jit = off")
            admin.execute("SELECT pg_reload_conf()")
        database = make_url(postgres.app_url).database
        superuser = make_url(postgres.superuser_url).set(drivername="postgresql", database=database)
        _prepare(postgres.owner_url, postgres.app_url)
        admin_url = superuser.set(database="postgres").render_as_string(hide_password=False)
        yield Server(Logins(postgres.app_url, superuser.render_as_string(hide_password=False)), admin_url)


def _prepare(owner_url: str, app_url: str) -> None:
    owner = connect(owner_url, role=None)
    try:
        schema.migrate(owner)
    finally:
        owner.dispose()
    app = connect(app_url)
    try:
        prepare(Database(app, lambda: START))
    finally:
        app.dispose()


def _play_all(server: Server, options: Options) -> Iterator[Outcome]:
    processes = min(options.processes or os.cpu_count() or 1, len(options.seeds))
    if processes == 1:
        for seed in options.seeds:
            yield server.play(seed, options.events)
        return
    with ProcessPoolExecutor(processes, get_context("spawn"), _settle_down) as pool:
        try:
            waiting = {pool.submit(server.play, seed, options.events) for seed in options.seeds}
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for one in done:
                    yield one.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _settle_down() -> None:
    """What every process of a run does first: the hub tells at length what it meets, and leaves much garbage."""
    logging.disable(logging.WARNING)
    settle_memory()


class _Progress:
    """Tells what was found at once, and how far it is every few seconds."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._played = self._failed = 0
        self._began = self._said = time.monotonic()

    def tell(self, outcome: Outcome) -> None:
        self._played += 1
        if outcome.violations:
            self._failed += 1
            self._tell_failed(outcome)
        now, seeds = time.monotonic(), len(self._options.seeds)
        if now - self._said >= _SAY_EVERY_S or self._played == seeds:
            self._said = now
            speed = self._played * self._options.events / (now - self._began)
            _say(f"{self._played} of {seeds} seeds, {self._failed} failed, {speed:.0f} events/s")

    def _tell_failed(self, outcome: Outcome) -> None:
        if len(self._options.seeds) == 1:
            _say("\n".join(outcome.story[-_STORY_LINES:]))
        for violation in outcome.violations:
            _say(f"seed {outcome.seed}: {violation}")
        _say(f"again: holdfast simulate --seeds {outcome.seed} --events {outcome.events}")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _sentence(found: dict[str, Any]) -> str:
    return (
        f"{found['seeds']} seeds, {found['events']} events in {found['seconds']} s: {found['violations']} violations, "
        f"{found['oversold_units_core']} units oversold by the core; journal {found['journal']}"
    )
