"""What the commands that change stock share: doing it or trying it out, and telling who gave units up."""

import dataclasses
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.errors import InsufficientStock, Refused
from core.stock import GOOD, Stocked
from core.words import counted
from edge.commands.common import Door, say, say_table

if TYPE_CHECKING:
    from core.command import Command
    from core.goods.losses import LossView
    from core.sales.shortage import Loss
    from core.stock import Spot
    from core.transaction import Transaction

Sku = Annotated[str, typer.Argument(metavar="SKU", help="the item's code; upper and lower case are the same")]
MOST = 1_000_000_000  # units in one act
_MOST_LOSSES = 20
Units = Annotated[int, typer.Argument(metavar="N", min=1, max=MOST, help="how many units, 1 or more")]
GradeName = Literal["good", "minor_defect"]
Grade = Annotated[GradeName, typer.Option("--grade", help="the grade of the units")]
Reason = Annotated[str, typer.Option("--reason", help="why, for everybody who looks at the document later")]
Key = Annotated[
    str, typer.Option("--key", help="your own name for this; repeating it with the same key changes nothing more")
]
Where = Annotated[str, typer.Option("--at", metavar="PLACE", help="where: a warehouse, or a bin like MAIN/A-01")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="say what would happen; change nothing")]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of units of one item: options of commands; see ``edge.commands.spread``."""

    sku: Sku
    units: Units
    reason: Reason
    grade: Grade = "good"
    place: Where = ""
    key: Key = ""

    @property
    def goods(self) -> str:
        grade = "" if self.grade == GOOD else f" ({self.grade})"
        return f"{counted(self.units, 'unit')} of {self.sku}{grade}"

    @property
    def goods_are(self) -> str:
        return f"{self.goods} {'is' if self.units == 1 else 'are'}"

    def told(self, **more: object) -> dict[str, object]:
        return {"sku": self.sku, "grade": self.grade, "units": self.units, **more}

    def stocked(self, entered: Door) -> "tuple[Stocked, Spot | None]":
        """What it is about, and in which bin (None: the default one). Raises: NotFound."""
        from core import catalog
        from core.warehouse import warehouses

        with entered.begin() as tx:
            spot = warehouses.spot_of(tx, self.place) if self.place else None
            return Stocked(catalog.item_id_of(tx, self.sku), self.grade), spot


@dataclass(frozen=True, slots=True)
class AskedOrTried(Asked):
    """The same, of what may take units from those who were promised them."""

    dry_run: DryRun = False


def effect_key(prefix: str, key: str) -> str:
    """The key by which an act is done once: the caller's own, or one that nobody else has."""
    return f"{prefix}/{key or uuid.uuid4()}"


def act(entered: Door, command: "Command", *, dry_run: bool = False) -> Any:
    """Do it, or find out what it would answer. Raises: what it is refused with, in the words of the merchant."""
    actor = str(entered.actor)
    if dry_run:
        from core.rehearsal import rehearse

        answer = rehearse(entered.app.db, entered.merchant_id, command, actor=actor)
    else:
        (answer,) = entered.app.combiner.run(entered.merchant_id, [command], actor=actor)
    if type(answer) is InsufficientStock:  # others of its kind say by themselves what to do
        raise _with_skus(entered, answer, command)
    if isinstance(answer, Refused):
        raise answer
    return answer


def _with_skus(entered: Door, refusal: InsufficientStock, command: "Command") -> Refused:
    with entered.begin() as tx:
        rows = tx.run(
            "SELECT id, sku FROM item WHERE merchant_id = :merchant_id AND id = ANY(CAST(:ids AS bigint[]))",
            ids=[stocked.item_id for stocked in refusal.missing],
        )
        skus = {row.id: row.sku for row in rows}
    named = sorted((skus.get(one.item_id, str(one.item_id)), one, n) for one, n in refusal.missing.items())
    lacking = [f"{n} {sku}{'' if one.grade == GOOD else f' ({one.grade})'}" for sku, one, n in named]
    sku, first, _ = named[0]
    return Refused(f"not enough free units; missing are {', '.join(lacking)}. {_cure(command, first, sku)}")


def _cure(command: "Command", stocked: Stocked, sku: str) -> str:
    from core.sales.holds import Hold
    from core.sales.waiting import NO_LIMIT

    if not isinstance(command, Hold) or command.best_effort:
        return f"`holdfast stock show {sku}` tells where its units are"
    if command.may_wait:
        most = command.may_wait.get(stocked, 0)
        if most == 0:
            return f"None of {sku} may wait; `holdfast rule set backorder=yes --item {sku}` lets them"
        if most < NO_LIMIT:
            cure = f"`holdfast rule set backorder_limit=N --item {sku}` lets more"
            return f"At most {most:,} of {sku} may wait at a time, which is too few; {cure}"
        return "What a pool lacks does not wait; --overflow takes it from what everybody shares"
    return "--best-effort takes what there is, --wait lets the rest wait for goods"


def was_done_before(tx: "Transaction", document_id: int, asked_at: datetime) -> bool:
    """Was a document posted before it was asked for, because its key had been used?"""
    recorded_at: datetime = tx.run(
        "SELECT recorded_at FROM document WHERE merchant_id = :merchant_id AND id = :id", id=document_id
    ).scalar_one()
    return recorded_at < asked_at


def loss_views(entered: Door, losses: "Sequence[Loss]") -> "list[LossView]":
    from core.goods import losses as told

    with entered.begin() as tx:
        return told.views(tx, losses)


def losses_as_json(views: "Sequence[LossView]") -> list[dict[str, Any]]:
    return [dataclasses.asdict(one) for one in views]


def say_losses(views: "Sequence[LossView]", *, dry_run: bool) -> None:
    """Say who gave units up, those who wait now first, unless nobody but the shared pool did."""
    if all(not one.waits and one.pool == "the shared pool" for one in views):
        return
    first = sorted(views, key=lambda one: not one.waits)[:_MOST_LOSSES]
    say_table(
        ["SKU", ">units", "would be given up by" if dry_run else "given up by", "stood in", ""],
        [
            [one.sku if one.grade == GOOD else f"{one.sku} ({one.grade})", one.units, one.who, one.pool,
             "waits for them again" if one.waits else ""]
            for one in first
        ],
    )  # fmt: skip
    if len(views) > len(first):
        say(f"and {len(views) - len(first):,} more; --json tells all")
    broken = sum(one.units for one in views if one.order or one.hold)
    if broken:
        promised = counted(broken, "promised unit")
        say(
            f"{promised} {'would be' if dry_run else 'are'} missing now; "
            "`holdfast stock receive` fills the oldest gap first."
        )
