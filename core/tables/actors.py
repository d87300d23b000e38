"""Who may act for a merchant, and what they did."""

from sqlalchemy import Boolean, Column, LargeBinary, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from core.tables.base import identity, instant, metadata, tenant, words

# No merchant_id: an address may be known to many merchants, each of which sees those of its own members.
app_user = Table("app_user", metadata, Column("id", Uuid, primary_key=True), words("email"))

# What a user is to one merchant. Documents and the log of acts name this row, which can be erased.
member = Table(
    "member",
    metadata,
    tenant(),
    identity(),
    Column("user_id", Uuid, nullable=False),
    words("name"),
    words("role"),
    Column("disabled", Boolean, nullable=False),
    instant("created_at"),
    instant("removed_at", nullable=True),
)

api_key = Table(
    "api_key",
    metadata,
    tenant(),
    identity(),
    words("public_id"),
    words("name"),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    words("made_by"),  # an actor, as documents keep it
    instant("created_at"),
    instant("expires_at", nullable=True),
    instant("last_used_at", nullable=True),
    instant("revoked_at", nullable=True),
)

act_log = Table(
    "act_log",
    metadata,
    tenant(),
    identity(),
    instant("at"),
    words("actor"),
    words("act"),
    words("subject"),
    Column("detail", JSONB, nullable=False),
)
