"""Stock told by outside systems: who they are, the newest that they said, and what became of it."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, Table, Text

from core.tables.base import identity, instant, metadata, reference, tenant, units, words

mirror_source = Table(
    "mirror_source",
    metadata,
    tenant(),
    identity(),
    words("name"),
    reference("warehouse_id"),
    Column("by_time", Boolean, nullable=False),  # versions are microseconds since 1970
    Column("by_bin", Boolean, nullable=False),
    Column("zero_missing", Boolean, nullable=False),
    # a batch that changes more waits for a person; None: no bound
    Column("most_percent", Integer, nullable=True),
    Column("most_zeroed", BigInteger, nullable=True),
    Column("most_units", BigInteger, nullable=True),
    Column("silent_after_s", BigInteger, nullable=True),
    Column("covered", BigInteger, nullable=True),  # the newest batch that said 0 of every item that it did not name
    instant("created_at"),
    words("created_by"),
)

# The newest that a source said of an item; a version below 0: nothing yet.
mirror_item = Table(
    "mirror_item",
    metadata,
    tenant(),
    identity("source_id"),
    identity("item_id"),
    Column("grade", Text, primary_key=True),
    identity("bin_id"),  # 0: the whole warehouse
    Column("version", BigInteger, nullable=False),
    units("units"),
    instant("as_of"),
)

mirror_message = Table(
    "mirror_message",
    metadata,
    tenant(),
    identity("source_id"),
    Column("key", Text, primary_key=True),
    reference("item_id"),
    words("grade"),
    reference("bin_id"),
    Column("version", BigInteger, nullable=False),
    units("units"),
    instant("received_at"),
    words("actor"),
    words("outcome"),
    Column("change", BigInteger, nullable=False),
    reference("document_id", nullable=True),
)

mirror_batch = Table(
    "mirror_batch",
    metadata,
    tenant(),
    identity(),
    reference("source_id"),
    words("key"),
    Column("content_hash", LargeBinary, nullable=False),
    Column("version", BigInteger, nullable=False),
    instant("as_of"),
    Column("zero_missing", Boolean, nullable=False),
    instant("received_at"),
    words("actor"),
    words("state"),
    words("why"),
    instant("decided_at", nullable=True),
    words("decided_by", nullable=True),
    instant("ended_at", nullable=True),
    units("named"),
    units("unnamed"),
    units("same"),
)

# What a batch changes, or would change.
mirror_batch_item = Table(
    "mirror_batch_item",
    metadata,
    tenant(),
    identity("batch_id"),
    identity("item_id"),
    Column("grade", Text, primary_key=True),
    identity("bin_id"),
    units("units"),
    Column("named", Boolean, nullable=False),
    words("outcome"),
    units("shelf"),
    Column("change", BigInteger, nullable=False),
    reference("document_id", nullable=True),
)

mirror_refusal = Table(
    "mirror_refusal",
    metadata,
    tenant(),
    identity("source_id"),
    Column("subject", Text, primary_key=True),
    words("why"),
    Column("times", BigInteger, nullable=False),
    instant("first_at"),
    instant("last_at"),
)
