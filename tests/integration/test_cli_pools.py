"""``holdfast pool`` on a real database, as a planner uses it."""

import pytest

from core.sales.holds import Hold
from tests.builders import FAR_OFF, Units, World, line, order
from tests.integration.command_line import Holdfast
from tests.pool_world import in_pool, shared


def pool_id(world: World, code: str) -> int:
    return int(world.scalar("SELECT id FROM pool WHERE merchant_id = :merchant_id AND code = :code", code=code))


def test_the_pool_of_a_store_from_its_making_to_its_end(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", "CUP", units=40)
    made = holdfast("pool", "make", "OWN", "mug=10", "--store", "Main street")
    assert made.out == "Pool OWN is made with 10 MUG, for Main street alone.\n"
    assert holdfast("pool", "deal", "OWN", "MUG=5", "CUP=2", "--json").json == {
        "pool": "OWN", "dealt": {"MUG": 5, "CUP": 2}, "collected": {}, "dry_run": False,
    }  # fmt: skip
    assert holdfast("pool", "collect", "OWN", "MUG=1").out == "1 MUG left OWN.\n"
    assert holdfast("pool", "resize", "OWN", "MUG", "20", "--json").json["dealt"] == {"MUG": 6}
    assert holdfast("pool", "resize", "OWN", "MUG", "20").out == "Nothing entered or left OWN.\n"
    (told,) = holdfast("pool", "list", "--json").json
    assert (told["code"], told["store"], told["free"], told["state"]) == ("OWN", "Main street", 22, "running")
    assert "OWN   channel  Main street" in holdfast("pool", "list").out
    assert holdfast("pool", "stop", "OWN").out == "OWN has ended; 2 CUP, 20 MUG went back.\n"
    assert holdfast("pool", "stop", "OWN").out == "OWN had ended before.\n"
    assert shared(world, "MUG") == Units(40)
    assert "No pool yet" in holdfast("pool", "list").out


def test_what_a_dry_run_shows_does_not_happen(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=40)
    assert "would be made" in holdfast("pool", "make", "OWN", "MUG=10", "--store", "own", "--dry-run").out
    holdfast("pool", "make", "OWN", "MUG=10", "--store", "own")
    assert holdfast("pool", "deal", "OWN", "MUG=5", "--dry-run").out == "5 MUG would enter OWN.\n"
    assert holdfast("pool", "stop", "OWN", "--dry-run").out == "OWN would end; 10 MUG would go back.\n"
    assert in_pool(world, pool_id(world, "OWN"), "MUG") == Units(10)


def test_errors_name_what_is_missing_and_the_cure(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=4)
    short = holdfast("pool", "make", "OWN", "MUG=10", "--store", "own")
    assert (short.code, short.out) == (1, "")
    assert "6 MUG" in short.err
    assert "did you mean MUG" in holdfast("pool", "make", "OWN", "MUGG=1", "--store", "own").err
    assert "there are: Main street" in holdfast("pool", "make", "OWN", "MUG=1", "--store", "nowhere").err
    holdfast("pool", "make", "OWN", "MUG=1", "--store", "own")
    for code in ("OWN", "own"):
        said = holdfast("pool", "make", code, "MUG=1", "--store", "own").err
        assert "there is a pool OWN (kind channel) already; a code is used once" in said
    assert "there are: OWN" in holdfast("pool", "show", "OTHER").err
    assert holdfast("pool", "deal", "OWN", "MUG").code == 2
    assert "blanks" in holdfast("pool", "make", " ", "MUG=1", "--store", "own").err


def test_an_activity_is_planned_looked_at_preloaded_started_and_reported(holdfast: Holdfast, world: World) -> None:
    store = world.stocked("MUG", units=30)
    planned = holdfast("pool", "activity", "SALE", "MUG=40", "--starts", "2h", "--ends", "2d")
    assert "is planned with 40 MUG" in planned.out
    preview = holdfast("pool", "preload", "SALE", "--dry-run", "--json").json
    assert preview["per_item"] == [{"item": "MUG", "planned": 40, "has": 0, "would_deal": 30, "missing": 10}]
    assert "nothing would be dealt" in holdfast("pool", "preload", "SALE", "--dry-run").out
    refused = holdfast("pool", "preload", "SALE")
    assert (refused.code, "10 MUG" in refused.err) == (1, True)
    assert holdfast("pool", "preload", "SALE", "--best-effort").out == "30 MUG set apart for SALE.\n"
    world.receive("MUG", 10)
    assert holdfast("pool", "preload", "SALE", "--json").json["preloaded"] == {"MUG": 10}
    assert "has all" in holdfast("pool", "preload", "SALE").out
    tried = holdfast("pool", "start", "SALE", "--dry-run").out
    assert tried == "SALE would run now; nothing would be set apart for it.\n"
    assert holdfast("pool", "start", "SALE").out == "SALE runs now.\n"
    assert holdfast("pool", "start", "SALE").out == "SALE runs already.\n"
    world.hear(store, order(line("MUG", 8), paid=True))
    assert holdfast("pool", "window", "SALE", "--ends", "3d").code == 0
    told = holdfast("pool", "report", "SALE", "--json").json
    assert (told["total"]["dealt"], told["total"]["sold"], told["total"]["sell_through"]) == (40, 8, 0.2)
    assert told["per_item"][0]["hours"][0]["sold"] == 8
    assert "20%" in holdfast("pool", "report", "SALE", "--hours").out
    assert "waits for" in holdfast("pool", "show", "SALE").out
    assert holdfast("pool", "stop", "SALE", "--json").json["returned"] == {"MUG": 32}


def test_an_activity_that_is_preloaded_at_once_or_says_why_not(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=30)
    told = holdfast("pool", "activity", "A", "MUG=20", "--starts", "2h", "--ends", "2d", "--preload", "now", "--json")
    assert told.json["preloaded"] == {"MUG": 20}
    short = holdfast("pool", "activity", "B", "MUG=20", "--starts", "2h", "--ends", "2d", "--preload", "now")
    assert (short.code, "not set apart yet" in short.out, "10 MUG" in short.out) == (0, True, True)
    assert in_pool(world, pool_id(world, "B"), "MUG") == Units()


@pytest.mark.parametrize("window", [("--ends", "2020-01-01"), ("--starts", "3d", "--ends", "2d"), ()])
def test_a_window_that_is_none_is_not_understood(holdfast: Holdfast, world: World, window: tuple[str, ...]) -> None:
    world.stocked("MUG", units=30)
    assert holdfast("pool", "activity", "SALE", "MUG=1", *window).code in (1, 2)
    assert world.ask("SELECT 1 FROM pool WHERE merchant_id = :merchant_id AND code = 'SALE'") == []


def test_a_presale_with_supply_a_limit_and_deposits(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=0)
    assert "backorder expect MUG" in holdfast("pool", "presale", "PRE", "MUG=10", "--supply", "PO-7").err
    holdfast("backorder", "expect", "MUG", "10", "2040-05-17", "--ref", "PO-7")
    too_many = holdfast("pool", "presale", "PRE", "MUG=11", "--supply", "PO-7", "--per-customer", "2")
    assert "10 are left, not 11" in too_many.err
    assert holdfast("reserve", "limits", "--json").json == []
    made = holdfast("pool", "presale", "PRE", "MUG=10", "--supply", "PO-7", "--per-customer", "2", "--balance-due",
                    "2040-06-01", "--json").json  # fmt: skip
    assert (made["caps"], made["per_customer"], made["supply"]) == ({"MUG": 10}, 2, "PO-7")
    assert "0 are left, not 1" in holdfast("pool", "deal", "PRE", "MUG=1").err

    assert holdfast("reserve", "make", "web-1", "MUG=2", "--pool", "PRE", "--holder", "c-1").code == 0
    paid = holdfast("pool", "deposit", "web-1", "--json").json
    assert (paid["changed"], paid["balance_due_at"][:9]) == (True, "2040-06-0")
    assert holdfast("reserve", "show", "web-1", "--json").json["balance_due_at"] == paid["balance_due_at"]
    for told in (holdfast("reserve", "show", "web-1").out, holdfast("reserve", "list").out):
        assert "the deposit is paid, the rest is owed by 2040-06-0" in told
    assert "which is being paid" in holdfast("reserve", "paying", "web-1").out
    more = holdfast("reserve", "make", "web-2", "MUG=1", "--pool", "PRE", "--holder", "c-1")
    assert (more.code, "one customer may take" in more.err) == (1, True)
    assert "per customer" in holdfast("pool", "show", "PRE").out
    assert holdfast("pool", "report", "PRE", "--json").json["total"]["deposits"] == 2
    assert "owed" not in holdfast("reserve", "paid", "web-1").out
    world.receive("MUG", 9)
    world.do(Hold("plain", {world.item("MUG"): 1}, FAR_OFF, holder="c-2"))
    assert "no presale says" in holdfast("pool", "deposit", "plain").err
    assert "no presale sold" in holdfast("pool", "deposit", "plain", "--balance-due", "2040-01-01").err


def test_a_presale_that_is_stopped_had_no_units_to_give_back(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", "CUP", units=0)
    holdfast("pool", "presale", "PRE", "MUG=13")
    would, did = holdfast("pool", "stop", "PRE", "--dry-run"), holdfast("pool", "stop", "PRE")
    assert would.out == "PRE would end; 13 MUG that were not promised would be offered no more.\n"
    assert did.out == "PRE has ended; 13 MUG that were not promised are offered no more.\n"
    holdfast("pool", "presale", "ALL", "CUP=2")
    holdfast("reserve", "make", "web-1", "CUP=2", "--pool", "ALL")
    assert holdfast("pool", "stop", "ALL").out == "ALL has ended; all that it offered was promised, and stays so.\n"


def test_a_deposit_on_a_hold_that_ended_is_told_why_it_ended(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=0)
    holdfast("pool", "presale", "PRE", "MUG=3", "--balance-due", "2040-06-01")
    for key, what in (("web-1", "MUG=2"), ("web-2", "MUG=3")):
        assert holdfast("reserve", "make", key, what, "--pool", "PRE", "--holder", "c-1").code == 0
    given_way = holdfast("pool", "deposit", "web-1")
    holdfast("reserve", "release", "web-2")
    released = holdfast("pool", "deposit", "web-2")
    assert (given_way.code, "gave way to" in given_way.err) == (1, True)
    assert "hold web-1 has ended on 20" in given_way.err
    assert "(it was released): make a new one" in released.err
    assert "there is no hold web-9" in holdfast("pool", "deposit", "web-9").err


def test_who_lacks_the_right_is_refused(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=9)
    holdfast("user", "add", "viewer@shop.example", "--role", "viewer")
    who = ("--as", "viewer@shop.example")
    assert holdfast("pool", "list", *who).code == 0
    for command in (
        ("pool", "make", "OWN", "MUG=1", "--store", "own"), ("pool", "stop", "OWN"), ("pool", "deal", "OWN", "MUG=1"),
        ("pool", "activity", "A", "MUG=1", "--ends", "2d"), ("pool", "presale", "P", "MUG=1"),
        ("pool", "preload", "A"), ("pool", "start", "A"), ("pool", "window", "A", "--ends", "3d"),
    ):  # fmt: skip
        said = holdfast(*command, *who)
        assert (said.code, "pool.change" in said.err) == (1, True), command
    assert "order.change" in holdfast("pool", "deposit", "h", *who).err


def test_what_was_done_stands_in_the_log(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=9)
    holdfast("pool", "make", "OWN", "MUG=5", "--store", "own")
    holdfast("pool", "deal", "OWN", "MUG=1")
    holdfast("pool", "stop", "OWN")
    acts = [(one["act"], one["subject"]) for one in holdfast("log", "--json").json]
    assert acts[:3] == [("pool.stop", "pool:OWN"), ("pool.deal", "pool:OWN"), ("pool.make", "pool:OWN")]
