"""Many rows in one statement: arrays in, no ids back, nothing that depends on table statistics."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql

from core.pipe import Runner

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def insert(
    tx: Runner, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, often: Sequence[str] = ()
) -> None:
    """Insert rows of this merchant, in the order given; values stand in the order of ``columns``.

    Args: often: columns that often hold one value in all rows. When all of them do, each travels and is read once.
    """
    _execute(tx, table, tuple(columns), "", rows, frozenset(often))


def insert_missing(
    tx: Runner, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]], conflict: Sequence[str]
) -> None:
    """Insert the rows that are not there yet, in the order given."""
    target = f"ON CONFLICT (merchant_id, {', '.join(conflict)}) DO NOTHING"
    _execute(tx, table, tuple(columns), target, rows, frozenset())


def put(tx: Runner, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]], key: Sequence[str]) -> None:
    """Write whole rows by key, new or known. An index finds each row, whatever the planner believes of the table."""
    changed = ", ".join(f"{c} = EXCLUDED.{c}" for c in columns if c not in key)
    target = f"ON CONFLICT (merchant_id, {', '.join(key)}) DO UPDATE SET {changed}"
    _execute(tx, table, tuple(columns), target, rows, frozenset())


def _execute(
    tx: Runner,
    table: Table,
    columns: tuple[str, ...],
    conflict: str,
    rows: Iterable[Sequence[Any]],
    often: frozenset[str],
) -> None:
    values = dict(zip(columns, zip(*rows, strict=True), strict=False))
    if not values:
        return
    # All of them or none, so that a table has two statements and not one for each pattern of values.
    if not all(_one_value(values[name]) for name in often):
        often = frozenset()
    bound = {name: column[0] if name in often else list(column) for name, column in values.items()}
    tx.run(_insert_text(table, columns, often, conflict), **bound)


def _one_value(column: Sequence[Any]) -> bool:
    first = column[0]
    return first == column[-1] and column.count(first) == len(column)


@lru_cache(maxsize=256)
def _insert_text(table: Table, columns: tuple[str, ...], once: frozenset[str], conflict: str) -> str:
    many = [c for c in columns if c not in once]
    arrays = ", ".join(f"CAST(:{c} AS {_type_of(table, c)}[])" for c in many)
    picked = ", ".join(f"CAST(:{c} AS {_type_of(table, c)})" if c in once else f"row.{c}" for c in columns)
    return (
        f"INSERT INTO {table.name} (merchant_id, {', '.join(columns)}) "
        f"SELECT :merchant_id, {picked} FROM unnest({arrays}) AS row ({', '.join(many)}) {conflict}"
    )


@lru_cache(maxsize=256)
def _type_of(table: Table, column: str) -> str:
    return str(table.c[column].type.compile(dialect=_DIALECT))
