"""Balances of the past, kept so that any instant is near a known one."""

from sqlalchemy import Column, DateTime, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from core.tables.base import identity, instant, metadata, tenant

# All balances of an item at one instant. Made from the movements, and can be made again from them.
balance_checkpoint = Table(
    "balance_checkpoint",
    metadata,
    tenant(),
    identity("item_id"),
    Column("at", DateTime(timezone=True), primary_key=True),
    # [[layer, grade, place id, bucket, units], ...], of all buckets that are not 0
    Column("cells", JSONB, nullable=False),
)

# How far the checkpoints of a merchant go.
checkpoint_mark = Table(
    "checkpoint_mark",
    metadata,
    tenant(),
    # every movement recorded up to here was to be seen when checkpoints were last made; None: none were made yet
    instant("covered_until", nullable=True),
    # when we last looked who was at work, and the transactions that were open then
    instant("looked_at"),
    Column("open_then", ARRAY(Text), nullable=False),
)
