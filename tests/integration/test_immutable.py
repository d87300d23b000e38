"""What was recorded stays, in every partition, those of months to come included; and the audit sees a lost guard."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from core import audit
from core.transaction import connect
from tests.builders import World
from tests.conftest import Logins, violations
from tests.integration.test_walls import CHANGES, RECORDED, partitions, rows_in

MONTH_TO_COME = datetime(2031, 5, 17, tzinfo=UTC)


@pytest.fixture
def later(world: World) -> World:
    """Goods that came in a month whose partitions were added later."""
    world.stocked("mug", units=1)
    world.tell("SELECT add_month(CAST(:day AS date))", day=MONTH_TO_COME.date())
    world.db.clock = lambda: MONTH_TO_COME
    world.receive("mug", 2)
    return world


@pytest.fixture
def owner(logins: Logins) -> Iterator[Engine]:
    engine = connect(logins.owner, role=None)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("table", ["document", "movement"])
def test_a_partition_added_later_refuses_the_owner_and_the_application(
    later: World, owner: Engine, superuser: Engine, table: str, change: str
) -> None:
    part = f"{table}_2031_05"
    assert rows_in(superuser, part) > 0

    with pytest.raises(DBAPIError, match="never changed"), owner.begin() as connection:
        connection.execute(text(change.format(part)))
    for target in (table, part):
        with pytest.raises(ProgrammingError, match="permission denied"):
            later.tell(change.format(target))


@pytest.mark.parametrize("table", RECORDED)
def test_every_partition_has_both_guards(later: World, superuser: Engine, table: str) -> None:
    with superuser.connect() as connection:
        guards = {
            part: set(
                connection.execute(
                    text("SELECT tgname FROM pg_trigger WHERE tgrelid = CAST(:part AS regclass) AND tgenabled = 'O'"),
                    {"part": part},
                ).scalars()
            )
            for part in (table, *partitions(superuser, table))
        }
    assert len(guards) > 2
    assert all({"stays", "stays_whole"} <= found for found in guards.values()), guards


def test_moving_a_row_to_another_month_is_a_change_like_any_other(later: World, owner: Engine) -> None:
    with pytest.raises(DBAPIError, match="never changed"), owner.begin() as connection:
        connection.execute(text("UPDATE movement SET recorded_at = now()"))


def test_a_row_cannot_be_overwritten_by_inserting_it_again(later: World, owner: Engine) -> None:
    again = """INSERT INTO document SELECT * FROM document
               ON CONFLICT (merchant_id, id, recorded_at) DO UPDATE SET reason = 'x'"""
    with pytest.raises(DBAPIError, match="never changed"), owner.begin() as connection:
        connection.execute(text(again))
    with pytest.raises(ProgrammingError, match="permission denied"):
        later.tell(again)


def nothing_red(world: World) -> bool:
    with world.db.begin(1, actor="test") as tx:
        return audit.audit(tx) == []


@pytest.mark.broken_books
@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER stays_whole ON movement",
        "DROP TRIGGER stays_whole ON movement_2031_05",
        "DROP TRIGGER stays ON document",
        "ALTER TABLE document_2031_05 DISABLE TRIGGER stays",
        "ALTER TABLE effect_3 DISABLE TRIGGER stays_whole",
        "ALTER TABLE act_log DISABLE TRIGGER stays",
        "ALTER TABLE movement ENABLE REPLICA TRIGGER stays",
        """DROP TRIGGER stays ON movement;
           CREATE TRIGGER stays BEFORE UPDATE OR DELETE ON movement FOR EACH ROW WHEN (old.quantity > 1000000)
               EXECUTE FUNCTION refuse_change()""",
        """DROP TRIGGER stays ON document;
           CREATE TRIGGER stays BEFORE UPDATE OF id OR DELETE ON document FOR EACH ROW
               EXECUTE FUNCTION refuse_change()""",
        """CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN RETURN coalesce(new, old); END $$""",
        "GRANT UPDATE (reason) ON document TO holdfast_app",
        "GRANT DELETE ON movement_2031_05 TO holdfast_app",
    ],
)
def test_the_audit_reports_a_guard_that_is_gone(
    later: World, superuser: Engine, logins: Logins, statement: str
) -> None:
    assert nothing_red(later)
    with superuser.connect() as connection:
        connection.execute(text(statement))

    assert {violation.invariant[0] for violation in violations(logins)} == {"8"}
