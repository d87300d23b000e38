"""What is sold, where it stands, and the stores that show it."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, Table
from sqlalchemy.dialects.postgresql import JSONB

from core.tables.base import identity, instant, metadata, reference, tenant, units, words

merchant = Table(
    "merchant",
    metadata,
    identity(),
    words("name"),
    words("time_zone"),
    words("alert_email"),
    words("sharing"),
    units("share_below"),
    instant("created_at"),
)

warehouse = Table(
    "warehouse", metadata, tenant(), identity(), words("code"), words("name"), words("time_zone"), words("kind")
)

bin_ = Table(
    "bin",
    metadata,
    tenant(),
    identity(),
    reference("warehouse_id"),
    words("code"),
    Column("is_default", Boolean, nullable=False),
)

pool = Table("pool", metadata, tenant(), identity(), words("kind"), words("name"), instant("closed_at", nullable=True))

item = Table(
    "item",
    metadata,
    tenant(),
    identity(),
    words("sku"),
    # SKUs that differ only in case are one item: the casefolded form is the unique one.
    words("sku_key"),
    words("title"),
    Column("low_stock_threshold", Integer, nullable=True),
    instant("created_at"),
)

store = Table(
    "store",
    metadata,
    tenant(),
    identity(),
    words("name"),
    words("platform"),
    words("url"),
    words("mode"),
    Column("credentials", LargeBinary, nullable=False),  # MultiFernet token
    Column("settings", JSONB, nullable=False),
    words("trouble"),  # empty, or the sentence that says what is wrong and the cure
    instant("trouble_since", nullable=True),
    Column("paused", Boolean, nullable=False),
    instant("last_webhook_at", nullable=True),
    instant("last_poll_at", nullable=True),
    # by the store's clock: changes up to here are listed; and are applied
    instant("polled_until", nullable=True),
    instant("orders_known_until", nullable=True),
    # the last polls: when each was noted, by our clock, and up to when it knows the orders, by the store's
    Column("poll_marks", JSONB, nullable=False),
    # when its numbers were first read: what it sold before then is off those numbers already
    instant("opened_at", nullable=True),
    # true after an outage of ours: no number rises until this store's orders were polled again
    Column("blind", Boolean, nullable=False),
    Column("safety_stock", Integer, nullable=False),
    instant("created_at"),
)

listing = Table(
    "listing",
    metadata,
    tenant(),
    identity(),
    reference("store_id"),
    words("external_id"),
    words("sku"),
    words("title"),
    reference("item_id", nullable=True),
    Column("pack_size", Integer, nullable=False),
    words("untracked_reason"),
    words("quarantine_reason"),
    # what the store shows if it has sold nothing but the orders we have applied; None: never read
    Column("believed", BigInteger, nullable=True),
    # what a write under way may have raised it to
    Column("asked", BigInteger, nullable=True),
    Column("published", BigInteger, nullable=True),
    instant("published_at", nullable=True),
    Column("observed", BigInteger, nullable=True),
    instant("observed_at", nullable=True),
    instant("proven_equal_at", nullable=True),
)
