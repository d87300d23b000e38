"""What was on hand at an instant, read alone, is what the whole of the past says."""

from collections import Counter
from datetime import datetime

from core.past import history, shelves
from core.stock import DocumentKind, Layer
from tests.builders import Clock, World, line, order
from tests.integration import fulfilment_acts
from tests.integration.place_acts import receive
from tests.integration.test_checkpoints import cover, kept
from tests.integration.test_inspection import hold_back, look


def told(world: World, at: datetime) -> dict[tuple[int, int], int]:
    """Units by item and warehouse, by what all layers held."""
    units: Counter[tuple[int, int]] = Counter()
    with world.db.begin(1, actor="test") as tx:
        bins = dict(map(tuple, tx.run("SELECT id, warehouse_id FROM bin WHERE merchant_id = :merchant_id")))
        for row in history.balances_at(tx, None, at):
            if row.layer is Layer.WAREHOUSE:
                units[row.item_id, bins[row.place_id]] += sum(row.units.values())
    return {key: n for key, n in units.items() if n}


def alone(world: World, at: datetime | None) -> dict[tuple[int, int], int]:
    with world.db.begin(1, actor="test") as tx:
        found = shelves.units(tx, None, at)
    return {(item_id, place): n for item_id, places in found.items() for place, n in places.items()}


def test_at_each_instant_it_is_what_the_whole_past_says_with_checkpoints_and_without(world: World) -> None:
    store_id = world.stocked("mug", "cup", units=10)
    world.db.clock = clock = Clock()
    instants = [clock.now]

    def now() -> None:
        instants.append(clock.now)
        clock.pass_(60)

    receive(world, "mug", 5, "HAMBURG", damaged=2)
    now()
    record = hold_back(world, 3)
    now()
    world.hear(store_id, order(line("mug", 4), paid=True))
    fulfilment_acts.dispatch(world)
    now()
    fulfilment_acts.act(world, "hand")
    now()
    look(world, record, good=1, scrap=2)
    now()
    fulfilment_acts.act(world, "ship")
    now()
    world.receive("cup", 3, DocumentKind.FOUND)
    now()

    seen = [alone(world, at) for at in instants]
    assert seen == [told(world, at) for at in instants]
    assert seen[-1] == alone(world, None)
    assert len({tuple(sorted(one.items())) for one in seen}) == 4

    cover(world, clock)
    assert kept(world, "mug")
    assert [alone(world, at) for at in instants] == seen
