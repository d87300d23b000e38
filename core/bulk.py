"""Many rows in one statement: arrays in, no ids back, nothing that depends on table statistics."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql

from core.transaction import Transaction

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def insert(tx: Transaction, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows of this merchant; values stand in the order of ``columns``."""
    _execute(tx, _insert_text(table, tuple(columns), ""), columns, rows)


def insert_missing(
    tx: Transaction, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]], conflict: Sequence[str]
) -> None:
    """Insert the rows that are not there yet, in the order given."""
    target = f"ON CONFLICT (merchant_id, {', '.join(conflict)}) DO NOTHING"
    _execute(tx, _insert_text(table, tuple(columns), target), columns, rows)


def put(
    tx: Transaction, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]], key: Sequence[str]
) -> None:
    """Write whole rows by key, new or known. An index finds each row, whatever the planner believes of the table."""
    changed = ", ".join(f"{c} = EXCLUDED.{c}" for c in columns if c not in key)
    target = f"ON CONFLICT (merchant_id, {', '.join(key)}) DO UPDATE SET {changed}"
    _execute(tx, _insert_text(table, tuple(columns), target), columns, rows)


@lru_cache(maxsize=256)
def _insert_text(table: Table, columns: tuple[str, ...], conflict: str) -> str:
    arrays = ", ".join(f"CAST(:{c} AS {_type_of(table, c)}[])" for c in columns)
    names = ", ".join(columns)
    picked = ", ".join(f"row.{c}" for c in columns)
    return (
        f"INSERT INTO {table.name} (merchant_id, {names}) "
        f"SELECT :merchant_id, {picked} FROM unnest({arrays}) WITH ORDINALITY AS row ({names}, nth) "
        f"ORDER BY nth {conflict}"
    )


@lru_cache(maxsize=256)
def _type_of(table: Table, column: str) -> str:
    return str(table.c[column].type.compile(dialect=_DIALECT))


def _execute(tx: Transaction, statement: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    held = list(rows)
    if held:
        values = {name: list(column) for name, column in zip(columns, zip(*held, strict=True), strict=True)}
        tx.run(statement, **values)
