"""Environment and files to one frozen ``Settings``; every problem is reported at once, with its cure."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core import faults
from core.errors import ConfigError

_DEFAULT_DATA = Path("~/.local/share/holdfast")
_DEFAULT_KEYS = Path("~/.config/holdfast/secret.key")


class Settings(BaseSettings):
    """All that can be set, from variables named HOLDFAST_<FIELD>; docs/settings.md lists them for people."""

    model_config = SettingsConfigDict(env_prefix="HOLDFAST_", frozen=True, extra="ignore", env_ignore_empty=True)

    database_url: str = Field("", repr=False, description="PostgreSQL of your own; empty: the embedded one")
    owner_database_url: str = Field("", repr=False, description="the login that migrates; empty: database_url")
    redis_url: str = Field("", repr=False, description="Redis or Valkey of your own; empty: the embedded one")
    data_dir: Path = Field(_DEFAULT_DATA, description="where the embedded servers keep their data")
    secret_keys: SecretStr = Field(SecretStr(""), description="Fernet keys, newest first, separated by commas")
    secret_key_file: Path = Field(_DEFAULT_KEYS, description="file of Fernet keys (mode 0600), outside the data folder")
    sandbox: bool = Field(False, description="allow store URLs on this machine and in private networks")
    public_url: str = Field("", description="address under which stores reach our webhook receivers")
    host: str = "127.0.0.1"
    port: int = Field(8700, ge=0, le=65535)
    poll_s: float = Field(60, ge=0.5, description="seconds between polls of a store's orders")
    worker_name: str = Field("", description="name kept over restarts, so that a new worker frees its dead one's work")
    worker_threads: int = Field(24, ge=3, le=128, description="threads that fetch orders; a third as many push")
    webhook_body_limit: int = Field(2_000_000, ge=1_000, description="bytes; larger bodies are refused with 413")
    smtp_url: SecretStr = Field(SecretStr(""), description="smtp://user:password@host:587, or smtps://...:465")
    mail_from: str = Field("", description="sender of warnings; the receiver is set per merchant")
    log_level: str = "INFO"

    @field_validator("data_dir", "secret_key_file")
    @classmethod
    def _expand(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @field_validator("public_url")
    @classmethod
    def _is_url(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("must start with https:// (or http:// in the sandbox)")
        return url.rstrip("/")

    @classmethod
    def load(cls, **overrides: object) -> Self:
        """Read the environment. Raises: ConfigError that lists every problem."""
        try:
            return cls(**overrides)  # type: ignore[arg-type]  # pydantic checks them at run time
        except ValidationError as error:
            problems = [
                f"HOLDFAST_{'_'.join(str(part) for part in p['loc']).upper()}: {faults.cure(p)}" for p in error.errors()
            ]
            raise ConfigError("settings to mend:\n  " + "\n  ".join(problems)) from error

    @property
    def embedded_database(self) -> bool:
        return not self.database_url

    @property
    def embedded_redis(self) -> bool:
        return not self.redis_url
