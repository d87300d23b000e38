"""Stocktakes: what is to be counted, what was counted, and what came of it."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table, Text

from core.tables.base import identity, instant, metadata, reference, tenant, units, words

stocktake = Table(
    "stocktake",
    metadata,
    tenant(),
    identity(),
    words("number"),
    Column("of_some", Boolean, nullable=False),
    words("chosen"),
    Column("blind", Boolean, nullable=False),
    Column("uncounted_is_zero", Boolean, nullable=False),
    words("note"),
    Column("revision", BigInteger, nullable=False),
    instant("opened_at"),
    words("opened_by"),
    instant("approved_at", nullable=True),
    words("approved_by"),
    instant("posting_at", nullable=True),
    words("posting_by"),
    instant("posted_at", nullable=True),
    instant("cancelled_at", nullable=True),
    words("cancelled_by"),
    words("reason"),
)

stocktake_bin = Table(
    "stocktake_bin",
    metadata,
    tenant(),
    identity("stocktake_id"),
    identity("bin_id"),
    Column("froze", Boolean, nullable=False),
)

stocktake_item = Table("stocktake_item", metadata, tenant(), identity("stocktake_id"), identity("item_id"))

stocktake_line = Table(
    "stocktake_line",
    metadata,
    tenant(),
    identity("stocktake_id"),
    identity("bin_id"),
    identity("item_id"),
    Column("grade", Text, primary_key=True),
    units("opened"),
    Column("opened_fixes", Integer, nullable=False),
    words("state"),
    Column("counted", BigInteger, nullable=True),
    Column("book", BigInteger, nullable=True),
    instant("counted_at", nullable=True),
    Column("fixes", Integer, nullable=True),
    reference("document_id", nullable=True),
    Column("posted", BigInteger, nullable=True),
    words("left_out"),
)

stocktake_count = Table(
    "stocktake_count",
    metadata,
    tenant(),
    identity("stocktake_id"),
    identity("bin_id"),
    identity("item_id"),
    Column("grade", Text, primary_key=True),
    identity("revision"),
    words("counter"),
    units("counted"),
    units("book"),
    instant("counted_at"),
    Column("fixes", Integer, nullable=False),
    instant("entered_at"),
    words("entered_by"),
    Column("stands", Boolean, nullable=False),
)

# One row for each merchant that says which variances a second person approves.
stocktake_rule = Table(
    "stocktake_rule",
    metadata,
    tenant(),
    Column("approve_units", BigInteger, nullable=True),
    Column("approve_percent", Integer, nullable=True),
)
