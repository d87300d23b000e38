"""What an outside system says, in any order, any number of times, item by item or in batches, ends in the same stock;
and the shelf is never thought to have more than it has.
"""

from dataclasses import dataclass
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.mirror import full
from core.transaction import Database, wall_clock
from tests import mirror_world as mirror
from tests.builders import Clock, World, line, order
from tests.mirror_world import row, shelf, tell, tell_all
from tests.property.histories import played, random_shop

SKUS = ("mug", "cup", "pot")
PLAYED = settings(played(15, soak=1_000), suppress_health_check=[HealthCheck.function_scoped_fixture])
counts = st.dictionaries(st.sampled_from(SKUS), st.integers(0, 9), min_size=1)


@dataclass(frozen=True)
class Event:
    """What the outside system says at one place in its order; ``whole``: of everything, else of these items alone."""

    version: int
    units: dict[str, int]
    whole: bool


def replayed(start: dict[str, int], events: list[Event], zero_missing: bool) -> dict[str, int]:
    """The plain model: everything once, in the order of its sender."""
    stock = dict(start)
    for event in sorted(events, key=lambda one: one.version):
        if event.whole and zero_missing:
            stock = dict.fromkeys(stock, 0)
        stock.update(event.units)
    return stock


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Event], bool, list[tuple[int, int]]]:
    """Events, what missing items mean, and the deliveries: an event by its place, and how it is cut."""
    drawn = draw(st.lists(st.tuples(counts, st.booleans()), min_size=1, max_size=6))
    events = [Event(n + 1, units, whole) for n, (units, whole) in enumerate(drawn)]
    more = draw(st.lists(st.integers(0, len(events) - 1), max_size=5))
    turns = draw(st.permutations([*range(len(events)), *more]))
    return events, draw(st.booleans()), [(nth, draw(st.integers(0, 2))) for nth in turns]


def shop(db: Database, units: dict[str, int], **terms: Any) -> tuple[World, int]:
    """A merchant of its own, with a store."""
    world = random_shop(db)
    db.clock = wall_clock
    store_id = world.stocked(*SKUS, units=0)
    for sku, n in units.items():
        if n:
            world.receive(sku, n)
    mirror.source(world, **terms)
    return world, store_id


def deliver(world: World, event: Event, cut: int, zero_missing: bool) -> None:
    """A batch, or single messages; a batch that says nothing of what it does not name is the same as its items."""
    if event.whole and (zero_missing or not cut):
        tell_all(world, event.version, event.units)
        return
    rows = [row(sku, units, event.version) for sku, units in event.units.items()]
    if cut == 2:
        for one in reversed(rows):
            tell(world, one)
    else:
        tell(world, *rows)


start_units = st.fixed_dictionaries({sku: st.integers(0, 9) for sku in SKUS})


@PLAYED
@given(history=histories(), start=start_units)
def test_any_order_and_number_and_cut_ends_in_the_same_stock(
    db: Database, history: tuple[list[Event], bool, list[tuple[int, int]]], start: dict[str, int]
) -> None:
    events, zero_missing, deliveries = history
    world, _ = shop(db, start, zero_missing=zero_missing)

    for nth, cut in deliveries:
        deliver(world, events[nth], cut, zero_missing)

    assert {sku: shelf(world, sku) for sku in SKUS} == replayed(start, events, zero_missing)


@PLAYED
@given(history=histories(), start=start_units, data=st.data())
def test_so_it_does_when_batches_wait_for_a_person_first(
    db: Database, history: tuple[list[Event], bool, list[tuple[int, int]]], start: dict[str, int], data: st.DataObject
) -> None:
    events, zero_missing, deliveries = history
    world, _ = shop(db, start, zero_missing=zero_missing, most_units=0)
    waiting: list[int] = []

    for nth, _ in deliveries:
        event = events[nth]
        if not event.whole:
            tell(world, *(row(sku, units, event.version) for sku, units in event.units.items()))
        elif (batch := tell_all(world, event.version, event.units)).row.state == "held" and not batch.repeated:
            waiting.append(batch.row.id)
    for batch_id in data.draw(st.permutations(waiting)):
        full.approve(db, world.merchant_id, batch_id, "", actor="user:1")

    assert {sku: shelf(world, sku) for sku in SKUS} == replayed(start, events, zero_missing)


# ---- what stands there in truth, and what has left that nobody told us of yet

steps = st.lists(
    st.one_of(
        st.tuples(st.just("ships"), st.integers(1, 3)),
        st.tuples(st.just("we learn"), st.just(0)),
        st.tuples(st.just("counts"), st.integers(0, 1)),
        st.tuples(st.just("tells"), st.integers(0, 9)),
    ),
    min_size=3,
    max_size=14,
)


@PLAYED
@given(steps=steps, start=st.integers(5, 20))
def test_the_shelf_is_never_thought_to_have_more_than_stands_there_and_left_untold(
    db: Database, steps: list[tuple[str, int]], start: int
) -> None:
    world, store_id = shop(db, {"mug": start})
    db.clock = clock = Clock()
    there, untold, orders, counted = start, list[int](), count(1), list[tuple[int, int, str]]()

    for act, n in steps:
        clock.pass_(1)
        if act == "ships" and n <= there:
            there -= n
            untold.append(n)
        elif act == "we learn" and untold:
            sold = line("mug", untold[0], shipped=untold[0])
            world.hear(store_id, order(sold, external_id=f"o{next(orders)}", paid=True))
            untold.pop(0)
        elif act == "counts":
            counted.append((len(counted) + 1, there, clock.now.isoformat()))
        elif act == "tells" and counted:
            version, units, as_of = counted[n % len(counted)]
            tell(world, row("mug", units, version, as_of=as_of))
        assert shelf(world, "mug") <= there + sum(untold)
