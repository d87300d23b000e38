"""Orders as last fetched, and the promises that they hold. Nothing here names a person."""

from sqlalchemy import BigInteger, Boolean, Column, Table
from sqlalchemy.dialects.postgresql import JSONB

from core.tables.base import identity, instant, metadata, reference, tenant, units, words

store_order = Table(
    "store_order",
    metadata,
    tenant(),
    identity(),
    reference("store_id"),
    words("external_id"),
    words("number"),
    words("state"),
    Column("holds", Boolean, nullable=False),
    Column("paid", Boolean, nullable=False),
    instant("placed_at", nullable=True),
    # of the state applied, as the store's list of orders shows it
    words("version"),
    Column("fetch_seq", BigInteger, nullable=False),
    instant("applied_at", nullable=True),
)

order_line = Table(
    "order_line",
    metadata,
    tenant(),
    identity(),
    reference("order_id"),
    words("external_line_id"),
    words("external_id", nullable=True),
    words("sku"),
    words("title"),
    reference("listing_id", nullable=True),
    reference("item_id", nullable=True),
    # the state last applied, in units of the item; kept also while the line is held for want of a mapping
    units("ordered"),
    units("cancelled"),
    units("written_off"),
    units("damaged"),  # of the written off: units that we hold as unavailable
    units("returned"),
    units("counted"),
    units("hidden"),
    Column("deducted", Boolean, nullable=False),
    Column("paid", Boolean, nullable=False),
    words("held_reason"),
)

promise = Table(
    "promise",
    metadata,
    tenant(),
    identity(),
    reference("order_line_id"),
    reference("order_id"),
    reference("item_id"),
    words("grade"),
    reference("pool_id"),
    # wanted = waiting + live + shipped + released
    units("wanted"),
    units("waiting"),
    units("live"),
    units("shipped"),
    units("released"),
    Column("deducted", Boolean, nullable=False),
    instant("promised_at"),
    instant("expires_at", nullable=True),
)

incident = Table(
    "incident",
    metadata,
    tenant(),
    identity(),
    words("kind"),
    reference("store_id", nullable=True),
    reference("order_id", nullable=True),
    reference("order_line_id", nullable=True),
    reference("item_id", nullable=True),
    units("quantity"),
    words("cause"),
    Column("timeline", JSONB, nullable=False),
    instant("opened_at"),
    instant("closed_at", nullable=True),
)
