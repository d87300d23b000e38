"""Orders, holds, rules and the log as people read them: one word for one state, and the merchant's clock."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from core.errors import NotFound
from core.orders import own
from core.zones import zone_of
from tests.builders import World, line, order
from tests.integration import lock_acts
from tests.integration.command_line import Holdfast
from tests.integration.fulfilment_acts import dispatch

SECOND = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


@pytest.fixture
def kathmandu(world: World) -> World:
    """Its clock differs from UTC by a quarter of an hour, too."""
    world.tell("UPDATE merchant SET time_zone = 'Asia/Kathmandu' WHERE id = :merchant_id")
    return world


def own_order(*lines: dict[str, object], **told: object) -> dict[str, object]:
    return {"number": "2041", "placed_at": "2026-01-01T10:00:00Z", "lines": list(lines), **told}


def mug(units: int, line_id: str = "1", sku: str = "MUG") -> dict[str, object]:
    return {"line_id": line_id, "sku": sku, "quantity": units}


def applied(holdfast: Holdfast, folder: Path, *orders: dict[str, object], options: tuple[str, ...] = ()) -> str:
    file = folder / "orders.json"
    file.write_text(json.dumps(list(orders)))
    said = holdfast("order", "apply", str(file), *options)
    return said.out or said.err


def test_reserved_sold_and_allocated_units_are_told_apart(holdfast: Holdfast, world: World) -> None:
    store = world.stocked("MUG", units=5)
    world.hear(store, order(line("MUG", 2), external_id="1001"))
    world.hear(store, order(line("MUG", 4), external_id="1002", paid=True))
    dispatch(world, "1002")

    rows = {one["number"]: one for one in holdfast("order", "list", "--json").json}
    assert [rows["#1001"][name] for name in ("live", "reserved", "sold", "allocated", "waiting")] == [2, 2, 0, 0, 0]
    assert [rows["#1002"][name] for name in ("live", "reserved", "sold", "allocated", "waiting")] == [3, 0, 3, 3, 1]
    heading = holdfast("order", "list").out.splitlines()[0].split()
    assert heading[5:10] == ["waiting", "reserved", "sold", "allocated", "shipped"]
    (promised,) = holdfast("order", "show", "1002", "--json").json["lines"][0]["promises"]
    assert [promised[name] for name in ("live", "reserved", "sold", "allocated")] == [3, 0, 3, 3]
    shown = holdfast("order", "show", "1002").out.splitlines()
    assert shown[1].split()[-5:] == ["waiting", "reserved", "sold", "allocated", "shipped"]
    assert shown[2].split()[-5:] == ["1", "0", "3", "3", "0"]


def test_a_state_is_said_once(holdfast: Holdfast, world: World, tmp_path: Path) -> None:
    world.stocked("MUG", units=5)

    assert applied(holdfast, tmp_path, own_order(holds=False)) == "Order 2041: holds nothing.\n"
    assert applied(holdfast, tmp_path, own_order(mug(2), paid=True)) == "Order 2041: paid, 2 units sold.\n"
    assert "own shop: paid, placed" in holdfast("order", "show", "2041").out
    assert applied(holdfast, tmp_path, own_order(mug(2), number="9")) == "Order 9: open, 2 units reserved.\n"
    assert "own shop: open, not paid, placed" in holdfast("order", "show", "9").out


def test_the_very_state_that_is_booked_is_told_apart_from_an_older_one(
    holdfast: Holdfast, world: World, tmp_path: Path
) -> None:
    world.stocked("MUG", units=5)
    applied(holdfast, tmp_path, own_order(mug(2), version=7))

    this, older = own_order(mug(2), version=7), own_order(mug(2), version=6)
    for options in ((), ("--dry-run",)):
        assert "Order 2041: this state is booked already, version 7." in applied(
            holdfast, tmp_path, this, options=options
        )
        assert "Order 2041: a newer state is booked already, version 7." in applied(
            holdfast, tmp_path, older, options=options
        )


def test_an_unknown_sku_is_told_with_its_order_and_line(holdfast: Holdfast, world: World, tmp_path: Path) -> None:
    world.stocked("MUG", units=5)

    told = applied(holdfast, tmp_path, own_order(mug(1)), own_order(mug(1), mug(1, "2", "NOPE"), number="2042"))

    assert "order 2042 line 2: no item has SKU NOPE" in told
    assert world.documents().count("reservation") == 0


def test_only_the_first_of_many_unknown_lines_are_named(world: World) -> None:
    told = [own_order(*(mug(1, str(n), f"X{n}") for n in range(30)))]

    with world.db.begin(1, actor="test") as tx, pytest.raises(NotFound, match=r"line 4 and 25 more: no item has"):
        own.commands(tx, own.read(json.dumps(told)))


def test_how_units_went_short_is_told_on_the_merchants_clock(holdfast: Holdfast, kathmandu: World) -> None:
    store = kathmandu.stocked("MUG", units=1)
    kathmandu.hear(store, order(line("MUG", 3), paid=True, placed_at=datetime(2026, 1, 1, 10, 0, 0, 5, UTC)))

    shown = holdfast("order", "show", "1001").out

    assert "Short of 2 units of MUG: who sold them had never been told a number\n" in shown
    assert "    2026-01-01 15:45:00  Main street sold order #1001\n" in shown
    assert "+00:00" not in shown


def test_an_older_hold_that_gave_way_is_named(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=5)
    holdfast("reserve", "make", "l3", "MUG=4", "--holder", "c-1")
    holdfast("reserve", "make", "other", "MUG=1", "--holder", "c-2")

    told = holdfast("reserve", "make", "l4", "MUG=3", "--holder", "c-1").out
    again = holdfast("reserve", "make", "l5", "MUG=4", "--holder", "c-1", "--json").json

    assert "Hold l3 of the same holder gave way to it, and has ended.\n" in told
    assert again["gave_way"] == ["l4"]
    assert holdfast("reserve", "make", "l6", "MUG=1", "--holder", "c-3", "--best-effort").code != 0
    assert holdfast("reserve", "show", "l3", "--json").json["state"] == "ended"


def test_a_hold_that_leaves_room_makes_nobody_give_way(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=5)
    holdfast("reserve", "make", "l3", "MUG=2", "--holder", "c-1")

    assert holdfast("reserve", "make", "l4", "MUG=3", "--holder", "c-1", "--json").json["gave_way"] == []


def test_the_log_says_what_was_done_in_words(holdfast: Holdfast, kathmandu: World) -> None:
    kathmandu.stocked("MUG", units=9)
    lock_acts.lock(kathmandu, "fair", "MUG", 3)
    holdfast("lock", "release", "fair", "1", "--reason", "enough")
    listing = kathmandu.scalar("SELECT external_id FROM listing")
    holdfast("rule", "set", "buffer=2", "--store", "Main street", "--listing", str(listing))
    holdfast("reserve", "make", "cart", "MUG=1")
    holdfast("reserve", "extend", "cart", "--ttl", "1h")

    rows = holdfast("log").out.splitlines()

    assert rows[0].startswith("when (Asia/Kathmandu)")
    text = "\n".join(rows)
    assert "  fair  " in text
    assert f"  Main street {listing}  " in text
    assert not re.search(r"lock:\d|listing:\d|[{}\[\]]|\+00:00|None", text)
    assert re.search(rf"until {SECOND}", text)


def test_what_a_rule_was_is_told_on_the_merchants_clock(holdfast: Holdfast, kathmandu: World) -> None:
    kathmandu.store()
    holdfast("rule", "set", "buffer=2", "--store", "Main street")
    (at,) = [datetime.fromisoformat(one["changed_at"]) for one in holdfast("rule", "history", "--json").json]

    shown = holdfast("rule", "history").out

    assert "UTC" not in shown
    assert f"{at.astimezone(_zone(kathmandu)):%Y-%m-%d %H:%M:%S}" in shown


def test_stocktakes_and_what_is_held_back_are_told_to_the_second(holdfast: Holdfast, kathmandu: World) -> None:
    kathmandu.stocked("MUG", units=5)
    number = holdfast("count", "start", "S-1", "--at", "MAIN", "--json").json["number"]
    holdfast("apart", "hold", "MUG", "2", "--reason", "wet")
    record = kathmandu.scalar("SELECT id FROM set_apart")

    count = holdfast("count", "show", number).out
    apart = holdfast("apart", "show", str(record)).out

    opened = holdfast("count", "show", number, "--json").json["history"][0]["at"]
    assert f"{datetime.fromisoformat(opened).astimezone(_zone(kathmandu)):%Y-%m-%d %H:%M:%S}\n" in count
    since = datetime.fromisoformat(holdfast("apart", "show", str(record), "--json").json["since"])
    assert f"since {since.astimezone(_zone(kathmandu)):%Y-%m-%d %H:%M}," in apart
    assert "+00:00" not in count + apart


def _zone(world: World) -> ZoneInfo:
    with world.db.begin(1, actor="test") as tx:
        return zone_of(tx)
