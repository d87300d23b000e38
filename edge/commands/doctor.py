"""``holdfast doctor``: is everything there, and if not, what to do about it."""

import dataclasses
from typing import TYPE_CHECKING

import typer

from core.errors import ConfigError
from core.words import counted
from edge.commands.common import FIRST_MERCHANT, AsJson, DataDir, Merchant, ago, located, say, say_json, say_table

if TYPE_CHECKING:
    from edge.checkup import Checkup, MerchantFacts
    from edge.diagnosis import Finding


def doctor(merchant: Merchant = FIRST_MERCHANT, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Say what is wrong with the hub, and the cure.

    It shows what can be reached, in which version, and how each store is doing. It changes nothing and talks to no
    store. Exit code 1 when something is wrong.

    \b
    Example: holdfast doctor
    """
    from edge.checkup import Checkup, look
    from edge.diagnosis import diagnose

    try:
        checkup = look(located(data_dir), merchant)
    except ConfigError as error:
        checkup = Checkup(failures=[("hub", str(error))])
    findings = diagnose(checkup)
    problems = [found for found in findings if not found.note]
    if as_json:
        say_json(_as_json(checkup, findings))
    else:
        _show(checkup, findings)
    if problems:
        raise typer.Exit(1)


def _as_json(checkup: "Checkup", findings: "list[Finding]") -> dict[str, object]:
    facts = dataclasses.asdict(checkup)
    del facts["failures"]
    return {
        "ok": all(found.note for found in findings),
        "problems": [{"about": f.about, "sentence": f.sentence} for f in findings if not f.note],
        "notes": [{"about": f.about, "sentence": f.sentence} for f in findings if f.note],
        **facts,
    }


def _show(checkup: "Checkup", findings: "list[Finding]") -> None:
    database = checkup.database
    if database:
        say(f"database    PostgreSQL {database.version}, schema {database.schema or 'none'}, role {database.role}")
    if checkup.broker:
        say(f"broker      {checkup.broker}")
    if checkup.key:
        say(f"secret key  {checkup.key}")
    if checkup.merchant:
        _show_merchant(checkup.merchant)
    problems = [found for found in findings if not found.note]
    for found in findings:
        if found.note:
            say(f"note: {found.about}: {found.sentence}.")
    if not problems:
        say("Nothing is wrong.")
        return
    say(f"{counted(len(problems), 'thing is', 'things are')} wrong:")
    for found in problems:
        say(f"  {found.about}: {found.sentence}.")


def _show_merchant(facts: "MerchantFacts") -> None:
    say(f"books       {counted(facts.audit_violations, 'violation')} found by the audit")
    dead = sum(row.dead_at is not None for row in facts.given_up)
    say(f"work        {counted(dead, 'dead letter')}")
    if facts.stores:
        say("")
        columns = [
            "store", "mode", "last webhook", "last poll", "oldest unserved", ">listings", ">stale", ">parked",
            ">held lines", ">oversold",
        ]  # fmt: skip
        rows = [
            [
                store.name,
                f"{store.mode}, paused" if store.paused else store.mode,
                ago(store.last_webhook_at, facts.now),
                ago(store.last_poll_at, facts.now),
                ago(store.unserved_since, facts.now) if store.unserved else "none",
                store.listings,
                store.stale,
                store.unmapped + store.quarantined,
                store.held_lines,
                store.oversold_units,
            ]
            for store in facts.stores
        ]
        say_table(columns, rows)
