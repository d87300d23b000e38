"""Holds made through our own interface: they last as long as their buyer shows signs of life.

Orders of storefronts never end by our clock. A hold is a document and its promises, and has no other row.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import ClassVar, NamedTuple

from core import flows
from core.books import Books, effect_key_of_hold, key_hash
from core.command import Command
from core.errors import Refused
from core.rows import LimitRow, PromiseRow
from core.sales import limits
from core.sales.drawing import OWN, draws_of_hold, lacking
from core.sales.giving_way import frees, give_way
from core.sales.held import RELEASED_FIRST, end_hold, is_made, keys_of, live_promises, never_make, promises_of_hold
from core.stock import BalanceKey, Bucket, DocumentKind, Layer, Movement, Pool, PoolKind, Stocked
from core.transaction import Transaction

DEFAULT_TTL = timedelta(minutes=15)
_ONE_S = timedelta(seconds=1)

Drawn = list[tuple[Stocked, Pool, int]]


class Held(NamedTuple):
    """A hold's document, what a best-effort hold could not get, and what waits: items with units (>= 1).

    ``gave_way``: keys of holds of the same holder that ended for it; a repeated call knows none.
    """

    document_id: int
    missing: Sequence[tuple[Stocked, int]] = ()
    waiting: Sequence[tuple[Stocked, int]] = ()
    gave_way: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Hold(Command):
    """Promise units to one holder until ``expires_at``; once per ``key``, all of them or none.

    Where units or a purchase limit fall short, the holder's other holds that are neither paid nor being paid give way,
    each as a whole and those that would run out first before others.

    ``store_id``     the channel that asks (0: our own interface); it decides which pools may be drawn on.
    ``holder``       who asks, as an opaque word; empty when nobody says.
    ``pool_id``      draw on this pool: an order of a lock, or of an activity or presale.
    ``overflow``     with ``pool_id``: what it lacks may come from the pools of the channel. A lock that allows it to
                     all its orders needs not be told, one that forbids it refuses.
    ``best_effort``  hold what there is, and say what is missing.
    ``deducted``     the channel deducts at order: the units are sold at once, and free again when it ends unpaid.
    ``may_wait``     units of an item that may wait at most, as ``core.sales.waiting`` reads it from the rules: what is
                     not there waits within that, where the shared pool may be drawn on.
    """

    hopeful: ClassVar[bool] = True

    key: str
    quantities: Mapping[Stocked, int] = field(hash=False)
    expires_at: datetime
    store_id: int = OWN
    holder: str = ""
    pool_id: int | None = None
    overflow: bool = False
    best_effort: bool = False
    deducted: bool = False
    may_wait: Mapping[Stocked, int] = field(default_factory=dict, hash=False)

    def effect_keys(self) -> Iterable[str]:
        return (effect_key_of_hold(self.key),)

    def pool_ids(self) -> Iterable[int]:
        return () if self.pool_id is None else (self.pool_id,)

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return self.quantities

    def holders(self) -> Iterable[str]:
        return (self.holder,) if self.holder else ()

    def limited(self, books: Books) -> Iterable[tuple[str, int]]:
        return [(self.holder, stocked.item_id) for stocked in self._demand(books)]

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        keys = [key for stocked in self._demand(books) for key in books.sales_keys(stocked)]
        if self.pool_id is not None:  # it need not be open, and need not have what is asked for
            keys += [BalanceKey(Layer.SALES, *stocked, self.pool_id) for stocked in self._demand(books)]
        return keys

    def decide(self, books: Books) -> Held:
        """Raises: InsufficientStock; LimitExceeded; KeyReused; Refused when it has ended or asks for nothing."""
        effect_key, content = effect_key_of_hold(self.key), self._content()
        if key_hash(effect_key) in books.known_effects:
            return self._earlier(books, effect_key, content)
        self._require_units()
        demand, open_before = self._demand(books), self._open_holds(books)
        if books.limits:
            self._keep_limits(books, demand)
        drawn, missing = self._draw(books, demand)
        waiting: Mapping[Stocked, int] = {}
        if missing:
            drawn, missing, waiting = self._fall_short(books, demand, drawn, missing)
        document_id = books.new_id()
        moves: list[Movement] = []
        for stocked, pool, live in drawn:
            books.add_promise(self._promise(books, document_id, stocked, pool, live))
            moves += flows.hold(pool, stocked, live, self.deducted, None)
        for stocked, n in waiting.items():
            promise = self._promise(books, document_id, stocked, books.home.shared_pool, n)
            books.add_promise(promise._replace(live=0, waiting=n, backorder=True))
            moves += flows.wait(books.home, stocked, n, None)
        books.post(DocumentKind.RESERVATION, effect_key, moves, content=content, document_id=document_id)
        books.put(books.holds, self.key, document_id)
        gave_way = tuple(sorted(open_before - self._open_holds(books))) if open_before else ()
        if not missing and not waiting:
            return Held(document_id, gave_way=gave_way)
        held = Held(document_id, tuple(missing.items()), tuple(waiting.items()), gave_way)
        books.note_result(json.dumps([[[*stocked, n] for stocked, n in part] for part in (held.missing, held.waiting)]))
        return held

    def _open_holds(self, books: Books) -> frozenset[str]:
        """Holds of the same holder that have live units."""
        if not books.open_holds:
            return frozenset()
        known = books.open_holds.get(self.holder, ())
        return frozenset(key for key in known if any(one.live for one in promises_of_hold(books, key)))

    def _fall_short(
        self, books: Books, demand: Mapping[Stocked, int], drawn: Drawn, missing: dict[Stocked, int]
    ) -> tuple[Drawn, dict[Stocked, int], dict[Stocked, int]]:
        """What is drawn, missing and waiting after other holds of the holder gave way. Raises: InsufficientStock."""
        while missing and self._make_room(books, missing):
            drawn, missing = self._draw(books, demand)
        waiting = self._let_wait(books, missing) if self.may_wait else {}
        missing = {stocked: lack for stocked, n in missing.items() if (lack := n - waiting.get(stocked, 0))}
        if missing and not (self.best_effort and (drawn or waiting)):
            raise lacking(books, missing, self.store_id, self.holder, self.pool_id, self.overflow)
        return drawn, missing, waiting

    def _content(self) -> str:
        words = [f"{item_id}/{grade}/{units}" for (item_id, grade), units in sorted(self.quantities.items())]
        asked = (self.store_id, self.holder, self.pool_id, self.overflow, self.best_effort, self.deducted)
        if asked != _PLAIN:
            words.append(repr(asked))
        if self.may_wait:
            words.append("or wait")
        return " ".join(words)

    def _earlier(self, books: Books, effect_key: str, content: str) -> Held:
        if books.known_effects[key_hash(effect_key)].document_id is None:
            raise Refused(f"hold {self.key} was {RELEASED_FIRST}; choose a new key")
        effect = books.effect(effect_key, content)
        if effect is None or effect.document_id is None:
            raise Refused(f"hold {self.key} was {RELEASED_FIRST}; choose a new key")
        parts = json.loads(effect.result) if effect.result else ((), ())
        missing, waiting = (tuple((Stocked(item_id, grade), n) for item_id, grade, n in part) for part in parts)
        return Held(effect.document_id, missing, waiting)

    def _require_units(self) -> None:
        """Raises: Refused when nothing is asked for, or less than one unit of something."""
        if not self.quantities:
            raise Refused("a hold takes at least 1 unit of an item; none was named")
        for stocked, units in self.quantities.items():
            if units < 1:
                raise Refused(
                    f"a hold takes at least 1 unit of each item; {units} of item {stocked.item_id} were asked for"
                )

    def _demand(self, books: Books) -> Mapping[Stocked, int]:
        """Units per item, bundles taken apart, summed over all that is asked for."""
        if not books.recipes:
            return self.quantities
        demand: Counter[Stocked] = Counter()
        for stocked, units in self.quantities.items():
            for part in books.parts(stocked):
                demand[part.stocked] += part.per_unit * units
        return demand

    def _draw(self, books: Books, demand: Mapping[Stocked, int]) -> tuple[Drawn, dict[Stocked, int]]:
        """What can be had from which pool, each >= 1, and what cannot be had. Changes nothing."""
        drawn: Drawn = []
        missing: dict[Stocked, int] = {}
        allowance = limits.PoolAllowance(books, self.holder) if books.limits else None
        for stocked, units in demand.items():
            left = units
            for pool in self._pools(books, stocked):
                live = min(left, books.free(stocked, pool))
                if live and allowance is not None:
                    live = allowance.take(pool, stocked, live)
                if live:
                    drawn.append((stocked, pool, live))
                    left -= live
                if not left:
                    break
            else:
                missing[stocked] = left
        return drawn, missing

    def _let_wait(self, books: Books, missing: Mapping[Stocked, int]) -> dict[Stocked, int]:
        """Units of what is missing that wait: of each item all, or with ``best_effort`` as many as may."""
        waiting: dict[Stocked, int] = {}
        for stocked, units in missing.items():
            if not any(pool.kind is PoolKind.SHARED for pool in self._pools(books, stocked)):
                continue
            wait_now = books.units(Layer.SALES, stocked, books.home.shared(Bucket.BACKORDERED))
            room = max(self.may_wait.get(stocked, 0) - wait_now, 0)
            if units <= room or (room and self.best_effort):
                waiting[stocked] = min(units, room)
        return waiting

    def _make_room(self, books: Books, missing: Mapping[Stocked, int]) -> bool:
        """Returns: True when another hold of the same holder gave way."""
        if not books.open_holds:
            return False
        helps = frees(books, missing, lambda stocked: self._pools(books, stocked))
        return give_way(books, self.holder, helps, to=f"hold {self.key}")

    def _keep_limits(self, books: Books, demand: Mapping[Stocked, int]) -> None:
        """Raises: LimitExceeded; Refused when a limit counts customers and nobody says who asks."""
        pool_id = None if self.overflow else self.pool_id
        while broken := limits.exceeded(books, self.holder, demand, pool_id):
            if broken.asked > broken.limit.units or not self._make_allowance(books, broken.limit):
                raise broken.error

    def _make_allowance(self, books: Books, limit: LimitRow) -> bool:
        def helps(promise: PromiseRow) -> bool:
            return limits.counts(limit, promise, books.day_began)

        return give_way(books, self.holder, helps, to=f"hold {self.key}")

    def _pools(self, books: Books, stocked: Stocked) -> Sequence[Pool]:
        return draws_of_hold(books, stocked, self.store_id, self.holder, self.pool_id, self.overflow)

    def _promise(self, books: Books, document_id: int, stocked: Stocked, pool: Pool, live: int) -> PromiseRow:
        ttl_s = max(1, ceil((self.expires_at - books.now).total_seconds()))
        presale = pool.kind is PoolKind.PRESALE
        # By position: these are made for every unit that is sold, and by name takes three times as long.
        return PromiseRow(books.new_id(), None, document_id, stocked[0], stocked[1], pool[0], live, 0, live, 0, 0,
            self.deducted, books.now, self.expires_at, False, 1, 0, False, False, 0, self.holder, ttl_s,
            presale, pool[0] if presale else None)  # fmt: skip


_PLAIN = (OWN, "", None, False, False, False)


@dataclass(frozen=True, slots=True)
class OnHold(Command):
    """A command on a hold that is there, or should be."""

    key: str

    def effect_keys(self) -> Iterable[str]:
        return (effect_key_of_hold(self.key),)

    def hold_keys(self) -> Iterable[str]:
        return (self.key,)

    def stocked(self, books: Books) -> Iterable[Stocked]:
        return [promise.stocked for promise in promises_of_hold(books, self.key)]

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        return keys_of(books, promises_of_hold(books, self.key))


@dataclass(frozen=True, slots=True)
class EndHold(OnHold):
    """Give back what a hold still holds; with ``only_expired`` just when it has run out. Repeating it changes nothing.

    A release that comes before its hold ends in the same state: the hold is refused.
    """

    only_expired: bool = False

    def decide(self, books: Books) -> bool:
        """Returns: True when units came free."""
        if not is_made(books, self.key):
            if not self.only_expired:
                never_make(books, self.key)
            return False
        if self.only_expired and not self._has_run_out(books):
            return False
        kind = DocumentKind.EXPIRY if self.only_expired else DocumentKind.RELEASE
        owed = self.only_expired and any(p.balance_due_at is not None for p in promises_of_hold(books, self.key))
        return end_hold(books, self.key, kind, reason="the deposit was paid, the rest was not" if owed else "")

    def _has_run_out(self, books: Books) -> bool:
        left = [promise for promise in promises_of_hold(books, self.key) if promise.live + promise.waiting]
        return all(promise.expires_at is not None and promise.expires_at <= books.now for promise in left)


@dataclass(frozen=True, slots=True)
class ExtendHold(OnHold):
    """The buyer shows a sign of life: a hold that is neither paid nor being paid lasts its full time from now.

    ``ttl_s`` (> 0): its full time is another one from now on, as when a method of payment was chosen.
    """

    ttl_s: int | None = None

    def decide(self, books: Books) -> datetime:
        """Returns: when it ends now. Raises: Refused when it has ended or does not end by the clock."""
        promises = live_promises(books, self.key)
        ttl_s = self.ttl_s or promises[0].ttl_s
        if promises[0].expires_at is None or ttl_s is None:
            raise Refused(f"hold {self.key} is paid or being paid: it does not run out")
        if promises[0].balance_due_at is not None:
            raise Refused(
                f"the deposit of hold {self.key} is paid: it lasts until the rest is owed; `holdfast reserve show "
                f"{self.key}` says when, `holdfast pool deposit {self.key} --balance-due WHEN` changes it"
            )
        ends = books.now + timedelta(seconds=ttl_s)
        for promise in promises:
            books.add_promise(promise._replace(expires_at=ends, ttl_s=ttl_s))
        return ends


@dataclass(frozen=True, slots=True)
class PayHold(OnHold):
    """What is known of the payment of a hold.

    ``state``: "started": it does not run out until more is known; "failed": it lasts its full time from now, or with a
    paid deposit until the rest was owed all along; "paid": its units are sold, and stay so.
    """

    state: str

    def decide(self, books: Books) -> bool:
        """Returns: False when that, or more, was known.

        Raises: Refused when the hold has ended, or is paid and told to fail.
        """
        promises = live_promises(books, self.key)
        if promises[0].paid:
            if self.state == "failed":
                raise Refused(f"hold {self.key} is paid; give its units back with a release")
            return False
        if self.state == "paid":
            self._deduct(books, promises)
            return True
        again = promises[0].balance_due_at or books.now + timedelta(seconds=promises[0].ttl_s or 1)
        ends = None if self.state == "started" else again
        known = promises[0].expires_at is None and ends is None
        for promise in promises:
            books.add_promise(promise._replace(expires_at=ends))
        return not known

    def _deduct(self, books: Books, promises: Sequence[PromiseRow]) -> None:
        moves: list[Movement] = []
        for promise in promises:
            if not promise.deducted:
                moves += flows.deduct(books.pool(promise.pool_id), promise.stocked, promise.live, None)
            books.add_promise(
                promise._replace(deducted=True, paid=True, expires_at=None, ttl_s=None, balance_due_at=None)
            )
        if moves:
            books.post(DocumentKind.DEDUCTION, f"payment-of-hold/{self.key}", moves, order_id=promises[0].order_id)


def expired(tx: Transaction, *, limit: int = 500) -> Sequence[str]:
    """Keys of holds that have run out and still hold units."""
    rows = tx.run(
        """SELECT d.effect_key FROM (SELECT DISTINCT order_id, promised_at FROM (
               SELECT order_id, promised_at FROM promise
               WHERE merchant_id = :merchant_id AND expires_at <= :now AND live + waiting > 0
               ORDER BY expires_at LIMIT :limit) due) h
           CROSS JOIN LATERAL (SELECT effect_key FROM document WHERE merchant_id = :merchant_id
               AND id = h.order_id AND recorded_at = h.promised_at OFFSET 0) d""",
        limit=limit,
    )
    return [effect_key.removeprefix(effect_key_of_hold("")) for effect_key in rows.scalars()]
