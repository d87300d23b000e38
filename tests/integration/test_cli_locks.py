"""``holdfast lock`` on a real database."""

from datetime import timedelta
from pathlib import Path

import pytest

from core.access.rights import Right, Role
from core.sales.lock_floors import floor_key
from core.sales.locks import ExpireLock
from core.transaction import Database
from tests.builders import Clock, Units, World, line, order
from tests.integration.command_line import Holdfast
from tests.integration.lock_acts import do, lock, named, pool, row, shared

PLANNER, BUYER, OWNER = "planner@example.com", "buyer@example.com", "owner@example.com"


@pytest.fixture
def people(holdfast: Holdfast) -> None:
    for email, role in ((OWNER, "owner"), (PLANNER, "planner"), (BUYER, "warehouse")):
        holdfast("user", "add", email, "--role", role)


def test_a_lock_is_asked_for_approved_shown_and_released(holdfast: Holdfast, world: World, people: None) -> None:
    world.stocked("MUG", units=10)
    asked = holdfast("lock", "request", "fair", "mug", "12", "--owner", "trade fairs", "--as", BUYER)
    assert asked.out == "Lock fair is requested; `holdfast lock approve fair` moves its units.\n"
    tried = holdfast("lock", "approve", "fair", "--dry-run", "--as", PLANNER)
    assert tried.out == "10 units would be set apart. Lock fair would be active and would wait for 2 units.\n"
    assert row(world, "fair").status == "requested"
    approved = holdfast("lock", "approve", "fair", "--as", PLANNER)
    assert approved.out == "10 units set apart. Lock fair is active and waits for 2 units.\n"
    shown = holdfast("lock", "show", "fair")
    assert f"Requested by {BUYER}" in shown.out
    assert f"decided by {PLANNER}" in shown.out
    assert "Waits for 2 units; it is filled when units come free." in shown.out
    part = holdfast("lock", "release", "fair", "5", "--reason", "smaller stand")
    assert part.out == "3 units given back. Lock fair is active.\n"
    closed = holdfast("lock", "release", "fair", "--all", "--yes", "--json").json
    assert closed == {"key": "fair", "status": "closed", "units": -7, "waiting": 0, "dry_run": False}
    assert shared(world, "MUG") == Units(10)
    acts = [act["act"] for act in holdfast("log", "--json").json]
    assert acts[:4] == ["lock.release", "lock.release", "lock.approve", "lock.request"]


def test_who_asked_may_not_approve_unless_an_owner(holdfast: Holdfast, world: World, people: None) -> None:
    world.stocked("MUG", units=10)
    holdfast("lock", "request", "fair", "MUG", "4", "--as", PLANNER)
    refused = holdfast("lock", "approve", "fair", "--as", PLANNER)
    assert (refused.code, refused.out) == (1, "")
    assert "who asked for lock fair does not decide on it" in refused.err
    assert holdfast("lock", "request", "own", "MUG", "4", "--approve", "--as", PLANNER).code == 1
    assert row(world, "own").status == "requested"
    assert holdfast("lock", "request", "boss", "MUG", "4", "--approve", "--as", OWNER).code == 0
    assert pool(world, "boss") == Units(4)
    assert "is refused." in holdfast("lock", "refuse", "fair", "--reason", "no", "--as", OWNER).out


# Each command with the right that it asks for, and a role that lacks it.
ASKED = [
    (("lock", "request", "x", "MUG", "1"), Right.LOCK_REQUEST, Role.VIEWER),
    (("lock", "request", "x", "MUG", "1", "--approve"), Right.LOCK_DECIDE, Role.WAREHOUSE),
    (("lock", "approve", "asked"), Right.LOCK_DECIDE, Role.WAREHOUSE),
    (("lock", "refuse", "asked"), Right.LOCK_DECIDE, Role.WAREHOUSE),
    (("lock", "release", "fair", "1"), Right.LOCK_CHANGE, Role.WAREHOUSE),
    (("lock", "consume", "fair", "1"), Right.LOCK_CHANGE, Role.WAREHOUSE),
    (("lock", "change", "fair", "--quantity", "2"), Right.LOCK_CHANGE, Role.WAREHOUSE),
    (("lock", "migrate", "fair", "other"), Right.LOCK_CHANGE, Role.WAREHOUSE),
    (("lock", "floor", "Main street", "MUG", "2"), Right.LOCK_DECIDE, Role.WAREHOUSE),
    (("lock", "limit", "--everybody", "--units", "2"), Right.USER_MANAGE, Role.PLANNER),
]


@pytest.mark.parametrize(("command", "right", "role"), ASKED, ids=lambda value: str(value).replace("'", ""))
def test_a_refusal_names_the_right_and_changes_nothing(
    holdfast: Holdfast, world: World, command: tuple[str, ...], right: Right, role: Role
) -> None:
    world.stocked("MUG", units=10)
    lock(world, "fair", "MUG", 4)
    holdfast("lock", "request", "asked", "MUG", "1")
    holdfast("user", "add", "somebody@example.com", "--role", role)
    before = everything(world)

    said = holdfast(*command, "--as", "somebody@example.com")

    assert (said.code, said.out) == (1, "")
    assert f"lacks the right {right}" in said.err
    assert everything(world) == before


def everything(world: World) -> list[object]:
    return [
        world.ask("SELECT key, status, quantity, waiting FROM lock ORDER BY key"),
        world.ask("SELECT * FROM lock_limit"), world.documents(), world.scalar("SELECT count(*) FROM act_log"),
    ]  # fmt: skip


@pytest.mark.parametrize("command", [("list",), ("show", "fair"), ("report",), ("history", "fair"), ("limit",)])
def test_a_viewer_may_look(holdfast: Holdfast, world: World, command: tuple[str, ...]) -> None:
    world.stocked("MUG", units=10)
    lock(world, "fair", "MUG", 4)
    holdfast("user", "add", "somebody@example.com", "--role", "viewer")
    assert holdfast("lock", *command, "--as", "somebody@example.com").code == 0
    assert holdfast("lock", *command, "--json", "--as", "somebody@example.com").json is not None


def test_a_dry_run_changes_nothing_and_says_what_would(holdfast: Holdfast, world: World) -> None:
    store = world.stocked("MUG", units=10)
    lock(world, "fair", "MUG", 6)
    lock(world, "other", "MUG", 1)
    do(world, named(world, "fair", 2, sku="MUG"))
    before = everything(world)
    released = holdfast("lock", "release", "fair", "--all", "--dry-run")
    migrated = holdfast("lock", "migrate", "fair", "other", "--dry-run")
    changed = holdfast("lock", "change", "fair", "--quantity", "20", "--dry-run")
    floored = holdfast("lock", "floor", "Main street", "MUG", "3", "--dry-run", "--json").json
    assert released.out == (
        "4 units would be given back. Lock fair would be closed. Orders keep 2 units of it until they ship or are "
        "released.\n"
    )
    assert migrated.out == "4 free units, 2 units of orders would go from fair to other. Lock fair would be closed.\n"
    assert changed.out == "3 units would be set apart. Lock fair would be active and would wait for 11 units.\n"
    assert floored == {"key": floor_key(store, world.item("MUG")), "status": "active", "units": 3, "waiting": 0,
                       "dry_run": True}  # fmt: skip
    assert everything(world) == before


def test_closing_a_lock_asks_first(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=10)
    lock(world, "fair", "MUG", 6)
    said = holdfast("lock", "release", "fair", "--all")
    assert (said.code, row(world, "fair").status) == (1, "active")
    assert "repeat the command with --yes" in said.err


def test_a_lock_migrates_with_its_promises_and_makes_its_successor(holdfast: Holdfast, world: World) -> None:
    store = world.stocked("MUG", units=10)
    lock(world, "fair", "MUG", 6, owner="fairs")
    do(world, named(world, "fair", 2, sku="MUG"))
    said = holdfast("lock", "migrate", "fair", "web", "--type", "channel", "--store", "Main street")
    assert said.out == "4 free units, 2 units of orders went from fair to web. Lock fair is closed.\n"
    assert (row(world, "web").store_id, row(world, "web").owner, pool(world, "web")) == (store, "fairs", Units(4, 2))
    told = holdfast("lock", "history", "fair")
    assert "fair migrated to web." in told.out
    again = holdfast("lock", "migrate", "fair", "web", "--json").json
    assert (again["status"], again["promised"]) == ("closed", 0)
    terms = holdfast("lock", "migrate", "web", "fair", "--type", "business")
    assert (terms.code, "there is a lock fair already" in terms.err) == (2, True)


def test_the_history_tells_what_was_requested_and_what_it_became(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=90)
    holdfast("lock", "request", "fair", "MUG", "30", "--approve")
    holdfast("lock", "change", "fair", "--quantity", "55", "--until", "2090-03-01")

    told = holdfast("lock", "history", "fair").out

    assert "requested: 30 units of MUG" in told
    assert "changed: quantity 55, ends 2090-03-01 24:00" in told
    assert "30 free of Shared -> free of lock/fair" in told
    assert "Ends 2090-03-01 24:00" in holdfast("lock", "show", "fair").out


def test_a_lock_that_took_more_in_tells_its_own_request_too(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=90)
    holdfast("lock", "request", "fair", "MUG", "30", "--approve")
    holdfast("lock", "request", "web", "MUG", "5", "--approve")
    holdfast("lock", "migrate", "fair", "web", "10")
    holdfast("lock", "migrate", "fair", "made", "1")

    told = [(one["lock"], one["what"]) for one in holdfast("lock", "history", "web", "--json").json["events"]]
    made = [(one["lock"], one["what"]) for one in holdfast("lock", "history", "made", "--json").json["events"]]

    assert {("fair", "requested: 30 units of MUG"), ("web", "requested: 5 units of MUG"), ("web", "approved")} < {*told}
    assert [lock for lock, what in made if what.startswith(("requested", "approved"))] == ["fair", "fair"]


def test_a_request_that_is_repeated_asks_for_no_approval_that_was_given(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=9)
    assert "`holdfast lock approve fair`" in holdfast("lock", "request", "fair", "MUG", "3").out
    holdfast("lock", "approve", "fair")

    assert holdfast("lock", "request", "fair", "MUG", "3").out == "Lock fair is active.\n"


def test_a_hold_of_another_item_is_not_told_to_raise_the_lock(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", "CUP", units=9)
    holdfast("lock", "request", "fair", "MUG", "3", "--overflow", "no", "--approve")

    said = holdfast("reserve", "make", "h", "CUP=1", "--lock", "fair")

    assert (said.code, "lock fair is for another item or grade" in said.err) == (1, True)


def test_the_history_of_a_lock_from_a_file_tells_what_the_file_requested(
    holdfast: Holdfast, world: World, tmp_path: Path
) -> None:
    world.stocked("MUG", units=90)
    path = tmp_path / "locks.csv"
    path.write_text("key,sku,quantity\nfair,MUG,3\n")
    assert holdfast("import", "locks", str(path), "--approve").code == 0
    holdfast("lock", "change", "fair", "--quantity", "5")

    told = holdfast("lock", "history", "fair").out

    assert "requested: 3 units of MUG" in told
    assert "changed: quantity 5" in told


def test_times_are_read_in_the_merchants_zone(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=10)
    assert holdfast("lock", "request", "fair", "MUG", "4", "--from", "2090-06-01", "--until", "2090-06-02").code == 0
    kept = row(world, "fair")
    assert f"{kept.starts_at:%d %H:%M}" == "31 22:00"
    assert kept.expires_at - kept.starts_at == timedelta(days=2)
    assert "begins 2090-06-01 00:00" not in holdfast("lock", "list").out
    holdfast("lock", "approve", "fair")
    assert "begins 2090-06-01 00:00" in holdfast("lock", "list").out
    for wrong in ("yesterday", "2001-01-01", "0d"):
        assert holdfast("lock", "request", "x", "MUG", "4", "--until", wrong).code == 2


def test_a_change_without_a_change_is_not_understood(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=10)
    lock(world, "fair", "MUG", 4)
    for command in (("change", "fair"), ("change", "fair", "--until", "3d", "--no-end"), ("release", "fair"),
                    ("release", "fair", "2", "--all"), ("floor", "Main street", "MUG"), ("limit", "--units", "3"),
                    ("limit", "--everybody", "--off", "--units", "3")):  # fmt: skip
        assert holdfast("lock", *command).code == 2, command


def test_a_repeated_reference_does_no_more(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=10)
    lock(world, "fair", "MUG", 8)
    first = holdfast("lock", "release", "fair", "3", "--ref", "r1", "--json").json
    assert holdfast("lock", "release", "fair", "3", "--ref", "r1", "--json").json == first
    assert pool(world, "fair") == Units(5)


def test_limits_are_set_kept_to_and_shown(holdfast: Holdfast, world: World, people: None) -> None:
    world.stocked("MUG", units=100)
    assert "No limit" in holdfast("lock", "limit").out
    assert holdfast("lock", "limit", "--everybody", "--share", "30").out == "Everybody: 30 % of an item.\n"
    holdfast("lock", "limit", BUYER.upper(), "--units", "10", "--days", "30", "--as", OWNER)
    shown = holdfast("lock", "limit").out
    assert "everybody else" in shown
    assert f"{BUYER}" in shown
    assert "10 units a lock, 30 days" in shown
    too_many = holdfast("lock", "request", "a", "MUG", "11", "--until", "3d", "--as", BUYER)
    assert "a lock of this requester may have 10" in too_many.err
    assert holdfast("lock", "request", "a", "MUG", "10", "--until", "3d", "--as", BUYER).code == 0
    assert "30 % of the 100" in holdfast("lock", "request", "b", "MUG", "31", "--as", PLANNER).err
    assert holdfast("lock", "request", "b", "MUG", "31", "--as", OWNER).code == 0
    assert holdfast("lock", "limit", BUYER, "--off").out == f"{BUYER}: no limit of their own.\n"
    assert "no user and no API key nobody" in holdfast("lock", "limit", "nobody", "--units", "1").err


def test_a_floor_is_set_twice_and_given_up(holdfast: Holdfast, world: World) -> None:
    store = world.stocked("MUG", units=10)
    first = holdfast("lock", "floor", "Main street", "mug", "4")
    assert "4 units set apart." in first.out
    assert holdfast("lock", "floor", "Main street", "MUG", "4", "--json").json["units"] == 0
    world.hear(store, order(line("MUG", 3), paid=True))
    assert pool(world, floor_key(store, world.item("MUG"))) == Units(4, 0, 3)
    assert "floor, Main street" in holdfast("lock", "list").out
    assert "4 units given back." in holdfast("lock", "floor", "Main street", "MUG", "--off").out


def test_a_floor_is_called_by_its_item_and_store(holdfast: Holdfast, world: World) -> None:
    store = world.stocked("MUG", units=3)
    key = floor_key(store, world.item("MUG"))
    told = holdfast("lock", "floor", "Main street", "MUG", "4")
    for said in (
        told, holdfast("lock", "list"), holdfast("lock", "show", key), holdfast("lock", "report"),
        holdfast("lock", "history", key), holdfast("lock", "change", key, "--priority", "3"),
        holdfast("stock", "show", "MUG"),
    ):  # fmt: skip
        assert ("floor of MUG for Main street" in said.out, key in said.out) == (True, False), said.out
    assert [one["key"] for one in holdfast("lock", "list", "--json").json] == [key]
    holdfast("item", "add", "PLATE")
    refused = holdfast("bundle", "set", "MUG", "PLATE=1").err
    assert ("cannot become a bundle" in refused, key in refused) == (True, False)
    assert told.out == "3 units set apart. The floor of MUG for Main street is active and waits for 1 unit.\n"


def test_a_lock_that_has_ended_says_when_and_what_can_be_done(holdfast: Holdfast, world: World, db: Database) -> None:
    clock = Clock()
    clock.now -= timedelta(days=10)
    db.clock = clock
    world.stocked("MUG", units=5)
    lock(world, "soon", "MUG", 4, expires_at=clock.now + timedelta(days=8))
    clock.pass_(timedelta(days=9).total_seconds())
    overdue = holdfast("lock", "show", "soon")
    assert "Its end has come: its free units are given back within minutes." in overdue.out
    world.do(ExpireLock("soon"))
    ended = holdfast("lock", "show", "soon")
    assert "Ended 20" in ended.out
    assert "Ends" not in ended.out
    assert "Has ended: `holdfast lock request KEY MUG 4` asks for its units again, under another key." in ended.out
    assert "extends it" not in overdue.out + ended.out


def test_a_migration_is_not_reversed_but_migrated_back(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=10)
    lock(world, "fair", "MUG", 4)
    lock(world, "expo", "MUG", 1)
    assert holdfast("lock", "migrate", "fair", "expo", "2").code == 0
    document = world.scalar("SELECT id FROM document WHERE merchant_id = :merchant_id AND kind = 'migration'")
    refused = holdfast("stock", "reverse", str(document), "--reason", "by mistake")
    assert "is a migration, which is not reversed: migrate them back: `holdfast lock migrate`" in refused.err


def test_a_pure_lock_is_consumed(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=10)
    holdfast("lock", "request", "load", "MUG", "6", "--warehouse", "main", "--pure", "--approve")
    assert "pure in MAIN" in holdfast("lock", "list").out
    tried = holdfast("lock", "consume", "load", "1", "--dry-run").out
    assert tried == "1 unit would be taken out and on sale again: no order was named. Lock load would be active.\n"
    taken = "4 units taken out and on sale again: no order was named. Lock load is active.\n"
    assert [holdfast("lock", "consume", "load", "4", "--ref", "truck-7").out for _ in "12"] == [taken] * 2
    assert shared(world, "MUG") == Units(8)
    assert "there is no warehouse 'B'" in holdfast("lock", "request", "b", "MUG", "6", "--warehouse", "B").err


def test_a_lock_nobody_knows_is_refused_with_names_that_are_alike(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=10)
    lock(world, "fairground", "MUG", 1)
    assert "did you mean fairground?" in holdfast("lock", "show", "Fair").err
    for command in (("approve", "x"), ("refuse", "x"), ("release", "x", "--all", "--yes"), ("consume", "x", "1"),
                    ("change", "x", "--priority", "1"), ("migrate", "x", "fairground"), ("history", "x")):  # fmt: skip
        said = holdfast("lock", *command)
        assert (said.code, "there is no lock x" in said.err) == (1, True), command
    assert world.scalar("SELECT count(*) FROM lock") == 1
    assert holdfast("lock", "request", "x", "MUG", "1").code == 0


def test_keys_that_differ_by_case_alone_are_one_too_many(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=10)
    lock(world, "SUMMER", "MUG", 1)
    for command in (("request", "summer", "MUG", "1"), ("migrate", "SUMMER", "Summer")):
        assert "there is a lock SUMMER already" in holdfast("lock", *command).err
    assert holdfast("lock", "list", "--all", "--json").json[0]["key"] == "SUMMER"
    lock(world, "summer", "MUG", 1)  # as books from before this was refused may have it
    assert holdfast("lock", "release", "summer", "1").code == 0


def test_the_list_is_narrowed_to_an_item_or_a_store(holdfast: Holdfast, world: World) -> None:
    store = world.stocked("MUG", "CUP", units=10)
    lock(world, "mugs", "MUG", 1, type="channel", store_id=store)
    lock(world, "cups", "CUP", 1)
    assert "No lock" not in holdfast("lock", "list").out
    assert [one["key"] for one in holdfast("lock", "list", "--sku", "cup", "--json").json] == ["cups"]
    assert [one["key"] for one in holdfast("lock", "list", "--store", "Main street", "--json").json] == ["mugs"]
    holdfast("lock", "release", "cups", "--all", "--yes")
    assert [one["key"] for one in holdfast("lock", "list", "--json").json] == ["mugs"]
    assert {one["key"] for one in holdfast("lock", "list", "--all", "--json").json} == {"mugs", "cups"}


def test_the_report_tells_age_fill_idle_units_ends_and_what_is_used_up(
    holdfast: Holdfast, world: World, db: Database
) -> None:
    clock = Clock()
    clock.now -= timedelta(days=10)
    db.clock = clock
    world.stocked("MUG", "CUP", units=10)
    lock(world, "idle", "MUG", 4)
    lock(world, "waits", "MUG", 12)
    lock(world, "ends", "CUP", 1, expires_at=clock.now + timedelta(days=12))
    lock(world, "used", "CUP", 2)
    do(world, named(world, "used", 2, sku="CUP"))
    clock.pass_(timedelta(days=10).total_seconds())
    world.receive("MUG", 3)
    told = {line["lock"]["key"]: line for line in holdfast("lock", "report", "--json").json["lines"]}
    assert {key: line["age_days"] for key, line in told.items()} == dict.fromkeys(told, 10)
    assert {key: line["fill"] for key, line in told.items()} == {"idle": 100, "waits": 75, "ends": 100, "used": 100}
    assert {key: line["idle"] for key, line in told.items()} == {"idle": 4, "waits": 0, "ends": 1, "used": 0}
    assert [key for key, line in told.items() if line["used_up"]] == ["used"]
    assert [key for key, line in told.items() if line["ends_in_days"] is not None] == ["ends"]
    said = holdfast("lock", "report").out
    assert "14 free, 5 of them idle; 2 promised; 3 waited for." in said
    assert "idle 4 units unmoved for 7 days: `holdfast lock release idle 4`" in said
    assert "used used up: `holdfast lock release used --all` closes it" in said
    assert "ends ends in 1 days" in said or "ends ends in 2 days" in said
    assert "idle 4 units" not in holdfast("lock", "report", "--idle-days", "11").out
