"""Goods that are set apart: why, and what went back to suppliers."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table, Text

from core.tables.base import identity, instant, metadata, reference, tenant, units, words

set_apart = Table(
    "set_apart",
    metadata,
    tenant(),
    identity(),
    reference("bin_id"),
    reference("item_id"),
    words("grade"),
    units("units"),
    units("units_left"),
    words("cause"),
    Column("to_inspect", Boolean, nullable=False),
    words("reason"),
    instant("since"),
    reference("document_id", nullable=True),
)

set_apart_exit = Table(
    "set_apart_exit", metadata, tenant(), identity("set_apart_id"), identity("document_id"), units("units")
)

# One row for each merchant that has said so: returns wait until somebody has looked at them.
inspection_rule = Table("inspection_rule", metadata, tenant(), Column("inspect_returns", Boolean, nullable=False))

vendor_return = Table(
    "vendor_return",
    metadata,
    tenant(),
    identity(),
    words("number"),
    reference("supplier_id"),
    reference("purchase_id", nullable=True),
    words("reason"),
    reference("document_id"),
    instant("sent_at"),
    words("sent_by"),
)

vendor_return_line = Table(
    "vendor_return_line",
    metadata,
    tenant(),
    identity("vendor_return_id"),
    Column("nth", Integer, primary_key=True),
    Column("item_id", BigInteger, nullable=False),
    Column("grade", Text, nullable=False),
    Column("bin_id", BigInteger, nullable=False),
    units("units"),
)
