"""``holdfast fulfil`` and ``holdfast route auto`` on a real database, as those in a warehouse use them."""

import json
from pathlib import Path

import pytest

from tests.builders import World, line, order
from tests.integration import lock_acts
from tests.integration.command_line import Holdfast
from tests.integration.fulfilment_acts import goods, place, put


@pytest.fixture
def shop(world: World) -> World:
    """Order #1001 wants 3 mugs; MAIN has 2 and is asked first, HAMBURG has 5."""
    place(world, "HAMBURG", priority=-1)
    store = world.stocked("MUG", units=2)
    put(world, "HAMBURG", MUG=5)
    world.hear(store, order(line("MUG", 3), paid=True))
    return world


def test_an_order_is_allocated_packed_and_shipped(holdfast: Holdfast, shop: World) -> None:
    assert "No warehouse is to send anything" in holdfast("fulfil", "list").out

    told = holdfast("fulfil", "allocate", "1001", "--to", "DE-BY-80331").out

    assert "MAIN sends 2 MUG" in told
    assert "HAMBURG sends 1 MUG" in told
    rows = holdfast("fulfil", "list").out.splitlines()
    assert {row.split()[0] for row in rows[1:]} == {"1001/1", "1001/2"}
    assert holdfast("fulfil", "hand", "1001/1", "MUG=1").out == "1 unit of 1001/1 is handed over; it is packing now.\n"
    assert holdfast("ship", "1001/1").out == "2 units of 1001/1 are shipped; it is shipped now.\n"
    assert goods(shop, "MUG") == {"MAIN": (0, 0, 0), "HAMBURG": (4, 1, 0)}
    shown = holdfast("fulfil", "show", "#1001/1").out
    assert "by MAIN: shipped" in shown
    (only,) = holdfast("fulfil", "list", "--json").json
    assert (only["ref"], only["warehouse"], only["state"]) == ("1001/2", "HAMBURG", "told")


def test_an_order_tells_who_sends_it_and_why(holdfast: Holdfast, shop: World) -> None:
    before = holdfast("order", "show", "1001")
    assert "warehouse" not in before.out
    holdfast("fulfil", "allocate", "1001", "--to", "DE-BY-80331")
    holdfast("ship", "1001/2")

    told = holdfast("order", "show", "1001").out

    rows = [line.split() for line in told.splitlines()]
    assert ["1001/1", "MAIN", "told", "1", "2", "2", "0", "0"] in rows
    assert ["1001/2", "HAMBURG", "shipped", "1", "1", "0", "1", "0"] in rows
    assert (
        "Decided by priority to DE-BY-803: MAIN was chosen for 2 units: priority 0; "
        "HAMBURG was chosen for 1 unit: priority -1.\n" in told
    )
    shown = holdfast("order", "show", "1001", "--json").json
    assert [(one["ref"], one["warehouse"], one["state"]) for one in shown["fulfilments"]] == [
        ("1001/2", "HAMBURG", "shipped"), ("1001/1", "MAIN", "told"),
    ]  # fmt: skip
    assert shown["route"]["legs"][0]["goods"][0]["units"] == 2


def test_each_order_that_goes_to_a_warehouse_is_in_the_log(holdfast: Holdfast, shop: World) -> None:
    store = int(shop.scalar("SELECT id FROM store"))
    for number in ("1002", "1003"):
        shop.hear(store, order(line("MUG", 2), external_id=number, paid=True))

    holdfast("fulfil", "allocate", "1001", "1002", "1003")

    noted = {one["subject"]: one["detail"] for one in holdfast("log", "--json").json if one["act"] == "fulfil.allocate"}
    assert noted == {
        "order:#1001": {"parts": [1, 2]}, "order:#1002": {"parts": [1]}, "order:#1003": {"parts": [1]},
    }  # fmt: skip


def test_an_order_or_a_warehouse_that_is_not_there_is_named(holdfast: Holdfast, shop: World) -> None:
    assert "no order 77 is known" in holdfast("fulfil", "allocate", "1001", "77").err
    assert "there is no warehouse MOON" in holdfast("fulfil", "allocate", "1001", "--without", "MOON").err
    assert goods(shop, "MUG")["MAIN"] == (2, 0, 0)


def test_goods_of_a_pure_lock_go_to_an_order(holdfast: Holdfast, shop: World) -> None:
    hamburg = int(shop.scalar("SELECT id FROM warehouse WHERE code = 'HAMBURG'"))
    lock_acts.lock(shop, "fair", "MUG", 4, warehouse_id=hamburg, pure=True)

    tried = holdfast("lock", "consume", "fair", "3", "--order", "1001", "--dry-run", "--json").json
    assert (tried["units"], tried["dry_run"]) == (-3, True)
    assert holdfast("fulfil", "list", "--json").json == []
    for _ in "12":
        said = holdfast("lock", "consume", "fair", "3", "--order", "1001", "--ref", "r").out
        assert "3 units taken out for order 1001." in said

    (only,) = holdfast("fulfil", "list", "--json").json
    assert (only["ref"], only["warehouse"], only["lines"][0]["waiting"]) == ("1001/1", "HAMBURG", 3)
    assert "1001/1 HAMBURG told 1 3" in " ".join(holdfast("order", "show", "1001").out.split())
    assert "no warehouse is to send" in holdfast("lock", "consume", "fair", "1", "--order", "1001").err
    assert "--order NUMBER" in holdfast("lock", "consume", "fair", "1", "--store", "Main street").err


def test_an_order_that_nobody_decided_about_has_no_route(holdfast: Holdfast, shop: World) -> None:
    shown = holdfast("order", "show", "1001", "--json").json

    assert (shown["fulfilments"], shown["route"], shown["destination"]) == ([], None, "")


def test_doing_it_again_changes_nothing(holdfast: Holdfast, shop: World) -> None:
    holdfast("fulfil", "allocate", "1001")
    assert "nothing paid is still to be given" in holdfast("fulfil", "allocate", "1001").out

    holdfast("fulfil", "hand", "1001/1", "MUG=1", "--key", "k")
    again = holdfast("fulfil", "hand", "1001/1", "MUG=1", "--key", "k")

    assert "booked before" in again.out
    assert goods(shop, "MUG")["MAIN"] == (0, 2, 1)


def test_trying_it_out_books_nothing(holdfast: Holdfast, shop: World) -> None:
    assert "only tried out" in holdfast("fulfil", "allocate", "1001", "--dry-run").out
    assert goods(shop, "MUG")["MAIN"] == (2, 0, 0)
    holdfast("fulfil", "allocate", "1001")

    assert "Only tried out: 2 units" in holdfast("ship", "1001/1", "--dry-run").out

    assert goods(shop, "MUG")["MAIN"] == (0, 2, 0)


def test_goods_are_put_back_and_taken_from_the_warehouse(holdfast: Holdfast, shop: World) -> None:
    holdfast("fulfil", "allocate", "1001")
    holdfast("fulfil", "hand", "1001/1")

    assert "is told now" in holdfast("fulfil", "put-back", "1001/1").out
    assert "is taken back now" in holdfast("fulfil", "cancel", "1001/1", "--reason", "picked up").out
    holdfast("fulfil", "reject", "1001/2", "--reason", "the shelf fell over")

    assert goods(shop, "MUG") == {"MAIN": (2, 0, 0), "HAMBURG": (5, 0, 0)}
    assert "Rejected" in holdfast("fulfil", "show", "1001/2").out


def test_an_order_tells_what_of_each_part_was_shipped_and_what_was_taken_back(holdfast: Holdfast, shop: World) -> None:
    holdfast("fulfil", "allocate", "1001")
    assert "1001/1 MAIN told 1 2 2 0 0" in " ".join(holdfast("order", "show", "1001").out.split())

    holdfast("ship", "1001/1", "MUG=1")
    holdfast("fulfil", "cancel", "1001/1", "--reason", "the other one is chipped")

    shown = " ".join(holdfast("order", "show", "1001").out.split())
    assert "part warehouse state items told to send shipped taken back" in shown
    assert "1001/1 MAIN shipped 1 2 0 1 1" in shown


@pytest.mark.parametrize(
    "rubbish",
    ["1001", "/1", "1001/x", "1001/0", "1001/9", "nobody/1", "1001/99999999999", "1001/²", "'; DROP TABLE item/1"],
)
def test_what_is_no_fulfilment_order_is_refused_with_a_cure(holdfast: Holdfast, shop: World, rubbish: str) -> None:
    holdfast("fulfil", "allocate", "1001")

    said = holdfast("ship", rubbish)

    assert said.code == 1
    assert "holdfast " in said.err


def test_goods_that_make_no_sense_are_refused(holdfast: Holdfast, shop: World) -> None:
    holdfast("fulfil", "allocate", "1001")

    assert holdfast("ship", "1001/1", "MUG=3").err.strip().endswith("say 1 to 2 units")
    assert holdfast("ship", "1001/1", "MUG=1", "MUG=1").code == 2
    assert holdfast("ship", "1001/1", "MUG=-1").code == 2
    assert holdfast("fulfil", "hand", "1001/1", "--from", "HAMBURG").code == 1
    assert holdfast("fulfil", "reject", "1001/1").code == 1
    assert goods(shop, "MUG")["MAIN"] == (0, 2, 0)


def test_a_frozen_bin_gives_nothing_out_by_command(holdfast: Holdfast, shop: World) -> None:
    holdfast("fulfil", "allocate", "1001")
    holdfast("bin", "freeze", "MAIN/DEFAULT")

    assert holdfast("fulfil", "hand", "1001/1").code == 1
    assert holdfast("fulfil", "hand", "1001/1", "--from", "MAIN").code == 1

    assert goods(shop, "MUG")["MAIN"] == (0, 2, 0)


def test_automatic_dispatch_is_switched_on_and_off(holdfast: Holdfast, shop: World) -> None:
    tried = holdfast("route", "auto", "on", "--dry-run").out
    assert tried == (
        "Only tried out: paid orders would go to warehouses by themselves, 1 order that waits now first.\n"
    )
    assert shop.work("dispatch") == []
    assert "`holdfast fulfil allocate` alone" in holdfast("route", "auto").out
    assert holdfast("route", "auto", "on", "--json").json == {"on": True, "changed": True}
    assert len(shop.work("dispatch")) == 1
    assert holdfast("route", "auto", "on", "--json").json == {"on": True, "changed": False}
    assert holdfast("route", "auto", "off", "--json").json == {"on": False, "changed": True}
    assert holdfast("route", "auto", "perhaps").code == 2


def test_the_totals_of_warehouses_show_what_is_to_be_sent(holdfast: Holdfast, shop: World) -> None:
    holdfast("fulfil", "allocate", "1001")
    holdfast("fulfil", "hand", "1001/1", "MUG=1")

    told = holdfast("warehouse", "totals", "MUG", "--json").json

    main = next(row for row in told if row["place"] == "MAIN")
    assert (main["available"], main["allocated"], main["picking"]) == (0, 2, 1)


def test_an_order_of_ones_own_shop_says_where_it_goes(holdfast: Holdfast, shop: World, tmp_path: Path) -> None:
    told = {
        "number": "2041", "placed_at": "2026-11-20T10:00:00Z", "paid": True, "to": "de-by-80331",
        "lines": [{"line_id": "1", "sku": "MUG", "quantity": 1}],
    }  # fmt: skip
    file = tmp_path / "orders.json"
    file.write_text(json.dumps(told))
    holdfast("order", "apply", str(file))

    (route,) = holdfast("fulfil", "allocate", "2041", "--json").json

    assert route["route"]["to"] == "DE-BY-803"
    assert shop.scalar("SELECT destination FROM store_order WHERE number = '2041'") == "DE-BY-803"
    file.write_text(json.dumps(told | {"to": "Munich, 2nd floor"}))
    assert "is no destination" in holdfast("order", "apply", str(file)).err


def test_an_order_tells_of_what_is_sent_although_its_address_changed_since(holdfast: Holdfast, shop: World) -> None:
    store = int(shop.scalar("SELECT id FROM store"))
    holdfast("fulfil", "allocate", "1001", "--to", "DE-BY-80331")
    assert "takes it back" not in holdfast("order", "show", "1001").out  # no store has told another address

    shop.hear(store, order(line("MUG", 3), paid=True, destination="DE-HH-20095"))
    holdfast("ship", "1001/2")

    told = holdfast("order", "show", "1001").out.splitlines()
    assert [line for line in told if "takes it back" in line] == [
        "MAIN was told of 1001/1 when the order went to DE-BY-803. `holdfast fulfil cancel 1001/1` takes it back, then "
        "it is decided again who sends it."
    ]
