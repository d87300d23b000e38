"""What all tables share: the MetaData and a few column shapes."""

from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, MetaData, Text

metadata = MetaData()


def tenant() -> Column[Any]:
    """The merchant a row belongs to: first in every key, and the wall that row-level security repeats."""
    return Column("merchant_id", BigInteger, primary_key=True)


def identity(name: str = "id") -> Column[Any]:
    """An id made by us (see ``core.transaction``), never by a default."""
    return Column(name, BigInteger, primary_key=True)


def reference(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, BigInteger, nullable=nullable)


def instant(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def words(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, Text, nullable=nullable)


def units(name: str) -> Column[Any]:
    """Whole smallest sale units."""
    return Column(name, BigInteger, nullable=False)
