"""The help and the pages for people name all that there is, and nothing else."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from config.settings import Settings
from edge.cli import app

ROOT = Path(__file__).parents[2]


def commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


COMMANDS = dict(commands(typer.main.get_command(app)))


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def test_the_page_on_the_command_line_names_every_command() -> None:
    text = page("cli.md")

    assert [path for path in COMMANDS if f"holdfast {path}" not in text] == []


def test_the_pages_name_no_command_that_does_not_exist() -> None:
    groups = {path.split()[0] for path in COMMANDS if " " in path}
    text = page("cli.md") + page("settings.md") + (ROOT / "README.md").read_text()
    words = [match.split() for match in re.findall(r"holdfast ((?:[a-z][a-z-]* ?){1,2})", text)]
    called = {" ".join(two[:2] if two[0] in groups else two[:1]) for two in words}

    assert called - {" ".join(path.split()[:2]) for path in COMMANDS} <= {"demo.py"}


def test_the_page_on_settings_names_every_variable_and_no_other() -> None:
    named = set(re.findall(r"^\| `(HOLDFAST_[A-Z_]+)` \|", page("settings.md"), re.MULTILINE))

    assert named == {f"HOLDFAST_{field.upper()}" for field in Settings.model_fields}


@pytest.mark.parametrize("path", list(COMMANDS))
def test_every_command_teaches_with_an_example(path: str) -> None:
    command = COMMANDS[path]

    assert f"holdfast {path}" in command.help
    assert "Example: " in command.help
    assert all(option.help for option in command.params if option.name != "help")


def test_every_command_answers_machines_but_those_that_run_on_or_write_a_file() -> None:
    silent = {path for path, command in COMMANDS.items() if "--json" not in [o for p in command.params for o in p.opts]}

    assert silent == {"up", "web", "worker", "relay", "migrate", "export"}


def test_the_list_of_commands_is_never_cut_short() -> None:
    for group in ("", "store", "stock", "work"):
        shown = subprocess.run(
            [sys.executable, "-P", "-m", "edge.cli", *group.split(), "--help"],
            cwd=ROOT,
            env={"COLUMNS": "80", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

        assert [line for line in shown.splitlines() if line.endswith("...") and "Usage:" not in line] == []


def test_help_loads_nothing_heavy() -> None:
    program = """
import sys
from edge import cli
sys.argv = ["holdfast", "--help"]
try:
    cli.main()
except SystemExit:
    heavy = {"sqlalchemy", "pydantic", "httpx", "requests", "dramatiq", "rich", "alembic", "psycopg", "redis"}
    print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    shown = subprocess.run([sys.executable, "-P", "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert shown.stderr.strip() == "[]"
