"""The referee on a real database: it agrees with right books, and one corrupted row turns it red."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import Engine, text

from drills.referee import Delays, Verdict, judge, read_journal, read_ledger
from tests.builders import World, at, line, order
from tests.conftest import Logins

SHOP = "woocommerce"


def entry(kind: str, **facts: Any) -> Mapping[str, Any]:
    return {"at": at(0).isoformat(timespec="microseconds"), "shop": SHOP, "kind": kind, **facts}


def sold(quantity: int) -> Sequence[Mapping[str, Any]]:
    return [{"line_id": "line-MUG", "sku": "mug", "quantity": quantity}]


JOURNAL = [
    entry("opening", sku="MUG", quantity=10),
    entry("sale", order_id="1001", number="1001", reference="r", lines=sold(6)),
    entry("pay", order_id="1001"),
    entry("refund", order_id="1001", restock=True, lines=sold(1)),
    entry("fulfil", order_id="1001", lines=sold(5)),
    entry("stock_write", sku="MUG", before=5, after=5, answered_at=None),
]


def play(world: World) -> int:
    """The hub hears of the same order in four states. Returns: the store's id."""
    store = world.stocked("MUG", units=10)
    for told in (
        order(line("MUG", 6)),
        order(line("MUG", 6), paid=True),
        order(line("MUG", 6, cancelled=1), paid=True),
        order(line("MUG", 6, cancelled=1, shipped=5), paid=True),
    ):
        world.hear(store, told)
    return store


def verdict(logins: Logins, journal: Sequence[Mapping[str, Any]] = JOURNAL, shown: int = 5) -> Verdict:
    levels = {SHOP: {"mug": shown}}
    return judge(read_journal(journal), read_ledger(logins.owner), levels, Delays(one_way_s=0.0))


def test_right_books_leave_the_referee_nothing_to_say(world: World, logins: Logins) -> None:
    play(world)

    found = verdict(logins)

    assert found.findings == []
    assert (found.orders, found.order_lines, found.listings, found.listings_equal) == (1, 1, 1, 1)
    assert found.effects_applied >= 4


def test_the_application_role_sees_the_same_as_the_owner(world: World, logins: Logins) -> None:
    play(world)

    assert read_ledger(logins.app) == read_ledger(logins.owner)


def test_an_oversold_order_waits_and_its_incident_explains_it(world: World, logins: Logins) -> None:
    store = play(world)
    world.hear(store, order(line("MUG", 7), external_id="1002"))
    oversold = entry("sale", order_id="1002", number="1002", reference="r", lines=sold(7))

    found = verdict(logins, [*JOURNAL, oversold], shown=0)

    assert (found.oversold_units, found.oversold_units_unexplained) == (2, 0)
    assert found.findings == []


@pytest.mark.broken_books
@pytest.mark.parametrize(
    ("corruption", "lost", "doubled", "differs"),
    [
        ("DELETE FROM movement WHERE to_bucket = 'reserved'", True, False, True),
        ("UPDATE movement SET quantity = 7 WHERE to_bucket = 'reserved'", False, True, True),
        ("UPDATE movement SET quantity = 4 WHERE from_bucket = 'sold' AND to_bucket = 'world'", True, False, False),
        ("UPDATE movement SET quantity = 9 WHERE from_bucket = 'world' AND to_bucket = 'free'", False, False, True),
        ("UPDATE store_order SET external_id = '1002'", True, True, False),
        ("UPDATE document SET effect_key = 'the same' WHERE kind IN ('release', 'shipment')", False, True, False),
    ],
)
def test_one_corrupted_row_turns_the_referee_red(
    world: World, logins: Logins, superuser: Engine, corruption: str, lost: bool, doubled: bool, differs: bool
) -> None:
    play(world)
    with superuser.connect() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        assert connection.execute(text(corruption)).rowcount >= 1

    found = verdict(logins)

    red = (found.orders_lost > 0, found.effects_doubled > 0, found.stock_differences > 0)
    assert red == (lost, doubled, differs)
    assert found.findings


@pytest.mark.broken_books
def test_a_corrupted_balance_is_seen_on_the_shelf(world: World, logins: Logins, superuser: Engine) -> None:
    play(world)
    with superuser.connect() as connection:
        connection.execute(text("UPDATE sales_balance SET free = 4"))

    assert verdict(logins).listings_equal == 0
