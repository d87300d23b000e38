"""What ``holdfast doctor`` looks at: facts about a hub, gathered with few queries and without changing anything."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import psycopg
import redis
from sqlalchemy import Engine, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from config import secrets
from config.settings import Settings
from core import audit, queries, schema, silence, stores
from core.errors import ConfigError
from core.orders import unsent
from core.orders.unsent import Unsent
from core.queries import LeastTrouble, Pulse, StoreView, WorkView
from core.silence import Silence
from core.transaction import Database, Transaction, connect

ACTOR = "cli:doctor"


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """``login`` is who came in, ``role`` who we work as; strong ones could look over tenants' walls."""

    version: str
    major: int
    login: str
    login_is_strong: bool
    role: str
    role_is_strong: bool
    schema: str | None
    schema_needed: str


@dataclass(frozen=True, slots=True)
class MerchantFacts:
    """What the database tells of one merchant; ``unreadable`` names stores whose credentials no key of ours opens.

    ``unsent``: paid orders that could have been sent long ago, and that no warehouse is told to send.
    ``silent``: stores that refuse us, or whose orders could not be read the last time.
    """

    now: datetime
    email: str
    warned_items: int
    pulse: Pulse
    stores: Sequence[StoreView]
    given_up: Sequence[WorkView]
    unreadable: Sequence[str]
    audit_violations: int
    unsent: Sequence[Unsent] = ()
    silent: Sequence[Silence] = ()


@dataclass(slots=True)
class Checkup:
    """All that could be learnt; ``failures`` say of what could not be looked at why, each with its cure."""

    mail_server: bool = False
    database: DatabaseFacts | None = None
    broker: str = ""
    key: str = ""
    merchant: MerchantFacts | None = None
    failures: list[tuple[str, str]] = field(default_factory=list)


def look(settings: Settings, merchant_id: int) -> Checkup:
    """Look at everything that can be reached; never raises for what is not."""
    found = Checkup(bool(settings.smtp_url.get_secret_value()))
    keys = _look_at_key(settings, found)
    _look_at_broker(settings, found)
    try:
        engine = connect(settings.database_url, pool_size=1)
        try:
            _look_at_database(engine, found)
            if found.database and found.database.schema == found.database.schema_needed:
                _look_at_merchant(Database(engine), merchant_id, keys, found)
        finally:
            engine.dispose()
    except (ArgumentError, DBAPIError, psycopg.Error) as error:
        cause = str(error.orig if isinstance(error, DBAPIError) and error.orig else error).strip().splitlines()[0]
        found.failures.append(
            ("database", f"it cannot be used: {cause}; see that it runs, that HOLDFAST_DATABASE_URL is right, and that "
             "`holdfast migrate` was run")
        )  # fmt: skip
    return found


def _look_at_key(settings: Settings, found: Checkup) -> secrets.Secrets | None:
    try:
        keys = secrets.load(settings)
    except ConfigError as error:
        found.failures.append(("secret key", str(error)))
        return None
    found.key = "HOLDFAST_SECRET_KEYS" if settings.secret_keys.get_secret_value() else str(settings.secret_key_file)
    return keys


def _look_at_broker(settings: Settings, found: Checkup) -> None:
    if not settings.redis_url:
        found.failures.append(
            ("broker", "none runs; start `holdfast up`, or set HOLDFAST_REDIS_URL to one of your own")
        )
        return
    try:
        with redis.Redis.from_url(settings.redis_url, socket_timeout=5, socket_connect_timeout=5) as client:
            info = client.info("server")
    except (redis.RedisError, ValueError) as error:
        found.failures.append(
            ("broker", f"it does not answer: {error}; see that it runs and that HOLDFAST_REDIS_URL is right")
        )
        return
    name = "Valkey" if "valkey_version" in info else "Redis"
    found.broker = f"{name} {info.get('valkey_version') or info.get('redis_version')}"


def _look_at_database(engine: Engine, found: Checkup) -> None:
    with engine.connect() as connection:
        row = connection.execute(
            text(
                """SELECT current_setting('server_version') AS version,
                       current_setting('server_version_num')::int / 10000 AS major, session_user AS login,
                       l.rolsuper OR l.rolbypassrls AS login_is_strong, current_user AS role,
                       r.rolsuper OR r.rolbypassrls AS role_is_strong
                   FROM pg_roles l, pg_roles r WHERE l.rolname = session_user AND r.rolname = current_user"""
            )
        ).one()
    found.database = DatabaseFacts(**row._mapping, schema=schema.version_of(engine), schema_needed=schema.VERSION)


def _look_at_merchant(db: Database, merchant_id: int, keys: secrets.Secrets | None, found: Checkup) -> None:
    if merchant_id not in queries.merchants(db):
        found.failures.append(("merchant", f"there is no merchant {merchant_id}; `holdfast migrate` makes the first"))
        return
    with db.begin(merchant_id, actor=ACTOR) as tx:
        merchant = queries.merchant_view(tx)
        found.merchant = MerchantFacts(
            now=tx.now,
            email=merchant.alert_email,
            warned_items=merchant.warned_items,
            pulse=queries.pulse(tx),
            stores=queries.store_views(tx),
            given_up=queries.work_rows(tx, least=LeastTrouble.FAILING),
            unreadable=_unreadable(tx, keys) if keys else (),
            audit_violations=len(audit.audit(tx)),
            unsent=unsent.overdue(tx),
            silent=silence.every(tx),
        )


def _unreadable(tx: Transaction, keys: secrets.Secrets) -> list[str]:
    names = []
    for store in stores.every(tx):
        try:
            keys.open(store.credentials)
        except ConfigError:
            # Which store it is says more than why: there is only this one cause.
            names.append(store.name)
    return names
