"""Options that cannot be read are refused with what to write instead."""

from typing import Any

import typer
from typer.core import TyperGroup


class Worded(TyperGroup):
    """A command line that says in our own words what is wrong with an option."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as refused:
            from pydantic import ValidationError

            if isinstance(refused.__cause__, ValidationError):
                from core import faults

                refused.message = faults.cure(refused.__cause__.errors()[0])
            raise
