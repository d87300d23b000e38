"""``holdfast backorder`` on a real database, as a planner uses it."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.builders import World, line, order
from tests.integration.command_line import Holdfast


def day(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


def waiting(world: World) -> int:
    store = world.stocked("MUG", units=0)
    for name, units in (("1", 4), ("2", 3)):
        world.hear(store, order(line("MUG", units), external_id=name, paid=True))
    return store


def test_the_queue_shows_who_waits_and_when_each_can_be_sent(holdfast: Holdfast, world: World) -> None:
    assert holdfast("backorder", "list").out == "Nobody waits for anything.\n"
    waiting(world)
    (item,) = holdfast("backorder", "list", "--json").json
    assert (item["sku"], item["units"], item["waiters"], item["next_on"]) == ("MUG", 7, 2, None)
    assert "not known" in holdfast("backorder", "list", "MUG").out
    said = holdfast("backorder", "expect", "MUG", "5", day(10), "--ref", "PO-7")
    assert "The dates of 1 order moved" in said.out
    first, second = holdfast("backorder", "list", "mug", "--json").json
    assert (first["who"], first["rank"], first["units"], first["ships_on"]) == ("order #1", "paid", 4, day(11))
    assert first["ships_in_days"] in (10, 11, 12)
    assert (second["who"], second["place"], second["ships_on"]) == ("order #2", 2, None)
    assert f"{day(11)}, in 1" in holdfast("backorder", "list", "MUG").out
    assert "MUG" in holdfast("backorder", "list").out


def test_nothing_is_expected_on_a_day_that_is_over(holdfast: Holdfast, world: World) -> None:
    waiting(world)
    refused = holdfast("backorder", "expect", "MUG", "5", "2020-01-01", "--ref", "PO-7")
    assert (refused.code, "2020-01-01 is over" in refused.err, "name a day to come" in refused.err) == (1, True, True)
    assert holdfast("backorder", "supply", "--json").json == []
    assert holdfast("backorder", "expect", "MUG", "5", day(2), "--ref", "PO-7").code == 0
    assert holdfast("backorder", "expect", "MUG", "0", "2020-01-01", "--ref", "PO-7").code == 0


def test_a_date_that_moves_is_shown_until_the_customer_is_told(holdfast: Holdfast, world: World) -> None:
    waiting(world)
    assert holdfast("backorder", "moved").out == "Everybody who waits knows the date.\n"
    holdfast("backorder", "expect", "MUG", "5", day(10), "--ref", "PO-7")
    holdfast("backorder", "moved", "--mark-told")
    holdfast("backorder", "expect", "MUG", "5", day(20), "--ref", "PO-7")
    (one,) = holdfast("backorder", "moved", "--json").json
    assert (one["told"], one["becomes"], one["reasons"]) == (day(11), day(21), ["PO-7 comes later"])
    assert "1 customer marked as told" in holdfast("backorder", "moved", "--mark-told").out
    assert holdfast("backorder", "moved", "--json").json == []


def test_who_goes_first_is_changed_by_the_number_of_the_order(holdfast: Holdfast, world: World) -> None:
    waiting(world)
    holdfast("backorder", "expect", "MUG", "5", day(10), "--ref", "PO-7")
    assert holdfast("backorder", "priority", "2", "5", "--dry-run").out == "Order 2 would have priority 5.\n"
    assert holdfast("backorder", "priority", "2", "5").out == "Order 2 has priority 5.\n"
    assert holdfast("backorder", "priority", "2", "5").out == "Order 2 has priority 5 already.\n"
    assert [one["who"] for one in holdfast("backorder", "list", "MUG", "--json").json] == ["order #2", "order #1"]
    assert [one["becomes"] for one in holdfast("backorder", "moved", "--json").json] == [day(11)]
    assert "no order 9" in holdfast("backorder", "priority", "9", "5").err
    assert "there is no hold 2" in holdfast("backorder", "priority", "2", "5", "--hold").err


def test_goods_that_arrive_are_booked_in_once_and_expected_no_more(holdfast: Holdfast, world: World) -> None:
    waiting(world)
    holdfast("backorder", "expect", "MUG", "9", day(10), "--ref", "PO-7")
    first = holdfast("backorder", "arrived", "MUG", "4", "--ref", "PO-7", "--key", "d-1", "--json").json
    again = holdfast("backorder", "arrived", "MUG", "4", "--ref", "PO-7", "--key", "d-1", "--json").json
    assert (first["repeated"], again["repeated"], again["still_expected"]) == (False, True, 5)
    assert first["document_id"] == again["document_id"]
    assert (world.units("MUG").sold, world.units("MUG").backordered) == (4, 3)
    (left,) = holdfast("backorder", "supply", "--json").json
    assert (left["reference"], left["quantity"], left["received"], left["open"]) == ("PO-7", 9, 4, 5)
    unknown = holdfast("backorder", "arrived", "MUG", "4", "--ref", "PO-9")
    assert (unknown.code, "backorder expect MUG" in unknown.err) == (1, True)
    assert world.on_hand("MUG") == (4, 0)
    assert "PO-7" in holdfast("backorder", "supply", "MUG").out


def test_handling_days_are_shown_and_set(holdfast: Holdfast, world: World) -> None:
    waiting(world)
    holdfast("backorder", "expect", "MUG", "9", day(10), "--ref", "PO-7")
    assert holdfast("backorder", "handling").out == "Goods can be sent 1 day after they came.\n"
    assert holdfast("backorder", "handling", "3", "--json").json == {"handling_days": 3, "dates_moved": 2}
    assert holdfast("backorder", "list", "MUG", "--json").json[0]["ships_on"] == day(13)


@pytest.mark.parametrize(
    "wrong", [("expect", "MUG", "5", "soon", "--ref", "P"), ("expect", "MUG", "-1", "2040-01-01", "--ref", "P"),
              ("expect", "MUG", "5", "2040-01-01"), ("priority", "1", "high"), ("handling", "999")],
)  # fmt: skip
def test_what_makes_no_sense_is_not_understood(holdfast: Holdfast, wrong: tuple[str, ...]) -> None:
    assert holdfast("backorder", *wrong).code == 2


def test_who_lacks_the_right_is_refused(holdfast: Holdfast, world: World) -> None:
    waiting(world)
    holdfast("user", "add", "viewer@shop.example", "--role", "viewer")
    who = ("--as", "viewer@shop.example")
    for looked in (("list",), ("list", "MUG"), ("moved",), ("supply",), ("handling",)):
        assert holdfast("backorder", *looked, *who).code == 0, looked
    for command in (
        ("expect", "MUG", "5", day(3), "--ref", "P"), ("moved", "--mark-told"), ("priority", "1", "5"),
        ("handling", "3"),
    ):  # fmt: skip
        said = holdfast("backorder", *command, *who)
        assert (said.code, "order.change" in said.err) == (1, True), command
    assert "stock.receive" in holdfast("backorder", "arrived", "MUG", "1", "--ref", "P", *who).err


def test_a_hold_waits_for_goods_where_it_asks_to_and_the_rule_lets_it(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=1)
    assert holdfast("rule", "set", "backorder=yes", "backorder_limit=2", "--item", "MUG").code == 0
    assert holdfast("reserve", "make", "cart", "MUG=2").code == 1
    made = holdfast("reserve", "make", "cart", "MUG=3", "--wait", "--json").json
    assert [(one["live"], one["waiting"]) for one in made["items"]] == [(1, 0), (0, 2)]
    assert holdfast("reserve", "make", "late", "MUG=1", "--wait").code == 1
