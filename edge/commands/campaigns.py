"""``holdfast pool activity``, ``presale``, ``preload``, ``start``, ``stop``, ``window``, ``deposit``: by the clock."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from core.access.rights import Right
from core.errors import Refused
from core.stock import GOOD
from edge.coming import read_coming
from edge.commands.acting import DryRun, Grade, act
from edge.commands.common import Call, Door, say, say_json, say_table
from edge.commands.pools import WHEN, BestEffort, Code, Store, What, by_sku, listed, store_id_of, zone_of
from edge.commands.spread import spread
from edge.instants import local
from edge.quantities import find_items, read_quantities

if TYPE_CHECKING:
    from core.sales.campaigns import Opening
    from core.stock import Pool, PoolKind, Stocked
    from core.transaction import Transaction

Starts = Annotated[
    str, typer.Option("--starts", metavar="WHEN", help=f"when it begins, {WHEN} (its beginning); else at once")
]


@dataclass(frozen=True, slots=True)
class OfActivity:
    """Options of an activity that is planned."""

    code: Code
    what: What
    ends: Annotated[str, typer.Option("--ends", metavar="WHEN", help=f"when it ends, {WHEN} (its end)")]
    starts: Starts = ""
    store: Store = ""
    preload: Annotated[
        str,
        typer.Option("--preload", metavar="WHEN", help="when to set its units apart, or `now`; else when it begins"),
    ] = ""
    best_effort: BestEffort = False
    grade: Grade = GOOD
    dry_run: DryRun = False

    def opening(self, tx: "Transaction") -> "Opening":
        """Raises: NotFound; Refused for a code in use."""
        from core.sales.campaigns import Campaign, Opening
        from core.sales.pools import OpenPool
        from core.stock import PoolKind

        pool, quantities = _planned(tx, PoolKind.ACTIVITY, self)
        at = pool.starts_at
        if self.preload:
            at = tx.now if self.preload == "now" else read_coming(self.preload, tx.now, zone_of(tx))
        return Opening(OpenPool(pool, quantities), Campaign(pool.id, at, self.best_effort))


@spread
def activity(asked: OfActivity, call: Call) -> None:
    """Plan an activity: units that are set apart for a time.

    They are sold first while it lasts. Nothing moves before its preload. When it ends, by the clock or by `holdfast
    pool stop`, what it did not sell goes
    back to everybody.

    \b
    Example: holdfast pool activity BLACK-FRIDAY MUG-RED=50 CUP=20 --starts 2026-11-27 --ends 2026-11-30 --preload now
    """
    from core.sales import campaigns

    dry_run, now = asked.dry_run, asked.preload == "now"
    with call.door(Right.POOL_CHANGE) as entered:
        with entered.begin() as tx:
            zone = zone_of(tx)
        opening = campaigns.begin(entered.app.db, entered.merchant_id, asked.opening, entered.actor, dry_run=dry_run)
        pool, at = opening.command.pool, opening.campaign.preload_at
        dealt, trouble = dict[str, int](), ""
        if now and not dry_run:
            try:
                dealt = _preload(entered, pool.id, pool.code, best_effort=asked.best_effort)
            except Refused as refusal:
                trouble = str(refusal)  # the job tries again; what was planned stays
        planned = by_sku(entered, opening.command.quantities)
    if call.as_json:
        told = {"pool": pool.code, "planned": planned, "starts_at": pool.starts_at, "ends_at": pool.ends_at}
        say_json({**told, "preload_at": at, "preloaded": dealt, "trouble": trouble, "dry_run": dry_run})
        return
    say(f"Activity {pool.code} {'would be' if dry_run else 'is'} planned with {listed(planned)}, from "
        f"{local(pool.starts_at, zone)} until {local(pool.ends_at, zone)} ({zone.key}).")  # fmt: skip
    if dealt:
        say(f"{listed(dealt)} {'is' if sum(dealt.values()) == 1 else 'are'} set apart now.")
    elif trouble:
        say(f"Its units are not set apart yet: {trouble}. It is tried again; --best-effort takes what there is.")
    elif not dry_run:
        say(f"Its units are set apart {local(at, zone)}; `holdfast pool preload {pool.code}` does it before.")


@dataclass(frozen=True, slots=True)
class OfPresale:
    """Options of a presale that is made."""

    code: Code
    what: What
    starts: Starts = ""
    ends: Annotated[
        str, typer.Option("--ends", metavar="WHEN", help=f"when it ends, {WHEN} (its end); else by hand")
    ] = ""
    store: Store = ""
    per_customer: Annotated[
        int | None, typer.Option("--per-customer", metavar="N", min=1, help="units of each item one customer may have")
    ] = None
    balance_due: Annotated[
        str,
        typer.Option(
            "--balance-due", metavar="WHEN", help="with deposits: by when the rest is to be paid, like 2027-01-31"
        ),
    ] = ""
    supply: Annotated[
        str, typer.Option("--supply", metavar="REF", help="the expected supply that brings the goods")
    ] = ""
    grade: Grade = GOOD
    dry_run: DryRun = False

    def opening(self, tx: "Transaction") -> "Opening":
        """Raises: NotFound; Refused for a code in use, or for supply that brings too little."""
        from core.sales import presale as presales
        from core.sales.campaigns import Campaign, Opening
        from core.sales.pools import OpenPool
        from core.stock import PoolKind

        pool, quantities = _planned(tx, PoolKind.PRESALE, self)
        waits_for = presales.supply_for(tx, self.supply, quantities) if self.supply else {}
        due = read_coming(self.balance_due, tx.now, zone_of(tx), day_ends=True) if self.balance_due else None
        return Opening(OpenPool(pool, quantities, waits_for), Campaign(pool.id, balance_due_at=due), self.per_customer)


@spread
def presale(asked: OfPresale, call: Call) -> None:
    """Sell up to N units of each item before they are there.

    Goods that arrive are handed over by themselves, the oldest order first. What is not sold at the end is gone.

    \b
    Example: holdfast backorder expect LAMP 200 2027-02-01 --ref PO-7
             holdfast pool presale LAMP-2027 LAMP=150 --ends 2027-01-15 --per-customer 2 --supply PO-7
    """
    from core.sales import campaigns

    dry_run, supply = asked.dry_run, asked.supply
    with call.door(Right.POOL_CHANGE) as entered:
        with entered.begin() as tx:
            zone = zone_of(tx)
        opening = campaigns.begin(entered.app.db, entered.merchant_id, asked.opening, entered.actor, dry_run=dry_run)
        pool, due, per_customer = opening.command.pool, opening.campaign.balance_due_at, opening.per_customer
        caps = by_sku(entered, opening.command.quantities)
    if call.as_json:
        told = {"pool": pool.code, "caps": caps, "starts_at": pool.starts_at, "ends_at": pool.ends_at}
        say_json({**told, "per_customer": per_customer, "balance_due_at": due, "supply": supply, "dry_run": dry_run})
    else:
        say(f"Presale {pool.code} {'would sell' if dry_run else 'sells'} up to {listed(caps)}"
            f"{f', from {local(pool.starts_at, zone)}' if pool.starts_at else ''}"
            f"{f' until {local(pool.ends_at, zone)}' if pool.ends_at else ''} ({zone.key}).")  # fmt: skip


def _planned(tx: "Transaction", kind: "PoolKind", asked: OfActivity | OfPresale) -> "tuple[Pool, dict[Stocked, int]]":
    """A pool as the options say it, with the units of its items. Raises: NotFound; Refused for a code in use."""
    from core.sales import campaigns
    from core.stock import Pool, PoolKind

    zone = zone_of(tx)
    at_once = tx.now if kind is PoolKind.ACTIVITY else None
    pool = Pool(
        tx.new_id(), kind, campaigns.new_code(tx, asked.code), store_id_of(tx, asked.store),
        starts_at=read_coming(asked.starts, tx.now, zone) if asked.starts else at_once,
        ends_at=read_coming(asked.ends, tx.now, zone, day_ends=True) if asked.ends else None,
    )  # fmt: skip
    return pool, find_items(tx, read_quantities(asked.what), asked.grade)


@spread
def preload(code: Code, best_effort: BestEffort = False, dry_run: DryRun = False, *, call: Call) -> None:
    """Set the units of an activity apart now.

    Nobody sells them before it begins. With too little there nothing is dealt, unless --best-effort takes what
    there is. Repeated before the activity
    begins, it deals what was missing. --dry-run shows what there is for each item.

    \b
    Example: holdfast pool preload BLACK-FRIDAY --dry-run
             holdfast pool preload BLACK-FRIDAY --best-effort
    """
    from core.sales import campaigns

    with call.door(Right.POOL_CHANGE) as entered:
        with entered.begin() as tx:
            pool_id = campaigns.find(tx, code)
        if dry_run:
            _say_preview(entered, pool_id, code, as_json=call.as_json)
            return
        dealt = _preload(entered, pool_id, code, best_effort=best_effort)
    if call.as_json:
        say_json({"pool": code, "preloaded": dealt, "dry_run": False})
    else:
        say(f"{listed(dealt)} set apart for {code}." if dealt else f"{code} has all that it is to have.")


def _preload(entered: Door, pool_id: int, code: str, *, best_effort: bool, dry_run: bool = False) -> dict[str, int]:
    """Units dealt, by SKU, or those that would be. Raises: Refused, naming what is missing."""
    from core.sales import campaigns
    from core.sales.pools import Preload

    dealt = by_sku(entered, act(entered, Preload(pool_id, best_effort, str(uuid.uuid4())), dry_run=dry_run))
    if dry_run:
        return dealt
    with entered.begin() as tx:
        campaigns.preloaded(tx, [pool_id])
        entered.log(tx, "pool.preload", f"pool:{code}", dealt=dealt)
    return dealt


def _say_preview(entered: Door, pool_id: int, code: str, *, as_json: bool) -> None:
    """What a preload would do, item by item, by the code that does it."""
    from core.sales import pool_report
    from core.sales.pools import Preload

    dealt = by_sku(entered, act(entered, Preload(pool_id, best_effort=True), dry_run=True))
    with entered.begin() as tx:
        items = pool_report.items(tx, pool_id)
    rows = []
    for one in items:
        name = one.sku if one.grade == GOOD else f"{one.sku} ({one.grade})"
        has, would = one.free + one.reserved + one.sold, dealt.get(name, 0)
        rows.append([name, one.planned or 0, has, would, max((one.planned or 0) - has - would, 0)])
    columns = ["item", "planned", "has", "would_deal", "missing"]
    if as_json:
        told = [dict(zip(columns, row, strict=True)) for row in rows]
        say_json({"pool": code, "dry_run": True, "per_item": told})
        return
    say_table(["item", ">planned", ">has", ">would be dealt", ">missing"], rows)
    if any(row[-1] for row in rows):
        say("Without --best-effort nothing would be dealt, because some units are missing.")


@spread
def start(code: Code, best_effort: BestEffort = False, dry_run: DryRun = False, *, call: Call) -> None:
    """Begin an activity or a presale now.

    An activity is preloaded first.

    \b
    Example: holdfast pool start BLACK-FRIDAY --dry-run
             holdfast pool start BLACK-FRIDAY
    """
    from core.sales import campaigns, pool_report
    from core.sales.pools import SetWindow

    with call.door(Right.POOL_CHANGE) as entered:
        with entered.begin() as tx:
            pool_id = campaigns.find(tx, code)
            pool, now = pool_report.pool(tx, pool_id), tx.now
        dealt: dict[str, int] = {}
        if pool.state == "planned":
            dealt = _preload(entered, pool_id, code, best_effort=best_effort, dry_run=dry_run)
        begun = pool.starts_at is not None and pool.starts_at > now
        if begun:
            act(entered, SetWindow(pool_id, now, pool.ends_at), dry_run=dry_run)
        if not dry_run:
            with entered.begin() as tx:
                campaigns.begun(tx, [pool_id])
                entered.log(tx, "pool.start", f"pool:{code}")
    if call.as_json:
        say_json({"pool": code, "preloaded": dealt, "begun": begun, "dry_run": dry_run})
    elif not begun:
        say(f"{code} runs already.")
    elif dry_run:
        say(f"{code} would run now; {listed(dealt)} would be set apart for it.")
    else:
        say(f"{code} runs now.")


@spread
def stop(
    code: Code,
    dry_run: DryRun = False,
    reason: Annotated[str, typer.Option("--reason", help="why, for everybody who looks at the document later")] = "",
    *,
    call: Call,
) -> None:
    """End a pool for good: nobody draws on it any more.

    What it did not promise goes back to everybody; of a presale, it is gone. What it promised stays promised.

    \b
    Example: holdfast pool stop BLACK-FRIDAY --dry-run
    """
    from core.sales import campaigns
    from core.sales.pools import ClosePool

    with call.door(Right.POOL_CHANGE) as entered:
        with entered.begin() as tx:
            pool_id = campaigns.find(tx, code)
            presale = campaigns.is_presale(tx, pool_id)
        back = act(entered, ClosePool(pool_id, reason or "stopped by hand"), dry_run=dry_run)
        returned = by_sku(entered, back or {})
        if not dry_run and back is not None:
            with entered.begin() as tx:
                entered.log(tx, "pool.stop", f"pool:{code}", returned=returned)
    if call.as_json:
        say_json({"pool": code, "returned": returned, "was_closed": back is None, "dry_run": dry_run})
    elif back is None:
        say(f"{code} had ended before.")
    else:
        say(f"{code} {'would end' if dry_run else 'has ended'}; {_of_the_rest(returned, presale, dry_run)}.")


def _of_the_rest(units: Mapping[str, int], presale: bool, dry_run: bool) -> str:
    """What becomes of units that nobody was promised; those of a presale were never there."""
    if not presale:
        return f"{listed(units)} {'would go back' if dry_run else 'went back'}"
    if not units:
        return "all that it offered was promised, and stays so"
    offered = "would be offered no more" if dry_run else "are offered no more"
    return f"{listed(units)} that were not promised {offered}"


@spread
def deposit(
    hold: Annotated[str, typer.Argument(metavar="HOLD", help="the key of a hold on a presale")],
    balance_due: Annotated[
        str, typer.Option("--balance-due", metavar="WHEN", help="by when the rest is owed; else as the presale says")
    ] = "",
    *,
    call: Call,
) -> None:
    """Note that the deposit of a presale order is paid.

    Its units are kept until the rest is owed. `holdfast reserve paid HOLD` notes the second payment. If the rest is
    not paid in time the units are given back; what
    becomes of the deposit is between you and your customer.

    \b
    Example: holdfast pool deposit web-2041 --balance-due 2027-01-31
    """
    from core.sales import campaigns
    from core.sales.presale import PayDeposit

    with call.door(Right.ORDER_CHANGE) as entered:
        with entered.begin() as tx:
            zone = zone_of(tx)
            due = (
                read_coming(balance_due, tx.now, zone, day_ends=True)
                if balance_due
                else campaigns.balance_due_of(tx, hold)
            )
        changed = act(entered, PayDeposit(hold, due))
        with entered.begin() as tx:
            entered.log(tx, "pool.deposit", f"hold:{hold}", balance_due_at=due.isoformat())
    if call.as_json:
        say_json({"hold": hold, "balance_due_at": due, "changed": changed})
    else:
        say(f"Hold {hold} keeps its units until {local(due, zone)} ({zone.key}).")
