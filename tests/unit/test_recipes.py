"""What bundles may be made of, and what comes back of them: no database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Refused
from core.goods.bundles import decide_return
from core.goods.recipes import BUNDLE, KIT, MOST_PARTS, MOST_UNITS, PLAIN, Item, around, check_recipe
from core.reading import DEPTH
from core.rows import Part
from core.stock import MINOR_DEFECT, Stocked

MUG, PLATE, SET, GIFT, BOX = range(1, 6)


def items(**kinds: str) -> dict[int, Item]:
    named = {"mug": MUG, "plate": PLATE, "set": SET, "gift": GIFT, "box": BOX}
    return {item_id: Item(name.upper(), kinds.get(name, PLAIN)) for name, item_id in named.items()}


def part(item_id: int, units: int = 1, grade: str = "good") -> Part:
    return Part(Stocked(item_id, grade), units)


def test_a_bundle_of_bundles_and_items_is_fine() -> None:
    check_recipe(GIFT, items(set=BUNDLE, gift=BUNDLE), {SET: [part(MUG, 2)], GIFT: [part(SET), part(MUG), part(PLATE)]})


def test_a_circle_is_refused_with_the_way_through_it() -> None:
    recipes = {SET: [part(MUG), part(GIFT)], GIFT: [part(BOX)], BOX: [part(SET, 2)]}
    with pytest.raises(
        Refused, match=r"made of itself: (SET > GIFT > BOX > SET|GIFT > BOX > SET > GIFT|BOX > SET > GIFT > BOX)"
    ):
        check_recipe(BOX, items(set=BUNDLE, gift=BUNDLE, box=BUNDLE), recipes)


def test_a_circle_through_a_kit_is_one_too() -> None:
    with pytest.raises(Refused, match="made of itself"):
        check_recipe(BOX, items(set=KIT, box=BUNDLE), {SET: [part(BOX)], BOX: [part(SET)]})


def test_an_item_is_no_part_of_itself() -> None:
    with pytest.raises(Refused, match="SET > SET"):
        check_recipe(SET, items(set=BUNDLE), {SET: [part(SET)]})


def chain(length: int) -> tuple[dict[int, Item], dict[int, list[Part]]]:
    """So many bundles, each with the next in it, and a plain item in the last."""
    recipes = {n: [part(n + 1)] for n in range(length)}
    return {n: Item(f"B{n}", BUNDLE if n < length else PLAIN) for n in range(length + 1)}, recipes


def test_bundles_go_as_deep_as_orders_take_them_apart_and_no_deeper() -> None:
    check_recipe(0, *chain(DEPTH))
    with pytest.raises(Refused, match=f"{DEPTH + 1} deep; {DEPTH} is the most"):
        check_recipe(0, *chain(DEPTH + 1))


def test_what_contains_the_bundle_counts_for_its_depth_too() -> None:
    known, recipes = chain(DEPTH + 1)
    with pytest.raises(Refused, match="B0 would be bundles in bundles"):
        check_recipe(DEPTH, known, recipes)


def test_a_kit_in_a_bundle_is_one_piece_however_deep_it_is_itself() -> None:
    known, recipes = chain(DEPTH)
    known |= {90: Item("CRATE", BUNDLE)}
    known[0] = Item("B0", KIT)
    check_recipe(90, known, {**recipes, 90: [part(0)]})


@pytest.mark.parametrize("parts", [[], [part(n) for n in range(10, 11 + MOST_PARTS)]])
def test_a_bundle_has_some_components_and_not_too_many(parts: list[Part]) -> None:
    known = items(box=BUNDLE) | {n: Item(f"P{n}", PLAIN) for n in range(10, 11 + MOST_PARTS)}
    with pytest.raises(Refused, match="needs 1 to"):
        check_recipe(BOX, known, {BOX: parts})


def test_bundles_that_come_to_absurd_numbers_are_refused() -> None:
    recipes = {SET: [part(MUG, 2_000)], GIFT: [part(SET, MOST_UNITS // 2_000 + 1)]}
    with pytest.raises(Refused, match="can be delivered together"):
        check_recipe(GIFT, items(set=BUNDLE, gift=BUNDLE), recipes)
    known = {n: Item(f"B{n}", BUNDLE) for n in range(5)} | {n: Item(f"P{n}", PLAIN) for n in range(100, 110)}
    wide = {n: [part(n + 1, 1), part(n + 1, 1, MINOR_DEFECT)] for n in range(4)} | {
        4: [part(n) for n in range(100, 110)]
    }
    with pytest.raises(Refused):
        check_recipe(0, known, wide)


@pytest.mark.parametrize("wrong", [part(MUG, 0), part(MUG, -1), part(MUG, 1, "best")])
def test_a_component_is_at_least_one_unit_of_a_known_grade(wrong: Part) -> None:
    with pytest.raises(Refused, match="1 unit or more"):
        check_recipe(BOX, items(box=BUNDLE), {BOX: [wrong]})


def test_a_bundle_in_a_bundle_has_no_grade_of_its_own() -> None:
    with pytest.raises(Refused, match="its components say their grades"):
        check_recipe(BOX, items(box=BUNDLE, set=BUNDLE), {BOX: [part(SET, 1, MINOR_DEFECT)], SET: [part(MUG)]})


def test_what_something_contains_in_another_grade_becomes_no_bundle() -> None:
    recipes = {GIFT: [part(MUG), part(SET, 1, MINOR_DEFECT)], SET: [part(PLATE)]}
    with pytest.raises(Refused, match="SET cannot become a bundle while GIFT is made of some of grade minor_defect"):
        check_recipe(SET, items(gift=BUNDLE, set=BUNDLE), recipes)
    check_recipe(SET, items(gift=BUNDLE, set=KIT), recipes)


def test_a_recipe_is_looked_at_with_what_contains_it_and_what_those_are_made_of() -> None:
    recipes = {SET: [part(MUG)], GIFT: [part(SET), part(PLATE)], BOX: [part(GIFT)], 90: [part(MUG)], PLATE: [part(91)]}
    containing = {MUG: {SET, 90}, SET: {GIFT}, PLATE: {GIFT}, GIFT: {BOX}, 91: {PLATE}}
    assert around(SET, recipes, containing).keys() == {SET, GIFT, BOX, PLATE}
    assert around(90, recipes, containing).keys() == {90}


# ---- what comes back


RECIPE = [part(MUG, 2), part(PLATE), part(MUG, 1, MINOR_DEFECT)]


def test_components_come_back_in_the_grade_they_were_found_to_be() -> None:
    mugs, plates, others = decide_return(RECIPE, 2, {PLATE: 1}, {MUG: 1})
    assert (mugs.as_sold, mugs.flawed, mugs.damaged) == (3, 0, 1)
    assert (plates.as_sold, plates.flawed, plates.damaged) == (1, 1, 0)
    assert (others.stocked.grade, others.as_sold) == (MINOR_DEFECT, 2)


@pytest.mark.parametrize(
    ("flawed", "damaged"), [({PLATE: 3}, {}), ({}, {MUG: 7}), ({MUG: 5}, {MUG: 2}), ({BOX: 1}, {})]
)
def test_no_more_is_flawed_or_damaged_than_came_back(flawed: dict[int, int], damaged: dict[int, int]) -> None:
    with pytest.raises(Refused, match="than came back"):
        decide_return(RECIPE, 2, flawed, damaged)


@given(
    units=st.integers(1, 9),
    flawed=st.dictionaries(st.sampled_from([MUG, PLATE]), st.integers(1, 20)),
    damaged=st.dictionaries(st.sampled_from([MUG, PLATE]), st.integers(1, 20)),
)
def test_every_component_comes_back_once(units: int, flawed: dict[int, int], damaged: dict[int, int]) -> None:
    came = {MUG: 3 * units, PLATE: units}
    fits = all(flawed.get(one, 0) + damaged.get(one, 0) <= came[one] for one in came)
    try:
        back = decide_return(RECIPE, units, flawed, damaged)
    except Refused:
        assert not fits
        return
    assert fits
    assert [one.as_sold + one.flawed + one.damaged for one in back] == [part.per_unit * units for part in RECIPE]
    for item_id in came:
        assert sum(one.flawed for one in back if one.stocked.item_id == item_id) == flawed.get(item_id, 0)
        assert sum(one.damaged for one in back if one.stocked.item_id == item_id) == damaged.get(item_id, 0)
