"""Every command that looks at a merchant can be told as whom."""

import pytest

from tests.unit.test_cli_docs import COMMANDS

# What the shell asks about the hub itself, whoever's stock is in it.
ABOUT_THE_HUB = {"doctor"}
OF_A_MERCHANT = [
    path for path, command in COMMANDS.items() if any("--merchant" in option.opts for option in command.params)
]


@pytest.mark.parametrize("path", sorted(set(OF_A_MERCHANT) - ABOUT_THE_HUB))
def test_a_command_of_a_merchant_can_be_run_as_a_user(path: str) -> None:
    assert any("--as" in option.opts for option in COMMANDS[path].params)


def test_there_are_commands_of_a_merchant() -> None:
    assert {"stock show", "store list", "user add", "key make", "log", "audit"} <= set(OF_A_MERCHANT)
