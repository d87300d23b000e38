"""What is said about ordering again: by item, and for all items that say nothing of their own."""

from sqlalchemy import BigInteger, Boolean, Column, Date, Integer, Table, Text

from core.tables.base import identity, metadata, reference, tenant, words

# One row for each merchant that says something; without it holds what comes with the hub.
replenish_default = Table(
    "replenish_default",
    metadata,
    tenant(),
    Column("window_days", Integer, nullable=False),  # days of sales that are looked at
    Column("lead_days", Integer, nullable=False),
    Column("cover_days", Integer, nullable=False),
    Column("service_permille", Integer, nullable=False),
    Column("slow_days", Integer, nullable=False),
    Column("most_days", Integer, nullable=False),
    Column("transfer_days", Integer, nullable=False),
    words("method"),  # how it is told what will sell
)

replenish_item = Table(
    "replenish_item",
    metadata,
    tenant(),
    identity("item_id"),
    Column("lead_days", Integer, nullable=True),
    Column("cover_days", Integer, nullable=True),
    Column("service_permille", Integer, nullable=True),
    reference("supplier_id", nullable=True),
    Column("is_off", Boolean, nullable=False),
    words("method", nullable=True),
)

# Sums of movements of days that are over; made again from the movements when they are gone.
flow_day = Table(
    "flow_day",
    metadata,
    tenant(),
    identity("item_id"),
    Column("grade", Text, primary_key=True),
    identity("place_id"),  # a warehouse; 0: the sales layer
    Column("day", Date, primary_key=True),
    Column("sold", BigInteger, nullable=False),
    Column("came", BigInteger, nullable=False),
    Column("net", BigInteger, nullable=False),
)

flow_mark = Table(
    "flow_mark",
    metadata,
    tenant(),
    words("time_zone"),
    Column("since", Date, nullable=False),
    Column("until", Date, nullable=False),
)
