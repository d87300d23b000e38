"""``holdfast replenish`` as a planner uses it: a past of three weeks is played, then asked about."""

import pytest
from sqlalchemy import Engine

from core.replenish.settings import Defaults
from tests import replenish_world as rep
from tests import supply_world as sup
from tests.builders import Clock, World, line, order
from tests.integration import lock_acts
from tests.integration.command_line import Holdfast
from tests.replenish_world import WINDOW, on_day, played, sold


@pytest.fixture
def clock(world: World, superuser: Engine) -> Clock:
    return rep.past(world, superuser)


def supplied(holdfast: Holdfast, *skus: str, lead: int = 10) -> None:
    assert holdfast("supplier", "add", "ACME", "--lead", str(lead)).code == 0
    for sku in skus:
        assert holdfast("supplier", "item", "ACME", sku, "--pack", "12", "--cost", "3.20").code == 0


def test_what_to_order_is_suggested_drafted_and_then_on_its_way(holdfast: Holdfast, world: World, clock: Clock) -> None:
    played(world, clock)
    supplied(holdfast, "mug", lead=30)

    (group,) = holdfast("replenish", "suggest", "--json").json["suppliers"]
    (mug,) = group["lines"]
    # 17 on 15 days: 34 sell in 30 days, 68 in 60.
    assert (mug["free"], mug["lead_demand"], mug["counted_days"], mug["sold"]) == (33, 34, 15, 17)
    assert mug["target"] - mug["safety"] == 68
    assert mug["order"] % 12 == 0
    assert mug["order"] >= mug["target"] - mug["position"] > 0

    drafted = holdfast("replenish", "suggest", "--supplier", "ACME", "--draft", "--json").json["drafts"]
    assert [(one["supplier"], one["units"]) for one in drafted] == [("ACME", mug["order"])]
    shown = holdfast("purchase", "show", drafted[0]["number"], "--json").json
    assert (shown["state"], shown["ordered"]) == ("draft", mug["order"])
    (noted,) = [one for one in holdfast("log", "--json").json if one["act"] == "replenish.draft"]
    number = drafted[0]["number"]
    assert (noted["subject"], noted["detail"]) == (f"purchase:{number}", {"lines": 1, "units": mug["order"]})

    again = holdfast("replenish", "suggest")
    assert "Nothing is to be ordered now" in again.out
    assert "is a draft" not in holdfast("replenish", "suggest", "--draft").out


def test_an_item_is_explained_in_sentences(holdfast: Holdfast, world: World, clock: Clock) -> None:
    played(world, clock)
    supplied(holdfast, "mug")

    said = holdfast("replenish", "item", "MUG")
    assert "17 units sold on 15 days of the last 20, 1.13 a day; last sold 1 day ago." in said.out
    assert "Main street 17 (1.13 a day)" in said.out
    assert "ACME brings it in 10 days" in said.out

    one = holdfast("replenish", "item", "mug", "--json").json
    assert one["channels"] == {"Main street": 17}
    assert one["suppliers"] == ["ACME"]
    assert len(one["days"]) == WINDOW
    assert said.out.splitlines()[1].endswith(one["sentences"][0])


def test_settings_of_an_item_and_of_the_merchant_change_the_plan(
    holdfast: Holdfast, world: World, clock: Clock
) -> None:
    played(world, clock)
    supplied(holdfast, "mug")
    assert holdfast("replenish", "set", "mug", "--cover-days", "100", "--service", "99").code == 0
    one = holdfast("replenish", "item", "mug", "--json").json
    assert (one["cover_days"], one["service_permille"], one["lead_days"]) == (100, 990, 10)
    assert "already" in holdfast("replenish", "set", "mug", "--cover-days", "100").out

    assert holdfast("replenish", "set", "mug", "--off", "--lead-days", "3").code == 0
    one = holdfast("replenish", "item", "mug", "--json").json
    assert (one["cover_days"], one["lead_days"], one["is_off"], one["order"]) == (100, 3, True, 0)
    assert holdfast("replenish", "suggest", "--json").json == {"suppliers": []}

    assert holdfast("replenish", "set", "mug", "--clear").code == 0
    assert holdfast("replenish", "defaults", "--cover-days", "7", "--json").json["cover_days"] == 7
    one = holdfast("replenish", "item", "mug", "--json").json
    assert (one["cover_days"], one["lead_days"], one["is_off"]) == (7, 10, False)
    assert world.scalar("SELECT count(*) FROM replenish_item") == 0
    assert "to last 7 days" in holdfast("replenish", "defaults").out


def test_the_supplier_named_for_an_item_is_asked_for_it(holdfast: Holdfast, world: World) -> None:
    world.stocked("mug", "cup", units=1)
    supplied(holdfast, "mug", "cup")
    holdfast("supplier", "add", "SLOWBOAT", "--lead", "60")
    assert "nobody said that SLOWBOAT brings mug" in holdfast("replenish", "set", "mug", "--supplier", "SLOWBOAT").err

    holdfast("supplier", "item", "SLOWBOAT", "mug", "--pack", "100")
    assert holdfast("replenish", "item", "mug", "--json").json["supplier"] == "ACME"
    assert holdfast("replenish", "set", "mug", "--supplier", "SLOWBOAT").code == 0

    one = holdfast("replenish", "item", "mug", "--json").json
    assert (one["supplier"], one["lead_days"], one["pack_size"]) == ("SLOWBOAT", 60, 100)


@pytest.mark.parametrize(
    ("arguments", "cure"),
    [
        (("item", "mugg"), "did you mean mug?"),
        (("set", "mug"), "say what is to change"),
        (("set", "mug", "--lead-days", "2000"), "0 to 1,000"),
        (("set", "mug", "--service", "lots"), "write one like 97.5"),
        (("set", "mug", "--service", "97.55"), "one digit after the point"),
        (("set", "mug", "--service", "100"), "50 to 99.9 percent"),
        (("set", "mug", "--supplier", "EMCA"), "there is no supplier EMCA"),
        (("defaults", "--window", "3"), "14 to 365 days"),
        (("suggest", "--supplier", "EMCA"), "there is no supplier EMCA"),
        (("suggest", "--to", "MAIN"), "say --draft"),
        (("suggest", "--draft", "--to", "NOWHERE"), "there is no warehouse NOWHERE"),
    ],
)
def test_what_cannot_be_is_refused_with_the_cure(
    holdfast: Holdfast, world: World, arguments: tuple[str, ...], cure: str
) -> None:
    world.stocked("mug", units=1)

    said = holdfast("replenish", *arguments)

    assert said.code != 0
    assert cure in " ".join(said.err.split())
    assert world.scalar("SELECT count(*) FROM replenish_item") == 0


def test_a_bundle_is_ordered_by_its_parts(holdfast: Holdfast, world: World) -> None:
    world.stocked("mug", "set", units=0)
    assert holdfast("bundle", "set", "set", "mug=2").code == 0

    assert "what it is made of" in holdfast("replenish", "item", "set").err


def test_a_viewer_sees_and_changes_nothing(holdfast: Holdfast, world: World) -> None:
    world.stocked("mug", units=1)
    holdfast("user", "add", "viewer@shop.example", "--role", "viewer")

    assert holdfast("replenish", "suggest", "--as", "viewer@shop.example").code == 0
    for change in (("set", "mug", "--off"), ("defaults", "--lead-days", "3"), ("suggest", "--draft")):
        assert "purchase.change" in holdfast("replenish", *change, "--as", "viewer@shop.example").err
    assert holdfast("replenish", "defaults", "--json").json == {
        name: getattr(Defaults(), name) for name in Defaults.__dataclass_fields__
    }


def test_what_lies_is_told_with_its_cause(holdfast: Holdfast, world: World, clock: Clock) -> None:
    played(world, clock)
    on_day(clock, 0)
    world.stocked("pot", units=6)
    world.stocked("jar", units=50)
    world.tell("UPDATE item SET created_at = created_at - interval '9 days'")
    on_day(clock, 1)
    lock_acts.lock(world, "fair", "jar", 20, owner="trade fairs")
    on_day(clock, WINDOW)
    assert holdfast("replenish", "defaults", "--slow", "12", "--most", "20").code == 0

    found = {one["sku"]: one for one in holdfast("replenish", "slow", "--json").json}

    assert found["jar"]["causes"] == ["idle_lock", "never_sold"]
    assert found["jar"]["why"][0] == "20 units idle in lock fair of trade fairs: `holdfast lock release fair 20`"
    assert found["pot"]["causes"] == ["never_sold"]
    assert found["mug"]["causes"] == ["too_much"]
    assert found["mug"]["beyond"] == 33 - 23
    assert "40 came, 17 sold" in found["mug"]["why"][0]
    assert "lock fair" in holdfast("replenish", "slow").out


def test_goods_are_sent_where_they_run_out(holdfast: Holdfast, world: World, clock: Clock) -> None:
    store = world.stocked("mug", units=30)
    for day in (3, 6, 9):
        on_day(clock, day)
        one = sold(world, store, "mug", 9, f"d{day}")
        world.hear(store, order(line("mug", 9, shipped=9), external_id=one.external_id, paid=True))
    on_day(clock, WINDOW)
    assert holdfast("replenish", "transfers").out.startswith("No warehouse runs short")
    sup.warehouse(world, "SPARE")
    assert holdfast("stock", "receive", "mug", "100", "--to", "SPARE").code == 0

    for name, units in (("late", 64), ("later", 20)):
        sold(world, store, "mug", units, name)
    # 103 are there, 84 are sold and nobody was told to send them: 16 of the 100 are left, and the rest may be wanted.
    assert [move["units"] for move in holdfast("replenish", "transfers", "--json").json] == [16]
    for name, units in (("late", 64), ("later", 20)):
        gone = order(line("mug", units, cancelled=units), external_id=name, state="cancelled", holds=False)
        world.hear(store, gone)

    (move,) = holdfast("replenish", "transfers", "--json").json

    assert (move["from"], move["to"], move["giver_lasts"], move["taker_lasts"]) == ("SPARE", "MAIN", None, 2)
    assert move["units"] == 38  # 27 on 20 days: 41 sell in 30 days, and 3 are there
    said = holdfast("replenish", "transfers").out
    asked = said[said.index("holdfast transfer") :].split("`")[0].split()[1:]
    assert holdfast(*asked).code == 0
    assert holdfast("replenish", "transfers", "--json").json == []


def test_the_accuracy_of_the_forecast_is_told(holdfast: Holdfast, world: World, clock: Clock) -> None:
    played(world, clock)

    found = holdfast("replenish", "accuracy", "--json").json

    # The last of the 20 days is 19; one whole week fits into the newer half: 0010004 after 00307 and 002.
    assert (found["sold"], found["weeks"]) == (5, 1)
    assert [one["sku"] for one in found["items"]] == ["mug"]
    assert "would have been off by" in holdfast("replenish", "accuracy").out
