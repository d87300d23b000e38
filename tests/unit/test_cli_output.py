"""What people and machines read."""

import io
import json
import sys
from datetime import UTC, datetime, timedelta

import pytest
import typer

from core.errors import ConfigError
from core.words import counted
from edge.commands.common import ago, confirm, first_line, say_json, say_table

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_a_table_without_a_terminal_is_aligned_and_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    say_table(["SKU", ">units", "why"], [["MUG", 7, "x" * 200], ["PLATE-LARGE", 1200, None]])

    head, first, second = capsys.readouterr().out.splitlines()
    assert head == "SKU          units  why"
    assert first == "MUG              7  " + "x" * 200
    assert second == "PLATE-LARGE   1200  -"


def test_what_a_store_calls_a_product_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say_table(["title"], [["red\x1b[2J mug\n\x07"]])

    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert len(out.splitlines()) == 2


def test_on_a_terminal_brackets_in_a_title_are_text_not_markup(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    say_table(["title"], [["mug [red]"]])

    assert "mug [red]" in capsys.readouterr().out


def test_json_is_one_line_with_times_that_say_their_offset(capsys: pytest.CaptureFixture[str]) -> None:
    say_json({"at": NOON, "title": "Tasse für\nTee"})

    (one_line,) = capsys.readouterr().out.splitlines()
    assert json.loads(one_line) == {"at": "2026-11-22T12:00:00+00:00", "title": "Tasse für\nTee"}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s ago"), (119, "119 s ago"), (120, "2 min ago"), (7200, "2 h ago"), (200_000, "2 d ago")],
)
def test_how_long_ago_reads_like_speech(seconds: int, words: str) -> None:
    assert ago(NOON - timedelta(seconds=seconds), NOON) == words


def test_what_never_happened_is_never() -> None:
    assert ago(None, NOON) == "never"


def test_one_is_singular() -> None:
    assert [counted(n, "row") for n in (0, 1, 1200)] == ["0 rows", "1 row", "1,200 rows"]


def test_only_the_first_line_of_an_error_is_told() -> None:
    assert first_line(ValueError("connection refused\n\tIs the server running?")) == "connection refused"
    assert first_line(ValueError("")) == "ValueError"


def test_nothing_is_done_unasked_where_nobody_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))

    with pytest.raises(ConfigError, match="--yes"):
        confirm("Write to Berlin?", yes=False)
    confirm("Write to Berlin?", yes=True)


def test_no_is_no(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.StringIO("n\n")
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", stdin)

    with pytest.raises(typer.Abort):
        confirm("Write to Berlin?", yes=False)
