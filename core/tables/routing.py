"""Who may serve what and where to: regions, rates, rules, and the decisions made by them."""

from sqlalchemy import BigInteger, Column, Date, Double, Integer, SmallInteger, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from core.tables.base import identity, instant, metadata, reference, tenant, words

region = Table(
    "region",
    metadata,
    tenant(),
    identity(),
    words("name"),
    Column("parts", ARRAY(Text), nullable=False),
    # its middle, from where distances are taken
    Column("latitude", Double, nullable=True),
    Column("longitude", Double, nullable=True),
)

# Of one parcel. No region: to everywhere; no warehouse: from everywhere.
carrier_rate = Table(
    "carrier_rate",
    metadata,
    tenant(),
    identity(),
    words("carrier"),
    reference("region_id", nullable=True),
    reference("warehouse_id", nullable=True),
    Column("up_to_g", Integer, nullable=False),
    Column("cost", BigInteger, nullable=False),  # in the smallest unit of its currency
    words("currency"),
)

transit_time = Table(
    "transit_time",
    metadata,
    tenant(),
    identity(),
    reference("region_id", nullable=True),
    reference("warehouse_id", nullable=True),
    # working days of the general week
    Column("least_days", Integer, nullable=False),
    Column("most_days", Integer, nullable=False),
)

serving_rule = Table(
    "serving_rule",
    metadata,
    tenant(),
    identity(),
    words("effect"),
    reference("warehouse_id"),
    reference("item_id", nullable=True),
    reference("region_id", nullable=True),
    instant("starts_at", nullable=True),
    instant("ends_at", nullable=True),
    instant("made_at"),
    words("made_by"),
)

working_week = Table(
    "working_week",
    metadata,
    tenant(),
    reference("warehouse_id", nullable=True),  # None: the general week, which is the carriers' too
    Column("weekdays", ARRAY(SmallInteger), nullable=False),  # ISO 8601: Monday is 1
    Column("closed_on", ARRAY(Date), nullable=False),
)

routing_setting = Table(
    "routing_setting",
    metadata,
    tenant(),
    reference("store_id", nullable=True),  # None: the merchant's own, for stores without one
    words("strategy"),
)

# The one that no other supersedes is in force for its order.
route_decision = Table(
    "route_decision",
    metadata,
    tenant(),
    identity(),
    reference("order_id"),
    Column("attempt", Integer, nullable=False),
    words("strategy"),
    instant("decided_at"),
    words("country"),
    words("subdivision"),
    words("postal"),  # the first characters alone
    Column("lines", JSONB, nullable=False),
    Column("legs", JSONB, nullable=False),
    Column("waits", JSONB, nullable=False),
    Column("reasons", JSONB, nullable=False),
    Column("excluded", JSONB, nullable=False),
    reference("superseded_by", nullable=True),
)

# A parcel of a decision in force, and the day on which its warehouse is to send it.
route_parcel = Table(
    "route_parcel",
    metadata,
    tenant(),
    Column("warehouse_id", BigInteger, primary_key=True),
    Column("leaves_on", Date, primary_key=True),
    Column("decision_id", BigInteger, primary_key=True),
)
