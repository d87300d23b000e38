"""What is said of options that cannot be read."""

import pytest
from typer.testing import CliRunner

from edge.cli import app


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("stock receive MUG some", "'N': write a whole number, like 3\n"),
        ("stock receive MUG 0", "'N': write 1 or more\n"),
        ("count start S-7 --at MAIN --by weight", "'--by': 'weight' is not one of 'units', 'value'."),
        ("demo --pace fast", "'--pace': write a number, like 1.5\n"),
        ("warehouse add X --as=", "'--as': it is empty; name a user"),
    ],
)
def test_a_wrong_option_is_refused_with_what_to_write_instead(words: str, told: str) -> None:
    refused = CliRunner().invoke(app, words.split())

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert f"Invalid value for {told}" in refused.stderr
