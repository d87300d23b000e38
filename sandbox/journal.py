"""What really happened in the shops, in the order it happened: the truth a referee compares the hub with."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime

Entry = dict[str, object]


def stamp(moment: datetime) -> str:
    """UTC ISO text with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


@dataclass(slots=True)
class Call:
    """One API call on its way through a shop; the journal entries of its writes learn from it when it was answered."""

    answered_at: str | None = None
    writes: list[Entry] = field(default_factory=list)

    def answered(self) -> None:
        self.answered_at = stamp(datetime.now(UTC))
        for entry in self.writes:
            entry["answered_at"] = self.answered_at


current_call: ContextVar[Call | None] = ContextVar("current_call", default=None)


class Journal:
    """Append-only; ``seq`` starts at 1 and has no gaps.

    A ``stock_write`` has ``answered_at`` None until the last byte of its call's answer went out, which may be before
    the write takes effect (platforms that apply writes later) and never happens when the answer was lost on purpose.
    """

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    @property
    def last(self) -> int:
        return len(self._entries)

    def write(self, shop: str, kind: str, **facts: object) -> None:
        entry: Entry = {
            "seq": self.last + 1,
            "at": stamp(datetime.now(UTC)),
            "shop": shop,
            "kind": kind,
            **facts,
        }
        self._entries.append(entry)
        if kind == "stock_write":
            call = current_call.get()
            entry["answered_at"] = call.answered_at if call else None
            if call and call.answered_at is None:
                call.writes.append(entry)

    def after(self, seq: int, limit: int) -> list[Entry]:
        """At most ``limit`` entries that follow entry ``seq``."""
        return self._entries[seq : seq + limit]
