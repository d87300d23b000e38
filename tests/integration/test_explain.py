"""``holdfast explain``, ``rule`` and ``listing`` on a real database: why a number is what it is, and changing it."""

from typing import Any

import pytest

from core.stock import PoolKind
from tests.builders import World, line, order
from tests.integration.command_line import Holdfast
from tests.integration.facts_acts import bundle, set_apart
from tests.integration.test_pushes import pushed


def steps_of(told: Any) -> list[tuple[str, int, int]]:
    return [(step["name"], step["number"], step["delta"]) for step in told["steps"]]


# ---- explain


def test_each_step_stands_with_its_number_and_cause(holdfast: Holdfast, world: World) -> None:
    store = world.stocked("MUG", units=20)
    holdfast("rule", "set", "buffer=2", "--store", "Main street")
    holdfast("rule", "set", "cap=9", "--store", "Main street", "--listing", "mug")
    set_apart(world, PoolKind.CHANNEL, "MUG", 3, store)

    (told,) = holdfast("explain", "mug", "--json").json
    said = holdfast("explain", "MUG").out

    assert steps_of(told) == [("free", 20, 20), ("buffer", 18, -2), ("cap", 9, -9), ("sellable", 9, 0)]
    assert told["number"] == 9
    assert told["steps"][0]["cause"]["shared"] == 17
    assert told["steps"][1]["cause"] == {"units": 2, "set_by": "store"}
    assert told["steps"][2]["cause"] == {"units": 9, "set_by": "listing"}
    assert told["steps"][2]["why"] == "it shows 9 at most (cap of this listing)"
    assert "2 are held back because news between stores takes time (buffer of the store)" in said
    assert "MUG on Main street (listing listing-MUG): 9" in said


def test_what_was_told_and_what_moved_it_since_stand_with_it(holdfast: Holdfast, world: World) -> None:
    store = world.stocked("MUG", units=20)
    pushed(world, store)
    world.hear(store, order(line("MUG", 2, counted=2)))

    (told,) = holdfast("explain", "MUG", "--json").json
    said = holdfast("explain", "MUG").out

    assert (told["pushed"]["wanted"], told["pushed"]["status"], told["published"]) == (20, "applied", 20)
    assert told["on_its_way"]["stale_since"] is not None
    assert [(one["kind"], one["free"], one["is_told"]) for one in told["movers"]] == [
        ("reservation", -2, False), ("opening", 20, True),
    ]  # fmt: skip
    assert told["movers"][0]["order"] == "#1001"
    assert "s ago (applied): to show 20, and it showed 20." in said
    assert "order #1001 of Main street" in said
    assert "On its way for" in said


def test_what_moved_a_number_is_of_its_grade_and_names_the_hold(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=20)
    holdfast("stock", "receive", "MUG", "3", "--grade", "minor_defect")
    holdfast("stock", "regrade", "MUG", "2", "--to", "minor_defect", "--reason", "scratched")
    holdfast("reserve", "make", "web-7", "MUG=4")

    (told,) = holdfast("explain", "MUG", "--json").json
    said = holdfast("explain", "MUG").out

    assert [(one["kind"], one["grade"], one["free"], one["reason"]) for one in told["movers"]] == [
        ("reservation", "good", -4, "hold web-7"), ("regrade", "good", -2, "scratched"), ("opening", "good", 20, ""),
    ]  # fmt: skip
    assert "hold web-7" in said
    assert "hold web-7" in holdfast("stock", "show", "MUG").out
    assert "hold web-7" in holdfast("stock", "card", "MUG").out


def test_what_a_lock_takes_away_is_less_for_who_may_not_draw_on_it(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=20)
    ours = ("--type", "channel", "--store", "Main street")
    holdfast("lock", "request", "web", "MUG", "5", *ours, "--approve")
    holdfast("lock", "request", "fair", "MUG", "3", "--approve")

    (told,) = holdfast("explain", "MUG", "--json").json

    assert [(one["reason"], one["free"]) for one in told["movers"]] == [
        ("lock fair begins", -3), ("lock web begins", 0), ("", 20),
    ]  # fmt: skip


def test_what_became_of_a_hold_names_it_wherever_its_documents_stand(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=20)
    holdfast("reserve", "make", "web/7", "MUG=4")
    holdfast("reserve", "paid", "web/7")
    holdfast("reserve", "release", "web/7")

    card = holdfast("stock", "card", "MUG", "--json").json

    assert [(one["kind"], one["reason"]) for one in card["documents"]] == [
        ("release", "hold web/7"), ("deduction", "hold web/7"), ("reservation", "hold web/7"), ("opening", ""),
    ]  # fmt: skip


def test_a_bundle_is_explained_by_its_components(holdfast: Holdfast, world: World) -> None:
    store = world.stocked("cup", "lid", units=9)
    bundle(world, "pair", store, cup=2, lid=1)

    (told,) = holdfast("explain", "pair", "--json").json
    said = holdfast("explain", "pair").out

    (first, *_) = told["steps"]
    assert [(part["sku"], part["makes"]) for part in first["parts"]] == [("cup", 4), ("lid", 9)]
    assert steps_of(first["parts"][0])[0] == ("free", 9, 9)
    assert "it is a bundle: 2 x cup is enough for 4 and 1 x lid is enough for 9; cup decides" in said
    assert {one["sku"] for one in told["movers"]} == {"cup", "lid"}


def test_what_would_make_it_another_number_is_asked_for(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=5)
    holdfast("rule", "set", "buffer=3", "--store", "Main street")

    ways = holdfast("explain", "MUG", "--make", "4", "--json").json[0]["ways"]
    said = holdfast("explain", "MUG", "--make", "4").out
    there = holdfast("explain", "MUG", "--make", "2").out

    assert [(way["what"], way["was"], way["becomes"]) for way in ways["changes"]] == [
        ("receive", 0, 2), ("buffer", 3, 1), ("backorder_limit", 0, 2),
    ]  # fmt: skip
    assert "  lower the buffer from 3 to 1\n" in said
    assert "What would make it 2: nothing alone; it is 2 already." in there


def test_a_way_that_is_named_does_what_it_says(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=5)
    holdfast("rule", "set", "safety_stock=3", "--store", "Main street")
    ways = holdfast("explain", "MUG", "--make", "4", "--json").json[0]["ways"]["changes"]
    (way,) = [way for way in ways if way["what"] == "safety_stock"]

    holdfast("rule", "set", f"safety_stock={way['becomes']}", "--store", "Main street", "--listing", "MUG")

    assert holdfast("explain", "MUG", "--json").json[0]["number"] == 4


def test_one_store_is_picked_and_an_item_nobody_lists_is_said_to_be_so(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=5)
    other = world.store("Berlin")
    world.listings(other, "MUG", "CUP")
    assert [one["store"] for one in holdfast("explain", "MUG", "--json").json] == ["Main street", "Berlin"]
    assert [one["store"] for one in holdfast("explain", "MUG", "--store", "Berlin", "--json").json] == ["Berlin"]
    assert "Main street does not list CUP" in holdfast("explain", "CUP", "--store", "Main street").out
    assert holdfast("explain", "NOPE").code == 1
    assert "there are: Main street, Berlin" in holdfast("explain", "MUG", "--store", "Rome").err


def test_what_keeps_a_listing_from_being_pushed_is_said(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=5)
    world.tell("UPDATE listing SET quarantine_reason = 'the store refused it' WHERE merchant_id = :merchant_id")
    world.tell("UPDATE store SET paused = true WHERE merchant_id = :merchant_id")
    said = holdfast("explain", "MUG").out
    assert "It is not pushed: the store refused it" in said
    assert "The store is paused: nothing is told to it." in said
    assert "n its way" not in said


def test_nothing_is_on_its_way_to_a_store_that_is_only_read(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=5)
    world.tell("UPDATE store SET mode = 'observe' WHERE merchant_id = :merchant_id")
    said = holdfast("explain", "MUG").out
    assert "The store is in mode observe: nothing is told to it." in said
    assert "n its way" not in said


# ---- rule


def test_rules_are_set_told_and_taken_back(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=20)

    done = holdfast("rule", "set", "share=50", "Buffer=2", "--store", "Main street", "--json").json
    again = holdfast("rule", "set", "share=50", "--store", "Main street").out
    listed = holdfast("rule", "list", "--json").json
    cleared = holdfast("rule", "clear", "share", "--store", "Main street").out
    told = holdfast("rule", "history", "share", "--json").json

    assert [(one["rule"], one["was"], one["becomes"]) for one in done] == [("share", None, 50), ("buffer", None, 2)]
    assert "It was so already" in again
    assert [(one["scope"], one["subject"], one["rule"], one["value"]) for one in listed] == [
        ("store", "Main street", "buffer", 2), ("store", "Main street", "share", 50),
    ]  # fmt: skip
    assert cleared == "share of store Main street: not set (was 50), version 2.\n"
    assert [(one["version"], one["was"], one["becomes"], one["actor"]) for one in told] == [
        (2, 50, None, "cli"), (1, None, 50, "cli"),
    ]  # fmt: skip
    assert "rule.set" in holdfast("log", "--json").out


def test_a_dry_run_shows_each_number_before_and_after(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", "CUP", units=20)
    arguments = ("rule", "set", "cap=5", "--store", "Main street", "--dry-run")

    told, said = holdfast(*arguments, "--json").json, holdfast(*arguments).out

    assert [(one["sku"], one["before"], one["after"]) for one in told["differences"]] == [
        ("CUP", 20, 5), ("MUG", 20, 5),
    ]  # fmt: skip
    assert "2 numbers would change; nothing was changed." in said
    assert holdfast("explain", "MUG", "--json").json[0]["number"] == 20
    assert holdfast("rule", "history", "--json").json == []


def test_one_bad_rule_of_several_changes_none(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=20)
    said = holdfast("rule", "set", "cap=5", "share=500", "--store", "Main street")
    assert (said.code, said.err) == (1, "holdfast: share cannot be '500'; say a whole number from 1 to 100\n")
    assert holdfast("rule", "list", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "code", "cure"),
    [
        (("cap=5",), 1, "--store NAME --listing LISTING, or --item SKU"),
        (("cap=5", "--store", "Main street", "--item", "MUG"), 1, "say whose rule it is"),
        (("cap=5", "--listing", "MUG"), 1, "say whose rule it is"),
        (("cap=5", "--item", "MUG"), 1, "cap is a rule of a listing or a store, not of an item"),
        (("cap", "--store", "Main street"), 2, "write it like cap=2"),
        (("cup=5", "--store", "Main street"), 1, "there is no rule 'cup'; there are: safety_stock"),
        (("floor=5", "--store", "Main street"), 1, "a floor is no rule but a lock"),
        (("pack_size=2", "--store", "Main street"), 1, "pack_size is a rule of a listing"),
    ],
)
def test_what_is_not_understood_names_the_cure(
    holdfast: Holdfast, world: World, arguments: tuple[str, ...], code: int, cure: str
) -> None:
    world.stocked("MUG", units=20)
    said = holdfast("rule", "set", *arguments)
    assert said.code == code
    assert cure in said.err.replace("\n", " ")


def test_who_may_only_look_changes_no_rule(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=20)
    holdfast("user", "add", "viewer@shop.example", "--role", "viewer")
    as_viewer = ("--as", "viewer@shop.example")
    refused = holdfast("rule", "set", "cap=5", "--store", "Main street", *as_viewer)
    pack = holdfast("listing", "pack", "Main street", "MUG", "6", *as_viewer)
    assert (refused.code, pack.code) == (1, 1)
    assert "rule.change" in refused.err
    assert "rule.change" in pack.err
    assert holdfast("explain", "MUG", *as_viewer).code == 0
    assert holdfast("rule", "list", *as_viewer).code == 0


def test_the_list_of_rules_explains_them(holdfast: Holdfast, world: World) -> None:
    said = holdfast("rule", "list").out
    assert "No rule is set" in said
    assert "because news between stores takes time" in said


# ---- listing


def test_pack_and_grade_of_a_listing_are_shown_and_changed_on_record(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=20)
    plan = holdfast("listing", "pack", "Main street", "listing-MUG", "6", "--dry-run", "--json").json
    holdfast("listing", "pack", "Main street", "listing-MUG", "6")
    (packed,) = holdfast("listing", "show", "Main street", "mug", "--json").json
    holdfast("listing", "grade", "Main street", "mug", "minor_defect")
    (graded,) = holdfast("listing", "show", "Main street", "--json").json

    assert [(one["before"], one["after"]) for one in plan["differences"]] == [(20, 3)]
    assert (packed["pack_size"], packed["number"], packed["grade"]) == (6, 3, "good")
    assert (graded["grade"], graded["number"]) == ("minor_defect", 0)
    changes = holdfast("rule", "history", "--json").json
    assert [(one["rule"], one["was"], one["becomes"]) for one in changes] == [
        ("grade", "good", "minor_defect"), ("pack_size", 1, 6),
    ]  # fmt: skip


def test_a_listing_shows_the_rules_that_hold_for_it_and_whose_they_are(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=20)
    holdfast("rule", "set", "buffer=2", "cap=9", "--store", "Main street")
    holdfast("rule", "set", "cap=4", "--store", "Main street", "--listing", "mug")
    (view,) = holdfast("listing", "show", "Main street", "--json").json
    said = holdfast("listing", "show", "Main street").out
    assert (view["rules"], view["set_by"]) == ({"buffer": 2, "cap": 4}, {"buffer": "store", "cap": "listing"})
    assert "buffer 2 (of the store), cap 4 (of the listing)" in said


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("pack", "mug", "0"), 2), (("grade", "mug", "broken"), 1), (("pack", "nope", "2"), 1)],
)
def test_a_pack_of_nothing_and_an_unknown_grade_are_refused(
    holdfast: Holdfast, world: World, arguments: tuple[str, ...], code: int
) -> None:
    world.stocked("MUG", units=20)
    command, *rest = arguments
    assert holdfast("listing", command, "Main street", *rest).code == code
