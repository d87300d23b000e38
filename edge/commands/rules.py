"""``holdfast rule``: what a store may show of what is there, set for a store, an item or a listing."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from core.access.rights import Right
from core.errors import Refused
from core.words import counted
from edge.commands.common import Call, Door, ago, say, say_json, say_table
from edge.commands.spread import spread
from edge.instants import local

if TYPE_CHECKING:
    from core.selling.rulebook import Value
    from core.selling.rules import Difference, RuleChange, Subject
    from core.transaction import Transaction

commands = typer.Typer(
    help="Say what stores may show: buffers, caps, shares, backorders.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

DryRun = Annotated[bool, typer.Option("--dry-run", help="show which numbers would change; change nothing")]


@dataclass(frozen=True, slots=True)
class Whose:
    """Options that name what a rule is of."""

    store: Annotated[str, typer.Option("--store", metavar="NAME", help="the store whose rule it is")] = ""
    listing: Annotated[
        str,
        typer.Option("--listing", metavar="LISTING", help="with --store: one listing of it, by the store's id or SKU"),
    ] = ""
    item: Annotated[str, typer.Option("--item", metavar="SKU", help="the item whose rule it is, in every store")] = ""

    def subject(self, tx: "Transaction") -> "Subject":
        """Raises: Refused unless exactly one thing is named; NotFound."""
        from core.selling import rules

        if bool(self.store) == bool(self.item) or (self.listing and not self.store):
            raise Refused("say whose rule it is: --store NAME, --store NAME --listing LISTING, or --item SKU")
        if self.item:
            return rules.item_subject(tx, self.item)
        return (
            rules.listing_subject(tx, self.store, self.listing) if self.listing else rules.store_subject(tx, self.store)
        )

    def subject_or_all(self, tx: "Transaction") -> "Subject | None":
        """None where nothing is named. Raises: as ``subject``."""
        return self.subject(tx) if self.store or self.item else None


@commands.command("list")
@spread
def list_rules(whose: Whose, call: Call) -> None:
    """Show the rules that are set, and what each of them says.

    All of them, or those of one store, listing or item. A listing's own value holds; where it has none that of its
    item, else that of its store.

    \b
    Example: holdfast rule list
             holdfast rule list --store Berlin
    """
    from core.access import actors
    from core.selling import rules

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        subject = whose.subject_or_all(tx)
        said = rules.listed(tx, subject=subject)
        names, now = actors.names_of(tx, [one.actor for one in said]), tx.now
    if call.as_json:
        say_json([dataclasses.asdict(one) for one in said])
        return
    if said:
        rows = [
            [
                one.scope,
                one.subject,
                one.rule,
                one.value,
                one.since and ago(one.since, now),
                names.get(one.actor, one.actor),
            ]
            for one in said
        ]
        say_table(["of a", "named", "rule", "value", "since", "by"], rows)
    else:
        say("No rule is set: every store shows what is free, and nothing may be ordered that is not there.")
    if subject is None:
        _explain_rules()


def _explain_rules() -> None:
    from core.selling.rulebook import RULES

    say("")
    rows = [[rule.name, rule.of, rule.meaning, rule.accepts] for rule in RULES.values() if rule.clears]
    say_table(["rule", "of", "says", "may be"], rows)
    say("A floor, units that a store has for sure, is a lock: `holdfast lock floor STORE SKU N`.")


@commands.command("set")
@spread
def set_rules(
    values: Annotated[
        list[str], typer.Argument(metavar="RULE=VALUE...", help="like buffer=2; `holdfast rule list` explains all")
    ],
    whose: Whose,
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Set rules of a store, a listing or an item.

    Every number that depends on them is computed again and told to its store. Who set a rule, when, and what it was
    before stays on record.

    \b
    Example: holdfast rule set buffer=2 share=50 --store Berlin --dry-run
             holdfast rule set cap=10 --store Berlin --listing 1042
             holdfast rule set backorder=notify backorder_limit=20 --item MUG-RED
    """
    told: dict[str, Value] = {}
    for one in values:
        name, is_said, value = one.partition("=")
        if not is_said:
            raise typer.BadParameter(f"{one!r} says no value; write it like {name}=2")
        told[name] = value
    with call.door(Right.RULE_CHANGE) as entered, entered.begin() as tx:
        change(entered, tx, whose.subject(tx), told, dry_run=dry_run, as_json=call.as_json)


@commands.command()
@spread
def clear(
    names: Annotated[list[str], typer.Argument(metavar="RULE...", help="like buffer; `holdfast rule list` shows them")],
    whose: Whose,
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Take rules back, so that the next ones in line hold.

    Of a listing those of its item or its store; of a store none.

    \b
    Example: holdfast rule clear cap --store Berlin --listing 1042
    """
    with call.door(Right.RULE_CHANGE) as entered, entered.begin() as tx:
        change(entered, tx, whose.subject(tx), dict.fromkeys(names), dry_run=dry_run, as_json=call.as_json)


@commands.command()
@spread
def history(
    name: Annotated[str, typer.Argument(metavar="[RULE]", help="this rule alone")] = "",
    *,
    whose: Whose,
    last: Annotated[int, typer.Option("--last", min=1, help="so many changes, the newest")] = 50,
    call: Call,
) -> None:
    """Show who changed which rule, when, and from what.

    The newest change stands first.

    \b
    Example: holdfast rule history
             holdfast rule history buffer --store Berlin
    """
    from core.access import actors
    from core.selling import rules
    from core.zones import zone_of

    with call.door(Right.STOCK_VIEW) as entered, entered.begin() as tx:
        subject = whose.subject_or_all(tx)
        changes = rules.history(tx, subject=subject, rule=name, limit=last)
        names, zone = actors.names_of(tx, [one.actor for one in changes]), zone_of(tx)
    if call.as_json:
        say_json([dataclasses.asdict(one) for one in changes])
    elif changes:
        _say_changes(changes, names, zone)
    else:
        say("No rule was changed.")


def _say_changes(changes: "Sequence[RuleChange]", names: Mapping[str, str], zone: ZoneInfo) -> None:
    rows = [
        [local(one.changed_at, zone, seconds=True), one.scope, one.subject, one.rule, one.version, one.was, one.becomes,
         names.get(one.actor, one.actor)]
        for one in changes
    ]  # fmt: skip
    say_table(["when", "of a", "named", "rule", ">version", "from", "to", "by"], rows)


def change(
    entered: Door, tx: "Transaction", subject: "Subject", values: "Mapping[str, Value]", *, dry_run: bool, as_json: bool
) -> None:
    """Change rules, all or none, or with ``dry_run`` tell what that would do; and say so. Raises: Refused."""
    from core.selling import rules

    if dry_run:
        _say_differences(rules.preview(tx, subject, values), as_json=as_json)
        return
    changes = rules.set_rules(tx, subject, values)
    for done in changes:
        told = {"rule": done.rule, "was": done.was, "becomes": done.becomes}
        entered.log(
            tx, "rule.set" if done.becomes is not None else "rule.clear", f"{subject.scope}:{subject.id}", **told
        )
    if as_json:
        say_json([dataclasses.asdict(done) for done in changes])
        return
    for done in changes:
        was, becomes = ("not set" if one is None else one for one in (done.was, done.becomes))
        say(f"{done.rule} of {subject.scope} {subject.name}: {becomes} (was {was}), version {done.version}.")
    if not changes:
        say(f"It was so already; nothing was changed for {subject.scope} {subject.name}.")


def _say_differences(found: "Sequence[Difference]", *, as_json: bool) -> None:
    if as_json:
        say_json({"dry_run": True, "differences": [dataclasses.asdict(one) for one in found]})
        return
    if found:
        rows = [[one.store, one.external_id, one.sku, one.title, one.before, one.after] for one in found]
        say_table(["store", "listing", "SKU", "title", ">number now", ">then"], rows)
    say(f"{counted(len(found), 'number')} would change; nothing was changed.")
