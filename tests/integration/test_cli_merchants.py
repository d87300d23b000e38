"""``holdfast merchants``: several merchants on one hub, each behind its own wall."""

import pytest

from config.setup import SCHEDULE
from tests.builders import World
from tests.integration.command_line import Holdfast


def test_a_merchant_that_is_added_has_its_own_goods_schedule_and_place(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=3)

    made = holdfast("merchants", "add", "Second shop", "--time-zone", "Europe/Berlin", "--json").json
    holdfast("item", "add", "MUG", "--merchant", "2")
    holdfast("stock", "receive", "MUG", "8", "--merchant", "2")

    assert made == {"id": 2, "name": "Second shop"}
    assert [one["id"] for one in holdfast("merchants", "list", "--json").json] == [1, 2]
    assert [
        holdfast("stock", "show", "MUG", "--merchant", n, "--json").json["layers"][2]["buckets"]["free"] for n in "12"
    ] == [3, 8]
    assert [one["code"] for one in holdfast("warehouse", "list", "--merchant", "2", "--json").json] == ["MAIN"]
    assert set(World(world.db, 2).ask("SELECT topic FROM schedule WHERE store_id = 0")) >= {(one,) for one in SCHEDULE}


def test_a_user_works_for_several_merchants_with_another_role_for_each(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=3)
    holdfast("merchants", "add", "Second shop")
    holdfast("user", "add", "agency@example.com", "--role", "owner")
    holdfast("user", "add", "agency@example.com", "--role", "viewer", "--merchant", "2")

    here = holdfast("stock", "receive", "MUG", "1", "--as", "agency@example.com")
    there = holdfast("item", "add", "MUG", "--as", "agency@example.com", "--merchant", "2")

    assert here.code == 0
    assert there.code == 1
    assert "rule.change" in there.err


def test_a_merchant_that_is_not_there_is_answered_with_the_way_to_make_one(holdfast: Holdfast, world: World) -> None:
    assert "`holdfast merchants add NAME`" in holdfast("item", "list", "--merchant", "9").err


@pytest.mark.parametrize("wrong", [("",), ("Shop", "--time-zone", "Mars/Olympus")])
def test_what_is_no_merchant_is_not_made(holdfast: Holdfast, world: World, wrong: tuple[str, ...]) -> None:
    assert holdfast("merchants", "add", *wrong).code != 0
    assert len(holdfast("merchants", "list", "--json").json) == 1
