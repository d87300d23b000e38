"""Where a hub's servers are: those the settings name, or the embedded ones of a ``holdfast up`` that runs."""

from collections.abc import Mapping
from pathlib import Path

from config.embedded.home import announced
from config.settings import Settings
from core.errors import ConfigError


def locate(settings: Settings) -> Settings:
    """Fill in the addresses that the settings leave open from a running ``holdfast up``.

    Without a broker the answer's ``redis_url`` stays empty: only some commands need one. Raises: ConfigError when no
    database is named and none runs.
    """
    found: dict[str, str] = {}
    if settings.embedded_database:
        urls = announced_urls(settings.data_dir / "postgres")
        if not urls.keys() >= {"owner", "app"}:
            raise ConfigError(
                f"no hub runs on {settings.data_dir}; start one with `holdfast up`, name its folder with --data-dir, "
                "or set HOLDFAST_DATABASE_URL to a PostgreSQL of your own"
            )
        found |= {"database_url": urls["app"], "owner_database_url": urls["owner"]}
    if settings.embedded_redis:
        found |= {"redis_url": announced_urls(settings.data_dir / "valkey").get("redis", "")}
    return settings.model_copy(update=found)


def announced_urls(folder: Path) -> Mapping[str, str]:
    """The addresses of the embedded server that runs on a folder; empty when none does. Raises: ConfigError."""
    try:
        return announced(folder)
    except PermissionError as error:
        raise ConfigError(
            f"the hub on {folder.parent} belongs to another user; run this as that user, or name another --data-dir"
        ) from error
