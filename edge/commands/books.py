"""``holdfast audit`` and ``holdfast work``: are the books right, and what was given up?"""

import dataclasses
from collections.abc import Mapping
from typing import Annotated

import typer

from core.access.rights import Right
from core.words import counted
from edge.commands.common import Call, ago, say, say_json, say_table
from edge.commands.spread import spread

work_commands = typer.Typer(
    help="See work that was given up, and have it tried again.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@spread
def audit(*, call: Call) -> None:
    """Check the books; exit code 1 when a row breaks a rule.

    \b
    Example: holdfast audit
    """
    from core import audit as books

    with call.door(Right.AUDIT_RUN) as entered, entered.begin() as tx:
        broken = books.audit(tx)
    if call.as_json:
        say_json({"violations": len(broken), "rows": [dataclasses.asdict(one) for one in broken]})
    elif broken:
        say_table(["rule", "row"], [[one.invariant, _words(one.row)] for one in broken])
        say(
            f"Rows that break a rule: {len(broken):,}. Until the cause is found, `holdfast store pause --all` stops "
            "all writing to stores."
        )
    else:
        say(f"The books are right: {len(books.INVARIANTS)} rules checked, no row breaks one.")
    if broken:
        raise typer.Exit(1)


def _words(row: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())


@work_commands.command("list")
@spread
def list_work(
    every: Annotated[bool, typer.Option("--all", help="also what waits or is being done")] = False, *, call: Call
) -> None:
    """Show dead letters: work that failed too often, and why.

    \b
    Example: holdfast work list
    """
    from core.queries import LeastTrouble, work_rows

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        rows, now = work_rows(tx, least=LeastTrouble.NONE if every else LeastTrouble.DEAD), tx.now
    if call.as_json:
        say_json([dataclasses.asdict(row) for row in rows])
    elif not rows:
        say("Nothing waits." if every else "No dead letters: nothing was given up.")
    else:
        columns = ["work", "store", "subject", "heard", ">tries", "given up", "reason"]
        say_table(
            columns,
            [
                [
                    row.topic,
                    row.store,
                    row.subject,
                    ago(row.heard_at, now),
                    row.tries,
                    "no" if row.dead_at is None else ago(row.dead_at, now),
                    row.reason,
                ]
                for row in rows
            ],
        )


@work_commands.command()
@spread
def replay(
    topic: Annotated[str, typer.Argument(metavar="WORK", help="one kind only, like order or mail")] = "", *, call: Call
) -> None:
    """Try dead letters again, from the beginning.

    \b
    Example: holdfast work replay
             holdfast work replay mail
    """
    from core import work

    with call.door(Right.SYNC_RUN) as entered, entered.begin() as tx:
        count = work.replay(tx, topic or None)
        entered.log(tx, "work.replay", topic or "all", count=count)
    if call.as_json:
        say_json({"topic": topic or None, "replayed": count})
    else:
        say(f"{counted(count, 'dead letter')} will be tried again." if count else "There was nothing to replay.")
