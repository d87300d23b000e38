"""A merchant with one warehouse, one bin and one pool reads of goods and of orders, and never of places."""

import json

import pytest

from tests.builders import World, line, order
from tests.integration.command_line import Holdfast
from tests.integration.fulfilment_acts import dispatch, place
from tests.integration.lock_acts import lock

PLACES = ("MAIN", "DEFAULT", "Shared")
LOOKS = (
    "stock show MUG", "stock card MUG", "stock at MUG now", "stock value", "warehouse totals", "warehouse reconcile",
    "fulfil list", "fulfil show 1001", "order show 1001", "fulfil allocate 1002 --dry-run", "route try MUG --to DE",
    "apart list", "count variance S-1 --all", "purchase list", "purchase show PO-1",
)  # fmt: skip


@pytest.fixture
def room(world: World, holdfast: Holdfast) -> World:
    """5 mugs; the warehouse packs 3 of them for order 1001, and one is damaged. Order 1002 wants one."""
    store = world.stocked("MUG", units=5)
    world.hear(store, order(line("MUG", 3), paid=True))
    world.hear(store, order(line("MUG", 1), external_id="1002", paid=True))
    dispatch(world)
    holdfast("fulfil", "hand", "1001/1", "MUG=2")
    holdfast("stock", "damage", "MUG", "1", "--reason", "it fell")
    holdfast("count", "start", "S-1", "--at", "MAIN")
    for said in ("supplier add ACME", "purchase new PO-1 --supplier ACME", "purchase add-line PO-1 MUG 3",
                 "purchase place PO-1", "receive PO-1 MUG=1"):  # fmt: skip
        assert holdfast(*said.split()).code == 0, said
    return world


def named(text: str) -> list[str]:
    return [one for one in PLACES if one in text]


@pytest.mark.parametrize("look", LOOKS)
def test_who_has_one_room_reads_of_no_place(holdfast: Holdfast, room: World, look: str) -> None:
    said = holdfast(*look.split())

    assert (said.code, said.err) == (0, "")
    assert said.out.strip()
    assert named(said.out) == []


@pytest.mark.parametrize("look", LOOKS)
def test_who_has_two_reads_which(holdfast: Holdfast, room: World, look: str) -> None:
    place(room, "HAMBURG")

    assert "MAIN" in holdfast(*look.split()).out


def test_a_second_pool_is_told_from_the_first(holdfast: Holdfast, room: World) -> None:
    lock(room, "fair", "MUG", 1)

    said = holdfast("stock", "show", "MUG").out

    assert named(said) == ["Shared"]
    assert "lock/fair" in said


@pytest.mark.parametrize("look", ["stock show MUG", "stock card MUG", "order show 1001", "fulfil show 1001"])
def test_machines_are_told_all_of_it(holdfast: Holdfast, room: World, look: str) -> None:
    assert "MAIN" in json.dumps(holdfast(*look.split(), "--json").json)


def test_why_nobody_sends_an_order_is_told_without_a_name(holdfast: Holdfast, room: World) -> None:
    holdfast("warehouse", "pause", "MAIN")

    said = holdfast("fulfil", "allocate", "1002").out

    assert "The warehouse was refused: it is paused." in said
    assert "the warehouse was refused: it is paused" in holdfast("order", "show", "1002").out
