"""What is sold, where it stands, and the stores that show it."""

from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, LargeBinary, Table, Text, Time
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
    Column("dispatches", Boolean, nullable=False),  # paid orders go to warehouses without anybody asking
)

warehouse = Table(
    "warehouse",
    metadata,
    tenant(),
    identity(),
    words("code"),
    words("name"),
    words("time_zone"),
    words("kind"),
    Column("handling_days", Integer, nullable=False),  # from the arrival of goods until they can leave again
    words("region"),
    words("country"),
    words("subdivision"),
    words("postal"),
    words("city"),
    words("street"),
    Column("latitude", Double, nullable=True),
    Column("longitude", Double, nullable=True),
    Column("priority", Integer, nullable=False),  # the highest is asked first
    Column("cut_off", Time, nullable=True),
    Column("capacity_per_day", BigInteger, nullable=True),
    Column("paused", Boolean, nullable=False),
)

bin_ = Table(
    "bin",
    metadata,
    tenant(),
    identity(),
    reference("warehouse_id"),
    words("code"),
    Column("is_default", Boolean, nullable=False),
    Column("frozen", Boolean, nullable=False),
)

pool = Table(
    "pool",
    metadata,
    tenant(),
    identity(),
    words("kind"),
    words("name"),
    instant("closed_at", nullable=True),
    words("code"),
    reference("store_id", nullable=True),  # None: every channel may draw on it; 0: our own interface alone
    reference("warehouse_id", nullable=True),  # of a physical lock
    Column("pure", Boolean, nullable=False),
    instant("starts_at", nullable=True),
    instant("ends_at", nullable=True),
    instant("created_at"),
)

pool_item = Table(
    "pool_item",
    metadata,
    tenant(),
    Column("item_id", BigInteger, primary_key=True),
    Column("grade", Text, primary_key=True),
    Column("pool_id", BigInteger, primary_key=True),
    Column("is_open", Boolean, nullable=False),
    Column("cap", BigInteger, nullable=True),
    reference("expected_id", nullable=True),  # of a presale: the supply that it waits for
)

component = Table(
    "component",
    metadata,
    tenant(),
    Column("bundle_item_id", BigInteger, primary_key=True),
    Column("item_id", BigInteger, primary_key=True),
    Column("grade", Text, primary_key=True),
    units("quantity"),
)

item_unit = Table(
    "item_unit",
    metadata,
    tenant(),
    Column("item_id", BigInteger, primary_key=True),
    Column("unit", Text, primary_key=True),
    units("units"),
)

item = Table(
    "item",
    metadata,
    tenant(),
    identity(),
    words("sku"),
    # SKUs that differ only in case are one item: the casefolded form is the unique one.
    words("sku_key"),
    words("title"),
    instant("created_at"),
    words("kind"),  # plain, bundle (virtual: sold as its components) or kit (assembled, with stock of its own)
    # rules, see core/selling/rulebook.py; None: the store's hold
    Column("safety_stock", Integer, nullable=True),
    words("backorder", nullable=True),
    Column("backorder_limit", Integer, nullable=True),
    Column("weight_g", Integer, nullable=True),  # of one sale unit, packed
    reference("merged_into", nullable=True),  # the item that it is part of now, never one that is part of another
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
    # seconds over which tries to read its orders have failed, and when the last did; None: they could be read
    Column("unread_s", BigInteger, nullable=False),
    instant("unread_at", nullable=True),
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
    # rules, see core/selling/rulebook.py; None: nothing is set
    Column("buffer", Integer, nullable=True),
    Column("cap", Integer, nullable=True),
    Column("share", Integer, nullable=True),
    words("backorder", nullable=True),
    Column("backorder_limit", Integer, nullable=True),
    words("deduct", nullable=True),
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
    words("grade"),
    # rules, see core/selling/rulebook.py; None: those of its item or its store hold
    Column("safety_stock", Integer, nullable=True),
    Column("buffer", Integer, nullable=True),
    Column("cap", Integer, nullable=True),
    Column("share", Integer, nullable=True),
    words("backorder", nullable=True),
    Column("backorder_limit", Integer, nullable=True),
)

# Every value that a rule of a store, listing or item had; the columns above hold the newest.
rule_change = Table(
    "rule_change",
    metadata,
    tenant(),
    Column("scope", Text, primary_key=True),
    identity("subject_id"),
    Column("rule", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    instant("changed_at"),
    words("actor"),
    words("was", nullable=True),  # as its column says it; None: nothing was set
    words("becomes", nullable=True),
)
