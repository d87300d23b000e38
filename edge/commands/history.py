"""``holdfast stock at``, ``holdfast stock card`` and ``holdfast rebuild``: what there was, what moved it, and whether
the balances are what the movements say.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from core.access.rights import Right
from core.words import counted
from edge.commands.common import Call, confirm, say, say_json, say_table
from edge.commands.places import Places, say_balances, units_of
from edge.commands.spread import spread
from edge.instants import HELP, local, read_instant

if TYPE_CHECKING:
    from core.goods.item_life import Became
    from core.past.rebuild import Difference, Plan, Rebuilt
    from core.past.stock_card import CardLine, LayerTotal
    from core.transaction import Transaction

_ROWS_SHOWN = 50

Sku = Annotated[str, typer.Argument(metavar="SKU", help="the item's code; upper and lower case are the same")]


@spread
def at(sku: Sku, when: Annotated[str, typer.Argument(metavar="WHEN", help=HELP)], *, call: Call) -> None:
    """Show what there was at an instant, and what each store showed.

    What was recorded up to then counts, whenever it happened. By the SKU of an item that became a part of another, its
    own units are shown for the time before.

    \b
    Example: holdfast stock at MUG-RED 2026-11-20
             holdfast stock at MUG-RED "2 hours ago"
    """
    from core import catalog
    from core.goods import item_life, item_views, skus
    from core.past import history

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        zone = _zone(tx)
        instant = read_instant(when, tx.now, zone)
        own_id = skus.own(tx, sku)
        became = None if own_id is None else item_life.became(tx, own_id)
        stood_alone = became is not None and instant < became.at
        item = item_views.item_view(tx, own_id if own_id and stood_alone else catalog.item_id_of(tx, sku))
        balances = history.item_at(tx, item.id, instant)
        numbers, places = history.numbers_at(tx, item.id, instant), Places.of(tx)
    if call.as_json:
        layers, stores = (list(map(dataclasses.asdict, part)) for part in (balances, numbers))
        part = None if became is None else dataclasses.asdict(became)
        say_json({"id": item.id, "sku": item.sku, "title": item.title, "at": instant, "layers": layers,
                  "stores": stores, "became": part})  # fmt: skip
        return
    if became is not None:
        _say_became(sku, became, zone, "stock at")
    say(f"{item.sku}  {item.title}, as of {local(instant, zone, seconds=True)} ({zone.key})")
    if balances:
        say_balances(balances, places)
    else:
        say("There was nothing of it anywhere.")
    for one in numbers:
        say(one.sentence)
        if one.documents:
            kinds = ", ".join(document.kind for document in reversed(one.documents))
            say(f"    moved since then: {kinds}")


def _zone(tx: "Transaction") -> ZoneInfo:
    from core.queries import merchant_view

    return ZoneInfo(merchant_view(tx).time_zone)


@spread
def card(
    sku: Sku,
    since: Annotated[str, typer.Option("--from", help="the oldest: " + HELP.replace("the end", "the start"))] = "",
    until: Annotated[str, typer.Option("--to", help="the newest: " + HELP)] = "now",
    after: Annotated[str, typer.Option(help="go on after a page, by the word that the page ended with")] = "",
    limit: Annotated[int, typer.Option(min=1, max=500, help="documents on a page at most")] = 20,
    *,
    call: Call,
) -> None:
    """Show what moved an item, newest first, and what was there then.

    By the SKU of an item that became a part of another, its own documents are shown, up to the one that ended it.

    \b
    Example: holdfast stock card MUG-RED
             holdfast stock card MUG-RED --from 2026-11-01 --to 2026-11-20 --json
    """
    from core import catalog
    from core.goods import item_life, skus
    from core.past import stock_card
    from core.past.stock_card import Cursor

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        zone, places = _zone(tx), Places.of(tx)
        item_id = skus.own(tx, sku) or catalog.item_id_of(tx, sku)
        became = item_life.became(tx, item_id)
        page = stock_card.card(
            tx,
            item_id,
            since=read_instant(since, tx.now, zone, day_begins=True) if since else None,
            until=read_instant(until, tx.now, zone),
            after=Cursor.read(after) if after else None,
            limit=limit,
        )
    if call.as_json:
        lines = [dataclasses.asdict(line) for line in page.lines]
        part = None if became is None else dataclasses.asdict(became)
        say_json({"sku": sku, "documents": lines, "next": None if page.next is None else str(page.next),
                  "became": part})  # fmt: skip
        return
    if became is not None:
        _say_became(sku, became, zone, "stock card")
    if not page.lines:
        say("No document moved it in that time.")
        return
    say_table(["when", "document", "cause", "moved", "after"], [_card_row(line, zone, places) for line in page.lines])
    if page.next is not None:
        say(f"Older ones: --after {page.next}")


def _say_became(sku: str, became: "Became", zone: ZoneInfo, command: str) -> None:
    further = "" if became.now == became.sku else f", and that of {became.now}"
    say(
        f"{sku} became a part of {became.sku} with document {became.document_id}, "
        f"{local(became.at, zone, seconds=True)}{further}. "
        f"What became of its units is told by `holdfast {command} {became.now}`."
    )


def _card_row(line: "CardLine", zone: ZoneInfo, places: Places) -> list[Any]:
    cause = f"order {line.order} of {line.store}" if line.order and line.store else line.order or line.reason
    corrects = f" (corrects {line.corrects_id})" if line.corrects_id is not None else ""
    moved = "; ".join(
        f"{m.layer}: {m.quantity:,}{_of(m.grade)} {places.end(m.from_)} -> {places.end(m.to)}" for m in line.movements
    )
    return [local(line.recorded_at, zone, seconds=True), f"{line.kind} {line.document_id}{corrects}", cause, moved,
            "; ".join(map(_total, line.after)) or "nothing"]  # fmt: skip


def _total(total: "LayerTotal") -> str:
    return f"{total.layer}{_of(total.grade)}: {units_of({b: n for b, n in total.units.items() if n})}"


def _of(grade: str) -> str:
    """The grade, where it is not the usual one."""
    from core.stock import GOOD

    return "" if grade == GOOD else f" {grade}"


@spread
def rebuild(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only show what would change")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    *,
    call: Call,
) -> None:
    """Set balances right that are not what the movements say.

    All are computed again from the movements. The hub may go on working meanwhile. Exit code 1 when a dry run finds
    something, or when something cannot be set right.

    \b
    Example: holdfast rebuild --dry-run
    """
    from core.past import rebuild as books

    with call.door(Right.REBUILD_RUN) as entered:
        with entered.begin() as tx:
            plan = books.plan(tx)
            told = _told(tx, plan.differences)
        if not call.as_json:
            _say_plan(plan, told)
        if dry_run or plan.is_empty:
            done = None
        else:
            confirm(f"Set {counted(len(plan.differences), 'bucket')} right?", yes=yes)
            done = books.run(entered.app.db, entered.actor, plan)
            with entered.begin() as tx:
                impossible = _told(tx, done.impossible)
    if call.as_json:
        answer: dict[str, Any] = {"differences": told, "wrong_checkpoints": len(plan.checkpoints), "dry_run": dry_run}
        if done is not None:
            answer |= {"changed": len(done.changed), "impossible": impossible}
        say_json(answer)
    elif done is not None:
        _say_done(done, impossible)
    if (dry_run and not plan.is_empty) or (done is not None and done.impossible):
        raise typer.Exit(1)


def _told(tx: "Transaction", differences: "Sequence[Difference]") -> list[dict[str, Any]]:
    """The differences with the names that people know."""
    from core.goods import item_views, places

    names = places.names(tx, {(one.layer, one.place_id) for one in differences})
    skus = item_views.skus(tx, {one.item_id for one in differences})
    return [
        {"sku": skus.get(one.item_id, f"item {one.item_id}"), "place": names[one.layer, one.place_id],
         **dataclasses.asdict(one)}
        for one in differences
    ]  # fmt: skip


def _say_plan(plan: "Plan", told: Sequence[Mapping[str, Any]]) -> None:
    if plan.is_empty:
        say("The balances are what the movements say; there is nothing to rebuild.")
        return
    _say_differences(told)
    if plan.checkpoints:
        say(
            f"The past is kept wrong for {counted(len(plan.checkpoints), 'item')}; it is read from the movements again."
        )


def _say_differences(told: Sequence[Mapping[str, Any]]) -> None:
    names = ["sku", "layer", "place", "grade", "bucket", "stored", "replayed"]
    if told:
        say_table(
            ["item", *names[1:5], ">stored", ">by movements"],
            [[one[name] for name in names] for one in told[:_ROWS_SHOWN]],
        )
    if len(told) > _ROWS_SHOWN:
        say(f"and {len(told) - _ROWS_SHOWN:,} more; --json tells all")


def _say_done(done: "Rebuilt", impossible: Sequence[Mapping[str, Any]]) -> None:
    say(f"{counted(len(done.changed), 'bucket')} set right; every store shows what follows from it.")
    if impossible:
        say("These the movements lead below 0, so they were left; book what is missing as found, then rebuild again:")
        _say_differences(impossible)
