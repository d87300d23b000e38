"""``holdfast apart`` as a merchant types it."""

from core.supply.lines import Came
from tests import supply_world as sup
from tests.builders import World
from tests.integration.command_line import Holdfast


def test_units_are_held_back_looked_at_and_let_out(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=10)

    tried = holdfast("apart", "hold", "MUG", "4", "--reason", "lid comes off", "--dry-run")
    held = holdfast("apart", "hold", "MUG", "4", "--reason", "lid comes off", "--key", "h1")
    again = holdfast("apart", "hold", "MUG", "4", "--reason", "lid comes off", "--key", "h1")
    (record,) = holdfast("apart", "list", "--json").json

    assert "Only tried out" in tried.out
    assert "4 units of MUG held back" in held.out
    assert "was booked before" in again.out
    assert (record["units"], record["cause"], record["place"], record["reason"]) == (
        4, "set_apart", "MAIN/DEFAULT", "lid comes off",
    )  # fmt: skip
    number = str(record["record"])
    told = holdfast(
        "apart", "inspect", number, "--good", "2", "--minor-defect", "1", "--reason", "tried them", "--key", "i"
    )
    assert "1 unit left to look at" in told.out
    assert "was booked before" in holdfast(
        "apart", "inspect", number, "--good", "2", "--minor-defect", "1", "--reason", "tried them", "--key", "i"
    ).out  # fmt: skip
    shown = holdfast("apart", "show", number)
    assert "1 of 4 units of MUG (good) lie there since" in shown.out
    assert "inspection" in shown.out
    assert "held back: lid comes off" in shown.out
    assert world.on_hand("MUG")[1] == 1
    assert "1 unit in all" in holdfast("apart", "list", "MUG", "--at", "MAIN").out


def test_returns_wait_where_the_merchant_says_so(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=0)
    holdfast("stock", "return", "MUG", "1")
    assert world.on_hand("MUG") == (1, 0)
    assert "on sale at once" in holdfast("apart", "returns").out

    holdfast("apart", "returns", "--wait")
    waits = holdfast("stock", "return", "MUG", "3", "--reason", "RMA-12")
    holdfast("stock", "return", "MUG", "1", "--inspected")

    assert "before they are inspected" in waits.out
    assert world.on_hand("MUG") == (2, 3)
    (record,) = holdfast("apart", "list", "--to-inspect", "--json").json
    assert (record["units"], record["reason"], record["to_inspect"]) == (3, "RMA-12", True)


def test_goods_go_back_to_their_supplier(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=0)
    sup.placed(world, "PO-7", {"MUG": 10}, in_days=3)
    sup.receive(world, "PO-7", {"MUG": Came(7, 3, 0)}, "r1")
    words = ("apart", "return-to-vendor", "VR-1", "MUG=2", "--supplier", "ACME", "--order", "PO-7", "--reason")

    tried = holdfast(*words, "chipped", "--dry-run")
    went = holdfast(*words, "chipped")
    again = holdfast(*words, "chipped")
    (record,) = holdfast("apart", "list", "--json").json
    by_record = holdfast(
        "apart", "return-to-vendor", "VR-2", "--record", f"{record['record']}=1", "--supplier", "ACME",
        "--reason", "chipped", "--json",
    ).json  # fmt: skip

    assert "2 units would go back" in tried.out
    assert "2 units went back to ACME" in went.out
    assert "was booked before" in again.out
    assert (record["purchase"], record["supplier"]) == ("PO-7", "ACME")
    assert by_record["units"] == 1
    assert "Nothing lies unavailable" in holdfast("apart", "list").out


def test_words_that_mean_nothing_are_refused_with_an_example(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=1)
    sup.supplier(world)

    assert "apart list" in holdfast("apart", "inspect", "7", "--good", "1", "--reason", "x").err
    assert "apart list" in holdfast("apart", "show", str(2**63 - 1)).err
    assert holdfast("apart", "show", str(2**63)).code == 2
    back = ("apart", "return-to-vendor", "VR-1", "--supplier", "ACME", "--reason", "x")
    assert "MUG-RED=2" in holdfast(*back).err
    assert "327680=3" in holdfast(*back, "--record", "7").err
    assert "apart list" in holdfast(*back, "--record", "7=1").err
    assert "only 0 of 1 units" in holdfast(*back, "MUG=1").err
    assert "no supplier NOBODY" in holdfast(
        "apart", "return-to-vendor", "VR-1", "MUG=1", "--supplier", "NOBODY", "--reason", "x"
    ).err  # fmt: skip


def test_who_may_only_look_lets_nothing_out(world: World, holdfast: Holdfast) -> None:
    world.stocked("MUG", units=5)
    holdfast("user", "add", "eve@shop.example", "--role", "viewer")
    for words in (
        ("hold", "MUG", "1", "--reason", "x"), ("inspect", "7", "--good", "1", "--reason", "x"),
        ("return-to-vendor", "VR-1", "MUG=1", "--supplier", "ACME", "--reason", "x"), ("returns", "--wait"),
    ):  # fmt: skip
        assert "lacks the right" in holdfast("apart", *words, "--as", "eve@shop.example").err
    assert holdfast("apart", "list", "--as", "eve@shop.example").code == 0
