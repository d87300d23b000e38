"""Locks are asked for, approved or refused, and changed."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from core.books import Books
from core.command import Command
from core.errors import Refused
from core.rows import LockRow, Part
from core.sales.drawing import OVERFLOWS
from core.sales.lock_terms import LockLimit, Terms, problem, problem_of_key, too_much
from core.sales.locks import (
    BEGUN,
    RELEASED_FIRST,
    TO_COME,
    Done,
    OnLock,
    act,
    answered,
    begin,
    enlarge,
    find,
    has_run_out,
    pool_of,
    reduce,
    request_key,
    require_open,
    the_lock,
    told,
    was_released_first,
)
from core.stock import BalanceKey, DocumentKind, Movement, Stocked


class Requested(NamedTuple):
    lock_id: int
    status: str


@dataclass(frozen=True, slots=True)
class RequestLock(Command):
    """Ask for a lock; it moves no unit. Once per ``key``, which is the lock's for good.

    ``lock_id``   a new id for the lock and its pool.
    ``limit``     of who asks; None: there is none, as for owners.
    ``siblings``  keys of locks that the requester has asked for, too, and that have not begun.
    """

    key: str
    lock_id: int
    terms: Terms
    limit: LockLimit | None = None
    siblings: Sequence[str] = ()

    def effect_keys(self) -> Iterable[str]:
        return (request_key(self.key),)

    def lock_keys(self) -> Iterable[str]:
        return (self.key, *self.siblings)

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return (self.terms.stocked,)

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        return books.sales_keys(self.terms.stocked)

    def decide(self, books: Books) -> Requested:
        """Raises: Refused for what cannot be locked so, or exceeds the limit; KeyReused."""
        key, terms = self.key, self.terms
        if lock := find(books, key):
            books.effect(request_key(key), terms.content())
            return Requested(lock.id, lock.status)
        if was_released_first(books, key):
            raise Refused(f"lock {key} was {RELEASED_FIRST}; choose a new key")
        if wrong := problem_of_key(key) or problem(terms, books.now):
            raise Refused(wrong)
        if books.parts(terms.stocked) != [Part(terms.stocked, 1)]:
            raise Refused("a bundle has no units of its own; lock its components")
        lock = LockRow(
            self.lock_id, key, terms.type, "requested", *terms.stocked, terms.quantity, 0, terms.priority, terms.owner,
            terms.account, terms.store_id, terms.warehouse_id, terms.pure, terms.overflow, terms.starts_at,
            terms.expires_at, books.actor, books.now, reason=terms.reason,
        )  # fmt: skip
        require_within(books, self.limit, lock, (*TO_COME, BEGUN))
        books.add_lock(lock)
        books.note_effect(request_key(key), terms.content(), None)
        books.note_result(json.dumps({"units": lock.quantity}))
        return Requested(lock.id, lock.status)


@dataclass(frozen=True, slots=True)
class DecideLock(OnLock):
    """Approve or refuse what was asked for. An approved lock moves its units at once, or when its time has come.

    Who asked for a lock does not decide on it, but for an owner. Deciding the same twice changes nothing.

    ``as_owner``  who decides is an owner: may approve an own request, and beyond the requester's limit.
    ``limit``, ``siblings``  of who asked, as in ``RequestLock``.
    """

    approve: bool
    reason: str = ""
    as_owner: bool = False
    limit: LockLimit | None = None
    siblings: Sequence[str] = ()

    def lock_keys(self) -> Iterable[str]:
        return (self.key, *self.siblings)

    def decide(self, books: Books) -> Done:
        """Raises: Refused; NotFound."""
        lock = the_lock(books, self.key)
        if lock.status in (("approved", BEGUN) if self.approve else ("refused",)):
            return Done(lock.status, 0, lock.waiting)
        if lock.status != "requested":
            cure = f"; `holdfast lock release {lock.key}` gives it back" if not self.approve else ""
            raise Refused(f"lock {lock.key} is {lock.status} and waits for no decision{cure}")
        if lock.requested_by == books.actor and not self.as_owner:
            raise Refused(f"who asked for lock {lock.key} does not decide on it; somebody else has to, or an owner")
        decided = lock._replace(
            decided_by=books.actor, decided_at=books.now, reason=self.reason or lock.reason,
            status="approved" if self.approve else "refused",
        )  # fmt: skip
        return self._approve(books, decided) if self.approve else self._refuse(books, decided)

    def _refuse(self, books: Books, lock: LockRow) -> Done:
        books.add_lock(lock)
        return Done(lock.status, 0, 0)

    def _approve(self, books: Books, lock: LockRow) -> Done:
        if has_run_out(lock, books.now):
            raise Refused(f"lock {lock.key} would have ended by now; change its end, or refuse it")
        require_within(books, None if self.as_owner else self.limit, lock, ("approved", BEGUN))
        books.add_lock(lock)
        if lock.starts_at is not None and lock.starts_at > books.now:
            return Done(lock.status, 0, 0)
        return begin(books, lock, self.reason)


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be otherwise; None: stays as it is. ``endless``: without an end."""

    quantity: int | None = None
    priority: int | None = None
    overflow: str | None = None
    owner: str | None = None
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    endless: bool = False

    def of(self, lock: LockRow) -> LockRow:
        said: dict[str, Any] = {
            "quantity": self.quantity, "priority": self.priority, "overflow": self.overflow, "owner": self.owner,
            "starts_at": self.starts_at, "expires_at": self.expires_at,
        }  # fmt: skip
        changed = lock._replace(**{name: value for name, value in said.items() if value is not None})
        return changed._replace(expires_at=None) if self.endless else changed


@dataclass(frozen=True, slots=True)
class ChangeLock(OnLock):
    """Change a lock that has not ended; once per ``ref``. More units are taken or waited for, fewer are given back.

    Who asked for a lock does not get more by changing it than somebody else approved: more units, a longer time, a
    higher priority or a wider overflow are for others, or an owner.

    ``as_owner``, ``limit`` and ``siblings`` are as in ``DecideLock``.
    """

    changes: Changes
    ref: str
    reason: str = ""
    as_owner: bool = False
    limit: LockLimit | None = None
    siblings: Sequence[str] = field(default=())

    def lock_keys(self) -> Iterable[str]:
        return (self.key, *self.siblings)

    def effect_keys(self) -> Iterable[str]:
        return (self._effect_key(),)

    def _effect_key(self) -> str:
        return f"lock/{self.key}/change/{self.ref}"

    def decide(self, books: Books) -> Done:
        """Raises: Refused for what a lock cannot become, and for units that orders have; NotFound; KeyReused."""
        content = repr(self.changes)
        if earlier := answered(books, self._effect_key(), content):
            return earlier
        lock = the_lock(books, self.key)
        require_open(lock)
        changed = self.changes.of(lock)
        self._require_sound(books, lock, changed)
        if is_more(lock, changed):
            self._require_allowed(books, lock, changed)
        moves = self._move(books, lock, changed)
        kind = DocumentKind.LOCK if changed.quantity > lock.quantity else DocumentKind.UNLOCK
        return act(books, self._effect_key(), content, kind, lock, moves, told(lock, "changed", self.reason))

    def _require_sound(self, books: Books, lock: LockRow, changed: LockRow) -> None:
        terms = Terms(
            changed.type, changed.stocked, changed.quantity, changed.store_id, changed.warehouse_id, changed.pure,
            changed.account, changed.owner, changed.priority, changed.starts_at, changed.expires_at, changed.overflow,
        )  # fmt: skip
        if wrong := problem(terms, books.now):
            raise Refused(wrong)
        if lock.status == BEGUN and changed.starts_at != lock.starts_at:
            raise Refused(f"lock {lock.key} has begun; its beginning cannot be changed")
        if lock.standing and (changed.expires_at is not None or changed.overflow != "yes"):
            raise Refused(f"{lock.key} is a floor: it has no end and its store sells what everybody shares, too")

    def _require_allowed(self, books: Books, lock: LockRow, changed: LockRow) -> None:
        if self.as_owner or lock.standing:
            return
        if lock.status == "requested":
            require_within(books, self.limit, changed, (*TO_COME, BEGUN))
            return
        if lock.requested_by == books.actor:
            raise Refused(
                f"who asked for lock {lock.key} does not make it more than was approved; somebody else has to, or an "
                "owner"
            )
        require_within(books, self.limit, changed, ("approved", BEGUN))

    def _move(self, books: Books, lock: LockRow, changed: LockRow) -> list[Movement]:
        units, kept = changed.quantity - lock.quantity, changed._replace(quantity=lock.quantity)
        moves: list[Movement] = []
        if lock.status != BEGUN:
            kept = changed
        elif units > 0:
            kept, moves = enlarge(books, kept, units)
        elif units < 0:
            kept, moves = reduce(books, kept, -units)
        books.add_lock(kept)
        if lock.status == BEGUN and kept.expires_at != lock.expires_at:
            pool = pool_of(books, lock)
            books.add_pool(pool._replace(ends_at=kept.expires_at), lock.stocked)
        return moves


def is_more(lock: LockRow, changed: LockRow) -> bool:
    """Does a change give a lock more than it had?"""
    later = lock.expires_at is not None and (changed.expires_at is None or changed.expires_at > lock.expires_at)
    sooner = lock.starts_at is not None and changed.starts_at is not None and changed.starts_at < lock.starts_at
    wider = OVERFLOWS.index(changed.overflow) > OVERFLOWS.index(lock.overflow)
    return later or sooner or wider or changed.quantity > lock.quantity or changed.priority > lock.priority


def require_within(books: Books, limit: LockLimit | None, lock: LockRow, counting: Sequence[str]) -> None:
    """Raises: Refused when a lock, as it is to be, exceeds the limit of its requester."""
    if limit is not None and (wrong := too_much(books, limit, lock, counting)):
        raise Refused(wrong)
