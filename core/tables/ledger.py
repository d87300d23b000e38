"""Documents, their movements, and the balances that are a projection of them."""

from sqlalchemy import BigInteger, Column, DateTime, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from core.tables.base import identity, instant, metadata, reference, tenant, units, words

effect = Table(
    "effect",
    metadata,
    tenant(),
    Column("key_hash", LargeBinary, primary_key=True),
    Column("content_hash", LargeBinary, nullable=False),
    reference("document_id", nullable=True),
    Column("result", JSONB, nullable=True),
)

document = Table(
    "document",
    metadata,
    tenant(),
    identity(),
    Column("recorded_at", DateTime(timezone=True), primary_key=True),
    words("kind"),
    words("effect_key"),
    words("actor"),
    words("source"),
    words("correlation_id"),
    instant("happened_at"),
    reference("corrects_id", nullable=True),
    reference("order_id", nullable=True),
    words("reason"),
)

movement = Table(
    "movement",
    metadata,
    tenant(),
    Column("document_id", BigInteger, primary_key=True),
    Column("line_no", Integer, primary_key=True),
    Column("recorded_at", DateTime(timezone=True), primary_key=True),
    reference("item_id"),
    words("grade"),
    words("layer"),
    reference("from_place", nullable=True),
    words("from_bucket"),
    reference("to_place", nullable=True),
    words("to_bucket"),
    units("quantity"),
    reference("order_line_id", nullable=True),
)


def _balance(name: str, place: str, buckets: tuple[str, ...], into: MetaData) -> Table:
    return Table(
        name,
        into,
        tenant(),
        Column(place, BigInteger, primary_key=True),
        Column("item_id", BigInteger, primary_key=True),
        Column("grade", Text, primary_key=True),
        *(units(bucket) for bucket in buckets),
    )


warehouse_balance = _balance("warehouse_balance", "bin_id", ("available", "picking", "unavailable"), metadata)
dispatch_balance = _balance(
    "dispatch_balance",
    "warehouse_id",
    ("available", "allocated", "locked", "unavailable", "incoming", "incoming_sellable"),
    metadata,
)
sales_balance = _balance("sales_balance", "pool_id", ("free", "reserved", "sold", "backordered"), metadata)
