"""What wants doing, what was pushed, and whom to warn."""

from sqlalchemy import BigInteger, Boolean, Column, Date, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from core.tables.base import identity, instant, metadata, reference, tenant, units, words

work = Table(
    "work",
    metadata,
    tenant(),
    Column("topic", Text, primary_key=True),
    Column("store_id", BigInteger, primary_key=True),  # 0 where no store is meant
    Column("subject", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    instant("heard_at"),
    instant("due_at"),
    instant("sent_until", nullable=True),
    instant("leased_until", nullable=True),
    reference("lease", nullable=True),
    words("holder"),
    Column("tries", Integer, nullable=False),
    words("reason"),
    instant("dead_at", nullable=True),
)

schedule = Table(
    "schedule",
    metadata,
    tenant(),
    Column("topic", Text, primary_key=True),
    Column("store_id", BigInteger, primary_key=True),
    words("cron"),  # five fields in the merchant's time zone, or "every <seconds>"
    instant("next_at"),
    Column("enabled", Boolean, nullable=False),
)

# A row for as long as a listing is stale: the number it should show may be another than the one we believe it shows.
push_due = Table(
    "push_due",
    metadata,
    tenant(),
    identity("store_id"),
    identity("listing_id"),
    # another one with each marking and never one used before; a push settles the revision that it claimed
    Column("revision", BigInteger, nullable=False),
    instant("stale_since"),
    # since when it could have been pushed, and until when it should not be
    instant("tryable_since"),
    instant("not_before", nullable=True),
    # while it waits: beyond which instant (the store's clock) its orders must be known for another look to tell more
    instant("until_known", nullable=True),
    Column("tries", Integer, nullable=False),
    # the earliest news behind it, and how long that news was in our hands
    instant("heard_at", nullable=True),
    Column("heard_own_ms", BigInteger, nullable=False),
)

push = Table(
    "push",
    metadata,
    tenant(),
    identity(),
    reference("store_id"),
    reference("listing_id"),
    Column("believed", BigInteger, nullable=True),
    units("wanted"),
    words("status"),
    Column("shown", BigInteger, nullable=True),
    Column("observed", BigInteger, nullable=True),
    instant("observed_at", nullable=True),
    instant("orders_known_until", nullable=True),
    words("reason"),
    instant("heard_at", nullable=True),
    instant("stale_since", nullable=True),
    instant("claimed_at"),
    instant("settled_at"),
    # the part of the way from hint to settled that was spent in this system, not waiting for a store
    Column("own_ms", BigInteger, nullable=False),
    # what ``wanted`` was computed from, as ``core.evidence`` packs it; None: recorded before that was kept
    Column("facts", JSONB, nullable=True),
)

alert = Table(
    "alert",
    metadata,
    tenant(),
    identity(),
    words("kind"),
    words("subject"),
    reference("item_id", nullable=True),
    Column("facts", JSONB, nullable=False),
    instant("opened_at"),
    instant("closed_at", nullable=True),
    reference("store_id", nullable=True),
    reference("warehouse_id", nullable=True),
    Column("ended", JSONB, nullable=True),  # what was so when it ended
)

# Beside the alert: who mails many never holds a row that a batch wants in order to end one.
alert_mail = Table(
    "alert_mail",
    metadata,
    tenant(),
    identity("alert_id"),
    instant("due_at", nullable=True),  # since when, or from when on, a mail is owed; None: none
    instant("snoozed_until", nullable=True),
    reference("mail_id", nullable=True),  # the mail that it goes with, or went with
    instant("sent_at", nullable=True),
)

# When to warn; 0 as item: every item without a rule of its own.
alert_rule = Table(
    "alert_rule",
    metadata,
    tenant(),
    identity("item_id"),
    Column("kind", Text, primary_key=True),
    identity("warehouse_id"),
    identity("store_id"),
    Column("grade", Text, primary_key=True),
    Column("level", BigInteger, nullable=True),  # units (low_stock) or days at which to warn; None: never
    Column("window_days", Integer, nullable=True),  # days of sales from which days of cover are computed
    instant("changed_at"),
    words("changed_by"),
)

# Units sold on so many days on which there were any, up to a day in the merchant's zone.
sales_pace = Table(
    "sales_pace",
    metadata,
    tenant(),
    identity("item_id"),
    Column("grade", Text, primary_key=True),
    Column("window_days", Integer, nullable=False),
    Column("until", Date, nullable=False),
    Column("days", Integer, nullable=False),
    units("sold"),
)
