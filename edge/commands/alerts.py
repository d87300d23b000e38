"""``holdfast alert``: what somebody should look at, when to warn of it, and quiet for a while."""

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

import typer

from core.access.rights import Right
from core.alerts.kinds import KINDS, AlertKind
from core.stock import GOOD
from core.words import counted
from edge.coming import read_coming
from edge.commands.common import Call, Door, ago, say, say_json, say_table
from edge.commands.spread import spread
from edge.instants import local

if TYPE_CHECKING:
    from core.alerts.rules import RuleView, Scope
    from core.alerts.views import AlertView
    from core.transaction import Transaction

commands = typer.Typer(
    help="See what was warned of, and say when to warn.", no_args_is_help=True, rich_markup_mode=None
)
rule_commands = typer.Typer(help="Say when to warn.", no_args_is_help=True, rich_markup_mode=None)
commands.add_typer(rule_commands, name="rule")

_OFF = "off"
_TOLD = 10
Kind = Annotated[AlertKind, typer.Argument(metavar="KIND", help=", ".join(AlertKind))]
Item = Annotated[str, typer.Option("--item", metavar="SKU", help="for one item; else for every item without a rule")]
Warehouse = Annotated[str, typer.Option("--warehouse", metavar="CODE", help="low_stock: units available there")]
Store = Annotated[str, typer.Option("--store", metavar="NAME", help="low_stock: what each of its listings may sell")]
Grade = Annotated[Literal["good", "minor_defect"], typer.Option("--grade", help="of units: good or minor_defect")]


@commands.command("list")
@spread
def list_alerts(
    open_only: Annotated[bool, typer.Option("--open/--all", help="only what is so now, or also what is over")] = True,
    kind: Annotated[AlertKind | None, typer.Option(metavar="KIND", help=", ".join(AlertKind))] = None,
    item: Annotated[str, typer.Option("--item", metavar="SKU", help="on one item")] = "",
    limit: Annotated[int, typer.Option("--last", min=1, max=10_000, metavar="N", help="the newest N")] = 50,
    *,
    call: Call,
) -> None:
    """Show what was warned of.

    Low stock, few days of cover, locks, backorders, units that were oversold, and
    stores that refuse us or are silent.
    An alert is opened once and ends by itself when its reason is over. Its number
    is for `holdfast alert snooze`.

    \b
    Example: holdfast alert list
             holdfast alert list --all --kind oversell
    """
    from core import catalog
    from core.alerts import views as alert_views
    from core.zones import zone_of

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        item_id = catalog.item_id_of(tx, item) if item else None
        found = alert_views.newest(tx, limit, open_only=open_only, kind=kind, item_id=item_id)
        now, zone = tx.now, zone_of(tx)
    if call.as_json:
        say_json([dataclasses.asdict(one) for one in found])
    elif not found:
        say("Nothing is wrong that somebody wants to be warned of." if open_only else "There was no such alert.")
    else:
        rows = [[one.id, ago(one.opened_at, now), one.kind, one.headline, _state(one, now, zone)] for one in found]
        say_table([">alert", "since", "kind", "what", "state"], rows)


def _state(alert: "AlertView", now: datetime, zone: ZoneInfo) -> str:
    if alert.closed_at is not None:
        return f"over {ago(alert.closed_at, now)}" if alert.closed_at > alert.opened_at else "told"
    if alert.snoozed_until is not None:
        return f"snoozed until {local(alert.snoozed_until, zone)}"
    if alert.mail_due_at is not None:
        return "open, mail waits"
    return "open, mailed" if alert.mailed_at is not None else "open"


@commands.command()
@spread
def snooze(
    alert: Annotated[int, typer.Argument(metavar="ID", help="the number that `holdfast alert list` shows")],
    until: Annotated[
        str, typer.Option(metavar="WHEN", help="a time to come, like 2026-11-24T09:00, or 3d from now")
    ] = "",
    off: Annotated[bool, typer.Option("--off", help="end the snooze: mail it again now")] = False,
    *,
    call: Call,
) -> None:
    """Mail nothing of an alert for a while; it stays open.

    If it is still open then, it is mailed again. Times are those of the merchant's zone.

    \b
    Example: holdfast alert snooze 20481 --until 3d
             holdfast alert snooze 20481 --off
    """
    from core.alerts import lifecycle as alerts
    from core.zones import zone_of

    if bool(until) == off:
        raise typer.BadParameter("say until when, or --off")
    with call.door(Right.ALERT_CHANGE) as entered, entered.begin() as tx:
        zone = zone_of(tx)
        ends = None if off else read_coming(until, tx.now, zone)
        alerts.snooze(tx, alert, ends)
        entered.log(tx, "alert.snooze", f"alert:{alert}", until=ends and ends.isoformat())
    if call.as_json:
        say_json({"alert": alert, "snoozed_until": ends})
    elif ends is None:
        say(f"Alert {alert} is snoozed no more.")
    else:
        say(f"No mail about alert {alert} before {local(ends, zone)}.")


# ---- rules


@rule_commands.command("set")
@spread
def set_rule(
    kind: Kind,
    level: Annotated[
        str,
        typer.Argument(
            metavar="LEVEL", help="units (low_stock), hours (unsent, store_silent) or days at which to warn, or off"
        ),
    ],
    item: Item = "",
    warehouse: Warehouse = "",
    store: Store = "",
    window: Annotated[
        int | None, typer.Option(metavar="DAYS", help="low_cover: computed from so many days of sales; else 28")
    ] = None,
    grade: Grade = GOOD,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="show what would be warned of now; change nothing")
    ] = False,
    *,
    call: Call,
) -> None:
    """Say when to warn: for one item, or for every item that has no rule of its own.

    low_stock warns when units fall to the level: free ones, with --warehouse those available there, with --store what
    may be sold there. low_cover warns when what is free lasts so many days. lock_expiring warns so many days before a
    lock ends, lock_idle when nobody drew on it for so many days. unsent warns when paid units of an order could be sent
    for so many hours, and no warehouse is told to; store_silent when the orders of a store cannot be read for so many
    hours. The others are on unless they are off.

    \b
    Example: holdfast alert rule set low_stock 5 --item MUG-RED
             holdfast alert rule set low_stock 20 --warehouse MAIN --dry-run
             holdfast alert rule set low_cover 14 --window 28
             holdfast alert rule set lock_idle off
    """
    from core import ledger
    from core.alerts import preview as alert_preview
    from core.alerts import rules as alert_rules

    number = _level(level)
    with call.door(Right.ALERT_CHANGE) as entered:
        home = ledger.home_of(entered.app.db, call.merchant)
        with entered.begin() as tx:
            scope, subject = _scope(tx, call.merchant, item, warehouse, store, grade)
            tried = tx.connection.begin_nested()
            alert_rules.set_rule(tx, kind, scope, number, window_days=window)
            if dry_run:
                would = alert_preview.opened(tx, home, kind)
                tried.rollback()
            else:
                tried.commit()
                told = {"kind": kind, "level": number, "window_days": window, "grade": grade}
                entered.log(tx, "alert.rule", subject, **told, warehouse=warehouse, store=store)
    if dry_run:
        _say_preview(would, call.as_json)
    elif call.as_json:
        say_json({"kind": kind, **dataclasses.asdict(scope), "level": number, "window_days": window})
    else:
        say(f"{_about(kind, item, warehouse, store)}: {_says(kind, number, window)}.")
        _say_receiver(entered)


def _level(said: str) -> int | None:
    text = said.strip().lower()
    if text == _OFF:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise typer.BadParameter(f"{said!r} is no level; say a whole number, 0 or more, or off")
    return int(text)


def _scope(tx: "Transaction", merchant: int, item: str, warehouse: str, store: str, grade: str) -> "tuple[Scope, str]":
    """What a rule is about, and what the log of acts calls that."""
    from core import catalog, stores
    from core.alerts import rules as alert_rules

    item_id = catalog.item_id_of(tx, item) if item else 0
    store_id = stores.find(tx, store).id if store else 0
    scope = alert_rules.Scope(item_id, alert_rules.warehouse_id_of(tx, warehouse) if warehouse else 0, store_id, grade)
    return scope, f"item:{item_id}" if item_id else f"store:{store_id}" if store_id else f"merchant:{merchant}"


def _about(kind: AlertKind, item: str, warehouse: str, store: str) -> str:
    where = f" in {warehouse or store}" if warehouse or store else ""
    every = _every(kind) if KINDS[kind].of != "item" else f"{_every(kind)} without a rule of its own"
    return f"{kind} of {item or every}{where}"


def _every(kind: AlertKind) -> str:
    return f"every {KINDS[kind].of}"


def _says(kind: AlertKind, level: int | None, window: int | None) -> str:
    counts = KINDS[kind].counts
    if level is None:
        return "no warning"
    sales = f", from {window} days of sales" if window else ""
    return f"warns at {counted(level, counts.removesuffix('s'))}{sales}"


def _say_preview(would: "Sequence[AlertView]", as_json: bool) -> None:
    if as_json:
        say_json([dataclasses.asdict(one) for one in would])
        return
    say(f"{counted(len(would), 'alert')} would be opened now; nothing was changed.")
    for one in would[:_TOLD]:
        say(f"  {one.headline}")
    if len(would) > _TOLD:
        say(f"  and {len(would) - _TOLD:,} more")


def _say_receiver(entered: Door) -> None:
    from core.queries import merchant_view

    with entered.begin() as tx:
        if not merchant_view(tx).alert_email:
            say("Nobody gets mails yet: `holdfast merchant --email you@shop.example` says who.")


@rule_commands.command("clear")
@spread
def clear_rule(
    kind: Kind, item: Item = "", warehouse: Warehouse = "", store: Store = "", grade: Grade = GOOD, *, call: Call
) -> None:
    """Take a rule away: what holds for every item holds again, and else what holds without a rule.

    \b
    Example: holdfast alert rule clear low_stock --item MUG-RED
    """
    from core.alerts import rules as alert_rules

    with call.door(Right.ALERT_CHANGE) as entered, entered.begin() as tx:
        scope, subject = _scope(tx, call.merchant, item, warehouse, store, grade)
        alert_rules.clear_rule(tx, kind, scope)
        entered.log(tx, "alert.clear", subject, kind=kind, grade=grade, warehouse=warehouse, store=store)
    if call.as_json:
        say_json({"kind": kind, **dataclasses.asdict(scope)})
    else:
        say(f"{_about(kind, item, warehouse, store)}: the rule is gone.")


@rule_commands.command("list")
@spread
def list_rules(*, call: Call) -> None:
    """Show when somebody is warned: the rules, and what holds where there is none.

    \b
    Example: holdfast alert rule list
    """
    from core.access import actors
    from core.alerts import rules as alert_rules

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found = alert_rules.rules(tx)
        names = actors.names_of(tx, [one.changed_by for one in found if one.changed_by])
        now = tx.now
    if call.as_json:
        say_json([dataclasses.asdict(one) for one in found])
        return
    rows: list[list[Any]] = [
        [
            one.kind,
            (one.item or _every(one.kind)) + ("" if one.grade == GOOD else f" ({one.grade})"),
            one.warehouse or one.store,
            _holds(one),
            f"{ago(one.changed_at, now)} by {names.get(one.changed_by or '', one.changed_by)}"
            if one.changed_at
            else "",
        ]
        for one in found
    ]
    say_table(["kind", "of", "in", "warns", "set"], rows)


def _holds(rule: "RuleView") -> str:
    if rule.is_off:
        return "never"
    kind = KINDS[rule.kind]
    level = "" if rule.level is None else f" ({counted(rule.level, kind.counts.removesuffix('s'))})"
    return f"when {kind.meaning}{level}"
