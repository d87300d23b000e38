"""Store credentials at rest: encrypted with keys that live outside the data folder."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from config.settings import Settings
from core.errors import ConfigError


class Secrets:
    """Encrypts with the newest key, decrypts with any. ``repr`` shows nothing."""

    def __init__(self, keys: str) -> None:
        names = [key for key in keys.replace("\n", ",").split(",") if key.strip()]
        try:
            self._fernet = MultiFernet([Fernet(key.strip()) for key in names])
        except ValueError as error:
            raise ConfigError(
                "a secret key is no Fernet key (32 bytes, url-safe base64); `holdfast up` makes one"
            ) from error

    def seal(self, credentials: Mapping[str, str]) -> bytes:
        return self._fernet.encrypt(json.dumps(dict(credentials)).encode())

    def open(self, token: bytes) -> dict[str, str]:
        """Raises: ConfigError when no key fits."""
        try:
            opened: dict[str, str] = json.loads(self._fernet.decrypt(token))
        except InvalidToken as error:
            raise ConfigError(
                "stored credentials were sealed with a key that is not here; bring back the old key in "
                "HOLDFAST_SECRET_KEYS (several keys, separated by commas, may stand there), or give the store its keys "
                "again: `holdfast store renew`"
            ) from error
        return opened


def load(settings: Settings) -> Secrets:
    """The keys from HOLDFAST_SECRET_KEYS, else from the key file. Raises: ConfigError; no key, no start."""
    keys = settings.secret_keys.get_secret_value()
    return Secrets(keys or _read(settings.secret_key_file, settings.data_dir))


def _read(path: Path, data_dir: Path) -> str:
    if path.is_relative_to(data_dir):
        raise ConfigError(
            f"the key file {path} lies in the data folder, so one copy would hold both; move it elsewhere"
        )
    try:
        mode = path.stat().st_mode & 0o777
    except FileNotFoundError as error:
        raise ConfigError(f"no secret key: set HOLDFAST_SECRET_KEYS, or let `holdfast up` make {path}") from error
    if mode & 0o077:
        raise ConfigError(f"{path} can be read by others; run: chmod 600 {path}")
    return path.read_text()


def ensure_key_file(settings: Settings) -> None:
    """Make a key on first start, unless keys are given. An existing file is never touched."""
    path = settings.secret_key_file
    if settings.secret_keys.get_secret_value() or path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(Fernet.generate_key())
