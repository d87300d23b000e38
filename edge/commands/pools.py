"""``holdfast pool``: units set apart for a store or an activity, or sold before they are there."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from core.access.rights import Right
from core.stock import GOOD
from edge.coming import read_coming
from edge.commands.acting import DryRun, Grade, Key, Sku, act
from edge.commands.common import Call, Door, say, say_json
from edge.commands.spread import spread
from edge.instants import local
from edge.quantities import find_items, read_quantities

if TYPE_CHECKING:
    from core.command import Command
    from core.stock import Stocked
    from core.transaction import Transaction

commands = typer.Typer(
    help="Keep units for a store or a campaign; sell before they come.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Code = Annotated[str, typer.Argument(metavar="CODE", help="the pool's code, as it was given")]
What = Annotated[list[str], typer.Argument(metavar="SKU=N...", help="items and units, like MUG-RED=50")]
Store = Annotated[
    str, typer.Option("--store", metavar="STORE", help="for this store alone; `own` is our own interface")
]
BestEffort = Annotated[
    bool, typer.Option("--best-effort", help="take what there is where there is too little; else all or nothing")
]


WHEN = "like 2026-11-27T08:00, 2h from now, or a day"


def store_id_of(tx: "Transaction", store: str) -> int | None:
    """None: every channel. Raises: NotFound."""
    from core import stores
    from core.sales.drawing import OWN

    if not store:
        return None
    return OWN if store.casefold() == "own" else stores.find(tx, store).id


def zone_of(tx: "Transaction") -> ZoneInfo:
    from core.zones import zone_of as read

    return read(tx)


def by_sku(entered: Door, units: "Mapping[Stocked, int]") -> dict[str, int]:
    """Units for people; the grade is told where it is not the good one."""
    from core.sales.pool_report import named

    with entered.begin() as tx:
        return named(tx, units)


def listed(units: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {sku}" for sku, n in units.items()) or "nothing"


@commands.command()
@spread
def make(
    code: Code,
    store: Annotated[str, typer.Option("--store", metavar="STORE", help="whose; `own` is our own interface")],
    what: Annotated[list[str] | None, typer.Argument(metavar="[SKU=N...]", help="items and units to deal now")] = None,
    grade: Grade = GOOD,
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Make the pool of one store: units in it nobody else may sell.

    Its orders take units from there first, then from what everybody shares. A code is used once.

    \b
    Example: holdfast pool make BERLIN-OWN MUG-RED=30 --store Berlin
    """
    from core.sales import campaigns
    from core.sales.pools import OpenPool
    from core.stock import Pool, PoolKind

    with call.door(Right.POOL_CHANGE) as entered:
        with entered.begin() as tx:
            quantities = find_items(tx, read_quantities(what or []), grade)
            pool = Pool(tx.new_id(), PoolKind.CHANNEL, campaigns.new_code(tx, code), store_id_of(tx, store))
        act(entered, OpenPool(pool, quantities), dry_run=dry_run)
        dealt = by_sku(entered, quantities)
        if not dry_run:
            with entered.begin() as tx:
                entered.log(tx, "pool.make", f"pool:{pool.code}", units=sum(quantities.values()))
    if call.as_json:
        say_json({"pool": pool.code, "dealt": dealt, "dry_run": dry_run})
    else:
        say(f"Pool {pool.code} {'would be' if dry_run else 'is'} made with {listed(dealt)}, for {store} alone.")


@dataclass(frozen=True, slots=True)
class Shifting:
    """Options of what moves units into a pool or out of it."""

    grade: Grade = GOOD
    best_effort: BestEffort = False
    key: Key = ""
    dry_run: DryRun = False

    @property
    def once(self) -> str:
        """The key by which it is done once: the caller's own, or one that nobody else has."""
        return self.key or str(uuid.uuid4())


@commands.command()
@spread
def deal(code: Code, what: What, how: Shifting, *, call: Call) -> None:
    """Deal free units of the shared pool to a pool.

    A presale may sell so many more.

    \b
    Example: holdfast pool deal BERLIN-OWN MUG-RED=20 CUP=5
    """
    from core.sales.pools import Deal

    def command(tx: "Transaction", pool_id: int) -> "Command":
        return Deal(pool_id, how.once, find_items(tx, read_quantities(what), how.grade), how.best_effort)

    with call.door(Right.POOL_CHANGE) as entered:
        _shift(entered, code, "pool.deal", command, dry_run=how.dry_run, as_json=call.as_json)


@commands.command()
@spread
def collect(code: Code, what: What, how: Shifting, *, call: Call) -> None:
    """Take units back from a pool that nobody was promised.

    They serve who waits, the rest is everybody's.

    \b
    Example: holdfast pool collect BERLIN-OWN MUG-RED=20 --best-effort
    """
    from core.sales.pools import Collect

    def command(tx: "Transaction", pool_id: int) -> "Command":
        return Collect(pool_id, how.once, find_items(tx, read_quantities(what), how.grade), how.best_effort)

    with call.door(Right.POOL_CHANGE) as entered:
        _shift(entered, code, "pool.collect", command, dry_run=how.dry_run, as_json=call.as_json)


@commands.command()
@spread
def resize(
    code: Code,
    sku: Sku,
    units: Annotated[int, typer.Argument(metavar="N", min=0, help="how many shall be free in it, 0 or more")],
    *,
    how: Shifting,
    call: Call,
) -> None:
    """See that N units of an item are free in a pool.

    Deals what is missing, or collects what is too many. What the pool has promised already is not counted.

    \b
    Example: holdfast pool resize BERLIN-OWN MUG-RED 30
    """
    from core.sales.pools import Resize

    def command(tx: "Transaction", pool_id: int) -> "Command":
        return Resize(pool_id, how.once, find_items(tx, {sku: units}, how.grade), how.best_effort)

    with call.door(Right.POOL_CHANGE) as entered:
        _shift(entered, code, "pool.resize", command, dry_run=how.dry_run, as_json=call.as_json)


def _shift(entered: Door, code: str, name: str, command: Any, *, dry_run: bool, as_json: bool) -> None:
    from core.sales import campaigns

    with entered.begin() as tx:
        asked = command(tx, campaigns.find(tx, code))
    shifted = act(entered, asked, dry_run=dry_run)
    dealt, collected = by_sku(entered, shifted.dealt), by_sku(entered, shifted.collected)
    if not dry_run:
        with entered.begin() as tx:
            entered.log(tx, name, f"pool:{code}", dealt=dealt, collected=collected)
    if as_json:
        say_json({"pool": code, "dealt": dealt, "collected": collected, "dry_run": dry_run})
        return
    would = "would enter" if dry_run else "entered"
    told = [f"{listed(dealt)} {would} {code}"] if dealt else []
    told += [f"{listed(collected)} {'would leave' if dry_run else 'left'} {code}"] if collected else []
    say("; ".join(told) + "." if told else f"Nothing {would} or left {code}.")


@commands.command()
@spread
def window(
    code: Code,
    starts: Annotated[
        str, typer.Option("--starts", metavar="WHEN", help=f"another start, {WHEN} (its beginning)")
    ] = "",
    ends: Annotated[str, typer.Option("--ends", metavar="WHEN", help=f"another end, {WHEN} (its end)")] = "",
    *,
    call: Call,
) -> None:
    """Give an activity or a presale another start or end.

    \b
    Example: holdfast pool window BLACK-FRIDAY --ends 2026-12-02
    """
    from core.sales import campaigns, pool_report
    from core.sales.pools import SetWindow

    if not starts and not ends:
        raise typer.BadParameter("say --starts, --ends or both")
    with call.door(Right.POOL_CHANGE) as entered:
        with entered.begin() as tx:
            pool, zone = pool_report.pool(tx, campaigns.find(tx, code)), zone_of(tx)
            begins = read_coming(starts, tx.now, zone) if starts else pool.starts_at
            over = read_coming(ends, tx.now, zone, day_ends=True) if ends else pool.ends_at
        act(entered, SetWindow(pool.id, begins, over))
        with entered.begin() as tx:
            campaigns.wake(tx)
            entered.log(tx, "pool.window", f"pool:{code}", starts=_iso(begins), ends=_iso(over))
    if call.as_json:
        say_json({"pool": code, "starts_at": begins, "ends_at": over})
    else:
        say(f"{code} goes from {local(begins, zone)} until {local(over, zone)} ({zone.key}).")


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
