"""Demand that waits: how much of it may, who waits for an item and in which turn, and who goes first."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from core import reading
from core.books import Books
from core.command import Command
from core.errors import Refused
from core.rows import PromiseRow, StoreKey
from core.sales.backorders import Rank, in_turn, want_of, want_of_lock
from core.sales.held import keys_of, live_promises
from core.sales.holds import OnHold
from core.sales.promise_dates import read_queue
from core.stock import BalanceKey, Stocked
from core.transaction import Transaction
from core.zones import zone_of

NO_LIMIT = 2**62
_MOST_PRIORITY = 1_000_000


# ---- how much may wait


@dataclass(frozen=True, slots=True)
class Policy:
    """What a rule says of demand that waits; None: nothing, so that the next in line says it."""

    backorder: str | None = None
    limit: int | None = None


def most_waiting(nearest_first: Iterable[Policy]) -> int:
    """Units of an item that may wait at a time, by the nearest policy and the nearest limit that are set. Pure."""
    policies = list(nearest_first)
    backorder = next((one.backorder for one in policies if one.backorder is not None), "no")
    limit = next((one.limit for one in policies if one.limit is not None), NO_LIMIT)
    return 0 if backorder == "no" else limit


def may_wait(tx: Transaction, store_id: int, items: Collection[Stocked]) -> dict[Stocked, int]:
    """Units of each item, bundles taken apart, that may wait at a time: for ``Hold.may_wait``.

    By the rule of the item (of a bundle: its own, which counts bundles, then that of the component), else by that of
    the channel's store; ``store_id`` 0, our own interface, has none.
    """
    recipes = reading.find_recipes(tx, {one.item_id for one in items})
    parts = {part.stocked for recipe in recipes.values() for part in recipe}
    said = _item_policies(tx, {one.item_id for one in (*items, *parts)})
    store = _store_policy(tx, store_id)
    found: dict[Stocked, int] = {}
    for one in items:
        own = said.get(one.item_id, Policy())
        for part in recipes.get(one.item_id, ()):
            bundles = Policy(own.backorder, None if own.limit is None else own.limit * part.per_unit)
            _lower(found, part.stocked, most_waiting((bundles, said.get(part.stocked.item_id, Policy()), store)))
        if one.item_id not in recipes:
            _lower(found, one, most_waiting((own, store)))
    return found


def _lower(found: dict[Stocked, int], stocked: Stocked, units: int) -> None:
    found[stocked] = min(units, found.get(stocked, units))


def _item_policies(tx: Transaction, item_ids: Collection[int]) -> dict[int, Policy]:
    rows = tx.run(
        """SELECT i.id, i.backorder, i.backorder_limit FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT * FROM item WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) i""",
        ids=sorted(item_ids),
    )
    return {row.id: Policy(row.backorder, row.backorder_limit) for row in rows}


def _store_policy(tx: Transaction, store_id: int) -> Policy:
    row = tx.run(
        "SELECT backorder, backorder_limit FROM store WHERE merchant_id = :merchant_id AND id = :id", id=store_id
    ).one_or_none()
    return Policy() if row is None else Policy(row.backorder, row.backorder_limit)


# ---- who goes first


@dataclass(frozen=True, slots=True)
class OrderPriority(Command):
    """Among equals, what an order waits for is served before what has a lower priority. Moves no unit by itself."""

    store_id: int
    external_id: str
    priority: int

    def order_keys(self) -> Iterable[StoreKey]:
        return (StoreKey(self.store_id, self.external_id),)

    def stocked(self, books: Books) -> Iterable[Stocked]:
        return {promise.stocked for promise in self._promises(books)}

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        return keys_of(books, self._promises(books))

    def decide(self, books: Books) -> int:
        """Returns: how many promises changed. Raises: Refused for an order that is not known, or waits for nothing."""
        row = books.orders[StoreKey(self.store_id, self.external_id)]
        if row.placed_at is None:
            raise Refused(f"no order {self.external_id} is known; `holdfast order list` shows the newest")
        return _prioritise(books, self._promises(books), self.priority, f"order {row.number}")

    def _promises(self, books: Books) -> list[PromiseRow]:
        row = books.orders[StoreKey(self.store_id, self.external_id)]
        return [promise for line in books.lines_of(row.id) for promise in books.promises_of(line.id)]


@dataclass(frozen=True, slots=True)
class HoldPriority(OnHold):
    """The same for a hold of our own interface."""

    priority: int

    def decide(self, books: Books) -> int:
        """Returns: how many promises changed. Raises: Refused when the hold has ended, or waits for nothing."""
        return _prioritise(books, live_promises(books, self.key), self.priority, f"hold {self.key}")


def _prioritise(books: Books, promises: Sequence[PromiseRow], priority: int, who: str) -> int:
    if abs(priority) > _MOST_PRIORITY:
        raise Refused(f"a priority is a whole number from -{_MOST_PRIORITY} to {_MOST_PRIORITY}")
    wanting = [promise for promise in promises if promise.waiting or (promise.presale and promise.live)]
    if not wanting:
        raise Refused(f"{who} waits for nothing; a priority only says who of those that wait goes first")
    changed = [promise for promise in wanting if promise.priority != priority]
    for promise in changed:
        books.add_promise(promise._replace(priority=priority))
    return len(changed)


# ---- the queue


@dataclass(frozen=True, slots=True)
class Waiter:
    """One who waits for units of an item, at ``place`` (1 is served next).

    ``who``: an order with its store, a hold or a lock. ``ships_on``: the merchant's day on which it can leave, of a
    bundle when the last of its components can; None: not known. ``rank``: one of ``Rank``, in lower case.
    """

    place: int
    grade: str
    rank: str
    priority: int
    who: str
    store: str
    units: int
    since: datetime
    ships_on: date | None
    supply: str
    promise_id: int | None


def queue(tx: Transaction, item_id: int, grades: Sequence[str]) -> list[Waiter]:
    """All who wait for an item, grade by grade, in the order in which they are served."""
    stocked = [Stocked(item_id, grade) for grade in grades]
    promises, locks = read_queue(tx, stocked)
    told = _told(tx, [row for rows in promises.values() for row in rows])
    found: list[Waiter] = []
    for one in stocked:
        names = {lock.id: lock.key for lock in locks.get(one, ())}
        wants = in_turn([*map(want_of, promises.get(one, ())), *map(want_of_lock, locks.get(one, ()))])
        for place, want in enumerate(wants, start=1):
            row = told.get(want.id)
            found.append(
                Waiter(
                    place, one.grade, Rank(want.rank).name.lower(), want.priority,
                    row.who if row else f"lock {names[want.id]}", row.store if row else "", want.units, want.since,
                    row.ships_on if row else None, row.supply if row else "", want.id if row else None,
                )
            )  # fmt: skip
    return found


def _told(tx: Transaction, promises: Sequence[PromiseRow]) -> Mapping[int, Any]:
    """Who stands behind promises, and when they ship."""
    rows = tx.run(
        """SELECT k.id, CASE WHEN o.id IS NOT NULL THEN 'order ' || o.number
                   ELSE 'hold ' || substr(coalesce(h.effect_key, 'hold/?'), 6) END AS who,
               coalesce(s.name, '') AS store, coalesce(d.reference, '') AS supply,
               -- of a bundle, the date of the component that comes last; unknown while one is
               CASE WHEN d.becomes IS NOT NULL AND NOT coalesce(b.is_open, false)
                   THEN greatest(d.becomes, b.latest) END AS ships_on
           FROM unnest(CAST(:ids AS bigint[]), CAST(:orders AS bigint[]), CAST(:lines AS bigint[]),
               CAST(:made AS timestamptz[])) k (id, order_id, line_id, made_at)
           LEFT JOIN LATERAL (SELECT id, number, store_id FROM store_order WHERE merchant_id = :merchant_id
               AND id = k.order_id AND k.line_id IS NOT NULL OFFSET 0) o ON true
           LEFT JOIN LATERAL (SELECT name FROM store WHERE merchant_id = :merchant_id AND id = o.store_id OFFSET 0) s
               ON true
           LEFT JOIN LATERAL (SELECT effect_key FROM document WHERE merchant_id = :merchant_id AND id = k.order_id
               AND recorded_at = k.made_at AND k.line_id IS NULL OFFSET 0) h ON true
           LEFT JOIN LATERAL (SELECT becomes, reference FROM promise_date WHERE merchant_id = :merchant_id
               AND promise_id = k.id ORDER BY nth DESC LIMIT 1) d ON true
           LEFT JOIN LATERAL (SELECT max(n.becomes) AS latest, bool_or(n.becomes IS NULL) AS is_open
               FROM (SELECT id FROM promise WHERE merchant_id = :merchant_id AND order_id = k.order_id
                   AND order_line_id = k.line_id AND id <> k.id AND waiting > 0 OFFSET 0) c
               LEFT JOIN LATERAL (SELECT becomes FROM promise_date WHERE merchant_id = :merchant_id
                   AND promise_id = c.id ORDER BY nth DESC LIMIT 1) n ON true) b ON true""",
        ids=[row.id for row in promises],
        orders=[row.order_id for row in promises],
        lines=[row.order_line_id for row in promises],
        made=[row.promised_at for row in promises],
    )
    return {row.id: row for row in rows}


@dataclass(frozen=True, slots=True)
class WaitedFor:
    """An item that somebody waits for. ``next_on``: the merchant's day on which supply comes next."""

    sku: str
    title: str
    grade: str
    units: int
    waiters: int
    oldest: datetime
    next_on: date | None


def waited_for(tx: Transaction) -> list[WaitedFor]:
    """All items that orders, holds or locks wait for, those with the oldest demand first."""
    rows = tx.run(
        """SELECT i.sku, i.title, w.grade, sum(w.units)::bigint AS units, count(*) AS waiters, min(w.since) AS oldest,
               (SELECT min(expected_at) FROM expected e WHERE e.merchant_id = :merchant_id AND e.item_id = w.item_id
                   AND e.grade = w.grade AND e.received < e.quantity AND e.expected_at > :now) AS next_at
           FROM (SELECT item_id, grade, waiting AS units, promised_at AS since FROM promise
                   WHERE merchant_id = :merchant_id AND waiting > 0
               UNION ALL SELECT item_id, grade, live, promised_at FROM promise
                   WHERE merchant_id = :merchant_id AND presale AND live > 0
               UNION ALL SELECT item_id, grade, waiting, coalesce(decided_at, requested_at) FROM lock
                   WHERE merchant_id = :merchant_id AND waiting > 0) w
           JOIN item i ON i.merchant_id = :merchant_id AND i.id = w.item_id
           GROUP BY w.item_id, w.grade, i.sku, i.title ORDER BY oldest, i.sku, w.grade"""
    ).all()
    zone = zone_of(tx)
    return [
        WaitedFor(row.sku, row.title, row.grade, row.units, row.waiters, row.oldest,
                  row.next_at.astimezone(zone).date() if row.next_at else None)
        for row in rows
    ]  # fmt: skip
