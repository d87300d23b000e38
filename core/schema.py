"""The schema's version: brought up by the owner, checked by every process before it starts."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from core.errors import ConfigError
from core.transaction import Database

if TYPE_CHECKING:
    from alembic.config import Config

# The newest file in core/migrations/versions; kept here so that no process loads Alembic just to look.
VERSION = "0027"


def version_of(engine: Engine) -> str | None:
    """The version that the database has; None for an empty one."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def migrate(owner: Engine) -> tuple[str | None, str]:
    """Bring the schema up as its owner; returns the versions before and after. Safe to repeat, one at a time.

    Raises: ConfigError for a schema of a newer Holdfast, which is left as it is.
    """
    from alembic import command

    before = version_of(owner)
    if before is not None and before > VERSION:
        raise _unfit(before)
    with owner.begin() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('holdfast.migrate'))")
        command.upgrade(_config(connection), "head")
    return before, VERSION


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def require(engine: Engine) -> None:
    """Refuse to run on a schema that this code was not written for.

    Raises: ConfigError, naming both versions and the cure.
    """
    found = version_of(engine)
    if found != VERSION:
        raise _unfit(found)


def _unfit(found: str | None) -> ConfigError:
    cure = "run `holdfast migrate`" if found is None or found < VERSION else "install the newer Holdfast again"
    return ConfigError(f"the database has schema {found or 'none'}, this code needs {VERSION}: {cure}")


def count_grown_tables(db: Database) -> int:
    """Renew the statistics of tables that have doubled since they were counted; returns how many.

    Plans for a young table follow its growth within seconds, on a server whose settings are not ours, too.
    """
    with db.outside() as connection:
        return int(connection.execute(text("SELECT count_grown_tables()")).scalar_one())
