"""``holdfast bundle`` and ``item`` as a merchant types them."""

from collections.abc import Sequence

import pytest

from tests.builders import World
from tests.integration.bundle_acts import (
    item,
)
from tests.integration.command_line import Holdfast


def test_a_bundle_is_made_shown_tried_and_ended(holdfast: Holdfast, world: World) -> None:
    store = world.stocked("MUG", "POT", units=10)
    world.listings(store, "SET", shown=10)
    assert holdfast("item", "add", "GIFT", "--kind", "bundle", "--part", "MUG=2", "--part", "POT").code == 0
    tried = holdfast("bundle", "set", "SET", "MUG=4", "POT=1", "--dry-run", "--json").json
    assert [(one["before"], one["after"]) for one in tried["differences"]] == [(0, 2)]
    assert holdfast("item", "show", "SET", "--json").json["kind"] == "plain"
    assert holdfast("bundle", "set", "SET", "MUG=4", "POT=1").out == "SET is a bundle of MUG=4, POT=1.\n"
    assert "already" in holdfast("bundle", "set", "SET", "MUG=4", "POT=1").out

    told = holdfast("item", "show", "set", "--json").json
    assert [(one["sku"], one["quantity"]) for one in told["components"]] == [("MUG", 4), ("POT", 1)]
    assert "Part of: GIFT, SET." in holdfast("item", "show", "MUG").out
    assert [one["sku"] for one in holdfast("item", "list", "--kind", "bundle", "--json").json] == ["GIFT", "SET"]
    assert holdfast("bundle", "end", "SET").out == "SET is a plain item.\n"
    acts = [row.act for row in world.ask("SELECT act FROM act_log WHERE merchant_id = :merchant_id ORDER BY id")]
    assert acts == ["item.add", "bundle.set", "bundle.end"]


def test_kits_are_assembled_and_taken_apart_from_the_command_line(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", "CARD", units=5)
    holdfast("item", "add", "BOX", "--kind", "kit", "--part", "MUG=2", "--part", "CARD")
    assert "can be assembled" in holdfast("bundle", "assemble", "BOX", "2", "--dry-run").out
    assert "2 kits of BOX assembled" in holdfast("bundle", "assemble", "BOX", "2", "--key", "evening").out
    assert "was done before" in holdfast("bundle", "assemble", "BOX", "2", "--key", "evening").out
    lacks = holdfast("bundle", "assemble", "BOX", "4")
    assert lacks.code == 1
    assert lacks.err.startswith("holdfast: not enough free units; missing are 1 CARD, 7 MUG. ")
    assert "`holdfast stock show CARD`" in lacks.err
    assert holdfast("bundle", "disassemble", "BOX", "2", "--json").json["units"] == 2
    assert (world.units("MUG").free, world.units("BOX").free) == (5, 0)
    assert "no stock" not in holdfast("bundle", "return", "BOX", "1").err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("item", "add", "MUG"), 1),
        (("item", "add", " "), 1),
        (("item", "add", "BOX", "--kind", "bundle"), 2),
        (("item", "add", "BOX", "--part", "MUG"), 2),
        (("item", "add", "BOX", "--kind", "bundle", "--part", "CUP"), 1),
        (("item", "add", "BOX", "--kind", "bundle", "--part", "MUG=two"), 2),
        (("item", "add", "BOX", "--kind", "bundle", "--part", "MUG=0"), 2),
        (("item", "add", "BOX", "--kind", "bundle", "--part", "MUG", "--part", "mug"), 1),
        (("bundle", "set", "MUG", "MUG=2"), 1),
        (("item", "unit", "MUG", "24"), 2),
        (("item", "unit", "MUG", "case=0"), 1),
    ],
)
def test_mistakes_are_told_in_one_line_and_leave_no_item_behind(
    holdfast: Holdfast, world: World, arguments: Sequence[str], code: int
) -> None:
    world.stocked("MUG", units=5)
    said = holdfast(*arguments)
    assert (said.code, said.out) == (code, "")
    assert "Traceback" not in said.err
    assert world.ask("SELECT 1 FROM item WHERE merchant_id = :merchant_id AND sku = 'BOX'") == []


def test_long_lists_of_items_go_on_where_they_ended(holdfast: Holdfast, world: World) -> None:
    for sku in ("A", "b", "C"):
        item(world, sku)
    assert [one["sku"] for one in holdfast("item", "list", "--limit", "2", "--json").json] == ["A", "b"]
    assert "--after b" in holdfast("item", "list", "--limit", "2").out
    assert [one["sku"] for one in holdfast("item", "list", "--after", "B", "--json").json] == ["C"]
    assert "no such item" in holdfast("item", "list", "--like", "zzz").out
