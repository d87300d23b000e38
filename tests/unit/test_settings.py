"""Settings from the environment: every problem at once, and no secret in sight."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from config.settings import Settings
from core.errors import ConfigError


@pytest.fixture(autouse=True)
def _no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"HOLDFAST_{name.upper()}", raising=False)


def test_without_any_setting_both_servers_are_the_embedded_ones() -> None:
    settings = Settings.load()
    assert settings.embedded_database
    assert settings.embedded_redis
    assert not settings.sandbox


def test_a_database_of_ones_own_replaces_the_embedded_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", "postgresql://db/shop")
    assert not Settings.load().embedded_database


def test_every_problem_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_PORT", "99999")
    monkeypatch.setenv("HOLDFAST_POLL_S", "often")
    monkeypatch.setenv("HOLDFAST_PUBLIC_URL", "shop.example")
    with pytest.raises(ConfigError) as error:
        Settings.load()
    assert all(name in str(error.value) for name in ("HOLDFAST_PORT", "HOLDFAST_POLL_S", "HOLDFAST_PUBLIC_URL"))
    assert "HOLDFAST_PUBLIC_URL: must start with https://" in str(error.value)
    assert "Value error" not in str(error.value)
    assert "Input should" not in str(error.value)


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_PORT", "")
    assert Settings.load().port == 8700


def test_settings_cannot_be_changed_once_read() -> None:
    with pytest.raises(ValidationError):
        Settings.load().port = 1


def test_secrets_do_not_show_in_the_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_SECRET_KEYS", "topsecret-key")
    monkeypatch.setenv("HOLDFAST_SMTP_URL", "smtp://user:hunter2@mail:587")
    assert "topsecret-key" not in repr(Settings.load())
    assert "hunter2" not in repr(Settings.load())


def test_paths_are_whole_wherever_the_process_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOLDFAST_DATA_DIR", "data")
    assert Settings.load().data_dir == tmp_path / "data"
    assert Settings.load().secret_key_file.is_absolute()


def test_the_public_address_is_kept_without_a_closing_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_PUBLIC_URL", "https://hub.example/")
    assert Settings.load().public_url == "https://hub.example"
