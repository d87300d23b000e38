"""``holdfast stock receive --cost``, ``stock reverse``, ``item cost`` and ``stock value``, as a merchant uses them."""

from tests.builders import World
from tests.integration.command_line import Holdfast


def test_a_receipt_says_what_its_units_cost(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=0)

    said = holdfast("stock", "receive", "MUG", "10", "--cost", "4.20", "--currency", "eur", "--key", "d1")
    told = holdfast("stock", "receive", "MUG", "5", "--cost", "5.40EUR", "--json").json
    again = holdfast("stock", "receive", "MUG", "5", "--cost", "5", "--json").json  # of the item's last currency

    assert "at 4.20 EUR each" in said.out
    assert (told["cost"], again["cost"]) == ("5.40 EUR", "5.00 EUR")
    worth = holdfast("stock", "value", "--json").json
    assert (worth["units"], worth["without_cost"], worth["value"]) == (20, 0, {"EUR": "94.00"})


def test_what_is_no_cost_is_refused_with_the_cure(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=0)

    for words, cure in (
        (("--cost", "4.20"), "--currency EUR"),
        (("--currency", "EUR"), "--cost 4.20"),
        (("--cost", "4.20EUR", "--currency", "USD"), "say one of them"),
        (("--cost", "4.205", "--currency", "EUR"), "2 digits"),
        (("--cost", "-1", "--currency", "EUR"), "no amount"),
        (("--cost", "1", "--currency", "EURO"), "three letters"),
        (("--cost", "9" * 40, "--currency", "EUR"), "no amount"),
    ):
        said = holdfast("stock", "receive", "MUG", "10", *words)
        assert said.code != 0
        assert cure in said.err

    assert world.documents() == []


def test_a_key_with_another_cost_is_another_act(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=0)
    holdfast("stock", "receive", "MUG", "10", "--cost", "4.20EUR", "--key", "d1")

    same = holdfast("stock", "receive", "MUG", "10", "--cost", "4.20EUR", "--key", "d1", "--json").json
    other = holdfast("stock", "receive", "MUG", "10", "--cost", "4.30EUR", "--key", "d1")

    assert same["repeated"]
    assert other.code == 1
    assert "choose a new key" in other.err


def test_a_receipt_reversed_takes_its_cost_back(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=0)
    holdfast("stock", "receive", "MUG", "10", "--cost", "1.00EUR")
    mistake = holdfast("stock", "receive", "MUG", "10", "--cost", "90EUR", "--json").json["document_id"]

    tried = holdfast("stock", "reverse", str(mistake), "--reason", "typo", "--dry-run")
    assert tried.code == 0
    assert holdfast("stock", "value", "--json").json["value"] == {"EUR": "910.00"}
    assert holdfast("stock", "reverse", str(mistake), "--reason", "typo").code == 0

    assert holdfast("stock", "value", "--json").json["value"] == {"EUR": "10.00"}


def test_costs_of_a_document_are_noted_once_for_each_item(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=0)
    document = holdfast("stock", "receive", "MUG", "10", "--json").json["document_id"]

    twice = holdfast("item", "cost", str(document), "MUG=1EUR", "mug=2EUR")
    noted = holdfast("item", "cost", str(document), "MUG=1EUR", "--json").json
    again = holdfast("item", "cost", str(document), "MUG=1EUR", "--json").json

    assert twice.code == 1
    assert "twice" in twice.err
    assert [one["costs"][0]["changed"] for one in (noted, again)] == [True, False]
