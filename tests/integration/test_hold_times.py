"""How long holds last: the rules, and what they may say."""

from datetime import timedelta

import pytest

from core.errors import NotFound, Refused
from core.sales import hold_rules
from core.sales.hold_rules import HoldRule, ttl_of
from tests.builders import World

MINUTES = timedelta(minutes=1)


def rule(store_id: int | None, payment: str, minutes: int) -> HoldRule:
    return HoldRule(store_id, payment, minutes * MINUTES)


RULES = [rule(None, "", 20), rule(5, "", 30), rule(None, "bank_transfer", 60), rule(5, "bank_transfer", 90)]


@pytest.mark.parametrize(
    ("store_id", "payment", "minutes"),
    [(0, "", 20), (0, "card", 20), (5, "card", 30), (0, "bank_transfer", 60), (5, "bank_transfer", 90)],
)
def test_the_most_specific_rule_says_how_long_a_hold_lasts(store_id: int, payment: str, minutes: int) -> None:
    assert ttl_of(RULES, store_id, payment) == minutes * MINUTES


def test_without_a_rule_a_hold_lasts_15_minutes() -> None:
    assert ttl_of([rule(5, "", 30), rule(None, "card", 60)], 0, "") == 15 * MINUTES


def test_rules_are_set_changed_and_taken_back(world: World) -> None:
    with world.db.begin(1, actor="test") as tx:
        hold_rules.put(tx, rule(None, "Bank transfer", 60))
        hold_rules.put(tx, rule(None, "bank-transfer", 90))
        hold_rules.put(tx, rule(0, "", 30))
        assert hold_rules.every(tx) == [rule(0, "", 30), rule(None, "bank_transfer", 90)]
        assert hold_rules.ttl(tx, 7, "BANK TRANSFER") == 90 * MINUTES
        hold_rules.remove(tx, None, "bank transfer")
        assert hold_rules.ttl(tx, 7, "bank_transfer") == 15 * MINUTES
        with pytest.raises(NotFound):
            hold_rules.remove(tx, None, "bank transfer")


@pytest.mark.parametrize("ttl", [timedelta(seconds=9), timedelta(days=91)])
def test_a_time_that_makes_no_sense_is_refused(world: World, ttl: timedelta) -> None:
    with world.db.begin(1, actor="test") as tx, pytest.raises(Refused, match="from 10 seconds to 90 days"):
        hold_rules.put(tx, HoldRule(None, "", ttl))
