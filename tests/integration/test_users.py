"""Users of a merchant on a real database: who is let in, who not, and that an owner always stays."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from core import catalog
from core.access import users
from core.access.actors import Actor, ActorKind, as_user, shell
from core.access.rights import RIGHTS, Right, Role
from core.access.users import Member
from core.errors import Forbidden, NotFound, Refused
from core.transaction import Database
from tests.builders import World

OWNER, PLANNER, DESK = "owner@example.com", "planner@example.com", "desk@example.com"
SECOND = 2
CLI = shell(1)


def add(db: Database, email: str, role: Role, *, actor: Actor = CLI, name: str = "") -> Member:
    with db.begin(actor.merchant_id, actor=str(actor)) as tx:
        return users.add(tx, actor, email, role, name)


def remove(db: Database, email: str, *, actor: Actor = CLI, erase: bool = False) -> None:
    with db.begin(actor.merchant_id, actor=str(actor)) as tx:
        users.remove(tx, actor, email, erase=erase)


def change_role(db: Database, email: str, role: Role, *, actor: Actor = CLI) -> None:
    with db.begin(actor.merchant_id, actor=str(actor)) as tx:
        users.change_role(tx, actor, email, role)


def set_disabled(db: Database, email: str, disabled: bool) -> None:
    with db.begin(1, actor="cli") as tx:
        users.set_disabled(tx, CLI, email, disabled)


def found(db: Database, merchant_id: int = 1) -> dict[str, Member]:
    with db.begin(merchant_id, actor="test") as tx:
        return {one.email: one for one in users.members(tx)}


@pytest.fixture
def second(db: Database) -> Actor:
    catalog.ensure_merchant(db, SECOND, name="Second shop")
    return shell(SECOND)


def test_a_user_acts_with_the_rights_of_the_role(db: Database) -> None:
    added = add(db, PLANNER, Role.PLANNER)

    actor = as_user(db, 1, "  Planner@EXAMPLE.com ")

    assert (actor.kind, actor.name, actor.role, actor.merchant_id) == (ActorKind.USER, PLANNER, Role.PLANNER, 1)
    assert actor.rights == RIGHTS[Role.PLANNER]
    assert str(actor) == added.subject == f"user:{added.id}"


def test_an_address_is_one_user_however_it_is_typed(db: Database) -> None:
    add(db, "Planner@Example.com", Role.PLANNER)

    with pytest.raises(Refused, match=r"is a user already; `holdfast user role planner@example\.com viewer`"):
        add(db, "planner@example.COM", Role.VIEWER)
    assert [(one.email, one.role) for one in found(db).values()] == [(PLANNER, Role.PLANNER)]


def test_the_database_itself_knows_an_address_once(db: Database, superuser: Engine) -> None:
    add(db, PLANNER, Role.PLANNER)

    with superuser.connect() as connection, pytest.raises(Exception, match="app_user_email"):
        connection.execute(text("INSERT INTO app_user (email) VALUES ('PLANNER@example.com')"))


def test_who_is_no_user_of_the_merchant_cannot_act_for_it(db: Database, second: Actor) -> None:
    add(db, PLANNER, Role.PLANNER)

    for merchant_id, email in ((1, "nobody@example.com"), (SECOND, PLANNER)):
        with pytest.raises(NotFound, match="has no user"):
            as_user(db, merchant_id, email)


def test_a_user_is_in_many_merchants_with_another_role_in_each(db: Database, second: Actor) -> None:
    add(db, PLANNER, Role.PLANNER, name="In the first shop")
    add(db, PLANNER, Role.VIEWER, actor=second)

    assert as_user(db, 1, PLANNER).role is Role.PLANNER
    assert as_user(db, SECOND, PLANNER).role is Role.VIEWER
    assert found(db)[PLANNER].user_id == found(db, SECOND)[PLANNER].user_id
    assert found(db, SECOND)[PLANNER].name == ""


def test_what_one_merchant_does_to_a_user_changes_nothing_for_another(db: Database, second: Actor) -> None:
    add(db, OWNER, Role.OWNER)
    add(db, OWNER, Role.VIEWER, actor=second)

    with db.begin(SECOND, actor="cli") as tx:
        users.set_disabled(tx, second, OWNER, disabled=True)
    remove(db, OWNER, actor=second, erase=True)

    assert as_user(db, 1, OWNER).role is Role.OWNER
    assert found(db, SECOND) == {}


def test_a_disabled_user_may_do_nothing_until_enabled(db: Database) -> None:
    add(db, PLANNER, Role.PLANNER)

    set_disabled(db, PLANNER, True)
    with pytest.raises(Refused, match="holdfast user enable"):
        as_user(db, 1, PLANNER)
    set_disabled(db, PLANNER, False)

    assert as_user(db, 1, PLANNER).role is Role.PLANNER


def test_who_was_removed_may_do_nothing_and_comes_back_as_the_same(db: Database) -> None:
    first = add(db, PLANNER, Role.PLANNER, name="Planning")
    set_disabled(db, PLANNER, True)

    remove(db, PLANNER)
    with pytest.raises(NotFound):
        as_user(db, 1, PLANNER)
    with pytest.raises(NotFound):
        change_role(db, PLANNER, Role.VIEWER)
    again = add(db, PLANNER, Role.VIEWER)

    assert (again.id, again.name, again.role, again.disabled) == (first.id, "Planning", Role.VIEWER, False)


def test_erasing_leaves_no_trace_of_who_it_was(db: Database, superuser: Engine) -> None:
    first = add(db, DESK, Role.PLANNER, name="Front Desk")
    remove(db, DESK)

    remove(db, DESK, erase=True)

    with superuser.connect() as connection:
        for table in ("app_user", "member", "act_log"):
            rows = connection.execute(text(f"SELECT {table}::text FROM {table}")).scalars().all()
            assert not any("desk" in row.lower() for row in rows), table
    assert add(db, DESK, Role.PLANNER).id != first.id


def test_an_address_that_another_merchant_knows_is_not_erased(db: Database, second: Actor) -> None:
    add(db, PLANNER, Role.PLANNER)
    kept = add(db, PLANNER, Role.VIEWER, actor=second)

    remove(db, PLANNER, erase=True)

    assert found(db, SECOND) == {PLANNER: kept}


@pytest.mark.parametrize(
    "take_away",
    [
        lambda db: remove(db, OWNER),
        lambda db: remove(db, OWNER, erase=True),
        lambda db: change_role(db, OWNER, Role.PLANNER),
        lambda db: set_disabled(db, OWNER, True),
    ],
)
def test_the_last_owner_stays(db: Database, take_away: Callable[[Database], None]) -> None:
    add(db, OWNER, Role.OWNER)
    add(db, PLANNER, Role.PLANNER)
    add(db, "away@example.com", Role.OWNER)
    set_disabled(db, "away@example.com", True)
    add(db, "gone@example.com", Role.OWNER)
    remove(db, "gone@example.com")

    with pytest.raises(Refused, match="is the last owner; make another one first"):
        take_away(db)
    assert as_user(db, 1, OWNER).role is Role.OWNER

    change_role(db, PLANNER, Role.OWNER)
    take_away(db)


def test_the_owner_of_another_merchant_does_not_count(db: Database, second: Actor) -> None:
    add(db, OWNER, Role.OWNER)
    add(db, "other@example.com", Role.OWNER, actor=second)

    with pytest.raises(Refused, match="last owner"):
        remove(db, OWNER)


def test_the_last_owner_may_be_called_owner_again(db: Database) -> None:
    add(db, OWNER, Role.OWNER)

    change_role(db, OWNER, Role.OWNER)
    set_disabled(db, OWNER, False)

    assert as_user(db, 1, OWNER).role is Role.OWNER


def test_whoever_may_not_manage_users_changes_nothing(db: Database) -> None:
    add(db, OWNER, Role.OWNER)
    add(db, PLANNER, Role.PLANNER)
    planner = as_user(db, 1, PLANNER)

    for act in (
        lambda: add(db, "new@example.com", Role.VIEWER, actor=planner),
        lambda: change_role(db, PLANNER, Role.OWNER, actor=planner),
        lambda: remove(db, OWNER, actor=planner),
    ):
        with pytest.raises(Forbidden, match=r"planner@example\.com \(planner\) lacks the right user\.manage"):
            act()
    assert {email: one.role for email, one in found(db).items()} == {OWNER: Role.OWNER, PLANNER: Role.PLANNER}


def test_nobody_gives_or_takes_more_than_they_have(db: Database) -> None:
    """A key that may manage users and look must not make itself an owner by way of a user."""
    add(db, OWNER, Role.OWNER)
    add(db, "second@example.com", Role.OWNER)
    key = Actor(1, ActorKind.API_KEY, "0" * 16, "onboarding", frozenset({Right.USER_MANAGE, Right.STOCK_VIEW}))

    add(db, "viewer@example.com", Role.VIEWER, actor=key)
    for act in (
        lambda: add(db, "mine@example.com", Role.OWNER, actor=key),
        lambda: change_role(db, "viewer@example.com", Role.PLANNER, actor=key),
        lambda: remove(db, OWNER, actor=key),
        lambda: change_role(db, OWNER, Role.VIEWER, actor=key),
    ):
        with pytest.raises(Forbidden, match="onboarding lacks the right"):
            act()
    assert {one.role for one in found(db).values()} == {Role.OWNER, Role.VIEWER}


def test_what_was_done_to_users_is_logged_without_their_addresses(db: Database, world: World) -> None:
    one = add(db, PLANNER, Role.PLANNER, name="Planning")
    change_role(db, PLANNER, Role.VIEWER)
    set_disabled(db, PLANNER, True)
    set_disabled(db, PLANNER, False)
    remove(db, PLANNER)

    rows = world.ask("SELECT act, actor, subject, detail FROM act_log ORDER BY at, id")

    assert [row.act for row in rows] == ["user.add", "user.role", "user.disable", "user.enable", "user.remove"]
    assert {(row.actor, row.subject) for row in rows} == {("cli", f"user:{one.id}")}
    assert rows[1].detail == {"role": "viewer", "was": "planner"}
    assert not any("example.com" in str(row) or "Planning" in str(row) for row in rows)


def test_a_refused_act_leaves_nothing_in_the_log(db: Database, world: World) -> None:
    add(db, OWNER, Role.OWNER)

    with pytest.raises(Refused):
        remove(db, OWNER)

    assert world.scalar("SELECT count(*) FROM act_log") == 1


def two_owners_remove_each_other(db: Database) -> list[str]:
    """At one moment; returns the refusals."""
    add(db, OWNER, Role.OWNER)
    add(db, "second@example.com", Role.OWNER)
    start = threading.Barrier(2)

    def act(email: str) -> str:
        with db.begin(1, actor="cli") as tx:
            start.wait()
            try:
                users.remove(tx, CLI, email)
            except Refused as refused:
                return str(refused)
        return ""

    with ThreadPoolExecutor(2) as pool:
        return [said for said in pool.map(act, (OWNER, "second@example.com")) if said]


def owners(db: Database) -> int:
    return sum(one.may_act and one.role is Role.OWNER for one in found(db).values())


@pytest.mark.parametrize("_attempt", range(10))
def test_two_owners_who_remove_each_other_at_one_moment_leave_one(db: Database, _attempt: int) -> None:
    refusals = two_owners_remove_each_other(db)

    assert owners(db) == 1
    assert len(refusals) == 1
    assert "last owner" in refusals[0]


def test_without_the_row_locks_both_owners_would_be_gone(db: Database) -> None:
    """The control of the test above: the same rule over the same rows, read without locking them."""
    add(db, OWNER, Role.OWNER)
    add(db, "second@example.com", Role.OWNER)
    have_read = threading.Barrier(2)

    def act(email: str) -> None:
        with db.begin(1, actor="cli") as tx:
            everybody = users.members(tx)
            one = next(member for member in everybody if member.email == email)
            have_read.wait()
            if not users.is_last_owner(everybody, one):
                tx.run("UPDATE member SET removed_at = :now WHERE merchant_id = :merchant_id AND id = :id", id=one.id)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(act, (OWNER, "second@example.com")))

    assert owners(db) == 0


def test_many_who_add_and_erase_one_address_at_one_moment_wait_for_each_other(db: Database, second: Actor) -> None:
    """No circle of waiting, no address twice, and none is erased under a merchant that just added it."""
    start = threading.Barrier(8)

    def act(n: int) -> None:
        actor = (CLI, second)[n % 2]
        start.wait()
        for _ in range(10):
            try:
                if n < 4:
                    add(db, PLANNER, Role.VIEWER, actor=actor)
                else:
                    remove(db, PLANNER, actor=actor, erase=True)
            except Refused:
                continue

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(8)))

    for actor in (CLI, second):
        if PLANNER not in found(db, actor.merchant_id):
            add(db, PLANNER, Role.VIEWER, actor=actor)
    assert found(db)[PLANNER].user_id == found(db, SECOND)[PLANNER].user_id
