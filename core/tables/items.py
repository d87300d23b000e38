"""What becomes of items over time: what they were called, what others call them, what they cost."""

from sqlalchemy import BigInteger, Column, DateTime, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from core.tables.base import identity, instant, metadata, reference, tenant, units, words

item_rename = Table(
    "item_rename",
    metadata,
    tenant(),
    identity(),
    reference("item_id"),
    words("sku"),
    words("sku_key"),
    instant("until"),
    words("renamed_by"),
)

item_reference = Table(
    "item_reference",
    metadata,
    tenant(),
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),  # the value as it is compared
    words("value"),
    reference("item_id"),
    instant("made_at"),
    words("made_by"),
)

# Merges and splits. item_id: what became a part of the other, or what the other was split off from.
item_change = Table(
    "item_change",
    metadata,
    tenant(),
    identity("document_id"),
    reference("item_id"),
    words("kind"),
    reference("other_id"),
    instant("at"),
    words("actor"),
    words("reason"),
)

item_cost = Table(
    "item_cost",
    metadata,
    tenant(),
    identity("item_id"),
    Column("at", DateTime(timezone=True), primary_key=True),
    Column("nth", Integer, primary_key=True),
    reference("document_id"),
    units("units"),
    Column("cost_minor", BigInteger, nullable=True),
    words("currency"),
    Column("parts", JSONB, nullable=False),
    reference("taken_by", nullable=True),
)
