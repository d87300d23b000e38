"""Ids made by us: each once, whether a database is asked for them or not."""

from itertools import count, pairwise
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from core.transaction import IdSource

# The blocks come from the counter below, so no connection is ever asked.
_NOBODY = cast(Connection, cast(Any, None))
asked = st.tuples(st.sampled_from(["at hand", "many"]), st.integers(1, 20_000))


@given(st.lists(asked, max_size=30))
def test_no_id_is_given_twice_and_all_rise(wants: list[tuple[str, int]]) -> None:
    ids = IdSource(count(3).__next__)
    given: list[int] = []
    for kind, n in wants:
        given += ids.at_hand(n) if kind == "at hand" else ids.take_many(_NOBODY, n)
    assert all(before < after for before, after in pairwise(given))


@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=30))
def test_ids_at_hand_ask_for_no_block(wants: list[int]) -> None:
    blocks = count(3)
    ids = IdSource(blocks.__next__)
    assert ids.at_hand(1) == []
    first = ids.take(_NOBODY)
    rest = [one for n in wants for one in ids.at_hand(n)]
    assert rest == list(range(first + 1, first + 1 + len(rest)))
    assert next(blocks) == 4
