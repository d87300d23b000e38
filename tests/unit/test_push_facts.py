"""The facts behind a pushed number come back as they were, and are told even when the sum has changed since."""

import json

import pytest

from core.model import Sharing
from core.past import push_facts
from core.selling.availability import VERSION, Facts, Part, Reach, Source, number_to_write, steps
from core.selling.rulebook import Backorder, Rules, Scope
from core.selling.wording import sentence

PLAIN = Facts(free=12)
RULED = Facts(
    free=40, pack_size=2, hidden=1, sharing=Sharing.ESCROW, share_below=9, sharers=3, place=2, largest=4, waiting=5,
    rules=Rules(safety_stock=3, cap=8, backorder=Backorder.NOTIFY, backorder_limit=20,
                set_by={"safety_stock": Scope.ITEM, "cap": Scope.LISTING}),
    sources=(Source("SPRING", "activity", 7, Reach.EVERY), Source("K-1", "lock", 2, Reach.OWN)),
    own_sharers=2, own_place=1, elsewhere=11,
)  # fmt: skip
BUNDLE = Facts(free=0, parts=(Part("MUG", 2, Facts(free=9)), Part("BOX", 1, RULED)))


def kept(facts: Facts, wanted: int | None = None) -> dict[str, object]:
    written: dict[str, object] = json.loads(
        push_facts.pack(facts, number_to_write(facts) if wanted is None else wanted)
    )
    return written


@pytest.mark.parametrize("facts", [PLAIN, RULED, BUNDLE])
def test_what_was_packed_comes_back_and_is_walked_as_it_was(facts: Facts) -> None:
    found = push_facts.unpack(kept(facts))

    assert found == facts
    assert [
        (step.name, step.number, step.why) for step in push_facts.steps_then(kept(facts), number_to_write(facts))
    ] == [(step.name, step.number, sentence(step)) for step in steps(facts)]


def test_what_is_as_usual_takes_no_room() -> None:
    assert kept(PLAIN) == {"version": VERSION, "steps": [["free", 12], ["sellable", 12]], "facts": {"free": 12}}


def test_a_number_that_waits_for_other_stores_is_told_with_that_step() -> None:
    scarce = Facts(free=10, sharing=Sharing.ESCROW, sharers=2, place=0, elsewhere=8)

    names = [step.name for step in push_facts.steps_then(kept(scarce, wanted=2), wanted=2)]

    assert names == ["free", "deal", "wait", "sellable"]


def test_facts_of_another_version_are_told_by_names_and_numbers() -> None:
    old = {"version": 1, "steps": [["free", 7], ["moon_phase", 3]], "facts": {"gone": True}}

    assert push_facts.unpack(old) is None
    assert [(step.name, step.number, step.why) for step in push_facts.steps_then(old, 3)] == [
        ("free", 7, ""),
        ("moon_phase", 3, ""),
    ]
