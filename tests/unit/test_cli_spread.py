"""Commands whose options come in groups offer each of them, and get them as a group."""

import re
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from edge.commands.common import Call
from edge.commands.spread import spread


@dataclass(frozen=True, slots=True)
class Wish:
    key: Annotated[str, typer.Argument(metavar="KEY")]
    units: Annotated[int, typer.Option("--units", min=1)] = 1
    tags: Annotated[list[str] | None, typer.Option("--tag")] = None


@pytest.fixture
def got() -> list[object]:
    return []


@pytest.fixture
def app(got: list[object]) -> typer.Typer:
    app = typer.Typer(rich_markup_mode=None)

    @app.command()
    @spread
    def hold(*, loud: Annotated[bool, typer.Option("--loud")] = False, wish: Wish, call: Call) -> None:
        """Hold something."""
        got.extend((loud, wish, call))

    return app


def test_a_command_gets_its_options_in_their_groups(app: typer.Typer, got: list[object]) -> None:
    result = CliRunner().invoke(app, ["cart", "--units", "3", "--tag", "a", "--tag", "b", "--loud", "--json"])

    assert result.exit_code == 0, result.output
    assert got == [True, Wish("cart", 3, ["a", "b"]), Call(as_json=True)]


def test_what_is_not_said_is_as_its_group_declares_it(app: typer.Typer, got: list[object]) -> None:
    assert CliRunner().invoke(app, ["cart"]).exit_code == 0
    assert got == [False, Wish("cart"), Call()]


def test_options_of_groups_are_checked_and_asked_for_like_any_others(app: typer.Typer, got: list[object]) -> None:
    told = [CliRunner().invoke(app, words) for words in ([], ["cart", "--units", "0"], ["cart", "--as", ""])]

    assert [result.exit_code for result in told] == [2, 2, 2]
    assert got == []


def test_help_names_the_options_in_the_order_of_the_groups(app: typer.Typer) -> None:
    text = CliRunner().invoke(app, ["--help"]).output

    offered = [name for name in re.findall(r"^\W*--([a-z-]+)", text, re.MULTILINE) if "completion" not in name]
    assert offered == ["loud", "units", "tag", "as", "merchant", "data-dir", "json", "help"]
    assert "Hold something." in text


def test_two_groups_with_one_option_are_refused_when_the_command_is_made() -> None:
    def command(call: Call, again: Call) -> None:
        """Never called."""

    with pytest.raises(ValueError, match="duplicate parameter name"):
        spread(command)
