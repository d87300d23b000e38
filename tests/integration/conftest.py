"""What many of these tests need: a clock that stands still, and the command line."""

from pathlib import Path

import pytest

from core.transaction import Database
from tests.builders import Clock
from tests.conftest import Logins
from tests.integration.command_line import Holdfast, runner, settle_in


@pytest.fixture
def clock(db: Database) -> Clock:
    """The core's time, which moves only when told to."""
    db.clock = clock = Clock()
    return clock


@pytest.fixture
def holdfast(
    logins: Logins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Holdfast:
    """``holdfast("store", "list")`` on a hub of the test's database, without servers of its own."""
    settle_in(monkeypatch, logins, tmp_path)
    return runner(monkeypatch, capsys)
