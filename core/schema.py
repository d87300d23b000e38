"""The schema's version: brought up by the owner, checked by every process before it starts."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from core.errors import ConfigError


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def expected_version() -> str:
    """The version that this code was written for."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise ConfigError("this installation holds no migrations; install Holdfast again")
    return head


def version_of(engine: Engine) -> str | None:
    """The version that the database has; None for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def migrate(owner: Engine) -> tuple[str | None, str]:
    """Bring the schema up as its owner; returns the versions before and after. Safe to repeat, one at a time."""
    before = version_of(owner)
    with owner.begin() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('holdfast.migrate'))")
        command.upgrade(_config(connection), "head")
    return before, expected_version()


def require(engine: Engine) -> None:
    """Refuse to run on a schema that this code was not written for.

    Raises: ConfigError, naming both versions and the cure.
    """
    found, wanted = version_of(engine), expected_version()
    if found != wanted:
        cure = "run `holdfast migrate`" if found is None or found < wanted else "install the newer Holdfast"
        raise ConfigError(f"the database has schema {found or 'none'}, this code needs {wanted}: {cure}")
