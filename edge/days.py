"""Days as people write them. Pure."""

from datetime import date

import typer

HELP = "like 2027-02-01"


def read_day(words: str) -> date:
    """Raises: typer.BadParameter."""
    try:
        return date.fromisoformat(words.strip())
    except ValueError:
        raise typer.BadParameter(f"{words!r} is no day; write one {HELP}") from None
