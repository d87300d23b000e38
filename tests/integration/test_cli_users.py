"""``holdfast user``, ``key``, ``log`` and ``--as`` on a real database."""

import pytest

from core import catalog
from core.access.actors import as_user, by_key
from core.access.rights import RIGHTS, Right, Role
from core.errors import BadKey
from core.transaction import Database
from tests.builders import World
from tests.integration.command_line import Holdfast

OWNER, VIEWER = "owner@example.com", "viewer@example.com"


def test_users_are_added_listed_changed_and_removed(holdfast: Holdfast, db: Database) -> None:
    empty = holdfast("user", "list")
    added = holdfast("user", "add", "Owner@Example.com", "--role", "owner", "--name", "Front desk", "--json").json
    holdfast("user", "add", VIEWER, "--role", "viewer")
    changed = holdfast("user", "role", VIEWER.upper(), "operator")
    holdfast("user", "disable", VIEWER)
    listed = holdfast("user", "list", "--json").json
    shown = holdfast("user", "list").out
    holdfast("user", "enable", VIEWER)
    removed = holdfast("user", "remove", VIEWER)

    assert "holdfast user add EMAIL --role owner" in empty.out
    assert (added["email"], added["role"], added["name"], "user_id" in added) == (OWNER, "owner", "Front desk", False)
    assert changed.out == f"{VIEWER} has the role operator now (was viewer).\n"
    assert [(one["email"], one["role"], one["disabled"]) for one in listed] == [
        (OWNER, "owner", False),
        (VIEWER, "operator", True),
    ]
    assert "disabled" in shown
    assert removed.code == 0
    assert [one["email"] for one in holdfast("user", "list", "--json").json] == [OWNER]
    assert [one["email"] for one in holdfast("user", "list", "--all", "--json").json] == [OWNER, VIEWER]
    assert "removed" in holdfast("user", "list", "--all").out


def test_erasing_is_said_and_done(holdfast: Holdfast) -> None:
    holdfast("user", "add", VIEWER, "--role", "viewer")

    said = holdfast("user", "remove", VIEWER, "--erase")

    assert "and is erased" in said.out
    assert holdfast("user", "list", "--all", "--json").json == []


def test_the_last_owner_is_told_what_to_do_first(holdfast: Holdfast) -> None:
    holdfast("user", "add", OWNER, "--role", "owner")

    for said in (holdfast("user", "remove", OWNER), holdfast("user", "role", OWNER, "viewer", "--as", OWNER)):
        assert said.code == 1
        assert said.err == (
            f"holdfast: {OWNER} is the last owner; make another one first: `holdfast user role EMAIL owner`\n"
        )


@pytest.mark.parametrize(
    "arguments",
    [("user", "add", VIEWER), ("user", "add", VIEWER, "--role", "king"), ("user", "role", VIEWER, "king")],
)
def test_a_role_that_is_none_is_not_understood(holdfast: Holdfast, arguments: tuple[str, ...]) -> None:
    assert holdfast(*arguments).code == 2


def test_what_is_no_address_is_said(holdfast: Holdfast) -> None:
    said = holdfast("user", "add", "planner", "--role", "planner")

    assert (said.code, said.err) == (1, "holdfast: 'planner' is no e-mail address; write one like a@example.com\n")


def test_rights_are_shown_as_a_table_and_for_machines(holdfast: Holdfast) -> None:
    shown = holdfast("user", "rights").out.splitlines()
    told = holdfast("user", "rights", "--json").json

    assert shown[0].split() == ["right", *Role]
    assert [line.split()[0] for line in shown[1:]] == list(Right)
    assert {role: frozenset(rights) for role, rights in told.items()} == RIGHTS


# Each command of a merchant with the right that it asks for, and one role that lacks it.
ASKED = [
    (("stock", "receive", "MUG", "5"), Right.STOCK_RECEIVE, Role.VIEWER),
    (("stock", "warn", "MUG", "5"), Right.ALERT_CHANGE, Role.VIEWER),
    (("store", "add", "Berlin", "--platform", "woocommerce", "--url", "http://127.0.0.1:1"), Right.STORE_CONNECT,
     Role.PLANNER),
    (("store", "add", "Berlin", "--platform", "woocommerce", "--url", "http://127.0.0.1:1", "--opening"),
     Right.STOCK_RECEIVE, Role.OPERATOR),
    (("store", "test", "Main street"), Right.STORE_CHANGE, Role.WAREHOUSE),
    (("store", "renew", "Main street"), Right.STORE_CONNECT, Role.PLANNER),
    (("store", "pause", "Main street"), Right.STORE_CHANGE, Role.WAREHOUSE),
    (("store", "resume", "--all"), Right.STORE_CHANGE, Role.VIEWER),
    (("store", "mode", "Main street", "off"), Right.STORE_CHANGE, Role.WAREHOUSE),
    (("store", "map", "Main street", "listing-MUG", "MUG"), Right.STORE_CHANGE, Role.WAREHOUSE),
    (("sync", "Main street"), Right.SYNC_RUN, Role.WAREHOUSE),
    (("audit",), Right.AUDIT_RUN, Role.WAREHOUSE),
    (("work", "replay"), Right.SYNC_RUN, Role.VIEWER),
    (("merchant", "--name", "Other"), Right.MERCHANT_CHANGE, Role.PLANNER),
    (("user", "list"), Right.USER_MANAGE, Role.PLANNER),
    (("user", "add", "new@example.com", "--role", "owner"), Right.USER_MANAGE, Role.PLANNER),
    (("user", "role", VIEWER, "owner"), Right.USER_MANAGE, Role.VIEWER),
    (("user", "remove", VIEWER), Right.USER_MANAGE, Role.OPERATOR),
    (("user", "disable", VIEWER), Right.USER_MANAGE, Role.PLANNER),
    (("user", "enable", VIEWER), Right.USER_MANAGE, Role.PLANNER),
    (("key", "make", "mine", "--scope", "stock.view"), Right.KEY_MANAGE, Role.OPERATOR),
    (("key", "list"), Right.KEY_MANAGE, Role.PLANNER),
    (("key", "revoke", "mine"), Right.KEY_MANAGE, Role.PLANNER),
    (("log",), Right.LOG_VIEW, Role.PLANNER),
]  # fmt: skip


@pytest.mark.parametrize(("command", "right", "role"), ASKED, ids=lambda value: str(value).replace("'", ""))
def test_a_refusal_names_the_right_and_changes_nothing(
    holdfast: Holdfast, world: World, command: tuple[str, ...], right: Right, role: Role
) -> None:
    world.stocked("MUG", units=3)
    holdfast("user", "add", VIEWER, "--role", role)
    before = everything(world)

    said = holdfast(*command, "--as", VIEWER)

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"holdfast: {VIEWER} ({role}) lacks the right {right}, which comes with: owner")
    assert everything(world) == before


def everything(world: World) -> list[object]:
    """What the commands above would change."""
    tables = {
        "merchant": "name", "store": "mode || paused", "listing": "item_id", "alert_rule": "level",
        "document": "id", "member": "role || disabled", "api_key": "name", "act_log": "act", "work": "revision",
    }  # fmt: skip
    return [
        sorted(str(row[0]) for row in world.ask(f"SELECT {column} FROM {table}")) for table, column in tables.items()
    ]


@pytest.mark.parametrize(
    "command",
    [("stock", "show", "MUG"), ("store", "list"), ("store", "map", "Main street"), ("work", "list"), ("merchant",)],
)
def test_a_viewer_may_look(holdfast: Holdfast, world: World, command: tuple[str, ...]) -> None:
    world.stocked("MUG", units=3)
    holdfast("user", "add", VIEWER, "--role", "viewer")

    assert holdfast(*command, "--as", VIEWER).code == 0


def test_what_a_user_books_in_stands_under_that_user(holdfast: Holdfast, world: World, db: Database) -> None:
    world.stocked("MUG", units=3)
    holdfast("user", "add", VIEWER, "--role", "warehouse")

    holdfast("stock", "receive", "MUG", "5", "--as", "Viewer@Example.com")

    actors = world.ask("SELECT actor FROM document WHERE kind = 'receipt'")
    assert [row.actor for row in actors] == [str(as_user(db, 1, VIEWER))]
    assert VIEWER in holdfast("stock", "show", "MUG").out
    (act,) = holdfast("log", "--by", VIEWER, "--json").json
    assert (act["act"], act["what"], act["detail"]["units"]) == ("stock.receive", "MUG", 5)


def test_a_stranger_is_told_who_there_is_to_ask(holdfast: Holdfast) -> None:
    said = holdfast("store", "list", "--as", "nobody@example.com")

    assert said.code == 1
    assert "has no user nobody@example.com; `holdfast user list`" in said.err


@pytest.mark.parametrize("nobody", ["", "  "])
def test_an_empty_name_is_not_taken_for_the_shell(holdfast: Holdfast, nobody: str) -> None:
    said = holdfast("user", "list", "--as", nobody)

    assert said.code == 2
    assert "it is empty" in said.err


def test_a_key_is_shown_once_and_works(holdfast: Holdfast, db: Database) -> None:
    holdfast("user", "add", OWNER, "--role", "owner")
    made = holdfast("key", "make", "website", "--scope", "stock.view", "--scope", "hold.make", "--as", OWNER)
    key = made.out.splitlines()[0]
    until = holdfast("key", "make", "for a year", "--scope", "stock.view", "--expires-days", "365", "--json").json

    assert by_key(db, key).rights == {Right.STOCK_VIEW, Right.HOLD_MAKE}
    assert by_key(db, until["key"]).name == "for a year"
    listed = holdfast("key", "list")
    told = holdfast("key", "list", "--json").json
    assert [(one["name"], one["maker"], one["expires_at"] is None) for one in told] == [
        ("website", OWNER, True),
        ("for a year", "cli", False),
    ]
    for out in (listed.out, holdfast("key", "list", "--json").out, holdfast("log", "--json").out):
        assert key not in out
        assert key.rpartition("_")[2] not in out
    assert "works until" in listed.out


def test_a_key_revoked_works_no_more_and_its_name_can_be_used_again(holdfast: Holdfast, db: Database) -> None:
    key = holdfast("key", "make", "website", "--scope", "stock.view", "--json").json["key"]

    twice = holdfast("key", "make", "website", "--scope", "stock.view")
    holdfast("key", "revoke", "website")
    gone = holdfast("key", "revoke", "website")
    again = holdfast("key", "make", "website", "--scope", "stock.view")

    assert (twice.code, gone.code, again.code) == (1, 1, 0)
    assert "revoked" in holdfast("key", "list", "--all").out
    with pytest.raises(BadKey):
        by_key(db, key)


@pytest.mark.parametrize(
    "arguments", [(), ("--scope", "stock.steal"), ("--scope", "stock.view", "--expires-days", "0")]
)
def test_a_key_of_no_sense_is_not_understood(holdfast: Holdfast, arguments: tuple[str, ...]) -> None:
    assert holdfast("key", "make", "website", *arguments).code == 2


def test_whoever_loses_rights_is_said_to_have_made_keys_that_still_work(holdfast: Holdfast) -> None:
    holdfast("user", "add", OWNER, "--role", "owner")
    holdfast("user", "add", "second@example.com", "--role", "owner")
    holdfast("key", "make", "website", "--scope", "stock.view", "--as", OWNER)

    for change in (("disable", OWNER), ("role", OWNER, "viewer"), ("remove", OWNER)):
        assert "still work: website; `holdfast key revoke NAME`" in holdfast("user", *change).out
    holdfast("key", "revoke", "website")
    assert "still work" not in holdfast("user", "remove", OWNER, "--erase").out


def test_the_log_says_who_did_what(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=3)
    empty = holdfast("log")
    holdfast("user", "add", VIEWER, "--role", "operator")
    holdfast("store", "pause", "Main street", "--as", VIEWER)
    holdfast("store", "resume", "--all", "--as", VIEWER)
    holdfast("store", "mode", "Main street", "observe", "--as", VIEWER)
    holdfast("store", "map", "Main street", "listing-MUG", "MUG")
    holdfast("stock", "warn", "MUG", "2")
    holdfast("work", "replay")
    holdfast("merchant", "--email", "stock@shop.example", "--sharing", "escrow")

    acts = [(one["who"], one["act"], one["what"]) for one in holdfast("log", "--json").json]
    by_viewer = holdfast("log", "--by", VIEWER, "--last", "2", "--as", VIEWER).out.splitlines()

    assert "Nothing was done yet" in empty.out
    assert acts == [
        ("cli", "merchant.change", "merchant:1"),
        ("cli", "work.replay", "all"),
        ("cli", "stock.warn", "MUG"),
        ("cli", "store.map", "Main street"),
        (VIEWER, "store.mode", "Main street"),
        (VIEWER, "store.resume", "Main street"),
        (VIEWER, "store.pause", "Main street"),
        ("cli", "user.add", VIEWER),
    ]
    assert len(by_viewer) == 3
    assert "was live; mode observe" in by_viewer[1]
    assert "stock@shop.example" not in holdfast("log", "--json").out
    assert len(holdfast("log", "--on", VIEWER, "--json").json) == 1


def test_the_log_of_an_erased_user_keeps_a_number(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=3)
    holdfast("user", "add", VIEWER, "--role", "operator")
    holdfast("store", "pause", "Main street", "--as", VIEWER)
    holdfast("user", "remove", VIEWER, "--erase")

    told = holdfast("log", "--json").json

    assert VIEWER not in str(told)
    assert {one["who"].partition(":")[0] for one in told} == {"cli", "user"}


def test_another_merchant_has_other_users_keys_and_acts(holdfast: Holdfast, db: Database) -> None:
    catalog.ensure_merchant(db, 2, name="Second shop")
    holdfast("user", "add", OWNER, "--role", "owner")
    holdfast("key", "make", "website", "--scope", "stock.view")

    for command in (("user", "list"), ("key", "list"), ("log",)):
        assert holdfast(*command, "--merchant", "2", "--json").json == []
    assert holdfast("user", "list", "--merchant", "2", "--as", OWNER).code == 1
    assert holdfast("key", "revoke", "website", "--merchant", "2").code == 1
