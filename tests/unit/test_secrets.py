"""Credentials at rest: sealed with keys that live elsewhere; no key, no start."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from config import secrets
from config.secrets import Secrets
from config.settings import Settings
from core.errors import ConfigError

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
TOKEN = {"access_token": "shpat_123"}


def settings(tmp_path: Path, **told: object) -> Settings:
    values = {"data_dir": tmp_path / "data", "secret_key_file": tmp_path / "keys" / "secret.key", "secret_keys": ""}
    return Settings.load(**{**values, **told})


def test_what_was_sealed_opens_again_and_is_not_readable_meanwhile() -> None:
    box = Secrets(NEW)
    sealed = box.seal(TOKEN)
    assert b"shpat_123" not in sealed
    assert box.open(sealed) == TOKEN


def test_an_old_key_still_opens_and_the_newest_seals() -> None:
    sealed_before = Secrets(OLD).seal(TOKEN)
    rotated = Secrets(f"{NEW},{OLD}")
    assert rotated.open(sealed_before) == TOKEN
    assert Secrets(NEW).open(rotated.seal(TOKEN)) == TOKEN


def test_a_lost_key_is_said_with_its_cure_and_without_the_secret() -> None:
    sealed = Secrets(OLD).seal(TOKEN)
    with pytest.raises(ConfigError, match="bring back the old key") as error:
        Secrets(NEW).open(sealed)
    assert "shpat_123" not in str(error.value)


@pytest.mark.parametrize("keys", ["", "not-a-key", " , "])
def test_no_usable_key_is_no_start(keys: str) -> None:
    with pytest.raises(ConfigError):
        Secrets(keys)


def test_without_key_and_file_the_cure_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="HOLDFAST_SECRET_KEYS"):
        secrets.load(settings(tmp_path))


def test_the_first_start_makes_a_key_that_only_its_owner_can_read(tmp_path: Path) -> None:
    ours = settings(tmp_path)
    secrets.ensure_key_file(ours)
    assert ours.secret_key_file.stat().st_mode & 0o777 == 0o600
    assert secrets.load(ours).open(secrets.load(ours).seal(TOKEN)) == TOKEN


def test_a_second_start_keeps_the_key(tmp_path: Path) -> None:
    ours = settings(tmp_path)
    secrets.ensure_key_file(ours)
    first = ours.secret_key_file.read_bytes()
    secrets.ensure_key_file(ours)
    assert ours.secret_key_file.read_bytes() == first


def test_given_keys_make_no_file(tmp_path: Path) -> None:
    ours = settings(tmp_path, secret_keys=NEW)
    secrets.ensure_key_file(ours)
    assert not ours.secret_key_file.exists()


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    ours = settings(tmp_path)
    secrets.ensure_key_file(ours)
    ours.secret_key_file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        secrets.load(ours)


def test_a_key_beside_the_data_is_refused(tmp_path: Path) -> None:
    ours = settings(tmp_path, secret_key_file=tmp_path / "data" / "secret.key")
    with pytest.raises(ConfigError, match="data folder"):
        secrets.load(ours)
