"""Orders of the merchant's own shop: told as they stand, by ``holdfast order``, and looked at by it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.errors import NotFound, Refused
from core.orders import own as own_orders
from core.sales.holds import EndHold, Hold, PayHold
from tests.builders import FAR_OFF, Units, World, line, order
from tests.integration.command_line import Holdfast
from tests.integration.lock_acts import bundle

PLACED = "2026-11-20T12:00:00+01:00"
Tell = Callable[..., bool]


def sold(sku: str, quantity: int, line_id: str = "1", **told: Any) -> dict[str, Any]:
    return {"line_id": line_id, "sku": sku, "quantity": quantity, **told}


def state(*lines: dict[str, Any], **told: Any) -> dict[str, Any]:
    return {"number": "2041", "placed_at": PLACED, "lines": list(lines), **told}


@pytest.fixture
def tell(world: World) -> Tell:
    """Tell one order; True when it was the newest state."""

    def told(*lines: dict[str, Any], **words: Any) -> bool:
        orders = own_orders.read(json.dumps(state(*lines, **words)))
        with world.db.begin(1, actor="test") as tx:
            (command,) = own_orders.commands(tx, orders)
        return bool(world.do(command))

    return told


# ---- what an order does


def test_an_order_goes_from_placed_to_shipped_and_back(world: World, tell: Tell) -> None:
    world.stocked("mug", units=10)
    tell(sold("mug", 4))
    assert world.units("mug") == Units(6, 4)
    tell(sold("MUG", 4), paid=True)
    assert world.units("mug") == Units(6, 0, 4)
    tell(sold("mug", 4, shipped=3, cancelled=1), paid=True)
    assert (world.units("mug"), world.on_hand("mug")) == (Units(7), (7, 0))
    tell(sold("mug", 4, shipped=3, cancelled=1, returned=2, returned_minor_defect=1), paid=True)
    assert world.scalar("SELECT sum(free) FROM sales_balance WHERE grade = 'minor_defect'") == 1
    assert world.scalar("SELECT sum(free) FROM sales_balance WHERE grade = 'good'") == 8


def test_the_state_told_last_counts_where_the_shop_gives_no_version(world: World, tell: Tell) -> None:
    world.stocked("mug", units=10)
    assert tell(sold("mug", 4))
    assert tell(sold("mug", 2))
    assert world.units("mug") == Units(8, 2)


def test_a_late_state_is_dropped_by_its_version(world: World, tell: Tell) -> None:
    world.stocked("mug", units=10)
    assert tell(sold("mug", 2), version=7)
    assert not tell(sold("mug", 4), version=6)
    assert not tell(sold("mug", 4), version=7)
    assert world.units("mug") == Units(8, 2)


def test_versions_are_told_always_or_never(world: World, tell: Tell) -> None:
    world.stocked("mug", units=10)
    tell(sold("mug", 2), version=7)
    with pytest.raises(Refused, match="told with a version before; tell one above 7"):
        tell(sold("mug", 3))
    tell(sold("mug", 2), number="2042")
    with pytest.raises(Refused, match="told without a version before; leave it out"):
        tell(sold("mug", 3), number="2042", version=1)


def test_a_line_that_sells_something_else_gives_up_what_it_sold_before(world: World, tell: Tell) -> None:
    world.stocked("mug", "cup", units=10)
    tell(sold("mug", 2))
    tell(sold("cup", 3))
    assert (world.units("mug"), world.units("cup")) == (Units(10), Units(7, 3))


def test_a_renamed_item_is_the_same_line(world: World, tell: Tell) -> None:
    world.stocked("mug", units=10)
    tell(sold("mug", 2, shipped=2), paid=True)
    world.tell("UPDATE item SET sku = 'beaker', sku_key = 'beaker' WHERE merchant_id = :merchant_id")
    tell(sold("beaker", 2, shipped=2), paid=True)
    assert world.units("beaker") == Units(8)


def test_an_order_of_a_bundle_takes_its_components(world: World, tell: Tell) -> None:
    store = world.stocked("mug", "cup", units=10)
    world.listings(store, "set")
    bundle(world, "set", mug=2, cup=1)
    tell(sold("set", 3), paid=True)
    assert (world.units("mug"), world.units("cup")) == (Units(4, 0, 6), Units(7, 0, 3))


def test_an_order_that_finds_too_little_waits_and_says_why(world: World, tell: Tell) -> None:
    world.stocked("mug", units=1)
    tell(sold("mug", 3))
    assert world.units("mug") == Units(0, 1, 0, 2)
    (incident,) = world.incidents()
    assert (incident.quantity, incident.cause, incident.store_id) == (2, "never_told", 0)
    assert any("sold order 2041" in event["what"] for event in incident.timeline)


@pytest.mark.parametrize(("limit", "incidents"), [(None, 0), (2, 0), (1, 1)])
def test_what_an_items_rule_lets_wait_is_no_incident(
    world: World, tell: Tell, limit: int | None, incidents: int
) -> None:
    world.stocked("mug", units=1)
    world.tell(
        "UPDATE item SET backorder = 'yes', backorder_limit = :limit WHERE merchant_id = :merchant_id", limit=limit
    )
    tell(sold("mug", 3))
    assert world.units("mug") == Units(0, 1, 0, 2)
    assert len(world.incidents()) == incidents


# ---- holds that become orders


def test_an_order_takes_its_hold_over_though_nothing_else_is_left(world: World, tell: Tell) -> None:
    world.stocked("mug", units=3)
    world.do(Hold("cart", {world.item("mug"): 3}, FAR_OFF))
    tell(sold("mug", 3), takes=["cart"], paid=True)
    assert world.units("mug") == Units(sold=3)
    assert world.incidents() == []
    with pytest.raises(Refused, match="has ended: its units are given back or went to an order"):
        world.do(PayHold("cart", "paid"))


def test_what_an_order_does_not_need_of_its_hold_is_given_back(world: World, tell: Tell) -> None:
    world.stocked("mug", "cup", units=3)
    world.do(Hold("cart", {world.item("mug"): 3, world.item("cup"): 2}, FAR_OFF))
    tell(sold("mug", 1), takes=["cart"])
    assert (world.units("mug"), world.units("cup")) == (Units(2, 1), Units(3))


def test_units_of_a_hold_never_come_free_on_their_way_to_its_order(world: World, tell: Tell) -> None:
    store = world.stocked("mug", units=3)
    world.do(Hold("cart", {world.item("mug"): 3}, FAR_OFF))
    world.hear(store, order(line("mug", 2), paid=True))
    tell(sold("mug", 3), takes=["cart"])
    assert world.units("mug") == Units(0, 3, 0, 2)


def test_a_paid_hold_becomes_a_paid_order_without_a_movement(world: World, tell: Tell) -> None:
    world.stocked("mug", units=3)
    world.do(Hold("cart", {world.item("mug"): 3}, FAR_OFF))
    world.do(PayHold("cart", "paid"))
    before = world.scalar("SELECT count(*) FROM movement")
    tell(sold("mug", 3), takes=["cart"], paid=True)
    assert (world.units("mug"), world.scalar("SELECT count(*) FROM movement")) == (Units(sold=3), before)


def test_a_paid_hold_becomes_an_unpaid_order_when_the_shop_says_so(world: World, tell: Tell) -> None:
    world.stocked("mug", units=3)
    world.do(Hold("cart", {world.item("mug"): 3}, FAR_OFF))
    world.do(PayHold("cart", "paid"))
    tell(sold("mug", 3), takes=["cart"])
    assert world.units("mug") == Units(0, 3)


def test_a_hold_that_comes_after_its_order_is_refused(world: World, tell: Tell) -> None:
    world.stocked("mug", units=5)
    tell(sold("mug", 2), takes=["cart"])
    with pytest.raises(Refused, match="released before it was made"):
        world.do(Hold("cart", {world.item("mug"): 2}, FAR_OFF))
    tell(sold("mug", 3), takes=["cart"])
    assert world.units("mug") == Units(2, 3)


def test_an_order_told_again_takes_its_hold_once(world: World, tell: Tell) -> None:
    world.stocked("mug", units=5)
    world.do(Hold("cart", {world.item("mug"): 2}, FAR_OFF))
    for _ in range(3):
        tell(sold("mug", 2), takes=["cart"])
    assert world.units("mug") == Units(3, 2)


def test_two_lines_of_one_item_share_the_hold_that_their_order_takes(world: World, tell: Tell) -> None:
    world.stocked("mug", units=5)
    world.do(Hold("cart", {world.item("mug"): 5}, FAR_OFF))
    tell(sold("mug", 2, "1"), sold("mug", 3, "2"), takes=["cart"])
    assert world.units("mug") == Units(0, 5)


def test_a_hold_of_the_same_holder_gives_way_to_an_order(world: World, tell: Tell) -> None:
    world.stocked("mug", units=3)
    world.do(Hold("cart", {world.item("mug"): 3}, FAR_OFF, holder="c-1"))
    tell(sold("mug", 2), holder="c-1")
    assert (world.units("mug"), world.incidents()) == (Units(1, 2), [])


def test_a_hold_of_somebody_else_stays(world: World, tell: Tell) -> None:
    world.stocked("mug", units=3)
    world.do(Hold("cart", {world.item("mug"): 3}, FAR_OFF, holder="c-1"))
    tell(sold("mug", 2), holder="c-2")
    assert world.units("mug") == Units(0, 3, 0, 2)


def test_a_released_hold_that_an_order_names_is_no_hindrance(world: World, tell: Tell) -> None:
    world.stocked("mug", units=3)
    world.do(Hold("cart", {world.item("mug"): 3}, FAR_OFF))
    world.do(EndHold("cart"))
    tell(sold("mug", 2), takes=["cart", "cart", "never-was"])
    assert world.units("mug") == Units(1, 2)


# ---- what is wrong with an order is said


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("{", "this is no JSON"),
        ("[" * 100_000, "this is no JSON"),
        ('"hello"', "order no. 1: write an object"),
        (json.dumps({"number": "2041"}), "order 2041: placed_at is missing; lines is missing"),
        (json.dumps(state(sold("mug", 2), placed_at="2026-11-20")), "order 2041: placed_at"),
        (json.dumps(state(sold("mug", 2), placed_at="2026-11-20T12:00:00")), "placed_at: write a time with its offset"),
        (json.dumps(state(sold("mug", 2), paid="yes")), "order 2041: paid: write true or false"),
        (json.dumps(state(sold("mug", 2), colour="red")), "colour: there is no such field"),
        (json.dumps(state(sold("mug", 2), holder="ann@example.com")), "no name and no address is kept"),
        (json.dumps(state(sold("mug", 2), version=-1)), "version: write 0 or more"),
        (json.dumps(state(sold("mug", -2))), "line 1 quantity: write 0 or more"),
        (json.dumps(state(sold("mug", 2) | {"quantity": "2"})), "line 1 quantity: write a whole number"),
        (json.dumps(state(sold("mug", 10**9))), "line 1 quantity: write 1,000,000 or less"),
        (json.dumps(state({"sku": "mug", "quantity": 1})), "line no. 1 line_id is missing"),
        (json.dumps(state(sold("mug", 2), sold("cup", 2))), "two lines have the line_id 1; give each its own"),
        (json.dumps(state(sold("mug", 2, shipped=2, cancelled=1))), "line 1 cancelled, written_off and shipped are 3"),
        (json.dumps(state(sold("mug", 2, shipped=1, returned=2))), "line 1 returned is 2, more than the 1 shipped"),
        (json.dumps(state(sold("mug", 2, grade="used"))), "line 1 grade: write 'good' or 'minor_defect'"),
        (json.dumps(state(*(sold("mug", 1, str(n)) for n in range(1001)))), "order 2041: lines"),
        (json.dumps([state(sold("mug", 1))] * 501), "501 orders are too many at once"),
        (" " * 5_000_001, "too many at once"),
        ('{"number": ' + "9" * 5000 + "}", "this is no JSON"),
        (json.dumps(state(sold("mu\x00g", 1))), "line 1 sku"),
    ],
)
def test_a_mistake_is_named_with_its_line(told: str, words: str) -> None:
    with pytest.raises(Refused) as error:
        own_orders.read(told)
    assert words in str(error.value)
    assert len(str(error.value)) < 1_000


def test_an_unknown_sku_is_named_with_one_that_is_near(world: World, tell: Tell) -> None:
    world.stocked("mug-red", units=1)
    with pytest.raises(NotFound, match=r"no item has SKU mug-blue \(did you mean mug-red\?\), SKU tray"):
        tell(sold("mug-blue", 1), sold("tray", 1, "2"))


def test_an_order_from_the_future_is_a_mistake(world: World, tell: Tell) -> None:
    world.stocked("mug", units=1)
    with pytest.raises(Refused, match="placed_at has not come yet"):
        tell(sold("mug", 1), placed_at="2999-01-01T00:00:00Z")


# ---- the command line


def test_a_file_of_orders_is_applied_and_each_is_shown(holdfast: Holdfast, world: World, tmp_path: Path) -> None:
    world.stocked("mug", "cup", units=5)
    file = tmp_path / "orders.json"
    file.write_text(json.dumps([state(sold("mug", 3), paid=True), state(sold("cup", 9), number="2042")]))

    said = holdfast("order", "apply", str(file))
    again = holdfast("order", "apply", str(file), "--json").json
    shown = holdfast("order", "show", "2042", "--json").json

    assert "Order 2041: paid, 3 units sold." in said.out
    assert "Order 2042: open, 5 units reserved, 4 units waiting." in said.out
    assert [row["applied"] for row in again] == [True, True]
    assert world.units("mug") == Units(2, 0, 3)
    assert shown["lines"][0]["line_id"] == "1"
    assert shown["lines"][0]["promises"][0]["waiting"] == 4
    assert shown["incidents"][0]["units"] == 4
    told = holdfast("order", "show", "2042").out
    assert "Short of 4 units of cup: who sold them had never been told a number" in told


def test_a_dry_run_shows_the_documents_and_books_nothing(
    holdfast: Holdfast, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.stocked("mug", units=2)
    world.do(Hold("cart", {world.item("mug"): 1}, FAR_OFF))
    before = world.ask("SELECT * FROM sales_balance"), world.documents()
    monkeypatch.setattr("sys.stdin", _Typed(json.dumps(state(sold("mug", 3), paid=True, takes=["cart"]))))

    said = holdfast("order", "apply", "-", "--dry-run")

    assert said.code == 0
    assert "reservation for order 2041 (took over hold cart)" in said.out
    assert "sales: 1 mug free of Shared -> reserved of Shared" in said.out
    assert "Order 2041 would be short of 1 unit of mug." in said.out
    assert said.out.endswith("Nothing was booked.\n")
    assert (world.ask("SELECT * FROM sales_balance"), world.documents()) == before
    assert world.ask("SELECT 1 FROM store_order") == []


def test_a_dry_run_of_a_known_state_says_so(holdfast: Holdfast, world: World, tmp_path: Path) -> None:
    world.stocked("mug", units=2)
    file = tmp_path / "order.json"
    file.write_text(json.dumps(state(sold("mug", 1), version=3)))
    holdfast("order", "apply", str(file))

    said = holdfast("order", "apply", str(file), "--dry-run")

    assert "Order 2041: this state is booked already, version 3." in said.out
    assert "Nothing would change" in said.out


def test_a_list_shows_the_orders_that_want_attention(holdfast: Holdfast, world: World) -> None:
    store = world.stocked("mug", units=3)
    world.hear(store, order(line("mug", 1), external_id="1", paid=True))
    world.hear(store, order(line("mug", 1), external_id="2"))
    world.hear(store, order(line("mug", 4), external_id="3", paid=True))
    world.hear(store, order(line("tray", 1), external_id="4"))
    world.hear(store, order(line("mug", 1, cancelled=1), external_id="5"))

    def numbers(*options: str) -> list[str]:
        return [row["number"] for row in holdfast("order", "list", *options, "--json").json]

    assert sorted(numbers()) == ["#1", "#2", "#3", "#4", "#5"]
    assert numbers("--waiting") == ["#3"]
    assert numbers("--held") == ["#4"]
    assert numbers("--unpaid") == ["#2"]
    assert len(numbers("--last", "2")) == 2
    assert "#3" in holdfast("order", "list", "--waiting").out
    assert holdfast("order", "list", "--waiting", "--held").code == 2


def test_an_order_is_found_by_number_and_id_and_told_apart_by_store(holdfast: Holdfast, world: World) -> None:
    first = world.stocked("mug", units=3)
    second = world.store("Market")
    world.listings(second, "mug", shown=3)
    for store in (first, second):
        world.hear(store, order(line("mug", 1), external_id="77"))

    both = holdfast("order", "show", "77")
    one = holdfast("order", "show", "#77", "--store", "market", "--json").json

    assert both.code == 1
    assert "2 orders are called 77" in both.err
    assert one["store"] == "Market"
    assert holdfast("order", "show", "78").err.startswith("holdfast: no order 78 is known")


def test_a_viewer_may_look_and_not_tell(holdfast: Holdfast, world: World, tmp_path: Path) -> None:
    world.stocked("mug", units=3)
    holdfast("user", "add", "viewer@shop.example", "--role", "viewer")
    file = tmp_path / "order.json"
    file.write_text(json.dumps(state(sold("mug", 1))))

    told = holdfast("order", "apply", str(file), "--as", "viewer@shop.example")
    looked = holdfast("order", "list", "--as", "viewer@shop.example")

    assert "lacks the right order.change" in told.err
    assert looked.code == 0
    assert world.units("mug") == Units(3)


def test_a_file_that_is_not_there_is_said_in_one_line(holdfast: Holdfast, world: World, tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    for name in ("nothing.json", "bytes", ""):
        said = holdfast("order", "apply", str(tmp_path / name))
        assert said.code == 1
        assert len(said.err.splitlines()) == 1


class _Typed:
    """What somebody types into a command."""

    def __init__(self, words: str) -> None:
        self._words = words

    def read(self, most: int) -> str:
        return self._words[:most]
