"""Whatever order fetched states arrive in, and however often, the books end as if only the newest had come."""

import os
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import catalog
from core.model import StoreOrder
from core.transaction import Database
from tests.builders import Units, World, line, order

PLAYED = settings(
    max_examples=2_000 if os.environ.get("HOLDFAST_SOAK") else 12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
_MERCHANTS = count(100)
SKUS = ("mug", "cup", "plate")


@st.composite
def histories(draw: st.DrawFn, *, scarce: bool) -> list[StoreOrder]:
    """States of one order as they follow each other: what has left or come back stays so.

    With ``scarce`` stock nothing comes back or breaks: which units those were depends on what was there when it
    happened, and that cannot be told from the newest state alone.
    """
    states = []
    gone: dict[str, dict[str, Any]] = {sku: {"shipped": 0, "returned": 0, "written_off": 0} for sku in SKUS}
    for n in range(draw(st.integers(1, 5))):
        lines = []
        for sku in SKUS:
            facts = gone[sku]
            facts["shipped"] += draw(st.integers(0, 2))
            if not scarce:
                facts["written_off"] = draw(st.integers(0, 2))
                facts["returned"] += draw(st.integers(0, facts["shipped"] - facts["returned"]))
            still = draw(st.integers(0, 5))
            cancelled = draw(st.integers(0, 2))
            quantity = facts["shipped"] + facts["written_off"] + cancelled + still
            if quantity or draw(st.booleans()):
                lines.append(line(sku, quantity, cancelled=cancelled, counted=draw(st.integers(0, quantity)), **facts))
        told: dict[str, Any] = {"paid": draw(st.booleans()), "holds": draw(st.booleans() | st.just(True))}
        states.append(order(*lines, version=str(n), **told))
    return states


@st.composite
def arrivals(draw: st.DrawFn, *, scarce: bool) -> tuple[list[StoreOrder], list[int]]:
    """A history, and the places of its states in the order in which they arrive: all of them, some of them doubled."""
    states = draw(histories(scarce=scarce))
    every = list(range(len(states)))
    doubled = draw(st.lists(st.sampled_from(every), max_size=3))
    return states, draw(st.permutations(every + doubled))


Books = dict[str, tuple[Units, tuple[int, int], int]]


def books_after(db: Database, states: list[StoreOrder], arriving: list[int], stock: int) -> Books:
    merchant_id = next(_MERCHANTS)
    catalog.ensure_merchant(db, merchant_id, name="Random shop")
    world = World(db, merchant_id)
    store = world.stocked(*SKUS, units=stock, shown=50)
    for place in arriving:
        world.hear(store, states[place], fetch_seq=place + 1)
    return {sku: (world.units(sku), world.on_hand(sku), world.listing(store, sku).believed) for sku in SKUS}


@PLAYED
@given(arrived=arrivals(scarce=False))
def test_states_in_any_order_and_number_end_as_the_newest_alone(
    db: Database, arrived: tuple[list[StoreOrder], list[int]]
) -> None:
    states, arriving = arrived
    newest = len(states) - 1
    assert books_after(db, states, arriving, 200) == books_after(db, states, [newest], 200)


@PLAYED
@given(arrived=arrivals(scarce=True), stock=st.integers(0, 6))
def test_so_they_do_when_units_are_short(db: Database, arrived: tuple[list[StoreOrder], list[int]], stock: int) -> None:
    states, arriving = arrived
    newest = len(states) - 1
    assert books_after(db, states, arriving, stock) == books_after(db, states, [newest], stock)
