"""Floors: units that a store may count on, as standing locks that are filled again as the store sells them."""

from collections.abc import Iterable
from dataclasses import dataclass

from core.books import Books
from core.command import Command
from core.errors import Refused
from core.rows import LockRow, Part
from core.sales.lock_terms import FLOOR, Terms, problem
from core.sales.locks import BEGUN, Done, act, begin, end, enlarge, find, reduce, told
from core.stock import GOOD, BalanceKey, DocumentKind, Layer, Stocked


def floor_key(store_id: int, stocked: Stocked) -> str:
    """The key of the one floor that a store can have of an item in one grade."""
    grade = "" if stocked.grade == GOOD else f":{stocked.grade}"
    return f"{FLOOR}{store_id}:{stocked.item_id}{grade}"


@dataclass(frozen=True, slots=True)
class SetFloor(Command):
    """Keep ``units`` (>= 0; 0: no floor) free for a store, whatever the others sell. Repeating it changes nothing.

    A floor has no end and is decided by setting it. ``lock_id``: a new id, should there be none yet.
    """

    lock_id: int
    store_id: int
    item: Stocked
    units: int
    priority: int = 0
    reason: str = ""

    @property
    def key(self) -> str:
        return floor_key(self.store_id, self.item)

    def lock_keys(self) -> Iterable[str]:
        return (self.key,)

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return (self.item,)

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        lock = find(books, self.key)
        pool_id = self.lock_id if lock is None else lock.id
        return {*books.sales_keys(self.item), BalanceKey(Layer.SALES, *self.item, pool_id)}

    def decide(self, books: Books) -> Done:
        """Raises: Refused for a bundle, and for what no floor can be."""
        lock = find(books, self.key)
        if not self.units:
            is_set = lock is not None and lock.status == BEGUN
            return end(books, lock, "closed", self.reason) if lock is not None and is_set else Done("closed", 0, 0)
        terms = Terms("channel", self.item, self.units, store_id=self.store_id, priority=self.priority)
        if wrong := problem(terms, books.now):
            raise Refused(wrong)
        if books.parts(self.item) != [Part(self.item, 1)]:
            raise Refused("a bundle has no units of its own; set floors for its components")
        if lock is None or lock.status != BEGUN:
            return begin(books, self._row(books, lock), self.reason)
        if (lock.quantity, lock.priority) == (self.units, self.priority):
            return Done(BEGUN, 0, lock.waiting)
        return self._change(books, lock._replace(priority=self.priority))

    def _row(self, books: Books, before: LockRow | None) -> LockRow:
        """A floor that was given up begins anew as the same lock."""
        return LockRow(
            before.id if before else self.lock_id, self.key, "channel", "approved", *self.item, self.units, 0,
            self.priority, "", "", self.store_id, None, False, "yes", None, None, books.actor, books.now, books.actor,
            books.now, self.reason, standing=True,
        )  # fmt: skip

    def _change(self, books: Books, lock: LockRow) -> Done:
        more = self.units - lock.quantity
        changed, moves = enlarge(books, lock, more) if more >= 0 else reduce(books, lock, -more)
        books.add_lock(changed)
        kind = DocumentKind.LOCK if more > 0 else DocumentKind.UNLOCK
        return act(
            books,
            f"lock/{self.key}/floor/{books.new_id()}",
            [self.units],
            kind,
            lock,
            moves,
            told(lock, "changed", self.reason),
        )
