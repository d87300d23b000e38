"""``holdfast stock at``, ``stock card``, ``rebuild`` and ``audit`` as a person uses them."""

import pytest
from sqlalchemy import Engine, text

from tests.builders import Clock, World, line, order
from tests.integration.command_line import Holdfast


@pytest.fixture
def mug(world: World) -> int:
    """Ten mugs two hours ago, of which an order took three an hour ago. Returns the store."""
    clock = Clock()
    now, world.db.clock = clock.now, clock
    clock.pass_(-7200)
    store = world.stocked("MUG", units=10)
    clock.pass_(3600)
    world.hear(store, order(line("MUG", 3)))
    clock.now = now
    return store


def wrong(superuser: Engine) -> None:
    with superuser.connect() as connection:
        connection.execute(text("UPDATE sales_balance SET free = free + 5"))


def test_stock_at_tells_every_bucket_of_that_time(holdfast: Holdfast, mug: int) -> None:
    told = holdfast("stock", "at", "mug", "90 min ago", "--json").json
    said = holdfast("stock", "at", "MUG", "90 min ago")

    assert told["sku"] == "MUG"
    assert [(one["layer"], one["place"]) for one in told["layers"]] == [
        ("warehouse", "MAIN/DEFAULT"), ("dispatch", "MAIN"), ("sales", "Shared"),
    ]  # fmt: skip
    assert told["layers"][2]["buckets"] == {"free": 10, "reserved": 0, "sold": 0, "backordered": 0}
    assert told["stores"][0]["sentence"] == "Main street had been told no number by then."
    assert "(Europe/Berlin)" in said.out
    assert "Main street had been told no number by then." in said.out
    assert holdfast("stock", "at", "MUG", "now", "--json").json["layers"][2]["buckets"]["reserved"] == 3


def test_stock_at_says_when_there_was_nothing(holdfast: Holdfast, mug: int) -> None:
    assert "There was nothing of it anywhere." in holdfast("stock", "at", "MUG", "2020-01-01").out


def test_stock_at_does_not_understand_what_is_no_time(holdfast: Holdfast, mug: int) -> None:
    said = holdfast("stock", "at", "MUG", "soon")

    assert said.code == 2
    assert "write one like 2026-11-20T14:30" in said.err


def test_the_card_lists_documents_with_what_was_left(holdfast: Holdfast, mug: int) -> None:
    told = holdfast("stock", "card", "MUG", "--json").json
    said = holdfast("stock", "card", "MUG")

    assert [one["kind"] for one in told["documents"]] == ["reservation", "opening"]
    assert told["documents"][0]["after"][-1]["units"]["free"] == 7
    assert told["next"] is None
    assert "order #1001 of Main street" in said.out
    assert "sales: 3 free -> reserved  " in said.out
    assert "sales: free 7, reserved 3" in said.out


def test_the_card_goes_on_where_a_page_ended(holdfast: Holdfast, mug: int) -> None:
    first = holdfast("stock", "card", "MUG", "--limit", "1")
    word = first.out.split("--after ")[1].strip()
    second = holdfast("stock", "card", "MUG", "--limit", "1", "--after", word, "--json").json

    assert [one["kind"] for one in second["documents"]] == ["opening"]
    assert holdfast("stock", "card", "MUG", "--after", "page-2").code == 1


def test_the_card_of_a_time_without_documents_says_so(holdfast: Holdfast, mug: int) -> None:
    assert holdfast("stock", "card", "MUG", "--from", "30 min ago").out == "No document moved it in that time.\n"
    assert len(holdfast("stock", "card", "MUG", "--from", "90 min ago", "--json").json["documents"]) == 1


def test_a_rebuild_of_right_balances_does_nothing(holdfast: Holdfast, mug: int) -> None:
    assert holdfast("rebuild", "--dry-run").code == 0
    assert "there is nothing to rebuild" in holdfast("rebuild").out


def test_a_dry_run_shows_the_difference_and_changes_nothing(
    holdfast: Holdfast, world: World, mug: int, superuser: Engine
) -> None:
    wrong(superuser)

    said, told = holdfast("rebuild", "--dry-run"), holdfast("rebuild", "--dry-run", "--json")
    asked = holdfast("rebuild")

    assert (said.code, told.code, asked.code) == (1, 1, 1)
    assert next(one for one in said.out.splitlines() if "MUG" in one).split()[-2:] == ["12", "7"]
    (one,) = told.json["differences"]
    assert (one["sku"], one["place"], one["stored"], one["replayed"]) == ("MUG", "Shared", 12, 7)
    assert "repeat the command with --yes" in asked.err
    assert world.units("MUG").free == 12
    holdfast("rebuild", "--yes")


def test_a_rebuild_sets_right_what_differs(holdfast: Holdfast, world: World, mug: int, superuser: Engine) -> None:
    wrong(superuser)

    told = holdfast("rebuild", "--yes", "--json")

    assert (told.code, told.json["changed"], told.json["impossible"]) == (0, 1, [])
    assert world.units("MUG").free == 7
    assert holdfast("audit", "--json").json == {"violations": 0, "rows": []}


@pytest.mark.broken_books
def test_what_cannot_be_set_right_is_an_error_with_the_cure(holdfast: Holdfast, mug: int, superuser: Engine) -> None:
    with superuser.connect() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text("DELETE FROM movement WHERE layer = 'sales' AND to_bucket = 'free'"))

    said = holdfast("rebuild", "--yes")

    assert said.code == 1
    assert "book what is missing as found" in said.out


def test_an_audit_of_one_merchant_tells_its_rows(holdfast: Holdfast, mug: int, superuser: Engine) -> None:
    wrong(superuser)

    told = holdfast("audit", "--merchant", "1", "--json")

    assert told.code == 1
    assert {row["invariant"].split()[0] for row in told.json["rows"]} >= {"2", "4"}
    holdfast("rebuild", "--yes")


def test_a_viewer_may_look_at_the_past_but_not_rebuild(holdfast: Holdfast, world: World, mug: int) -> None:
    holdfast("user", "add", "eyes@shop.example", "--role", "viewer")

    assert holdfast("stock", "at", "MUG", "now", "--as", "eyes@shop.example").code == 0
    refused = holdfast("rebuild", "--dry-run", "--as", "eyes@shop.example")
    assert refused.code == 1
    assert "rebuild.run" in refused.err
