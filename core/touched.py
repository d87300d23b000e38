"""Which promises and locks a document changed beside the balances, kept with its effect so that it can be reversed."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from core.books import Books
from core.rows import LockRow, PromiseRow

# What must still stand as the document left it, and what is brought back.
_FIELDS = (
    "pool_id", "deducted", "presale", "shipped", "released", "damaged", "wanted", "waiting", "live", "backorder",
    "broken",
)  # fmt: skip
_AT_FIRST = {"wanted": 0, "waiting": 0, "live": 0, "backorder": False, "broken": False}


@dataclass(frozen=True, slots=True)
class Change:
    """One promise: its order or the document of its hold, and its fields by name before and after."""

    order_id: int
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Touched:
    """Promises by id; locks by id with the units they waited for before and after."""

    promises: Mapping[int, Change]
    locks: Mapping[int, tuple[int, int]]

    @classmethod
    def between(
        cls, promises: Mapping[int, PromiseRow | None], locks: Mapping[int, LockRow], books: Books
    ) -> "Touched":
        """What changed from the rows given (None: there was none) to those in the books."""
        changes = {}
        for promise_id, before in promises.items():
            row = books.promises[promise_id]
            after = _told(row)
            changes[promise_id] = Change(row.order_id, after | _AT_FIRST if before is None else _told(before), after)
        return cls(changes, {lock_id: (row.waiting, books.locks[lock_id].waiting) for lock_id, row in locks.items()})

    def as_json(self) -> str:
        promises = {
            key: [one.order_id, [*one.before.values()], [*one.after.values()]] for key, one in self.promises.items()
        }
        return json.dumps({"promises": promises, "locks": self.locks}, separators=(",", ":"))

    @classmethod
    def read(cls, kept: str | None) -> "Touched":
        """From an effect's result; None where a document changed no record."""
        told = json.loads(kept) if kept else {"promises": {}, "locks": {}}
        promises = {
            int(key): Change(order_id, dict(zip(_FIELDS, before, strict=True)), dict(zip(_FIELDS, after, strict=True)))
            for key, (order_id, before, after) in told["promises"].items()
        }
        return cls(promises, {int(key): (before, after) for key, (before, after) in told["locks"].items()})

    def changed_since(self, books: Books) -> Iterator[str]:
        """A sentence for each record that is not as the document left it."""
        for promise_id, change in self.promises.items():
            row = books.promises.get(promise_id)  # None: another order took it over
            if row is None or _told(row) != change.after:
                yield "a promise that it broke has changed since"
        for lock_id, (_, after) in self.locks.items():
            lock = books.locks[lock_id]
            if lock.status != "active" or lock.waiting != after:
                yield f"lock {lock.key} has changed since"

    def restore(self, books: Books) -> None:
        """Bring all records back to what they were before the document."""
        for promise_id, change in self.promises.items():
            books.add_promise(books.promises[promise_id]._replace(**dict(change.before)))
        for lock_id, (before, _) in self.locks.items():
            books.add_lock(books.locks[lock_id]._replace(waiting=before, moved_at=books.now))


def _told(row: PromiseRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _FIELDS}
