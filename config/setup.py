"""First steps of an installation: the schema, and the first merchant with its schedule."""

from config.settings import Settings
from core import catalog, schema, stores
from core.errors import ConfigError
from core.transaction import Database, connect

FIRST_MERCHANT = 1
SCHEDULE = {"expire": "every 30", "audit": "45 3 * * *", "upkeep": "30 2 * * *"}


def migrate(
    settings: Settings, *, name: str = "My shop", time_zone: str = "UTC", email: str = ""
) -> tuple[str | None, str]:
    """Bring the schema up as its owner and make the first merchant. Returns the versions before and after.

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
        with db.begin(FIRST_MERCHANT, actor="cli", source="setup") as tx:
            for topic, cron in SCHEDULE.items():
                if not tx.run(
                    "SELECT 1 FROM schedule WHERE merchant_id = :merchant_id AND topic = :topic AND store_id = 0",
                    topic=topic,
                ).scalar():
                    stores.set_schedule(tx, topic, 0, cron)
    finally:
        app.dispose()
    return versions
