"""What cannot become one item, or not yet, is refused with what has to be done first."""

import pytest

from core.errors import Refused
from core.goods import items
from core.goods.adjusting import Lose
from core.goods.receiving import Receive
from core.reversing import Reverse, read_document
from core.stock import DocumentKind, PoolKind
from core.stocktake import opening
from core.supply import transfers
from tests import supply_world
from tests.builders import Units, World, line, order
from tests.integration import fulfilment_acts
from tests.integration.bundle_acts import made_of
from tests.integration.merge_acts import merge, set_of_both
from tests.integration.place_acts import place, tell
from tests.pool_world import open_pool, shared


def test_an_open_order_that_wants_both_is_settled_first(world: World) -> None:
    store_id = set_of_both(world)
    world.hear(store_id, order(line("set", 2), paid=True))

    with pytest.raises(Refused, match="#1001 wants units of both"):
        merge(world, "mug", "cup")
    world.hear(store_id, order(line("set", 2, shipped=2), paid=True))
    merge(world, "mug", "cup")

    world.hear(store_id, order(line("set", 2, shipped=2, returned=1), paid=True))
    assert shared(world, "cup").free == 2 + 4 + 3


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [("mug", "mug", "are one item"), ("MUG ", "mug", "are one item"), ("set", "mug", "set is a bundle"),
     ("mug", "set", "set is a bundle"), ("pan", "mug", "no item has SKU pan")],
)  # fmt: skip
def test_what_cannot_become_one_is_refused(world: World, before: str, after: str, why: str) -> None:
    world.stocked("mug", "set", units=0)
    made_of(world, "set", mug=2)

    with pytest.raises(Refused, match=why):
        merge(world, before, after)


def test_a_merge_back_is_a_merge_of_one_item(world: World) -> None:
    world.stocked("mug", "cup", "pot", units=2)
    merge(world, "mug", "cup")

    with pytest.raises(Refused, match="are one item"):
        merge(world, "cup", "mug")
    with pytest.raises(Refused, match="mug is a part of cup already"):
        merge(world, "mug", "pot")


def test_what_is_still_moving_is_named_with_its_cure(world: World) -> None:
    world.stocked("mug", "cup", units=4)
    supply_world.placed(world, "PO-7", {"mug": 3})
    ends = place(world, "MAIN").warehouse_id, place(world, "HAMBURG").warehouse_id
    tell(world, transfers.ask, "T-7", ends, {world.item("mug"): 1})
    for sku, units in (("mug", 12), ("cup", 24)):
        with world.db.begin(1, actor="test") as tx:
            items.set_unit(tx, world.item(sku).item_id, "case", units)

    with pytest.raises(Refused) as refusal:
        merge(world, "mug", "cup")

    for words in ("holdfast purchase show PO-7", "holdfast transfer show T-7", "one case of it is 12 units"):
        assert words in str(refusal.value)
    assert shared(world, "mug").free == 4


def test_a_presale_ends_first(world: World) -> None:
    world.stocked("mug", "cup", units=4)
    open_pool(world, "SOON", PoolKind.PRESALE, {"mug": 2})

    with pytest.raises(Refused, match="holdfast pool stop SOON"):
        merge(world, "mug", "cup")


def test_a_kit_that_is_made_of_it_is_not_the_same_item(world: World) -> None:
    world.stocked("mug", "kit", units=0)
    made_of(world, "kit", "kit", mug=2)

    with pytest.raises(Refused, match="kit is made of the other"):
        merge(world, "mug", "kit")
    merge(world, "kit", "mug")


def test_it_is_not_reversed(world: World) -> None:
    world.stocked("mug", "cup", units=4)
    done = merge(world, "mug", "cup")

    with world.db.begin(1, actor="test") as tx:
        document = read_document(tx, done.document_id)
    with pytest.raises(Refused, match="holdfast item split"):
        world.do(Reverse(document, "wrong"))


def test_a_command_made_before_the_merge_is_told_of_it(world: World) -> None:
    world.stocked("mug", "cup", units=4)
    was = world.item("mug")
    merge(world, "mug", "cup")

    with pytest.raises(Refused, match="become part of cup"):
        world.do(Receive("late", DocumentKind.RECEIPT, {was: 1}))
    with pytest.raises(Refused):
        world.do(Lose("gone", "gone", DocumentKind.MISSING, {was: 1}))


def test_what_a_warehouse_is_to_send_is_sent_or_given_back_first(world: World) -> None:
    store_id = world.stocked("mug", "cup", units=5)
    world.hear(store_id, order(line("mug", 3), paid=True))
    fulfilment_acts.dispatch(world)

    with pytest.raises(Refused, match="3 units of it are with fulfilment orders"):
        merge(world, "mug", "cup")
    fulfilment_acts.act(world, "give back")
    merge(world, "mug", "cup")

    fulfilment_acts.dispatch(world)
    fulfilment_acts.act(world, "ship", len(fulfilment_acts.fulfilments(world)))
    assert shared(world, "cup") == Units(7, 0, 0, 0)


def test_a_stocktake_ends_first(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    tell(world, opening.start, "S-1", ("MAIN",), opening.Terms())

    with pytest.raises(Refused, match="stocktake S-1 counts it"):
        merge(world, "mug", "cup")
