"""``holdfast stock reverse``: what was entered by mistake is taken back."""

from typing import TYPE_CHECKING, Annotated

import typer

from core.access.rights import Right
from core.stock import DocumentKind
from edge.commands.acting import DryRun, Reason, act, loss_views, losses_as_json, say_losses
from edge.commands.common import Call, say, say_json
from edge.commands.spread import spread

if TYPE_CHECKING:
    from core.reversing import Reversed


@spread
def reverse(
    document: Annotated[
        int,
        typer.Argument(metavar="DOCUMENT", min=1, max=2**63 - 1, help="its number, as `holdfast stock card` lists it"),
    ],
    reason: Reason,
    force: Annotated[
        bool, typer.Option("--force", help="also where those who have the units by now lose them again")
    ] = False,
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Take back a document that was entered by mistake.

    Its movements are swapped, as long as nothing happened to its units since. Else the ordinary opposite is booked,
    with --force also where that breaks promises. Receipts, finds, losses, scrapping, returns to suppliers, units dealt
    to pools and locks can be taken back, each once; what was noted of their cost goes with them.

    \b
    Example: holdfast stock reverse 2049 --reason "typed 400 for 40" --dry-run
    """
    from core.reversing import Reverse, read_document

    with call.door(Right.STOCK_CORRECT) as entered:
        with entered.begin() as tx:
            posted = read_document(tx, document)
        done: Reversed = act(entered, Reverse(posted, reason, force=force or dry_run), dry_run=dry_run)
        views = loss_views(entered, done.losses)
        if not dry_run:
            with entered.begin() as tx:
                entered.log(tx, "stock.reverse", f"document:{document}", by=done.document_id, force=force)
        needs_force = done.kind is DocumentKind.MISSING
        if call.as_json:
            document_id = None if dry_run else done.document_id
            told = {"document_id": document_id, "kind": done.kind, "obstacles": done.obstacles, "dry_run": dry_run}
            say_json({"corrects_id": document, "needs_force": needs_force, "losses": losses_as_json(views), **told})
            return
        for obstacle in done.obstacles:
            say(f"It cannot be swapped back: {obstacle}.")
        how = "its movements swapped" if done.kind is DocumentKind.REVERSAL else f"corrected by a {done.kind}"
        if dry_run:
            cure = "--force instead of --dry-run" if needs_force else "no --dry-run"
            say(f"Only tried out: document {document} would be taken back, {how}. With {cure} it is booked.")
        else:
            say(f"Document {document} is taken back, {how}: document {done.document_id}.")
        say_losses(views, dry_run=dry_run)
