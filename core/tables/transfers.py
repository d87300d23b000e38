"""Goods on their way between our own warehouses."""

from sqlalchemy import Column, Date, Integer, Table

from core.tables.base import identity, instant, metadata, reference, tenant, units, words

transfer = Table(
    "transfer",
    metadata,
    tenant(),
    identity(),
    words("number"),
    reference("from_id"),  # a warehouse, as the next
    reference("to_id"),
    Column("expected_on", Date, nullable=True),
    words("note"),
    instant("created_at"),
    words("created_by"),
)

transfer_line = Table(
    "transfer_line",
    metadata,
    tenant(),
    identity(),
    reference("transfer_id"),
    Column("nth", Integer, nullable=False),
    reference("item_id"),
    words("grade"),
    units("asked"),
    units("sent"),
    units("came"),
    units("lost"),
    units("allocated"),  # kept for it in the first warehouse
)
