"""What may be said of a rule, and which value holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Refused
from core.selling.rulebook import INHERITED, NO_RULES, RULES, Backorder, Rules, Scope, Told, Value, resolve, rule_named

SAID: "st.SearchStrategy[dict[str, Value]]" = st.fixed_dictionaries(
    {
        "safety_stock": st.none() | st.integers(0, 9),
        "cap": st.none() | st.integers(0, 9),
        "backorder": st.none() | st.sampled_from([str(one) for one in Backorder]),
    }
)


@given(SAID, SAID, SAID)
def test_of_each_rule_the_nearest_that_says_anything_holds(
    listing: dict[str, Value], item: dict[str, Value], store: dict[str, Value]
) -> None:
    told = [Told(Scope.LISTING, listing), Told(Scope.ITEM, item), Told(Scope.STORE, store)]
    rules = resolve(told)
    for name in INHERITED:
        nearest = next(((one.scope, one.values[name]) for one in told if one.values.get(name) is not None), None)
        if nearest is None or (nearest == (Scope.STORE, 0) and name == "safety_stock"):
            assert getattr(rules, name) == getattr(NO_RULES, name)
            assert name not in rules.set_by
        else:
            assert (rules.set_by[name], getattr(rules, name)) == nearest


def test_what_a_bundle_says_of_units_counts_bundles_and_of_percent_does_not() -> None:
    own = {"safety_stock": 2, "share": 50, "backorder_limit": 3}
    rules = resolve([Told(Scope.LISTING, own, times=4), Told(Scope.STORE, {"safety_stock": 9, "buffer": 1})])
    assert (rules.safety_stock, rules.share, rules.backorder_limit, rules.buffer) == (8, 50, 12, 1)


def test_nothing_said_is_no_rule_at_all() -> None:
    assert resolve([Told(Scope.LISTING, {}), Told(Scope.STORE, {"safety_stock": 0})]) == NO_RULES == Rules()


@pytest.mark.parametrize(
    ("rule", "text", "value"),
    [
        ("buffer", "3", 3),
        ("share", "100", 100),
        ("cap", " 0 ", 0),
        ("backorder", "Notify", "notify"),
        ("cap", "12", 12),
    ],
)
def test_what_is_said_is_understood(rule: str, text: str, value: Value) -> None:
    assert RULES[rule].read(text) == value


@pytest.mark.parametrize(
    ("rule", "text", "cure"),
    [
        ("buffer", "-1", "from 0 to"),
        ("buffer", "1.5", "a whole number"),
        ("buffer", "", "a whole number"),
        ("buffer", "٣", "a whole number"),
        ("buffer", "1_000", "a whole number"),
        ("cap", "99999999999999999999", "to 1,000,000,000"),
        ("share", "0", "from 1 to 100"),
        ("share", "101", "from 1 to 100"),
        ("backorder", "maybe", "no, yes, notify"),
        ("deduct", "later", "reserve_then_deduct, at_order, at_payment"),
        ("grade", "broken", "good, minor_defect"),
        ("pack_size", "0", "from 1 to"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(rule: str, text: str, cure: str) -> None:
    with pytest.raises(Refused, match=cure):
        RULES[rule].read(text)


def test_a_rule_is_found_as_people_write_it() -> None:
    assert rule_named("Safety-Stock").name == "safety_stock"


def test_a_rule_that_is_none_names_those_there_are() -> None:
    with pytest.raises(Refused, match="safety_stock, buffer, share, cap"):
        rule_named("bufer")


def test_a_floor_is_a_lock() -> None:
    with pytest.raises(Refused, match="holdfast lock"):
        rule_named("floor")


@pytest.mark.parametrize(("rule", "scope"), [("cap", Scope.ITEM), ("deduct", Scope.LISTING), ("grade", Scope.STORE)])
def test_a_rule_of_something_else_is_refused(rule: str, scope: Scope) -> None:
    with pytest.raises(Refused, match="not of a"):
        rule_named(rule, scope)
