"""``holdfast pool list``, ``show`` and ``report``: what pools have, and what came of them."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.access.rights import Right
from edge.commands.common import Call, say, say_json, say_table
from edge.commands.pools import Code, zone_of
from edge.commands.spread import spread
from edge.instants import local

if TYPE_CHECKING:
    from core.sales.pool_report import ItemView, PoolView, Report, Result


@spread
def list_pools(
    every: Annotated[bool, typer.Option("--all", help="also those that have ended")] = False, *, call: Call
) -> None:
    """Show the pools beside the shared one.

    Locks are shown by `holdfast lock list`.

    \b
    Example: holdfast pool list --all
    """
    from core.sales import pool_report

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        found, zone = pool_report.pools(tx, ended=every), zone_of(tx)
    if call.as_json:
        say_json([dataclasses.asdict(one) for one in found])
        return
    if not found:
        say("No pool yet. Set units apart for a store: holdfast pool make CODE SKU=N --store STORE")
        return
    columns = ["pool", "kind", "store", "state", "from", "until", ">items", ">planned", ">free", ">reserved", ">sold"]
    rows = [
        [one.code, one.kind, one.store or "every", one.state, local(one.starts_at, zone), local(one.ends_at, zone),
         one.items, one.planned, one.free, one.reserved, one.sold]
        for one in found
    ]  # fmt: skip
    say_table(columns, rows)
    _say_troubles(found)


def _say_troubles(found: "Sequence[PoolView]") -> None:
    for one in found:
        if one.trouble:
            say(f"{one.code}: {one.trouble}")


@spread
def show(code: Code, *, call: Call) -> None:
    """Show one pool: its window, its terms, and what it has.

    \b
    Example: holdfast pool show BLACK-FRIDAY
    """
    from core.sales import campaigns, pool_report

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        pool_id = campaigns.find(tx, code)
        pool, items, zone = pool_report.pool(tx, pool_id), pool_report.items(tx, pool_id), zone_of(tx)
    if call.as_json:
        say_json({**dataclasses.asdict(pool), "per_item": [dataclasses.asdict(one) for one in items]})
        return
    say(f"{pool.code}, {pool.kind} pool of {pool.store or 'every channel'}: {pool.state}")
    for what, at in (
        ("preload", pool.preload_at), ("from", pool.starts_at), ("until", pool.ends_at),
        ("rest owed by", pool.balance_due_at), ("closed", pool.closed_at),
    ):  # fmt: skip
        if at is not None:
            say(f"  {what} {local(at, zone)} ({zone.key})")
    _say_troubles([pool])
    _say_items(items)


def _say_items(items: "Sequence[ItemView]") -> None:
    columns = ["item", "grade", ">planned", ">free", ">reserved", ">sold", ">per customer", "waits for"]
    say_table(
        columns,
        [[one.sku, one.grade, one.planned, one.free, one.reserved, one.sold, one.limit, one.supply] for one in items],
    )


@spread
def report(
    code: Code,
    hours: Annotated[bool, typer.Option("--hours", help="also what was ordered and sold in each hour")] = False,
    *,
    call: Call,
) -> None:
    """Show what came of a pool, per item and hour.

    Units dealt, ordered, sold and returned. Ordered is net of what was given back; sell-through is ordered of dealt.

    \b
    Example: holdfast pool report BLACK-FRIDAY --hours
    """
    from core.sales import campaigns, pool_report

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        told = pool_report.report(tx, campaigns.find(tx, code))
        zone = zone_of(tx)
    if call.as_json:
        say_json(_as_json(told))
        return
    say(f"{told.pool.code}, {told.pool.kind}, {told.pool.state}, from {local(told.pool.starts_at, zone)} "
        f"until {local(told.pool.closed_at or told.pool.ends_at, zone)} ({zone.key})")  # fmt: skip
    columns = ["item", ">planned", ">dealt", ">ordered", ">deposits", ">sold", ">shipped", ">returned", ">sell-through"]
    rows = [[one.sku, one.planned, *_columns(one.result)] for one in told.items]
    say_table(columns, [*rows, ["all", told.pool.planned, *_columns(told.total)]])
    if hours:
        say("")
        say_table(
            ["item", "hour", ">ordered", ">sold"],
            [[one.sku, local(hour, zone), got.ordered, got.sold] for one in told.items for hour, got in one.hours],
        )


def _columns(result: "Result") -> list[object]:
    part = result.sell_through
    return [result.dealt, result.ordered, result.deposits, result.sold, result.shipped, result.returned,
            "-" if part is None else f"{part:.0%}"]  # fmt: skip


def _as_json(told: "Report") -> dict[str, Any]:
    def result(one: "Result") -> dict[str, Any]:
        part = one.sell_through
        return {**dataclasses.asdict(one), "sell_through": None if part is None else round(part, 4)}

    items = [
        {"sku": one.sku, "title": one.title, "grade": one.grade, "planned": one.planned, **result(one.result),
         "hours": [{"hour": hour, "ordered": got.ordered, "sold": got.sold} for hour, got in one.hours]}
        for one in told.items
    ]  # fmt: skip
    return {"pool": dataclasses.asdict(told.pool), "total": result(told.total), "per_item": items}
