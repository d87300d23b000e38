"""``holdfast route`` on a real database, as a dispatcher uses it."""

from datetime import timedelta

import pytest

from core.catalog import item_id_of
from core.dispatch import decisions, reading
from core.dispatch.destinations import Destination
from core.dispatch.routing import decide
from core.dispatch.strategies import named
from core.goods import items, recipes
from core.goods.receiving import Receive
from core.rows import Part
from core.stock import DocumentKind, Stocked
from core.transaction import wall_clock
from core.warehouse import warehouses
from tests.builders import World, line, order
from tests.integration.command_line import Holdfast


@pytest.fixture
def shop(world: World) -> World:
    """MAIN has 4 of each, BERLIN 9 cups. MAIN is asked first."""
    with world.db.begin(1, actor="test") as tx:
        warehouses.add(tx, "BERLIN", {"country": "DE", "subdivision": "BE", "postal": "10115", "handling_days": 0})
        warehouses.change(tx, "MAIN", {"priority": 5, "country": "DE", "subdivision": "BY", "handling_days": 0})
    world.stocked("MUG", "CUP", units=4)
    with world.db.begin(1, actor="test") as tx:
        spot = warehouses.spot_of(tx, "BERLIN")
        items.add_item(tx, "SET")
        recipes.set_recipe(tx, item_id_of(tx, "SET"), "bundle", [Part(Stocked(item_id_of(tx, "CUP")), 2)])
    world.do(Receive("receipt/berlin", DocumentKind.RECEIPT, {world.item("CUP"): 9}, spot=spot))
    return world


def test_a_route_is_tried_with_its_reasons_and_booked_nowhere(holdfast: Holdfast, shop: World) -> None:
    holdfast("route", "rates", "add", "Post", "5000", "4.90EUR")
    holdfast("route", "weight", "mug=300", "CUP=200")
    told = holdfast("route", "try", "mug:2", "CUP:6", "--to", "de-be-10115").out.splitlines()
    assert told[0].startswith("MAIN sends 2 MUG, 4 CUP by Post for 4.90 EUR: leaves 20")
    assert told[1].startswith("BERLIN sends 2 CUP by Post for 4.90 EUR")
    assert told[2:] == [
        "MAIN was chosen for 6 units: priority 5.",
        "BERLIN was chosen for 2 units: priority 0.",
        "By the strategy priority: 2 parcels to DE-BE-101.",
    ]
    assert shop.scalar("SELECT count(*) FROM route_decision") == 0


def test_a_route_as_json_has_codes_and_sums(holdfast: Holdfast, shop: World) -> None:
    holdfast("route", "rates", "add", "Post", "5000", "4.90EUR")
    holdfast("route", "transit", "add", "1", "3")
    found = holdfast("route", "try", "CUP:20", "--to", "DE", "--strategy", "balance-stock", "--json").json
    assert (found["strategy"], found["to"], found["parcels"], found["cost"]) == ("balance_stock", "DE", 2, 980)
    assert found["legs"][0]["goods"] == [
        {"line": 1, "sku": "CUP", "grade": "good", "units": 4, "from_lock": False},
    ]  # fmt: skip
    assert [(one["sku"], one["units"], one["why"]) for one in found["waits"]] == [("CUP", 7, "nowhere")]
    assert {one["warehouse"]: (one["verdict"], one["figure"], one["value"]) for one in found["reasons"]} == {
        "BERLIN": ("chosen", "stock_permille", 692), "MAIN": ("chosen", "stock_permille", 307),
    }  # fmt: skip
    assert found["earliest"] < found["latest"]


def test_a_warehouse_can_be_left_out(holdfast: Holdfast, shop: World) -> None:
    told = holdfast("route", "try", "CUP", "--to", "DE-BE", "--without", "MAIN").out
    assert "BERLIN sends 1 CUP" in told
    assert "MAIN was refused: it rejected the order." in told


def test_regions_rules_rates_and_transit_from_their_making_to_their_end(holdfast: Holdfast, shop: World) -> None:
    assert holdfast("route", "regions", "add", "East", "DE-BE", "DE--10", "--middle", "52.5,13.4").out == (
        "Region east is made of DE-BE, DE--10.\n"
    )
    assert holdfast("route", "regions", "list", "--json").json == [
        {"region": "east", "parts": ["DE-BE", "DE--10"], "middle": [52.5, 13.4]}
    ]
    rule = holdfast("route", "rules", "add", "only", "MAIN", "--region", "east", "--until", "30d", "--json").json
    assert (rule["effect"], rule["warehouse"], rule["region"], rule["item"]) == ("only", "MAIN", "east", "")
    assert "MAIN was refused: it sends to other regions only." in holdfast("route", "try", "CUP", "--to", "DE-BY").out
    assert "MAIN sends 1 CUP" in holdfast("route", "try", "CUP", "--to", "DE-BE").out
    holdfast("route", "rates", "add", "Post", "5000", "4.90 EUR", "--region", "east", "--warehouse", "BERLIN")
    (rate,) = holdfast("route", "rates", "list", "--json").json
    assert (rate["region"], rate["warehouse"], rate["up_to_g"], rate["cost"]) == ("east", "BERLIN", 5000, 490)
    assert "4.90 EUR" in holdfast("route", "rates", "list").out
    holdfast("route", "transit", "add", "1", "2", "--region", "east")
    (transit,) = holdfast("route", "transit", "list", "--json").json
    refused = holdfast("route", "regions", "remove", "east")
    assert (refused.code, "1 rate, 1 transit time, 1 rule" in refused.err) == (1, True)
    for what, number in (("rules", rule["id"]), ("rates", rate["id"]), ("transit", transit["id"])):
        assert holdfast("route", what, "remove", str(number), "--json").json == {"removed": number}
        assert "No " in holdfast("route", what, "list").out
    assert holdfast("route", "regions", "remove", "EAST").out == "Region EAST is forgotten.\n"
    assert [one["act"] for one in holdfast("log", "--json").json][:3] == [
        "route.region_remove", "route.transit_remove", "route.rate_remove",
    ]  # fmt: skip


def test_a_strategy_is_set_for_all_and_for_one_store(holdfast: Holdfast, shop: World) -> None:
    assert "Orders are routed by priority." in holdfast("route", "strategy", "show").out
    holdfast("route", "strategy", "set", "fewest_parcels")
    assert holdfast("route", "strategy", "set", "closest", "--store", "Main street").out == (
        "Orders of Main street are routed by closest from now on.\n"
    )
    shown = holdfast("route", "strategy", "show", "--json").json
    assert (shown["usual"], shown["by_store"]) == ("fewest_parcels", {"Main street": "closest"})
    assert "By the strategy fewest_parcels" in holdfast("route", "try", "CUP", "--to", "DE").out
    assert "By the strategy closest" in holdfast("route", "try", "CUP", "--to", "DE", "--store", "Main street").out
    back = holdfast("route", "strategy", "set", "--store", "Main street", "--off", "--json").json
    assert back == {"store": "Main street", "strategy": "fewest_parcels"}


def test_the_week_in_general_and_of_one_warehouse(holdfast: Holdfast, shop: World) -> None:
    assert "in general  mon,tue,wed,thu,fri" in holdfast("route", "week").out
    holdfast("route", "week", "mon-sat", "--warehouse", "BERLIN", "--closed", "2026-12-25")
    holdfast("route", "week", "fri-mon")
    assert holdfast("route", "week", "--json").json == [
        {"warehouse": "", "days": "mon,fri,sat,sun", "closed": []},
        {"warehouse": "BERLIN", "days": "mon,tue,wed,thu,fri,sat", "closed": ["2026-12-25"]},
    ]
    holdfast("route", "week", "--off", "--warehouse", "BERLIN")
    assert len(holdfast("route", "week", "--json").json) == 1


def test_another_strategy_is_compared_over_what_was_decided(holdfast: Holdfast, shop: World) -> None:
    assert "No order was routed" in holdfast("route", "compare", "--strategy", "closest").out
    holdfast("route", "rates", "add", "Post", "5000", "4.90EUR")
    holdfast("route", "transit", "add", "1", "1")
    (store,) = shop.ask("SELECT id FROM store")
    shop.hear(store.id, order(line("CUP", 6), paid=True, placed_at=wall_clock()))
    decide_all(shop, "priority")
    told = holdfast("route", "compare", "--strategy", "fewest_parcels").out
    assert "parcels" in told
    assert "9.80 EUR" in told
    assert "-4.90 EUR" in told
    assert "Over 1 order, of which 1 would have been sent in another way." in told
    found = holdfast("route", "compare", "--strategy", "fewest_parcels", "--since", "1 hour", "--json").json
    assert (found["parcels_was"], found["parcels_would_be"], found["cost_was"], found["cost_would_be"]) == (
        2,
        1,
        980,
        490,
    )
    assert [(one["strategy"], one["destination"]) for one in found["each"]] == [("priority", "DE-BY-80")]
    imagined = holdfast("route", "compare", "--strategy", "fewest_parcels", "--to", "DE-BE", "--json").json
    assert (imagined["orders"], imagined["parcels_would_be"], imagined["each"][0]["destination"]) == (1, 1, "DE-BE")


def test_orders_that_nobody_could_have_sent_are_counted(holdfast: Holdfast, shop: World) -> None:
    """They were placed before any goods stood there."""
    (store,) = shop.ask("SELECT id FROM store")
    long_ago = wall_clock() - timedelta(days=2)
    shop.hear(store.id, order(line("CUP", 1), paid=True, placed_at=long_ago))

    told = holdfast("route", "compare", "--strategy", "closest", "--to", "DE-BE").out

    assert "1 order could not be sent either way" in told
    assert "no warehouse that may serve had the goods" in told


def decide_all(world: World, strategy: str) -> None:
    with world.db.begin(1, actor="test") as tx:
        ids = list(tx.run("SELECT id FROM store_order WHERE merchant_id = :merchant_id").scalars())
        laid, places = reading.terms(tx), warehouses.every(tx)
        found = []
        for order_id, lines in reading.lines_of_orders(tx, ids).items():
            supply = reading.supply(tx, [part.stocked for one in lines for part in one.parts], places, laid, tx.now)
            way = Destination("DE", "BY", "80")
            found.append(decisions.New(order_id, decide(lines, way, places, supply, laid, named(strategy), tx.now)))
        decisions.record(tx, found)


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("try CUPS --to DE", 1, "did you mean CUP?"),
        ("try CUP --to GERMANY", 1, "like DE-BY-80"),
        ("try CUP:0 --to DE", 2, "MUG-RED:2"),
        ("try CUP --to DE --strategy dearest", 1, "there are priority, closest"),
        ("try CUP --to DE --without NOWHERE", 1, "there are"),
        ("rates add Post 5000 4,90EUR", 1, "4.90 EUR"),
        ("rates add Post 5000 4.90EUR --region moon", 1, "route regions add moon"),
        ("rates add Post 9000000 4.90EUR", 1, "2,000,000 g"),
        ("rules add only MAIN", 1, "--region NAME"),
        ("rules add deny MAIN --until 2020-01-01", 2, "has passed"),
        ("regions add east DE-BE-10115", 1, "write DE-BE-101"),
        ("regions add east DE --middle 91,0", 1, "48.14,11.58"),
        ("regions add east DE --middle here", 2, "48.14,11.58"),
        ("transit add 3 1", 1, "like 1 3"),
        ("week someday", 2, "mon-fri"),
        ("week mon-fri --closed tomorrow", 2, "2027-02-01"),
        ("weight CUP", 2, "MUG-RED=350"),
        ("strategy set", 1, "strategy show"),
        ("rules remove 4711", 1, "rules list"),
        ("rules remove 99999999999999999999", 2, "9,223,372,036,854,775,807"),
        ("try CUP:000000000000005 --to DE", 2, "MUG-RED:2"),
        ("weight SET=100", 1, "holdfast item show SET"),
        ("rules add deny MAIN --item SET", 1, "what is sent are its components"),
        ("compare --strategy closest --since never", 2, "2 hours ago"),
    ],
)
def test_errors_name_the_cure(holdfast: Holdfast, shop: World, command: str, code: int, said: str) -> None:
    answered = holdfast("route", *command.split())
    assert (answered.code, answered.out) == (code, "")
    assert said in answered.err


def test_who_may_only_look_lays_nothing_down(holdfast: Holdfast, shop: World) -> None:
    holdfast("user", "add", "eve@shop.example", "--role", "viewer")
    for command in ("rates add Post 1 1EUR", "rules add deny MAIN", "strategy set closest", "week sun", "weight CUP=1"):
        refused = holdfast("route", *command.split(), "--as", "eve@shop.example")
        assert (refused.code, "rule.change" in refused.err) == (1, True)
    assert holdfast("route", "try", "CUP", "--to", "DE", "--as", "eve@shop.example").code == 0
