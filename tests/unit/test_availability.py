"""The number one listing shows, and that the explanation is the computation."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model import Sharing
from core.selling.availability import Facts, Part, Reach, Source, Step, affordable, number_to_write, steps
from core.selling.rulebook import RULES as RULES_THERE_ARE
from core.selling.rulebook import Backorder, Rules
from core.selling.wording import SENTENCES, explain, sentence

RULES = st.builds(
    Rules,
    safety_stock=st.integers(0, 50),
    buffer=st.integers(0, 20),
    share=st.integers(1, 100),
    cap=st.none() | st.integers(0, 200),
    backorder=st.sampled_from(Backorder),
    backorder_limit=st.none() | st.integers(0, 60),
)
SOURCES = st.lists(
    st.builds(
        Source,
        pool=st.sampled_from(["A", "B", "C"]),
        kind=st.sampled_from(["lock", "channel", "activity", "presale"]),
        units=st.integers(0, 300),
        reach=st.sampled_from(Reach),
    ),
    max_size=3,
).map(tuple)


NO_BUNDLE: "st.SearchStrategy[Any]" = st.none()


def facts(parts: "st.SearchStrategy[Any]" = NO_BUNDLE) -> "st.SearchStrategy[Facts]":
    return st.builds(
        Facts,
        free=st.integers(0, 2_000) | st.integers(0, 20),
        pack_size=st.integers(1, 24),
        hidden=st.integers(0, 50),
        rules=RULES,
        sharing=st.sampled_from(Sharing),
        share_below=st.integers(0, 100),
        sharers=st.just(4),
        place=st.integers(0, 3),
        largest=st.integers(0, 100),
        waiting=st.integers(0, 40),
        sources=SOURCES,
        own_sharers=st.just(2),
        own_place=st.integers(0, 1),
        elsewhere=st.integers(0, 2_000),
        beside=st.integers(0, 20),
        alone=st.sampled_from([(), (), ("WEB",)]),
        parts=parts,
    )


PART = st.builds(Part, sku=st.sampled_from(["CUP", "LID", "BOX"]), quantity=st.integers(1, 6), facts=facts())
FACTS = facts(st.none() | st.lists(PART, max_size=3).map(tuple))


def plain(free: int, safety_stock: int = 0, pack_size: int = 1, hidden: int = 0, **told: Any) -> Facts:
    return Facts(free, pack_size, hidden, Rules(safety_stock=safety_stock), **told)


def ruled(free: int, sources: Sequence[Source] = (), **rules: Any) -> Facts:
    return Facts(free, rules=Rules(**rules), sources=tuple(sources))


def could_promise(told: Facts) -> int:
    """Units of one item that this listing's store may promise at most."""
    drawn = sum(source.units for source in told.sources if source.reach is not Reach.OTHER)
    return (0 if told.alone else told.free) + drawn + told.may_wait


def all_steps(told: Facts) -> list[list[Step]]:
    walked = steps(told)
    return [walked, *(list(part.steps) for step in walked for part in step.parts)]


# ---- the number


@pytest.mark.parametrize(
    ("told", "number"),
    [
        (plain(12), 12),
        (plain(12, safety_stock=5), 7),
        (plain(3, safety_stock=5), 0),
        (plain(17, pack_size=6), 2),
        (plain(17, safety_stock=6, pack_size=6), 1),
        (plain(0, hidden=4), 4),
        (plain(17, safety_stock=5, pack_size=6, hidden=3), 5),
        (ruled(12, buffer=5), 7),
        (ruled(3, buffer=5), 0),
        (ruled(13, share=50), 6),
        (ruled(13, safety_stock=2, buffer=1, share=50), 5),
        (ruled(13, cap=4), 4),
        (ruled(13, cap=0), 0),
        (ruled(0, backorder=Backorder.YES, backorder_limit=5), 5),
        (ruled(0, backorder=Backorder.NOTIFY, backorder_limit=5), 5),
        (ruled(2, backorder=Backorder.YES), 2),
        (ruled(2, backorder_limit=5), 2),
        (ruled(3, backorder=Backorder.YES, backorder_limit=5, cap=6), 6),
        (replace(ruled(0, backorder=Backorder.YES, backorder_limit=5), waiting=4), 1),
        (replace(ruled(0, backorder=Backorder.YES, backorder_limit=5), waiting=9), 0),
        (replace(ruled(12, cap=3), pack_size=2, hidden=1), 4),
    ],
)
def test_the_number_to_write_follows_from_the_facts(told: Facts, number: int) -> None:
    assert number_to_write(told) == number


@given(FACTS)
def test_a_number_is_never_negative_and_its_explanation_ends_with_it(told: Facts) -> None:
    walked = steps(told)
    assert walked[-1].number == number_to_write(told)
    assert all(step.number >= 0 for each in all_steps(told) for step in each)


@given(FACTS)
def test_each_step_starts_from_the_number_of_the_one_before(told: Facts) -> None:
    for walked in all_steps(told):
        assert [step.number for step in walked] == [
            before + step.delta for before, step in zip([0, *(step.number for step in walked)], walked, strict=False)
        ]
        assert len({step.name for step in walked}) == len(walked)
    for step in steps(told):
        assert [part.makes for part in step.parts] == [part.steps[-1].number // part.quantity for part in step.parts]


@given(FACTS)
def test_the_explanation_tells_each_step_that_was_taken(told: Facts) -> None:
    walked = steps(told)
    assert all(sentence(step) in explain(told) for step in walked)
    assert all(sentence(step).strip() for each in all_steps(told) for step in each)


@given(facts())
def test_shoppers_never_see_more_than_the_pools_hold_and_may_wait(told: Facts) -> None:
    for_shoppers = number_to_write(told) - told.hidden
    assert 0 <= for_shoppers * told.pack_size <= could_promise(told)


@given(FACTS)
def test_a_bundle_never_needs_more_of_a_component_than_its_pools_hold_and_may_wait(told: Facts) -> None:
    for_shoppers = number_to_write(told) - told.hidden
    for part in told.parts or ():
        assert for_shoppers * told.pack_size * part.quantity <= could_promise(part.facts)


@given(FACTS)
def test_hidden_units_are_added_one_for_one(told: Facts) -> None:
    assert number_to_write(told) == number_to_write(replace(told, hidden=0)) + told.hidden


@given(FACTS, st.integers(0, 100))
def test_more_free_units_never_show_less(told: Facts, more: int) -> None:
    def richer(one: Facts) -> Facts:
        parts = one.parts and tuple(replace(part, facts=richer(part.facts)) for part in one.parts)
        return replace(one, free=one.free + more, parts=parts)

    assert number_to_write(richer(told)) >= number_to_write(told)


@given(facts(), st.integers(1, 30))
def test_a_stricter_rule_never_shows_more(told: Facts, by: int) -> None:
    rules, number = told.rules, number_to_write(told)
    stricter = [
        replace(rules, safety_stock=rules.safety_stock + by),
        replace(rules, buffer=rules.buffer + by),
        replace(rules, share=max(rules.share - by, 1)),
        replace(rules, cap=max((number if rules.cap is None else rules.cap) - by, 0)),
        replace(rules, backorder=Backorder.NO),
    ]
    assert [one for one in stricter if number_to_write(replace(told, rules=one)) > number] == []


# ---- pools


def test_units_set_apart_for_a_store_are_shown_there_whatever_the_others_may_show() -> None:
    own = Source("BERLIN", "channel", 5, Reach.OWN)
    told = Facts(3, sharing=Sharing.ESCROW, sharers=3, place=2, sources=(own,))
    assert number_to_write(told) == 1 + 5
    assert number_to_write(replace(told, sources=(replace(own, reach=Reach.OTHER),))) == 1


def test_an_activity_of_every_store_is_dealt_out_like_the_shared_pool() -> None:
    sale = Source("SALE", "activity", 6, Reach.EVERY)
    stores = [Facts(3, sharing=Sharing.ESCROW, sharers=3, place=n, sources=(sale,)) for n in range(3)]
    assert [number_to_write(one) for one in stores] == [3, 3, 3]


def test_a_buffer_is_held_back_of_what_others_sell_too_and_safety_stock_of_everything() -> None:
    own = Source("BERLIN", "channel", 5, Reach.OWN)
    assert number_to_write(ruled(2, [own], buffer=4)) == 5
    assert number_to_write(ruled(2, [own], safety_stock=4)) == 3


def test_a_share_is_of_what_all_stores_share() -> None:
    assert number_to_write(ruled(10, [Source("BERLIN", "channel", 5, Reach.OWN)], share=50)) == 10


def test_a_store_that_its_locks_keep_to_themselves_shows_what_they_have_and_lets_nothing_wait() -> None:
    rules = Rules(safety_stock=3, backorder=Backorder.YES, backorder_limit=4)
    told = Facts(20, rules=rules, sources=(Source("WEB", "lock", 6, Reach.OWN),), alone=("WEB",))
    assert [(step.name, step.number) for step in steps(told)] == [
        ("free", 26), ("safety_stock", 23), ("overflow", 6), ("sellable", 6),
    ]  # fmt: skip
    assert "lock WEB does not let this store sell what everybody shares" in explain(told)
    assert number_to_write(replace(told, free=1)) == 4, "safety stock that nobody else covers is its own"
    assert number_to_write(replace(told, alone=())) == 27


def test_units_to_come_are_a_step_of_their_own() -> None:
    presale = Source("SPRING", "presale", 8, Reach.EVERY)
    told = Facts(0, sharing=Sharing.ESCROW, sharers=2, place=0, sources=(presale,))
    assert [(step.name, step.number) for step in steps(told)][-2:] == [("presale", 4), ("sellable", 4)]
    assert "4 more may be sold before they arrive (8 in presale SPRING)" in explain(told)


def test_what_is_set_apart_for_a_store_is_dealt_out_among_its_own_listings() -> None:
    own = Source("BERLIN", "channel", 5, Reach.OWN)
    told = [
        Facts(0, sharing=Sharing.ESCROW, sources=(own,), sharers=2, place=n, own_sharers=2, own_place=n)
        for n in range(2)
    ]
    assert [number_to_write(one) for one in told] == [3, 2]


@given(st.integers(0, 90), st.integers(0, 40), st.integers(0, 40), st.sampled_from([Sharing.ESCROW, Sharing.ADAPTIVE]))
def test_dealt_out_stores_together_never_show_more_than_there_is_to_promise(
    free: int, presale: int, limit: int, sharing: Sharing
) -> None:
    sources = (Source("SPRING", "presale", presale, Reach.EVERY),)
    rules = Rules(backorder=Backorder.YES, backorder_limit=limit)
    stores = [
        Facts(free, rules=rules, sharing=sharing, sharers=4, place=n, largest=1_000, sources=sources) for n in range(4)
    ]
    assert sum(number_to_write(one) for one in stores) == free + presale + limit


# ---- bundles


def test_the_scarcest_component_decides_how_many_bundles_there_are() -> None:
    told = Facts(0, parts=(Part("CUP", 1, Facts(9)), Part("SAUCER", 2, Facts(7))), rules=Rules(cap=5))
    assert number_to_write(told) == 3
    assert "1 x CUP is enough for 9 and 2 x SAUCER is enough for 3; SAUCER decides" in explain(told)
    assert [step.name for step in steps(told)] == ["bundle", "cap", "sellable"]


def test_a_bundle_of_nothing_sells_nothing() -> None:
    assert number_to_write(Facts(9, parts=())) == 0
    assert "bundle without components" in explain(Facts(9, parts=()))


# ---- words


def test_a_plain_listing_is_explained_without_idle_steps() -> None:
    assert [step.name for step in steps(plain(9))] == ["free", "sellable"]


def test_every_rule_that_bites_is_named_in_the_order_of_the_sum() -> None:
    told = Facts(
        40, 2, 3, Rules(1, 1, 90, 4, Backorder.YES, 3), sharing=Sharing.ESCROW, sharers=2,
        sources=(Source("SPRING", "presale", 8, Reach.EVERY),),
    )  # fmt: skip
    assert [step.name for step in steps(told)] == [
        "free", "safety_stock", "buffer", "share", "deal", "presale", "backorder", "pack", "cap", "sellable",
        "platform",
    ]  # fmt: skip


def test_words_fit_one_unit_and_many() -> None:
    assert explain(plain(1)) == "1 unit is free in the shared pool; so this store may sell 1."
    assert explain(plain(1200)) == "1,200 units are free in the shared pool; so this store may sell 1,200."
    assert "any number may be ordered and wait, and the customer is told" in explain(
        ruled(0, backorder=Backorder.NOTIFY)
    )


# ---- few units


@given(st.integers(0, 500), st.integers(2, 5), st.integers(0, 60))
def test_stores_never_show_more_together_than_is_free_once_it_is_dealt_out(
    free: int, sharers: int, largest: int
) -> None:
    stores = [Facts(free, sharers=sharers, place=place, largest=largest) for place in range(sharers)]
    shown = [number_to_write(one) for one in stores]
    if stores[0].deep:
        assert shown == [free] * sharers
    else:
        assert sum(shown) == free
        assert max(shown) - min(shown) <= 1


@pytest.mark.parametrize(
    ("free", "largest", "shown"),
    [(36, 6, 36), (35, 6, 12), (6, 0, 6), (5, 0, 2), (1, 1, 1), (0, 9, 0)],
)
def test_the_first_of_three_stores_shows_all_while_two_of_the_largest_orders_fit_each(
    free: int, largest: int, shown: int
) -> None:
    assert number_to_write(Facts(free, sharers=3, place=0, largest=largest)) == shown


def test_a_store_that_sells_alone_shows_the_last_unit() -> None:
    assert number_to_write(Facts(1, sharers=1, largest=50)) == 1


@given(FACTS, st.none() | st.integers(0, 100))
def test_what_a_rise_may_take_at_once_is_between_what_is_shown_and_the_target(
    told: Facts, believed: int | None
) -> None:
    target = number_to_write(told)
    wanted = affordable(told, target, believed)
    assert wanted <= max(target, believed or 0)
    assert wanted >= min(target, believed or 0)
    if target <= (believed or 0) or told.deep:
        assert wanted == target


def test_a_rise_leaves_to_other_stores_what_they_still_show_but_not_what_is_its_own() -> None:
    own = Source("BERLIN", "channel", 5, Reach.OWN)
    told = Facts(4, sharing=Sharing.ESCROW, sharers=2, sources=(own,), elsewhere=4)
    assert number_to_write(told) == 7
    assert affordable(told, 7, 0) == 5
    assert affordable(replace(told, elsewhere=3), 7, 0) == 6
    assert [step.name for step in steps(told, at_once=True)] == ["free", "deal", "wait", "sellable"]


def test_a_rise_leaves_to_listings_of_the_same_store_what_they_still_show_of_its_own_pool() -> None:
    own = Source("BERLIN", "channel", 5, Reach.OWN)
    told = Facts(0, sharing=Sharing.ESCROW, sharers=2, own_sharers=2, sources=(own,), beside=2)
    assert (number_to_write(told), affordable(told, 3, 0)) == (3, 1)


def test_a_rise_of_a_bundle_waits_for_the_component_that_others_still_show() -> None:
    part = Facts(4, sharing=Sharing.ESCROW, sharers=2, elsewhere=3)
    told = Facts(0, parts=(Part("CUP", 1, part), Part("LID", 1, Facts(9))))
    assert (number_to_write(told), affordable(told, 2, 0)) == (2, 1)


# ---- the page


def test_the_page_on_numbers_names_every_step_and_every_rule() -> None:
    page = (Path(__file__).parents[2] / "docs" / "availability.md").read_text()
    named = re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE)
    assert set(named) == {*SENTENCES, *RULES_THERE_ARE}
    in_order = [name for name in SENTENCES if name not in RULES_THERE_ARE]
    assert [name for name in named if name in in_order] == in_order


@given(st.integers(0, 500), st.integers(0, 100), st.integers(0, 300), st.integers(2, 4), st.integers(0, 20))
def test_stores_that_rise_one_after_another_all_reach_their_number(
    free: int, limit: int, presale: int, sharers: int, largest: int
) -> None:
    base = ruled(free, backorder=Backorder.YES, backorder_limit=limit)
    sources = (Source("LAMP-2027", "presale", presale, Reach.EVERY),) if presale else ()
    stores = [
        replace(base, sources=sources, sharers=sharers, place=place, largest=largest, share_below=50)
        for place in range(sharers)
    ]
    targets, shown = [number_to_write(one) for one in stores], [0] * sharers

    for place, told in enumerate(stores):
        shown[place] = affordable(replace(told, elsewhere=sum(shown)), targets[place], 0)

    assert shown == targets
