"""Who renames, splits and names items at once: one act is done once, and no code comes to mean two items."""

import threading
from collections.abc import Callable
from typing import Any

from core.errors import Refused
from core.goods import references, renames, skus, splitting
from core.goods.splitting import Piece, SplitOff, Wish
from core.stock import GOOD
from core.transaction import Transaction
from tests.builders import World
from tests.integration.place_acts import place, tell
from tests.integration.race_acts import somebody_waits
from tests.integration.test_costs import wait_until
from tests.integration.test_stocktake_races import at_once


def test_a_split_said_twice_at_once_is_done_once(world: World) -> None:
    world.stocked("mug", units=10)
    wish = Wish("mug", "tea-mug", {Piece(GOOD, place(world, "MAIN")): 4})

    said = at_once(*[lambda: splitting.split(world.db, world.merchant_id, wish, "k", actor="test")] * 4)

    assert all(isinstance(one, SplitOff) for one in said), said
    assert len({one.document_id for one in said}) == 1
    assert sorted(one.repeated for one in said) == [False, True, True, True]
    assert (world.on_hand("mug"), world.on_hand("tea-mug")) == ((6, 0), (4, 0))


def while_renaming(world: World, act: Callable[[Transaction], Any]) -> list[object]:
    """What an act answers that begins before a rename of mug to X-1 is committed."""
    world.stocked("mug", "cup", units=1)
    told: list[object] = []

    def other() -> None:
        try:
            told.append(tell(world, act))
        except Refused as refused:
            told.append(refused)

    thread = threading.Thread(target=other)
    with world.db.begin(1, actor="test") as tx:
        renames.rename(tx, "mug", "X-1")
        thread.start()
        wait_until(lambda: somebody_waits(world) or bool(told))
    thread.join()
    return told


def test_a_reference_does_not_slip_past_a_rename_to_the_same_code(world: World) -> None:
    def put(tx: Transaction) -> bool:
        return references.put(tx, skus.resolve(tx, ["cup"])["cup"].id, "asin", "X-1")

    (told,) = while_renaming(world, put)

    assert isinstance(told, Refused)
    assert "two items" in str(told)


def test_without_turns_a_code_would_mean_two_items(world: World) -> None:
    """The control of the test above: the row alone, as ``put`` writes it after its look."""

    def put(tx: Transaction) -> None:
        tx.run(
            """INSERT INTO item_reference (merchant_id, kind, key, value, item_id, made_at, made_by)
               VALUES (:merchant_id, 'asin', 'x-1', 'X-1', :item_id, :now, 'test')""",
            item_id=skus.resolve(tx, ["cup"])["cup"].id,
        )

    while_renaming(world, put)

    with world.db.begin(1, actor="test") as tx:
        called = skus.by_references(tx, ["X-1"])["x-1"]
        assert skus.find(tx, ["X-1"])["x-1"].id != called[0].item.id
