"""The log of acts on a real database: written with the act, read by name, changed by nobody."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from core.access import acts, keys, users
from core.access.actors import Actor, as_user, names_of, shell
from core.access.rights import Right, Role
from core.transaction import Database, connect
from tests.builders import Clock, World
from tests.conftest import Logins

CHANGES = ("UPDATE act_log SET act = 'x'", "DELETE FROM act_log", "TRUNCATE act_log")
CLI = shell(1)


def note(db: Database, actor: Actor, act: str, subject: str, **detail: object) -> None:
    with db.begin(1, actor=str(actor)) as tx:
        acts.note(tx, actor, act, subject, **detail)


def newest(db: Database, limit: int = 10, *, actor: str = "", subject: str = "") -> list[acts.ActView]:
    with db.begin(1, actor="test") as tx:
        return acts.newest(tx, limit, actor=actor, subject=subject)


def names(db: Database, refs: Sequence[str]) -> dict[str, str]:
    with db.begin(1, actor="test") as tx:
        return dict(names_of(tx, refs))


def test_the_newest_acts_stand_first(db: Database, clock: Clock) -> None:
    for n in range(5):
        note(db, CLI, f"test.{n}", "store:1", n=n, words=["a", "b"], nothing=None)
        clock.pass_(1)

    assert [one.act for one in newest(db, 3)] == ["test.4", "test.3", "test.2"]
    assert newest(db, 1)[0].detail == {"n": 4, "words": ["a", "b"], "nothing": None}
    assert newest(db, 1)[0].at == clock.after(-1)


def test_the_log_can_be_read_by_who_and_by_what(db: Database) -> None:
    with db.begin(1, actor="cli") as tx:
        users.add(tx, CLI, "a@example.com", Role.OPERATOR)
    operator = as_user(db, 1, "a@example.com")
    note(db, operator, "store.pause", "store:1")
    note(db, operator, "store.pause", "store:2")

    assert [one.subject for one in newest(db, actor=str(operator))] == ["store:2", "store:1"]
    assert [one.who for one in newest(db, subject="store:1")] == ["a@example.com"]
    assert [(one.who, one.what) for one in newest(db, actor="cli")] == [("cli", "a@example.com")]
    assert newest(db, actor=str(operator), subject="store:3") == []


def test_many_acts_are_noted_at_once_each_with_its_own_words(db: Database) -> None:
    with db.begin(1, actor="cli") as tx:
        acts.note_all(tx, CLI, "test.many", {f"store:{n}": {"n": n, "words": ["ä", None]} for n in range(5)})
        acts.note_all(tx, CLI, "test.none", {})

    found = newest(db)

    assert {one.subject: one.detail["n"] for one in found} == {f"store:{n}": n for n in range(5)}
    assert all(one.detail["words"] == ["ä", None] and one.act == "test.many" for one in found)


def test_an_act_that_fails_is_not_in_the_log(db: Database) -> None:
    def act() -> None:
        with db.begin(1, actor="cli") as tx:
            acts.note(tx, CLI, "test.fails", "store:1")
            tx.run("SELECT 1 / 0")

    with pytest.raises(DBAPIError, match="division by zero"):
        act()

    assert newest(db) == []


def test_people_read_names_where_there_are_some(db: Database, world: World) -> None:
    store_id = world.stocked("MUG", units=1)
    with db.begin(1, actor="cli") as tx:
        one = users.add(tx, CLI, "a@example.com", Role.VIEWER)
        key = keys.make(tx, CLI, "website", {Right.STOCK_VIEW})
    item = world.item("MUG").item_id
    known = {
        one.subject: "a@example.com",
        f"api_key:{key.public_id}": "website",
        f"store:{store_id}": "Main street",
        f"item:{item}": "MUG",
    }

    others = ["cli", "job:push", "", ":", "user:", "user:x", f"user:{'9' * 30}", f"user:{store_id}", f"store:{one.id}"]

    assert names(db, [*known, *others]) == known


@pytest.mark.parametrize("change", CHANGES)
def test_neither_the_application_nor_the_owner_changes_the_log(
    db: Database, world: World, logins: Logins, change: str
) -> None:
    note(db, CLI, "test.done", "store:1")
    owner = connect(logins.owner, role=None)

    with pytest.raises(ProgrammingError, match="permission denied"):
        world.tell(change)
    with pytest.raises(DBAPIError, match="never changed"), owner.begin() as connection:
        connection.execute(text(change))

    owner.dispose()
    assert [one.act for one in newest(db)] == ["test.done"]


@pytest.mark.parametrize("narrow", ["", "actor", "subject"])
def test_reading_the_newest_acts_does_not_grow_with_the_log(db: Database, superuser: Engine, narrow: str) -> None:
    with superuser.connect() as connection:
        connection.execute(
            text(
                """INSERT INTO act_log SELECT 1, n, now() - make_interval(secs => n), 'cli', 'test.done',
                       'store:' || (n % 3), '{}' FROM generate_series(1, 20000) n"""
            )
        )
        connection.execute(
            text("INSERT INTO act_log VALUES (1, 30000, '2020-01-01Z', 'user:5', 'test.done', 'store:9', '{}')")
        )
        connection.execute(text("ANALYZE act_log"))  # as the relay does for a table that has grown
    where = {"": "", "actor": "AND actor = 'user:5'", "subject": "AND subject = 'store:9'"}[narrow]
    with db.begin(1, actor="test") as tx:
        plan = tx.run(
            f"""EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM act_log WHERE merchant_id = :merchant_id {where}
                ORDER BY at DESC, id DESC LIMIT 50"""
        ).scalar_one()

    assert plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"] < 70
