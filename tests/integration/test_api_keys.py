"""API keys on a real database: made once, let in for what they may, and refused in the same words whatever is wrong."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from core import catalog, key_text
from core.access import keys
from core.access.actors import Actor, ActorKind, by_key, shell
from core.access.rights import RIGHTS, Right, Role
from core.errors import BadKey, Forbidden, NotFound, Refused
from core.key_text import KeyText
from core.transaction import Database
from tests.builders import Clock, World

SECOND = 2
CLI = shell(1)
SCOPES = frozenset({Right.STOCK_VIEW, Right.HOLD_MAKE})


@pytest.fixture
def clock(db: Database) -> Clock:
    """The database's door, with a clock that stands still."""
    clock = Clock()
    db.clock = clock
    return clock


def make(
    db: Database,
    name: str = "website",
    *,
    actor: Actor = CLI,
    scopes: frozenset[Right] = SCOPES,
    expires_at: datetime | None = None,
) -> KeyText:
    with db.begin(actor.merchant_id, actor=str(actor)) as tx:
        return keys.make(tx, actor, name, scopes, expires_at)


def revoke(db: Database, name: str = "website", *, actor: Actor = CLI) -> None:
    with db.begin(actor.merchant_id, actor=str(actor)) as tx:
        keys.revoke(tx, actor, name)


def listed(db: Database, *, revoked: bool = False) -> list[keys.KeyView]:
    with db.begin(1, actor="test") as tx:
        return keys.every(tx, revoked=revoked)


def test_a_key_acts_with_its_scopes_for_its_merchant(db: Database) -> None:
    catalog.ensure_merchant(db, SECOND, name="Second shop")
    first, other = make(db), make(db, actor=shell(SECOND), scopes=frozenset({Right.SYNC_RUN}))

    actor = by_key(db, str(first))

    assert (actor.merchant_id, actor.kind, actor.name, actor.rights) == (1, ActorKind.API_KEY, "website", SCOPES)
    assert str(actor) == f"api_key:{first.public_id}"
    assert (by_key(db, str(other)).merchant_id, by_key(db, str(other)).rights) == (SECOND, frozenset({Right.SYNC_RUN}))
    with pytest.raises(Forbidden, match=r"website lacks the right stock\.receive"):
        actor.require(Right.STOCK_RECEIVE)


def test_nothing_kept_lets_anybody_make_the_key_again(db: Database, superuser: Engine) -> None:
    key = make(db)

    with superuser.connect() as connection:
        for table in ("api_key", "act_log"):
            kept = str(connection.execute(text(f"SELECT {table}::text FROM {table}")).scalars().all())
            assert key.public_id in kept
            assert key.secret not in kept
    assert key.secret not in repr(key)


def broken_keys(db: Database, clock: Clock) -> dict[str, str]:
    """Every way in which a key may not work."""
    works = make(db, "works")
    revoked, expired = make(db, "revoked"), make(db, "expired", expires_at=clock.after(60))
    revoke(db, "revoked")
    clock.pass_(60)
    other = make(db, "other")
    return {
        "no key": "website",
        "unknown": str(key_text.draw()),
        "wrong secret": str(replace(works, secret=key_text.draw().secret)),
        "secret of another key": str(replace(works, secret=other.secret)),
        "revoked": str(revoked),
        "expired this instant": str(expired),
    }


def test_all_keys_that_do_not_work_are_refused_in_the_same_words(db: Database, clock: Clock) -> None:
    said = set()
    for why, key in broken_keys(db, clock).items():
        with pytest.raises(BadKey) as refused:
            by_key(db, key)
        said.add((type(refused.value), str(refused.value), refused.value.args))
        assert why not in str(refused.value)

    assert len(said) == 1
    assert [one.last_used_at for one in listed(db, revoked=True)] == [None] * len(listed(db, revoked=True))


def test_a_key_works_until_the_instant_it_expires(db: Database, clock: Clock) -> None:
    key = make(db, expires_at=clock.after(60))

    clock.pass_(59)

    assert by_key(db, str(key)).name == "website"


def test_use_is_noted_at_most_once_a_minute(db: Database, clock: Clock) -> None:
    key = make(db)
    used: list[datetime | None] = []
    writes = 0

    def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        nonlocal writes
        writes += statement.startswith("UPDATE api_key")

    event.listen(db.engine, "before_cursor_execute", count)
    first = clock.now
    for seconds in (0, 30, 29, 1, 59, 1):
        clock.pass_(seconds)
        by_key(db, str(key))
        used.append(listed(db)[0].last_used_at)

    minute, two = first + timedelta(seconds=60), first + timedelta(seconds=120)
    assert used == [first, first, first, minute, minute, two]
    assert writes == 3


def test_many_who_use_a_key_at_one_moment_all_get_in(db: Database, clock: Clock) -> None:
    key = make(db)

    with ThreadPoolExecutor(16) as pool:
        actors = list(pool.map(lambda _: by_key(db, str(key)), range(64)))

    assert {str(actor) for actor in actors} == {f"api_key:{key.public_id}"}
    assert listed(db)[0].last_used_at == clock.now


def test_a_revoked_key_is_out_at_once_and_its_name_is_free_again(db: Database) -> None:
    first = make(db)
    by_key(db, str(first))

    revoke(db)
    with pytest.raises(BadKey):
        by_key(db, str(first))
    second = make(db)

    assert by_key(db, str(second)).name == "website"
    assert [one.public_id for one in listed(db)] == [second.public_id]
    assert [one.revoked_at is None for one in listed(db, revoked=True)] == [False, True]
    with pytest.raises(BadKey):
        by_key(db, str(first))


def test_two_keys_cannot_have_one_name(db: Database) -> None:
    make(db)

    with pytest.raises(Refused, match="choose another name"):
        make(db, " website ")


def test_a_key_of_another_merchant_is_not_there_to_revoke(db: Database) -> None:
    catalog.ensure_merchant(db, SECOND, name="Second shop")
    key = make(db)

    with pytest.raises(NotFound, match="holdfast key list"):
        revoke(db, actor=shell(SECOND))

    assert by_key(db, str(key)).name == "website"


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 81])
def test_a_key_needs_a_name_that_people_can_read(db: Database, name: str) -> None:
    with pytest.raises(Refused, match="needs a name"):
        make(db, name)


def test_a_key_without_a_scope_is_refused(db: Database) -> None:
    with pytest.raises(Refused, match="give it one"):
        make(db, scopes=frozenset())


def maker(*rights: Right) -> Actor:
    return Actor(1, ActorKind.API_KEY, "0" * 16, "machine", frozenset(rights))


@pytest.mark.parametrize(
    ("actor", "missing"),
    [
        (maker(Right.STOCK_VIEW, Right.HOLD_MAKE), "key.manage"),
        (maker(Right.KEY_MANAGE, Right.STOCK_VIEW), "hold.make"),
        (Actor(1, ActorKind.USER, "7", "a@example.com", RIGHTS[Role.PLANNER], Role.PLANNER), "key.manage"),
    ],
)
def test_nobody_makes_a_key_that_may_more_than_they(db: Database, actor: Actor, missing: str) -> None:
    with pytest.raises(Forbidden) as refused:
        make(db, actor=actor)

    assert refused.value.right == missing
    assert listed(db) == []


def test_a_key_may_make_one_that_may_less(db: Database) -> None:
    made = make(db, actor=maker(Right.KEY_MANAGE, *SCOPES))

    assert by_key(db, str(made)).rights == SCOPES
    assert listed(db)[0].made_by == f"api_key:{'0' * 16}"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE api_key SET scopes = ARRAY['user.manage']",
        "UPDATE api_key SET secret_hash = sha256('known')",
        "UPDATE api_key SET expires_at = NULL",
        "DELETE FROM api_key",
    ],
)
def test_the_application_cannot_make_a_key_stronger_than_it_was_made(db: Database, world: World, change: str) -> None:
    make(db)

    with pytest.raises(Exception, match="permission denied"):
        world.tell(change)


def test_making_and_revoking_are_logged(db: Database, world: World) -> None:
    key = make(db)
    revoke(db)

    rows = world.ask("SELECT act, subject, detail FROM act_log ORDER BY at, id")

    assert [(row.act, row.subject) for row in rows] == [
        ("key.make", f"api_key:{key.public_id}"),
        ("key.revoke", f"api_key:{key.public_id}"),
    ]
    assert rows[0].detail == {"scopes": ["stock.view", "hold.make"], "expires_at": None}


def test_letting_a_key_in_looks_at_no_row_of_another_merchant(db: Database, superuser: Engine) -> None:
    """The function that finds the merchant answers with its number, and with nothing else."""
    key = make(db)

    with db.outside() as connection:
        assert connection.execute(text("SELECT * FROM api_key")).all() == []
        assert connection.execute(text("SELECT * FROM merchant_of_key(:id)"), {"id": key.public_id}).all() == [(1,)]
