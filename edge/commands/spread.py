"""Commands whose options come in groups, so that what many of them share is written once."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_type_hints


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """A command that offers the shell the fields of each of its parameters that is a dataclass, instead of it.

    Stands right below ``@commands.command(...)``. A field is declared like an option: ``as_json: AsJson = False``.
    """
    signature = inspect.signature(command)
    groups: dict[str, Any] = {
        name: one.annotation for name, one in signature.parameters.items() if is_dataclass(one.annotation)
    }
    offered: list[inspect.Parameter] = []
    for name, one in signature.parameters.items():
        offered += _options_of(groups[name]) if name in groups else [one.replace(kind=one.KEYWORD_ONLY)]

    @functools.wraps(command)
    def called(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{one.name: given.pop(one.name) for one in fields(group)})
        command(**given)

    vars(called)["__signature__"] = signature.replace(parameters=offered)
    return called


def _options_of(group: Any) -> list[inspect.Parameter]:
    told = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            one.name, inspect.Parameter.KEYWORD_ONLY, annotation=told[one.name],
            default=inspect.Parameter.empty if one.default is MISSING else one.default,
        )
        for one in fields(group)
    ]  # fmt: skip
