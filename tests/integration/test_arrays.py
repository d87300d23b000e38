"""Lists as PostgreSQL's array literals."""

from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.arrays import literal
from core.transaction import Database
from tests.builders import at

_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
_LISTS = st.one_of(
    st.tuples(st.just("bigint"), st.lists(st.none() | st.integers(-(2**63), 2**63 - 1))),
    st.tuples(
        st.just("text"), st.lists(st.none() | _TEXT | st.sampled_from(["NULL", "", "{", '"', "\\", "a,b", " x "]))
    ),
    st.tuples(st.just("boolean"), st.lists(st.none() | st.booleans())),
    st.tuples(st.just("bytea"), st.lists(st.none() | st.binary())),
    st.tuples(st.just("timestamptz"), st.lists(st.none() | st.integers(-(10**9), 10**9).map(at))),
    st.tuples(st.just("date"), st.lists(st.none() | st.dates())),
)


class Colour(StrEnum):
    RED = "red"


def test_an_enum_of_words_is_sent_as_its_word() -> None:
    assert literal([Colour.RED, None]) == '{"red",NULL}'


def test_an_instant_keeps_its_offset() -> None:
    east = datetime(2020, 11, 20, 12, tzinfo=timezone(timedelta(hours=9)))
    assert literal([east]) == "{2020-11-20T12:00:00+09:00}"


@pytest.mark.parametrize("values", [[1, "a"], [1.5], [[1]], [True, 1]])
def test_what_has_no_one_known_type_is_refused(values: list[Any]) -> None:
    with pytest.raises(TypeError, match="no array of"):
        literal(values)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # it only selects
@given(case=_LISTS)
def test_every_list_comes_back_as_it_was_sent(db: Database, case: tuple[str, list[Any]]) -> None:
    kind, values = case
    with db.outside() as connection:
        sql = f"SELECT CAST(%(values)s AS {kind}[])"
        back = connection.exec_driver_sql(sql, {"values": values}).scalar_one()
    assert [bytes(v) if isinstance(v, memoryview) else v for v in back] == values
