"""What the database itself refuses, whatever the code above it does."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from core import catalog
from core.transaction import Database, connect
from tests.builders import World, line, order
from tests.conftest import Logins

RECORDED = ("effect", "document", "movement")
TENANT_TABLES = (
    "warehouse", "bin", "pool", "item", "store", "listing", "effect", "document", "movement", "warehouse_balance",
    "dispatch_balance", "sales_balance", "store_order", "order_line", "promise", "incident", "work", "schedule",
    "push_due", "push", "alert", "hold_rule", "purchase_limit", "rule_change", "member", "api_key", "act_log",
    "balance_checkpoint", "checkpoint_mark", "alert_mail", "alert_rule", "sales_pace",
    "pool_item", "lock", "lock_limit",
    "campaign", "expected", "promise_date",
    "supplier", "supplier_item", "supply_rule", "purchase", "purchase_line", "purchase_notice", "purchase_receipt",
    "region", "carrier_rate", "transit_time", "serving_rule", "working_week", "routing_setting", "route_decision",
    "route_parcel", "transfer", "transfer_line", "replenish_default", "replenish_item",
    "flow_day", "flow_mark", "import", "import_row",
    "mirror_source", "mirror_item", "mirror_message", "mirror_batch", "mirror_batch_item", "mirror_refusal",
)  # fmt: skip
SECOND = 2


@pytest.fixture
def busy(world: World) -> World:
    """Merchant 1 with a row in each table that an order fills."""
    store = world.stocked("mug", units=1)
    world.hear(store, order(line("mug", 2), paid=True))
    return world


@pytest.fixture
def second(db: Database) -> World:
    catalog.ensure_merchant(db, SECOND, name="Second shop")
    return World(db, merchant_id=SECOND)


def partitions(engine: Engine, table: str) -> list[str]:
    with engine.connect() as connection:
        return list(
            connection.execute(
                text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = CAST(:t AS regclass)"),
                {"t": table},
            ).scalars()
        )


CHANGES = ("UPDATE {} SET merchant_id = merchant_id", "DELETE FROM {}", "TRUNCATE {}")


@pytest.mark.parametrize("table", RECORDED)
def test_the_application_may_not_change_what_was_recorded(busy: World, superuser: Engine, table: str) -> None:
    for target in (table, *partitions(superuser, table)):
        for change in CHANGES:
            with pytest.raises(ProgrammingError, match="permission denied"):
                busy.tell(change.format(target))


@pytest.mark.parametrize("table", RECORDED)
def test_not_even_the_owner_changes_what_was_recorded(
    busy: World, logins: Logins, superuser: Engine, table: str
) -> None:
    owner = connect(logins.owner, role=None)
    filled = [part for part in partitions(superuser, table) if rows_in(superuser, part)]
    assert filled
    for target in (table, *filled):
        for change in CHANGES:
            with pytest.raises(DBAPIError, match="never changed"), owner.begin() as connection:
                connection.execute(text(change.format(target)))
    owner.dispose()


def rows_in(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_a_partition_added_later_stands_behind_the_same_wall(world: World, logins: Logins, superuser: Engine) -> None:
    world.tell("SELECT add_month('2031-05-17')")
    assert {"document_2031_05", "movement_2031_05"} <= {
        *partitions(superuser, "document"),
        *partitions(superuser, "movement"),
    }
    owner = connect(logins.owner, role=None)
    with pytest.raises(DBAPIError, match="never changed"), owner.begin() as connection:
        connection.execute(text("TRUNCATE document_2031_05"))
    owner.dispose()
    with pytest.raises(ProgrammingError, match="permission denied"):
        world.ask("SELECT * FROM document_2031_05")


def test_adding_a_month_twice_adds_it_once(world: World, superuser: Engine) -> None:
    for day in ("2031-05-01", "2031-05-31"):
        world.tell("SELECT add_month(CAST(:day AS date))", day=day)
    assert partitions(superuser, "document").count("document_2031_05") == 1


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "DROP TABLE alert",
        "ALTER TABLE item DISABLE ROW LEVEL SECURITY",
        "DROP TRIGGER stays ON document",
        "SET ROLE holdfast_owner",
        "SET session_replication_role = replica",
    ],
)
def test_the_application_may_not_pull_the_walls_down(world: World, statement: str) -> None:
    with pytest.raises(ProgrammingError):
        world.tell(statement)


def test_a_merchant_sees_all_its_rows_and_none_of_another(busy: World, second: World, superuser: Engine) -> None:
    for table in TENANT_TABLES:
        with superuser.connect() as connection:
            from_above = connection.execute(text(f"SELECT count(*) FROM {table} WHERE merchant_id = 1")).scalar_one()
        assert busy.scalar(f"SELECT count(*) FROM {table}") == from_above, table
        assert second.scalar(f"SELECT count(*) FROM {table} WHERE merchant_id <> :merchant_id") == 0, table


def test_a_merchant_sees_only_itself(busy: World, second: World) -> None:
    assert [row.id for row in second.ask("SELECT id FROM merchant")] == [SECOND]


def test_every_table_with_a_merchant_stands_behind_the_wall(superuser: Engine, logins: Logins) -> None:
    with superuser.connect() as connection:
        open_tables = connection.execute(
            text(
                """SELECT c.relname FROM pg_class c
                   JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'merchant_id'
                   WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
                     AND NOT c.relispartition AND NOT c.relrowsecurity"""
            )
        ).scalars()
        assert list(open_tables) == []


def test_a_pooled_connection_forgets_whose_it_was(busy: World, second: World, logins: Logins) -> None:
    engine = connect(logins.app, pool_size=1)
    db = Database(engine)
    with db.begin(1, actor="test") as tx:
        backend = tx.run("SELECT pg_backend_pid()").scalar_one()
        assert tx.run("SELECT count(*) FROM item").scalar_one() == 1
    with db.begin(SECOND, actor="test") as tx:
        assert tx.run("SELECT pg_backend_pid()").scalar_one() == backend
        assert tx.run("SELECT count(*) FROM item").scalar_one() == 0
    with db.outside() as connection:
        assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() == backend
        assert connection.execute(text("SELECT count(*) FROM item")).scalar_one() == 0
    engine.dispose()


def test_a_connection_whose_transaction_failed_forgets_whose_it_was(busy: World, logins: Logins) -> None:
    engine = connect(logins.app, pool_size=1)
    db = Database(engine)
    with pytest.raises(ProgrammingError), db.begin(1, actor="test") as tx:
        tx.run("SELECT no_such_column FROM item")
    with db.outside() as connection:
        assert connection.execute(text("SELECT count(*) FROM item")).scalar_one() == 0
    engine.dispose()


def test_a_merchant_writes_no_row_for_another(busy: World, second: World) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"):
        second.tell(
            """INSERT INTO work (merchant_id, topic, store_id, subject, revision, heard_at, due_at, tries, reason)
               VALUES (1, 'order', 7, 'x', 1, :now, :now, 0, '')"""
        )
    with pytest.raises(ProgrammingError, match="row-level security"):
        second.tell("INSERT INTO merchant (id, name, time_zone, created_at) VALUES (3, 'x', 'UTC', :now)")


def test_a_merchant_changes_no_row_of_another(busy: World, second: World) -> None:
    second.tell("UPDATE sales_balance SET free = 999 WHERE merchant_id = 1")
    second.tell("DELETE FROM work WHERE merchant_id = 1")
    assert busy.units("mug").free == 0
    assert busy.scalar("SELECT count(*) FROM work WHERE merchant_id = 1") > 0


def test_a_merchant_gives_no_row_of_its_own_away(busy: World, second: World) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"):
        busy.tell("UPDATE item SET merchant_id = 2 WHERE merchant_id = 1")


def test_two_merchants_may_use_the_same_names_and_keys(busy: World, second: World) -> None:
    store = second.stocked("mug", units=5)
    second.hear(store, order(line("mug", 2), paid=True))
    assert second.units("mug").free == 3
    assert busy.units("mug").free == 0


def test_another_login_works_as_the_application(logins: Logins, superuser: Engine) -> None:
    """A database of one's own has one login for all; it steps down before the first statement."""
    engine = connect(logins.superuser, pool_size=1)
    with Database(engine).outside() as connection:
        assert connection.execute(text("SELECT current_user")).scalar_one() == "holdfast_app"
    with pytest.raises(ProgrammingError, match="permission denied"), engine.begin() as connection:
        connection.execute(text("DELETE FROM document"))
    engine.dispose()


def test_the_application_is_no_superuser_and_bypasses_nothing(world: World) -> None:
    (role,) = world.ask(
        "SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
    )
    assert not any(role)
