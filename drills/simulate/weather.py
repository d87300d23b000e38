"""How bad things are: the chance of each fault, and the crash points where a process may die."""

from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True)
class Weather:
    """Chances between 0 and 1, and seconds. The defaults are the storm that every seed plays in."""

    hint_lost: float = 0.08
    hint_doubled: float = 0.08
    hint_late: float = 0.08
    hint_latest_s: float = 25.0
    message_lost: float = 0.04
    message_doubled: float = 0.04
    message_late: float = 0.04
    crash: float = 0.003
    throttled: float = 0.02
    unreachable: float = 0.02
    answer_lost: float = 0.02
    slow: float = 0.02
    write_late: float = 0.08
    request_doubled: float = 0.1

    def calm(self) -> Self:
        """Everything works; what is under way may still be slow."""
        return replace(self, **dict.fromkeys(_FAULTS, 0.0))


_FAULTS = (
    "hint_lost", "hint_doubled", "hint_late", "message_lost", "message_doubled", "message_late", "crash", "throttled",
    "unreachable", "answer_lost", "slow", "write_late", "request_doubled",
)  # fmt: skip
