"""Many rows in one statement: arrays in, no ids back, nothing that depends on table statistics."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql

from core.pipe import Runner

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped


def insert(tx: Runner, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows of this merchant, in the order given; values stand in the order of ``columns``."""
    _execute(tx, table, tuple(columns), "", rows)


def insert_missing(
    tx: Runner, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]], conflict: Sequence[str]
) -> None:
    """Insert the rows that are not there yet, in the order given."""
    target = f"ON CONFLICT (merchant_id, {', '.join(conflict)}) DO NOTHING"
    _execute(tx, table, tuple(columns), target, rows)


def put(tx: Runner, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]], key: Sequence[str]) -> None:
    """Write whole rows by key, new or known. An index finds each row, whatever the planner believes of the table."""
    _execute(tx, table, tuple(columns), _overwriting(tuple(columns), tuple(key)), rows)


def _execute(tx: Runner, table: Table, columns: tuple[str, ...], conflict: str, rows: Iterable[Sequence[Any]]) -> None:
    values = dict(zip(columns, zip(*rows, strict=True), strict=False))
    if not values:
        return
    once = _shape(table, conflict, tuple([_one_value(column) for column in values.values()]))
    bound = {
        name: column[0] if alone else list(column) for (name, column), alone in zip(values.items(), once, strict=True)
    }
    tx.run(_insert_text(table, columns, once, conflict), **bound)


def _one_value(column: Sequence[Any]) -> bool:
    first = column[0]
    return bool(first == column[-1]) and column.count(first) == len(column)


@lru_cache(maxsize=256)
def _overwriting(columns: tuple[str, ...], key: tuple[str, ...]) -> str:
    changed = ", ".join(f"{c} = EXCLUDED.{c}" for c in columns if c not in key)
    return f"ON CONFLICT (merchant_id, {', '.join(key)}) DO UPDATE SET {changed}"


# Which columns travel once, because all rows of a batch have the same value, decides the text of the statement, and
# each text is prepared on each connection. Batches of one kind have few shapes; what comes later travels in full.
_SHAPES_EACH = 8
_shapes: defaultdict[tuple[str, str], set[tuple[bool, ...]]] = defaultdict(set)


def _shape(table: Table, conflict: str, once: tuple[bool, ...]) -> tuple[bool, ...]:
    known = _shapes[table.name, conflict]
    if once in known:
        return once
    if len(known) < _SHAPES_EACH:
        known.add(once)
        return once
    return (False,) * len(once)


@lru_cache(maxsize=256)
def _insert_text(table: Table, columns: tuple[str, ...], once: tuple[bool, ...], conflict: str) -> str:
    types = {c: _type_of(table, c) for c in columns}
    many = [c for c, alone in zip(columns, once, strict=True) if not alone]
    picked = ", ".join(f"row.{c}" if c in many else f"CAST(:{c} AS {types[c]})" for c in columns)
    arrays = ", ".join(f"CAST(:{c} AS {types[c]}[])" for c in many)
    source = f"FROM unnest({arrays}) AS row ({', '.join(many)})" if many else ""
    return (
        f"INSERT INTO {table.name} (merchant_id, {', '.join(columns)}) "
        f"SELECT CAST(:merchant_id AS bigint), {picked} {source} {conflict}"
    )


@lru_cache(maxsize=256)
def _type_of(table: Table, column: str) -> str:
    return str(table.c[column].type.compile(dialect=_DIALECT))
