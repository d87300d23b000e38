"""Orders as last fetched, and the promises that they hold. Nothing here names a person."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table, Text
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
    words("destination"),  # COUNTRY-SUBDIVISION-POSTAL, of the postal code the first characters; empty: not known
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
    # the state last applied, in units as the store sells them; kept also while the line is held for want of a mapping
    units("ordered"),
    units("cancelled"),
    units("written_off"),
    units("returned"),
    units("returned_minor_defect"),  # of the returned
    units("counted"),
    units("hidden"),
    Column("deducted", Boolean, nullable=False),
    Column("paid", Boolean, nullable=False),
    words("held_reason"),
    words("grade"),
)

promise = Table(
    "promise",
    metadata,
    tenant(),
    identity(),
    reference("order_line_id", nullable=True),  # None: a hold made through our own interface
    identity("order_id"),  # of a hold: its document
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
    Column("paid", Boolean, nullable=False),
    units("per_unit"),  # units of the item for one of the line: of packs and bundles, as it was promised first
    units("damaged"),  # of the released: written off, and held as unavailable
    Column("backorder", Boolean, nullable=False),  # a rule allowed what waits to wait
    Column("broken", Boolean, nullable=False),  # a unit that was promised was found missing
    Column("priority", Integer, nullable=False),
    words("holder"),
    Column("ttl_s", BigInteger, nullable=True),  # of a hold not paid: how long it lasts from its last sign of life
    Column("presale", Boolean, nullable=False),  # promised before goods were there, in a presale pool
    reference("presale_id", nullable=True),  # the presale that sold it, also when its goods have arrived
    instant("balance_due_at", nullable=True),  # its deposit is paid, and the rest is owed by then
    units("allocated"),  # of the live ones: those that a warehouse is to send
)

# Has the id of its pool.
lock = Table(
    "lock",
    metadata,
    tenant(),
    identity(),
    words("key"),
    words("type"),
    words("status"),
    reference("item_id"),
    words("grade"),
    units("quantity"),
    units("waiting"),
    Column("priority", Integer, nullable=False),
    words("owner"),
    words("account"),  # the holder whose orders may draw on it; empty: none in particular
    reference("store_id", nullable=True),
    reference("warehouse_id", nullable=True),
    Column("pure", Boolean, nullable=False),
    words("overflow"),
    instant("starts_at", nullable=True),
    instant("expires_at", nullable=True),
    words("requested_by"),
    instant("requested_at"),
    words("decided_by"),
    instant("decided_at", nullable=True),
    words("reason"),
    reference("migrated_from", nullable=True),
    instant("moved_at", nullable=True),  # when units last entered or left its pool, to within the hour
    Column("standing", Boolean, nullable=False),  # a floor: kept at its quantity of free units
)

# What somebody may lock at most; the requester is empty for everybody who has no row of their own.
lock_limit = Table(
    "lock_limit",
    metadata,
    tenant(),
    Column("requester", Text, primary_key=True),
    Column("most_units", BigInteger, nullable=True),
    Column("most_share", Integer, nullable=True),  # percent
    Column("most_days", Integer, nullable=True),
    instant("changed_at"),
    words("changed_by"),
)

incident = Table(
    "incident",
    metadata,
    tenant(),
    identity(),
    words("kind"),
    reference("store_id", nullable=True),
    reference("order_id", nullable=True),
    reference("order_line_id", nullable=True),  # of a hold: its document
    reference("item_id", nullable=True),
    units("quantity"),
    words("cause"),
    Column("timeline", JSONB, nullable=False),
    instant("opened_at"),
    instant("closed_at", nullable=True),
)

hold_rule = Table(
    "hold_rule",
    metadata,
    tenant(),
    reference("store_id", nullable=True),  # None: every channel; 0: our own interface
    words("payment"),  # empty: every method
    units("ttl_s"),
)

purchase_limit = Table(
    "purchase_limit",
    metadata,
    tenant(),
    identity(),
    words("per"),
    reference("item_id", nullable=True),  # None: all items together
    reference("pool_id", nullable=True),
    units("units"),
)
