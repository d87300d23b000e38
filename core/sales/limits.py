"""How much one order, one customer, or one customer of an activity may take.

Limits count what is promised to a holder: units of orders and of holds that wait, are held, sold or shipped, in both
grades and counted per component of a bundle. What was released does not count, what came back as a return does. Holds
are refused beyond a limit; an order exists whatever we say, so it is counted and never refused.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, time
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from core.books import Books
from core.errors import LimitExceeded, Refused
from core.pipe import Runner
from core.rows import LimitRow, PromiseRow
from core.stock import Pool, Stocked

_TURNS = 256


class Per(StrEnum):
    """Whose units a limit adds up."""

    ORDER = "order"  # of one hold or order
    CUSTOMER = "customer"  # of one holder, ever
    DAY = "day"  # of one holder, today in the merchant's time zone
    ACTIVITY = "activity"  # of one holder in one pool


class Exceeded(NamedTuple):
    """A limit that a request would break: ``used`` units count already, ``asked`` more are wanted."""

    limit: LimitRow
    used: int
    asked: int

    @property
    def error(self) -> LimitExceeded:
        return LimitExceeded(words_of(self.limit), limit=self.limit.units, used=self.used, asked=self.asked)


def words_of(limit: LimitRow) -> str:
    """A limit as a sentence for people."""
    who = {
        Per.ORDER: "one order may take",
        Per.CUSTOMER: "one customer may take",
        Per.DAY: "one customer may take each day",
        Per.ACTIVITY: f"one customer may take in {limit.pool}",
    }[Per(limit.per)]
    return f"{who} {limit.units} units of {limit.sku or 'all items together'}"


# ---- deciding


def exceeded(books: Books, holder: str, demand: Mapping[Stocked, int], pool_id: int | None = None) -> Exceeded | None:
    """The first limit that ``demand`` would break. ``pool_id``: all of it is to come from that pool.

    Raises: Refused when a limit counts customers and nobody says who asks.
    """
    for limit in books.limits:
        asked = sum(units for stocked, units in demand.items() if limit.item_id in (None, stocked.item_id))
        if not asked or (limit.per == Per.ACTIVITY and limit.pool_id != pool_id):
            continue
        if limit.per != Per.ORDER and not holder:
            raise Refused(f"{words_of(limit)}, so say who asks: name the holder")
        used = 0 if limit.per == Per.ORDER else used_by(books, limit, holder)
        if used + asked > limit.units:
            return Exceeded(limit, used, asked)
    return None


def used_by(books: Books, limit: LimitRow, holder: str) -> int:
    """Units that count for a holder, with all that this batch has decided so far."""
    return books.bought.get((limit.id, holder), 0) + sum(
        promise.wanted - promise.released
        for promise in books.promised_to(holder)
        if counts(limit, promise, books.day_began)
    )


def counts(limit: LimitRow, promise: PromiseRow, day_began: datetime | None) -> bool:
    """Does a limit of customers add up this promise?"""
    if limit.item_id not in (None, promise.item_id):
        return False
    if limit.per == Per.ACTIVITY:
        return limit.pool_id in (promise.pool_id, promise.presale_id)
    return limit.per != Per.DAY or (day_began is not None and promise.promised_at >= day_began)


class PoolAllowance:
    """How much of each pool a hold that may draw on several may still take: an activity's limit ends where the next
    pool begins, and whoever is unknown takes nothing of what is counted per customer.
    """

    def __init__(self, books: Books, holder: str) -> None:
        self._limits = [limit for limit in books.limits if limit.per == Per.ACTIVITY]
        self._left = {
            limit.id: max(limit.units - used_by(books, limit, holder), 0) if holder else 0 for limit in self._limits
        }

    def take(self, pool: Pool, stocked: Stocked, units: int) -> int:
        """As many of ``units`` as the limits of this pool leave; they are taken."""
        ids = [
            limit.id for limit in self._limits if limit.pool_id == pool.id and limit.item_id in (None, stocked.item_id)
        ]
        units = min([units, *(self._left[limit_id] for limit_id in ids)])
        for limit_id in ids:
            self._left[limit_id] -= units
        return units


# ---- what a batch asks its tables


def load(sent: Runner, books: Books, item_ids: Collection[int]) -> None:
    """The limits of these items, those over all items, and when the merchant's day began."""
    rows = sent.run(
        f"""SELECT {_LIMIT}, m.time_zone FROM unnest(CAST(:items AS bigint[])) k (item_id)
            CROSS JOIN LATERAL (SELECT * FROM purchase_limit WHERE merchant_id = :merchant_id
                AND item_id = k.item_id) l {_NAMES}
            UNION ALL SELECT {_LIMIT}, m.time_zone FROM purchase_limit l {_NAMES}
            WHERE l.merchant_id = :merchant_id AND l.item_id IS NULL
            ORDER BY 1""",
        items=sorted(item_ids),
    ).fetchall()
    books.limits = [LimitRow._make(row[:-1]) for row in rows]
    if rows:
        books.day_began = day_began(books.now, rows[0][-1])


_LIMIT = "l.id, l.per, l.item_id, l.pool_id, l.units, coalesce(i.sku, ''), coalesce(p.code, '')"
_NAMES = """JOIN merchant m ON m.id = :merchant_id
    LEFT JOIN LATERAL (SELECT sku FROM item WHERE merchant_id = :merchant_id AND id = l.item_id) i ON true
    LEFT JOIN LATERAL (SELECT code FROM pool WHERE merchant_id = :merchant_id AND id = l.pool_id) p ON true"""


def day_began(now: datetime, time_zone: str) -> datetime:
    """When the day of ``now`` began where the merchant is."""
    zone = ZoneInfo(time_zone)
    return datetime.combine(now.astimezone(zone).date(), time(), zone)


def counted(books: Books, asked: Iterable[tuple[str, int]]) -> dict[tuple[int, str], LimitRow]:
    """Which limits count the units of which holders, of those who ask for items."""
    return {
        (limit.id, holder): limit
        for holder, item_id in asked
        for limit in books.limits
        if holder and limit.per != Per.ORDER and limit.item_id in (None, item_id)
    }


def take_turns(sent: Runner, merchant_id: int, holders: Collection[str]) -> None:
    """Wait until nobody else decides for these holders; in one order everywhere, and before any balance row.

    Whoever asks twice at once, for other items or grades, would else be counted twice against the same past.
    """
    if holders:
        sent.run(
            "SELECT pg_advisory_xact_lock(k.turn) FROM unnest(CAST(:turns AS bigint[])) k (turn)",
            turns=sorted({_turn(merchant_id, holder) for holder in holders}),
        )


def _turn(merchant_id: int, holder: str) -> int:
    """One of a bounded number of turns, so that a large batch does not fill the server's table of locks."""
    slot = hashlib.sha256(holder.encode()).digest()[0] % _TURNS
    words = f"holdfast.holder/{merchant_id}/{slot}"
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], signed=True)


def load_bought(sent: Runner, books: Books, wanted: Mapping[tuple[int, str], LimitRow]) -> None:
    """What holders have of what limits count, in promises that this batch does not know: those it adds up itself."""
    keys = list(wanted)
    rows = sent.run(
        f"""SELECT k.nth, b.units FROM {_WANTED} CROSS JOIN LATERAL (SELECT sum(wanted - released) AS units
                FROM promise WHERE merchant_id = :merchant_id AND holder = k.holder AND holder <> ''
                  AND item_id = k.item_id AND {_COUNTED}) b WHERE k.item_id IS NOT NULL
            UNION ALL SELECT k.nth, b.units FROM {_WANTED} CROSS JOIN LATERAL (SELECT sum(wanted - released) AS units
                FROM promise WHERE merchant_id = :merchant_id AND holder = k.holder AND holder <> ''
                  AND {_COUNTED}) b WHERE k.item_id IS NULL""",
        holders=[holder for _, holder in keys],
        items=[limit.item_id for limit in wanted.values()],
        pools=[limit.pool_id for limit in wanted.values()],
        since=[books.day_began if limit.per == Per.DAY else None for limit in wanted.values()],
        known=sorted(promise.id for _, holder in keys for promise in books.promised_to(holder)),
    ).fetchall()
    books.bought = {keys[nth - 1]: int(units) for nth, units in rows if units}


_WANTED = """unnest(CAST(:holders AS text[]), CAST(:items AS bigint[]), CAST(:pools AS bigint[]),
    CAST(:since AS timestamptz[])) WITH ORDINALITY k (holder, item_id, pool_id, since, nth)"""
_COUNTED = """(k.pool_id IS NULL OR k.pool_id IN (pool_id, presale_id)) AND (k.since IS NULL OR promised_at >= k.since)
    AND id <> ALL (CAST(:known AS bigint[]))"""
