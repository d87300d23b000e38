"""First steps of an installation: the schema, the first merchant, and the schedule that each merchant needs."""

import itertools

from config.settings import Settings
from core import catalog, queries, schema, stores
from core.errors import ConfigError
from core.transaction import Database, connect

FIRST_MERCHANT = 1
SCHEDULE = {
    "expire": "every 30",
    "locks": "every 30",
    "pools": "every 60",
    "backorders": "every 60",
    "alerts": "every 120",
    "audit": "45 3 * * *",
    "upkeep": "30 2 * * *",
    "checkpoint": "every 600",
}


def migrate(
    settings: Settings, *, name: str = "My shop", time_zone: str = "UTC", email: str = ""
) -> tuple[str | None, str]:
    """Bring the schema up as its owner, make the first merchant, and schedule what any merchant lacks.

    Returns: the versions before and after.

    Raises: ConfigError.
    """
    url = settings.owner_database_url or settings.database_url
    if not url:
        raise ConfigError("no database: set HOLDFAST_DATABASE_URL, or run `holdfast up`, which brings its own")
    owner = connect(url, role=None)
    try:
        versions = schema.migrate(owner)
    finally:
        owner.dispose()
    app = connect(settings.database_url or url)
    try:
        db = Database(app)
        catalog.ensure_merchant(db, FIRST_MERCHANT, name=name, time_zone=time_zone, alert_email=email)
        for merchant_id in queries.merchants(db):
            schedule(db, merchant_id)
    finally:
        app.dispose()
    return versions


def add_merchant(db: Database, *, name: str, time_zone: str = "UTC", email: str = "") -> int:
    """Make one more merchant, with its schedule. Returns: its number, the next that is free. Raises: ConfigError."""
    numbers = itertools.count(max(queries.merchants(db), default=0) + 1)
    # Whoever adds one at the same moment may have taken the first.
    made = next(n for n in numbers if catalog.ensure_merchant(db, n, name=name, time_zone=time_zone, alert_email=email))
    schedule(db, made)
    return made


def schedule(db: Database, merchant_id: int) -> None:
    """See that a merchant has every line of ``SCHEDULE``; a line that is there stays as it is."""
    with db.begin(merchant_id, actor="cli", source="setup") as tx:
        known = set(tx.run("SELECT topic FROM schedule WHERE merchant_id = :merchant_id AND store_id = 0").scalars())
        for topic, cron in SCHEDULE.items():
            if topic not in known:
                stores.set_schedule(tx, topic, 0, cron)
