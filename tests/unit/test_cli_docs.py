"""The help and the pages for people name all that there is, and nothing else."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import SecretStr

from config.settings import Settings
from edge.cli import app

ROOT = Path(__file__).parents[2]


def commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


HOLDFAST = typer.main.get_command(app)
COMMANDS = dict(commands(HOLDFAST))


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def test_the_page_on_the_command_line_names_every_command() -> None:
    text = page("cli.md")

    assert [path for path in COMMANDS if f"holdfast {path}" not in text] == []


def unknown(text: str, before: str = "") -> set[str]:
    """Commands that a text names and that do not exist."""
    groups = {path.split()[0] for path in COMMANDS if " " in path}
    words = [match.split() for match in re.findall(before + r"holdfast ((?:[a-z][a-z-]* ?){1,2})", text)]
    called = {" ".join(two[:2] if two[0] in groups else two[:1]) for two in words}
    return called - {" ".join(path.split()[:2]) for path in COMMANDS} - groups


def test_the_pages_name_no_command_that_does_not_exist() -> None:
    assert [found for one in PAGES if (found := (one.name, unknown(one.read_text(), "`")))[1]] == []
    assert unknown(page("cli.md") + page("settings.md") + (ROOT / "README.md").read_text()) <= {"demo.py"}


def complaint(shown: str) -> str:
    """Why the command line would not take what a page shows; empty where it would, and for a mere name or word.

    Raises: what the command line raises for an option or a word that it does not know.
    """
    group: Any = HOLDFAST
    words = shlex.split(shown, comments=True)[1:]
    while hasattr(group, "commands") and words and words[0] in group.commands:
        group = group.commands[words.pop(0)]
    if hasattr(group, "commands") or "--help" in words:
        return ""
    try:
        group.make_context(shown, words).close()
    except typer.BadParameter as error:
        is_left_out = error.param is not None and error.param.param_type_name == "option" and not error.message
        return error.format_message() if is_left_out else ""
    return ""


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_what_a_page_shows_is_understood(path: Path) -> None:
    text = path.read_text()
    blocks = [line.strip() for line in text.splitlines() if re.match(r"\s*(\$ |\.venv/bin/)?holdfast ", line)]
    shown = [re.sub(r"^(\$ |\.venv/bin/)", "", line) for line in blocks if "`" not in line]
    shown += [" ".join(words.split()) for words in re.findall(r"`(holdfast [^`]*)`", text)]

    assert {line: why for line in shown if (why := complaint(line))} == {}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_of_a_page_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)\s]+)\)", path.read_text()):
        file, _, part = target.partition("#")
        other = path.parent / file if file else path
        assert other.exists(), target
        headings = re.findall(r"^#+ (.*)$", other.read_text(), re.MULTILINE) if part else []
        assert not part or part in {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}, target


@pytest.mark.parametrize("room", ["core", "config", "connectors", "edge", "jobs", "drills"])
def test_no_message_names_a_command_that_does_not_exist(room: str) -> None:
    named = {one.relative_to(ROOT): unknown(one.read_text(), "`") for one in (ROOT / room).rglob("*.py")}

    assert {file: commands for file, commands in named.items() if commands} == {}


def test_the_page_on_settings_names_every_variable_and_no_other() -> None:
    named = set(re.findall(r"^\| `(HOLDFAST_[A-Z_]+)` \|", page("settings.md"), re.MULTILINE))

    assert named == {f"HOLDFAST_{field.upper()}" for field in Settings.model_fields}


@pytest.mark.parametrize("name", sorted(Settings.model_fields.keys() - {"owner_database_url"}))
def test_the_page_on_settings_tells_each_default(name: str) -> None:
    default = Settings.model_fields[name].default
    value = default.get_secret_value() if isinstance(default, SecretStr) else str(default)

    row = re.search(rf"^\| `HOLDFAST_{name.upper()}` \| (.*?) ?\|", page("settings.md"), re.MULTILINE)

    assert row is not None
    assert row.group(1).strip("`") == (value.lower() if isinstance(default, bool) else value)


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


def test_the_version_is_told() -> None:
    told = subprocess.run(
        [sys.executable, "-P", "-m", "edge.cli", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert re.fullmatch(r"holdfast \d+\.\d+\.\d+\n", told.stdout)


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
