"""Runs ``holdfast`` as a person would, in this process, and catches what it says."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from edge import cli
from tests.conftest import SECRET_KEY, Logins


@dataclass(frozen=True, slots=True)
class Said:
    """The exit code, and what stood on stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        (one_line,) = self.out.splitlines()
        return json.loads(one_line)


Holdfast = Callable[..., Said]
# What typer puts together each time it is called; that takes longer than most commands, so here it is done once.
COMMANDS = typer.main.get_command(cli.app)


def runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Holdfast:
    """``holdfast("store", "list")``: runs a command with the environment as it stands."""

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["holdfast", *arguments])
        monkeypatch.setattr(cli, "app", COMMANDS)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return Said(int(ended.value.code or 0), out, err)

    return run


def settle_in(monkeypatch: pytest.MonkeyPatch, logins: Logins, data_dir: Path) -> None:
    """The environment of a hub on the test's database."""
    for name, value in {
        "DATABASE_URL": logins.app,
        "SECRET_KEYS": SECRET_KEY,
        "DATA_DIR": str(data_dir),
        "SANDBOX": "true",
    }.items():
        monkeypatch.setenv(f"HOLDFAST_{name}", value)
