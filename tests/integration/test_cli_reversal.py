"""``holdfast reverse``: tried out, then done."""

from tests.builders import Units, World, line, order
from tests.integration.command_line import Holdfast


def test_a_reversal_is_tried_out_and_then_done(holdfast: Holdfast, world: World) -> None:
    store = world.stocked("MUG", units=0)
    document = str(holdfast("stock", "receive", "MUG", "400", "--json").json["document_id"])
    world.hear(store, order(line("MUG", 3), paid=True))
    why = ("--reason", "typed 400 for 40")

    refused = holdfast("stock", "reverse", document, *why)
    tried = holdfast("stock", "reverse", document, *why, "--dry-run")
    told = holdfast("stock", "reverse", document, *why, "--dry-run", "--json").json
    assert world.units("MUG") == Units(free=397, sold=3)
    done = holdfast("stock", "reverse", document, *why, "--force")

    assert refused.code == 1
    assert "--dry-run" in refused.err
    assert "--force instead of --dry-run" in tried.out
    assert (told["needs_force"], told["kind"], told["document_id"]) == (True, "missing", None)
    assert "corrected by a missing" in done.out
    assert "order #1001 of Main street" in done.out
    assert world.units("MUG") == Units(backordered=3)
    assert holdfast("stock", "reverse", document, *why).err.startswith(f"holdfast: document {document} was taken back")


def test_a_plain_reversal_says_that_movements_were_swapped(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=1)
    document = str(holdfast("stock", "receive", "MUG", "4", "--json").json["document_id"])
    said = holdfast("stock", "reverse", document, "--reason", "twice")
    assert "its movements swapped" in said.out
    assert world.units("MUG").free == 1
    assert holdfast("stock", "reverse", "x", "--reason", "twice").code == 2
