"""What a number was computed from, as it is kept with the push that told it to a store.

With the facts stands the version of the sum, and the name and number of each step as they were then: a later version
may take other facts or other steps, but what was computed stays readable.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from core.selling.availability import VERSION, Facts, Step, steps
from core.selling.wording import sentence


@dataclass(frozen=True, slots=True)
class StepThen:
    """A step as it was when the number was pushed; ``why`` is empty where another version of the sum took it."""

    name: str
    number: int
    why: str


@cache
def _adapter() -> TypeAdapter[Facts]:
    return TypeAdapter(Facts)  # takes a while to build, and not every process pushes


def walk(facts: Facts, wanted: int) -> list[Step]:
    """The steps to the number that was asked for: all of what the store may show, or what others left of it then."""
    whole = steps(facts)
    return whole if whole[-1].number == wanted else steps(facts, at_once=True)


def pack(facts: Facts, wanted: int) -> str:
    """JSON; what has its default value is left out, so another default needs another ``VERSION``."""
    told = _adapter().dump_python(facts, mode="json", exclude_defaults=True)
    taken = [[step.name, step.number] for step in walk(facts, wanted)]
    return json.dumps({"version": VERSION, "steps": taken, "facts": told}, separators=(",", ":"))


def unpack(kept: Mapping[str, Any]) -> Facts | None:
    """The facts; None where another version of the sum wrote them, which this one cannot read."""
    return _adapter().validate_python(kept["facts"]) if kept["version"] == VERSION else None


def steps_then(kept: Mapping[str, Any], wanted: int) -> Sequence[StepThen]:
    """The steps of a push that asked for ``wanted``, whatever version of the sum took them."""
    facts = unpack(kept)
    if facts is None:
        return [StepThen(name, number, "") for name, number in kept["steps"]]
    return [StepThen(step.name, step.number, sentence(step)) for step in walk(facts, wanted)]
