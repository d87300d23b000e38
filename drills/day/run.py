"""A day on a PostgreSQL of its own, as the hub runs it, and what became of it in one line."""

import json
import logging
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from config.embedded import Postgres, start_postgres
from config.processes import settle_memory
from core import schema
from core.errors import HoldfastError
from core.transaction import Database, connect
from drills.day.house import Clock
from drills.day.plan import Sizes
from drills.day.play import Outcome, play

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Options:
    """The day that ``seed`` draws, of this size."""

    seed: int
    sizes: Sizes = field(default_factory=Sizes)
    json: bool = False


def run(options: Options) -> int:
    """Play a day; end with one line on stdout. Returns: 0 when nothing was found, else 1."""
    logging.disable(logging.WARNING)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    try:
        with serving() as server:
            settle_memory()
            outcome = play_on(server, options)
    except KeyboardInterrupt:
        _say("stopped; everything has ended")
        return INTERRUPTED
    except HoldfastError as error:
        _say(f"failed: {error}")
        return 1
    for violation in outcome.violations:
        _say(f"seed {options.seed}: {violation}")
    if outcome.violations:
        _say(f"again: holdfast simulate --day --seed {options.seed}{_size(options.sizes)}")
    found = summary(outcome, time.monotonic() - began)
    sys.stdout.write((json.dumps(found) if options.json else _sentence(found)) + "\n")
    return 1 if outcome.violations else 0


@contextmanager
def serving() -> Iterator[Postgres]:
    """A PostgreSQL in a folder of its own, with the schema; gone afterwards. What it says is written is on disk."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-day-"))
    try:
        with start_postgres(folder) as server:
            owner = connect(server.owner_url, role=None)
            try:
                schema.migrate(owner)
            finally:
                owner.dispose()
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def play_on(server: Postgres, options: Options) -> Outcome:
    clock, engine = Clock(), connect(server.app_url)
    try:
        with server.connect_as_superuser(make_url(server.app_url).database or "") as database:
            return play(options.seed, options.sizes, Database(engine, clock), clock, database, tell=_say)
    finally:
        engine.dispose()


def summary(outcome: Outcome, seconds: float) -> dict[str, Any]:
    """What is told of a day, as JSON values; ``journal`` is equal for equal days.

    ``cpu_seconds``: of this process; ``server_cpu_seconds``: of PostgreSQL, once it has ended.
    """
    own, server = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "seed": outcome.seed,
        "orders": outcome.orders,
        "documents": outcome.documents,
        "movements": outcome.movements,
        "violations": len(outcome.violations),
        "oversold": outcome.oversold,
        "units_in": outcome.units_in,
        "units_out": outcome.units_out,
        "refused": outcome.refused,
        "done": outcome.tally,
        "documents_by_kind": outcome.documents_by_kind,
        "seconds": round(seconds, 1),
        "seconds_by_part": {part: round(s, 1) for part, s in outcome.parts.items()},
        "audit_seconds": round(outcome.parts["audit"], 1),
        "cpu_seconds": round(own.ru_utime + own.ru_stime, 1),
        "server_cpu_seconds": round(server.ru_utime + server.ru_stime, 1),
        "peak_memory_mb": own.ru_maxrss // 1024,
        "journal": outcome.journal,
    }


def _size(sizes: Sizes) -> str:
    """How to ask for this size, when it is not the usual one."""
    usual = Sizes()
    asked = (("--orders", sizes.orders, usual.orders), ("--items", sizes.items, usual.items))
    return "".join(f" {name} {number}" for name, number, common in asked if number != common)


def _sentence(found: dict[str, Any]) -> str:
    return (
        f"A day of {found['orders']:,} orders: {found['documents']:,} documents, {found['movements']:,} movements in "
        f"{found['seconds']} s; {found['violations']} violations, {found['oversold']} units oversold; journal "
        f"{found['journal']}"
    )


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
