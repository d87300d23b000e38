"""Statements that travel together: answers in order, failures told as ever, the connection whole afterwards."""

import pytest
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, ProgrammingError

from core import bulk, tables
from core.pipe import pipe
from core.transaction import Database, connect
from tests.builders import World
from tests.conftest import Logins

ADD = "SELECT CAST(:a AS bigint) + CAST(:b AS bigint)"


def backend(world: World) -> int:
    return int(world.scalar("SELECT pg_backend_pid()"))


def test_answers_belong_to_their_statements_in_whatever_order_they_are_read(db: Database) -> None:
    with db.begin(1, actor="test") as tx, pipe(tx) as sent:
        answers = [sent.run(ADD, a=n, b=100) for n in range(30)]
        last, *rest = reversed(answers)
        assert last.fetchall() == [(129,)]
        assert [answer.scalars() for answer in rest] == [[100 + n] for n in reversed(range(29))]


def test_values_of_all_kinds_arrive_as_they_were(db: Database) -> None:
    with db.begin(1, actor="test") as tx, pipe(tx) as sent:
        row = sent.run(
            """SELECT CAST(:n AS bigint), CAST(:yes AS boolean), CAST(:words AS text), CAST(:raw AS bytea),
                   CAST(:now AS timestamptz), CAST(:none AS text), CAST(:many AS text[]), :merchant_id + 0""",
            n=-5, yes=True, words='a "b" \\ {c}', raw=b"\x00\xff", none=None, many=["x", None, "NULL"],
        ).fetchall()[0]  # fmt: skip
        assert row == (-5, True, 'a "b" \\ {c}', b"\x00\xff", tx.now, None, ["x", None, "NULL"], 1)


def test_more_than_a_socket_holds_goes_both_ways(db: Database) -> None:
    """Neither side may wait for the other to read first."""
    words = ["x" * 1000] * 2000
    with db.begin(1, actor="test") as tx, pipe(tx) as sent:
        answers = [sent.run("SELECT unnest(CAST(:words AS text[]))", words=words) for _ in range(4)]
        assert [len(answer.fetchall()) for answer in answers] == [2000] * 4


def test_the_first_failure_is_raised_and_nothing_of_the_transaction_stays(world: World) -> None:
    def fail() -> None:
        with world.db.begin(1, actor="test") as tx, pipe(tx) as sent:
            for name in ("first", "second"):
                bulk.insert(sent, tables.pool, ["id", "kind", "name"], [(7, "channel", name)])
            sent.run("SELECT no_such_column")

    before = backend(world)
    with pytest.raises(IntegrityError, match="duplicate key"):
        fail()
    assert world.ask("SELECT 1 FROM pool WHERE merchant_id = :merchant_id AND id = 7") == []
    assert backend(world) == before


def test_a_failure_is_raised_where_a_later_answer_is_read(world: World) -> None:
    def fail() -> None:
        with world.db.begin(1, actor="test") as tx, pipe(tx) as sent:
            sent.run("SELECT no_such_column")
            sent.run(ADD, a=1, b=2).fetchall()
            pytest.fail("no answer stands behind a failure")

    with pytest.raises(ProgrammingError, match="no_such_column"):
        fail()


def test_statements_are_prepared_again_after_what_was_only_tried(world: World) -> None:
    for n in range(3):
        with world.db.begin(1, actor="test") as tx:
            with pipe(tx) as sent:
                assert sent.run(ADD, a=n, b=1).scalars() == [n + 1]
            tried = tx.connection.begin_nested()
            for _ in range(4):
                tx.run("SELECT 1")
            tried.rollback()
            with pipe(tx) as sent:
                assert sent.run(ADD, a=n, b=2).scalars() == [n + 2]


def test_statements_are_prepared_again_after_a_rollback(world: World) -> None:
    def add_and_roll_back(n: int) -> None:
        with world.db.begin(1, actor="test") as tx:
            with pipe(tx) as sent:
                assert sent.run(ADD, a=n, b=1).scalars() == [n + 1]
            tx.run("SELECT 1")
            raise ZeroDivisionError

    for n in range(6):
        with pytest.raises(ZeroDivisionError):
            add_and_roll_back(n)
        with world.db.begin(1, actor="test") as tx, pipe(tx) as sent:
            assert sent.run(ADD, a=n, b=2).scalars() == [n + 2]


def test_a_character_that_no_text_can_hold_is_refused_and_the_connection_lives_on(world: World) -> None:
    with pytest.raises(DataError, match="NUL"), world.db.begin(1, actor="test") as tx, pipe(tx) as sent:
        sent.run("SELECT CAST(:words AS text)", words="a\0b")
    assert world.scalar("SELECT 1") == 1


def test_other_statements_run_while_a_pipe_pauses(db: Database) -> None:
    with db.begin(1, actor="test") as tx, pipe(tx) as sent:
        before = sent.run(ADD, a=1, b=1)
        with sent.paused():
            assert tx.run("SELECT 5").scalar_one() == 5
        assert (before.scalars(), sent.run(ADD, a=2, b=2).scalars()) == ([2], [4])


def test_a_thread_torn_away_gives_its_connection_up(world: World) -> None:
    def be_torn_away() -> None:
        with world.db.begin(1, actor="test") as tx, pipe(tx) as sent:
            sent.run(ADD, a=1, b=1)
            raise KeyboardInterrupt

    before = backend(world)
    with pytest.raises(KeyboardInterrupt):
        be_torn_away()
    assert backend(world) != before


def test_a_server_that_goes_away_is_told_as_ever(logins: Logins, world: World) -> None:
    superuser = connect(logins.superuser, role=None, pool_size=1)

    def lose_the_server() -> None:
        with world.db.begin(1, actor="test") as tx:
            pid = tx.run("SELECT pg_backend_pid()").scalar_one()
            with superuser.connect() as other:
                other.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 5000)")
            with pipe(tx) as sent:
                sent.run(ADD, a=1, b=1).fetchall()

    try:
        with pytest.raises(OperationalError):
            lose_the_server()
        assert world.scalar("SELECT 1") == 1
    finally:
        superuser.dispose()


def test_rows_arrive_as_they_were_however_their_values_fall(world: World) -> None:
    """Columns of one value travel once, for as many shapes of batches as are prepared, and in full for the rest."""
    base = 1 << 40
    lots = [
        [(base + k * 100 + n, "channel" if n % (k + 1) else "lock", f"pool {n % (k % 5 + 1)}") for n in range(k + 1)]
        for k in range(12)
    ]
    with world.db.begin(1, actor="test") as tx, pipe(tx) as sent:
        for lot in lots:
            bulk.insert(sent, tables.pool, ["id", "kind", "name"], lot)
    found = world.ask(
        "SELECT id, kind, name FROM pool WHERE merchant_id = :merchant_id AND id >= :base ORDER BY id", base=base
    )
    assert [tuple(row) for row in found] == [row for lot in lots for row in lot]
