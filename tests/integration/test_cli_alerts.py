"""``holdfast alert`` on a real database: looking, snoozing, and rules."""

import pytest

from config.wiring import App
from core.access import users
from core.access.actors import shell
from core.access.rights import Role
from core.sales.holds import Hold
from jobs.alerts import watch
from tests.builders import FAR_OFF, World, line, order
from tests.integration.command_line import Holdfast


def fall(world: World, sku: str, units: int) -> None:
    world.do(Hold(f"hold-{sku}", {world.item(sku): units}, FAR_OFF))


def test_an_alert_is_listed_while_it_is_open_and_with_all_when_it_is_over(holdfast: Holdfast, world: World) -> None:
    store = world.stocked("MUG", units=12)
    assert "Nothing is wrong" in holdfast("alert", "list").out
    holdfast("stock", "warn", "MUG", "10")
    fall(world, "MUG", 5)
    world.hear(store, order(line("MUG", 8), paid=True))

    said, told = holdfast("alert", "list").out, holdfast("alert", "list", "--json").json
    low = holdfast("alert", "list", "--kind", "low_stock", "--item", "mug", "--json").json

    assert [one["kind"] for one in told] == ["oversell", "low_stock"]
    assert "Low stock: MUG has 7 left, when it rang" in said
    assert "Oversold: 1 unit of MUG, order #1001 of Main street" in said
    assert "open, mail waits" in said
    assert low == [told[1]]
    world.receive("MUG", 30)
    assert holdfast("alert", "list", "--json").json == []
    over = holdfast("alert", "list", "--all", "--json").json
    assert [one["ended"] for one in over] == [{}, {"free": 29, "threshold": 10}]
    assert holdfast("alert", "list", "--all").out.count(" over ") == 2


@pytest.mark.parametrize("until", ["3d", "2 h", "2100-01-02", "2100-01-02T10:00", "2100-01-02T10:00+00:00"])
def test_an_alert_is_snoozed_until_a_time_to_come(holdfast: Holdfast, world: World, until: str) -> None:
    world.stocked("MUG", units=12)
    holdfast("stock", "warn", "MUG", "10")
    fall(world, "MUG", 5)
    (alert,) = holdfast("alert", "list", "--json").json

    snoozed = holdfast("alert", "snooze", str(alert["id"]), "--until", until)

    assert (snoozed.code, snoozed.err) == (0, "")
    assert "snoozed until" in holdfast("alert", "list").out
    assert holdfast("alert", "snooze", str(alert["id"]), "--off", "--json").json["snoozed_until"] is None
    assert holdfast("alert", "list", "--json").json[0]["snoozed_until"] is None


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["1", "--until", "2001-01-01"], 2, "name a time to come"),
        (["1", "--until", "3d"], 1, "alert list --all"),
        (["1", "--until", "soon"], 2, "90s, 15min"),
        (["1", "--until", "9999999d"], 2, "beyond the calendar"),
        (["1"], 2, "until when"),
        (["1", "--until", "3d", "--off"], 2, "until when"),
    ],
)
def test_a_snooze_that_makes_no_sense_names_the_cure(
    holdfast: Holdfast, world: World, arguments: list[str], code: int, words: str
) -> None:
    said = holdfast("alert", "snooze", *arguments)

    assert said.code == code
    assert words in " ".join(said.err.replace("│", " ").split())


def test_rules_are_set_listed_and_cleared(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=12)

    assert "Nobody gets mails yet" in holdfast("alert", "rule", "set", "low_stock", "5", "--item", "MUG").out
    holdfast("alert", "rule", "set", "low_stock", "20", "--warehouse", "main")
    holdfast("alert", "rule", "set", "low_stock", "2", "--store", "Main street")
    holdfast("alert", "rule", "set", "low_cover", "14", "--window", "7")
    holdfast("alert", "rule", "set", "lock_idle", "off")
    listed, told = holdfast("alert", "rule", "list").out, holdfast("alert", "rule", "list", "--json").json

    low = [one for one in told if one["kind"] == "low_stock"]
    assert [(one["item"], one["warehouse"], one["store"], one["level"]) for one in low] == [
        ("MUG", "", "", 5), ("", "MAIN", "", 20), ("", "", "Main street", 2),
    ]  # fmt: skip
    assert [one["window_days"] for one in told if one["kind"] == "low_cover"] == [7]
    assert "when a lock ends in so many days (3 days)" in listed
    assert [one["is_off"] for one in told if one["kind"] == "lock_idle"] == [True]
    holdfast("alert", "rule", "clear", "low_stock", "--item", "MUG")
    assert holdfast("stock", "show", "MUG", "--json").json["low_stock_threshold"] is None
    gone = holdfast("alert", "rule", "clear", "low_stock", "--item", "MUG")
    assert (gone.code, "alert rule list" in gone.err) == (1, True)


def test_stock_warn_and_a_rule_of_the_item_are_the_same(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=12)
    holdfast("alert", "rule", "set", "low_stock", "9")
    assert holdfast("stock", "show", "MUG", "--json").json["low_stock_threshold"] == 9
    holdfast("stock", "warn", "MUG", "4")
    told = holdfast("alert", "rule", "list", "--json").json
    assert [(one["item"], one["level"]) for one in told if one["kind"] == "low_stock"] == [("", 9), ("MUG", 4)]
    holdfast("stock", "warn", "MUG", "--off")
    assert holdfast("stock", "show", "MUG", "--json").json["low_stock_threshold"] is None


@pytest.mark.parametrize("scope", [[], ["--store", "Main street"], ["--warehouse", "MAIN"]])
def test_a_dry_run_says_who_would_ring_and_changes_nothing(holdfast: Holdfast, world: World, scope: list[str]) -> None:
    world.stocked("MUG", "CUP", units=4)
    rules = holdfast("alert", "rule", "list").out

    said = holdfast("alert", "rule", "set", "low_stock", "5", *scope, "--dry-run")
    told = holdfast("alert", "rule", "set", "low_stock", "5", *scope, "--dry-run", "--json").json

    assert said.out.startswith("2 alerts would be opened now; nothing was changed.")
    assert {one["facts"]["sku"] for one in told} == {"MUG", "CUP"}
    assert holdfast("alert", "rule", "list").out == rules
    assert holdfast("alert", "list", "--all", "--json").json == []
    assert world.work("alerts") == world.work("mail") == []


def test_a_dry_run_opens_what_the_job_opens_then(holdfast: Holdfast, world: World, app: App) -> None:
    world.stocked("MUG", "CUP", "POT", units=4)
    fall(world, "POT", 2)
    would = holdfast("alert", "rule", "set", "low_stock", "3", "--dry-run", "--json").json

    holdfast("alert", "rule", "set", "low_stock", "3")
    watch(app, 1, 0)

    opened = holdfast("alert", "list", "--json").json
    assert [one["facts"] for one in opened] == [one["facts"] for one in would]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["low_stock", "many"], "whole number"),
        (["low_stock", "-1"], "No such option"),
        (["low_stock", "5", "--warehouse", "moon"], "there are: MAIN"),
        (["low_stock", "5", "--store", "moon"], "there are: none yet"),
        (["low_stock", "5", "--item", "moon"], "no item has SKU moon"),
        (["oversell", "5"], "unless it is off"),
        (["nonsense", "5"], "low_cover"),
        (["low_stock", "99999999999"], "0 to 1,000,000,000"),
    ],
)
def test_a_rule_that_makes_no_sense_names_the_cure(
    holdfast: Holdfast, world: World, arguments: list[str], words: str
) -> None:
    said = holdfast("alert", "rule", "set", *arguments)

    assert said.code in (1, 2)
    assert words in " ".join(said.err.replace("│", " ").split())


def test_who_only_looks_may_set_no_rule_and_snooze_nothing(holdfast: Holdfast, world: World) -> None:
    with world.db.begin(1, actor="test") as tx:
        users.add(tx, shell(1), "viewer@shop.example", Role.VIEWER, "")
        users.add(tx, shell(1), "warehouse@shop.example", Role.WAREHOUSE, "")
    looks = ["--as", "viewer@shop.example"]

    assert holdfast("alert", "list", *looks).code == holdfast("alert", "rule", "list", *looks).code == 0
    for refused in (
        ["rule", "set", "low_stock", "5"],
        ["rule", "clear", "low_stock"],
        ["snooze", "1", "--until", "3d"],
    ):
        said = holdfast("alert", *refused, *looks)
        assert (said.code, "alert.change" in said.err) == (1, True)
    assert holdfast("alert", "rule", "set", "low_stock", "5", "--as", "warehouse@shop.example").code == 0
    acts = holdfast("log", "--json").json
    assert acts[0]["act"] == "alert.rule"
    assert (acts[0]["who"], acts[0]["detail"]["level"]) == ("warehouse@shop.example", 5)
