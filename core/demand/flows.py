"""What each day did to items: sold, came free, changed; of days that are over, summed up once and kept.

Reading all movements of a window takes longer the more was sold. So whole days on which nothing can be recorded any
more (see ``core.past.checkpoints``) are summed up when they are first asked for, and only the days since are read anew.
The sums say nothing that the movements do not, and are made again when the merchant's time zone changes.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from core.transaction import Transaction
from core.zones import zone_of

SALES = 0  # the place of the sales layer; all others are warehouses
_ITEMS_AT_ONCE = 2_000
_DAYS_AT_ONCE = timedelta(days=7)
_KEPT = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Window:
    """``days`` whole days up to yesterday, in the merchant's zone; the first of them is ``first``."""

    zone: ZoneInfo
    first: date
    days: int

    @property
    def today(self) -> date:
        return self.first + timedelta(days=self.days)


def window(tx: Transaction, days: int) -> Window:
    """The last ``days`` whole days."""
    zone = zone_of(tx)
    return Window(zone, tx.now.astimezone(zone).date() - timedelta(days=days), days)


class Pools(NamedTuple):
    """``shared_id``: the pool that everybody shares, where demand waits.

    ``aside``: pools whose units are spoken for, so that no channel's orders can have them: presales, and locks that are
    for no channel or that no order draws on. What they still need is demand of its own, beside the pace.
    """

    shared_id: int
    aside: Sequence[int]


def pools(tx: Transaction) -> Pools:
    """The merchant's pools as demand is told from them."""
    rows = tx.run(
        """SELECT id, kind FROM pool WHERE merchant_id = :merchant_id
             AND (kind IN ('shared', 'presale') OR kind = 'lock' AND (pure OR store_id IS NULL))"""
    ).all()
    (shared_id,) = [row.id for row in rows if row.kind == "shared"]
    return Pools(shared_id, [row.id for row in rows if row.kind != "shared"])


# In the sales layer, demand is what orders hold or wait for in pools that are not aside: it begins where a movement
# ends there, and ends where one leaves it by another way than the door. Fills of what waits change nothing: it was
# counted when it began. What an item becomes part of gets its sold units from outside, as they left the other: they
# were counted when they were sold. At a warehouse, what leaves for an order was sold.
MOVES = """
    SELECT grade, place_id, day, net, sold, order_line_id FROM (
        SELECT grade, CASE WHEN layer = 'sales' THEN 0 WHEN was THEN from_place ELSE to_place END AS place_id,
            (recorded_at AT TIME ZONE CAST(:zone AS text))::date AS day, order_line_id,
            CASE WHEN was = becomes THEN 0 WHEN becomes THEN quantity ELSE -quantity END AS net,
            CASE WHEN layer = 'dispatch' THEN CASE WHEN from_bucket = 'allocated' AND to_bucket = 'world'
                    THEN quantity ELSE 0 END
                WHEN wanted = wants OR from_bucket = 'sold' AND to_bucket = 'world'
                    OR from_bucket = 'world' AND to_bucket = 'sold' THEN 0
                WHEN wants THEN quantity ELSE -quantity END AS sold
        FROM (
            SELECT recorded_at, grade, layer, from_place, from_bucket, to_place, to_bucket, quantity, order_line_id,
                from_bucket IN ('available', 'allocated', 'locked')
                    OR from_bucket = 'free' AND from_place <> ALL(CAST(:aside AS bigint[])) AS was,
                to_bucket IN ('available', 'allocated', 'locked')
                    OR to_bucket = 'free' AND to_place <> ALL(CAST(:aside AS bigint[])) AS becomes,
                from_bucket IN ('reserved', 'sold') AND from_place <> ALL(CAST(:aside AS bigint[]))
                    OR from_bucket = 'backordered' AND from_place = :shared_id AS wanted,
                to_bucket IN ('reserved', 'sold') AND to_place <> ALL(CAST(:aside AS bigint[]))
                    OR to_bucket = 'backordered' AND to_place = :shared_id AS wants
            FROM movement WHERE merchant_id = :merchant_id AND item_id = k.item_id
              AND recorded_at >= :since AND recorded_at < :until AND layer IN ('sales', 'dispatch')
        ) ends
    ) told WHERE net <> 0 OR sold <> 0
"""
_DAYS = f"""
    FROM unnest(CAST(:items AS bigint[])) k (item_id)
    CROSS JOIN LATERAL (
        SELECT grade, place_id, day, CAST(sum(sold) AS bigint) AS sold,
            CAST(sum(greatest(net, 0)) AS bigint) AS came, CAST(sum(net) AS bigint) AS net
        FROM ({MOVES}) moves GROUP BY grade, place_id, day
    ) d
"""


def bound(over: Window, known: Pools, since: date, until: date | None = None) -> dict[str, Any]:
    """What ``MOVES`` asks for; ``until`` None: everything up to now."""
    return {
        "zone": over.zone.key, "aside": known.aside, "shared_id": known.shared_id,
        "since": datetime.combine(since, time(), over.zone),
        "until": datetime.combine(until or over.today + timedelta(days=2), time(), over.zone),
    }  # fmt: skip


class Flow(NamedTuple):
    """What a day did to an item in one place. ``day``: how many days after the first of the window."""

    item_id: int
    grade: str
    place_id: int
    day: int
    sold: int
    came: int
    net: int


class Flows(NamedTuple):
    """Days of one item in one place that are over; the lists stand side by side."""

    item_id: int
    grade: str
    place_id: int
    days: list[int]
    sold: list[int]
    came: list[int]
    net: list[int]


def wholes(tx: Transaction, item_ids: Collection[int]) -> dict[int, int]:
    """These items and all that became part of one of them, each with the item of these that it is part of now."""
    parts = tx.run(
        """SELECT p.id, k.item_id FROM unnest(CAST(:items AS bigint[])) k (item_id)
           CROSS JOIN LATERAL (SELECT id FROM item WHERE merchant_id = :merchant_id AND merged_into = k.item_id
               OFFSET 0) p""",
        items=sorted(item_ids),
    )
    return {item_id: item_id for item_id in item_ids} | {row.id: row.item_id for row in parts}


def read(
    tx: Transaction, over: Window, known: Pools, item_ids: Collection[int], *, warehouses: bool = False
) -> list[Flows]:
    """All days of the window and today, of the sales layer or else of the ``warehouses``.

    Days of what became part of an item are its own. So what changed its item on the day of the merge is no sale: what
    one item lost on it the other got.
    """
    whole = wholes(tx, item_ids)
    found = _read(tx, over, known, sorted(whole), warehouses=warehouses)
    if len(whole) == len(item_ids):
        return found
    together: dict[tuple[int, str, int], list[Flows]] = {}
    for one in found:
        together.setdefault((whole[one.item_id], one.grade, one.place_id), []).append(one)
    return [_added_up(key, several) for key, several in together.items()]


def _added_up(key: tuple[int, str, int], several: Sequence[Flows]) -> Flows:
    """The days of items that are one now, each once. Pure."""
    by_day: dict[int, tuple[int, int, int]] = {}
    for one in several:
        for day, sold, came, net in zip(one.days, one.sold, one.came, one.net, strict=True):
            before = by_day.get(day, (0, 0, 0))
            by_day[day] = before[0] + sold, before[1] + came, before[2] + net
    sums = [[units[n] for units in by_day.values()] for n in range(3)]
    return Flows(*key, list(by_day), *sums)


def _read(tx: Transaction, over: Window, known: Pools, ids: Sequence[int], *, warehouses: bool) -> list[Flows]:
    until = settle(tx, over, known)
    rows = tx.run(
        f"""SELECT k.item_id, d.grade, d.place_id, d.days, d.sold, d.came, d.net
            FROM unnest(CAST(:items AS bigint[])) k (item_id)
            CROSS JOIN LATERAL (
                SELECT grade, place_id, array_agg(day - CAST(:first AS date)) AS days, array_agg(sold) AS sold,
                    array_agg(came) AS came, array_agg(net) AS net
                FROM flow_day WHERE merchant_id = :merchant_id AND item_id = k.item_id AND day >= :first
                  AND day < :until AND place_id {"<>" if warehouses else "="} {SALES} GROUP BY grade, place_id
            ) d""",
        items=ids, first=over.first, until=until,
    )  # fmt: skip
    found = {row[:3]: Flows(*row) for row in rows}
    for one in _unsettled(tx, over, known, ids, until):
        if (one.place_id != SALES) == warehouses:
            flows = found.setdefault(one[:3], Flows(*one[:3], [], [], [], []))
            for values, value in zip(flows[3:], one[3:], strict=True):
                values.append(value)
    return list(found.values())


def _unsettled(tx: Transaction, over: Window, known: Pools, ids: Sequence[int], since: date) -> Iterator[Flow]:
    """The days since the last that is summed up, today among them."""
    for some in _in_parts(ids):
        for row in tx.run(
            f"SELECT k.item_id, d.grade, d.place_id, d.day - CAST(:first AS date), d.sold, d.came, d.net {_DAYS}",
            items=some, first=over.first, **bound(over, known, since),
        ):  # fmt: skip
            yield Flow(*row)


class _Mark(NamedTuple):
    """The days from ``since`` until before ``until`` are summed up, as they are in ``time_zone``."""

    time_zone: str
    since: date
    until: date


def settle(tx: Transaction, over: Window, known: Pools) -> date:
    """Sum up the days of the window that are over and are not summed up yet. Returns: the first that is not.

    One caller at a time does it; others go on with what is there and read the movements of the other days.
    """
    until, mark = _settled(tx, over), _mark(tx)
    usable = _usable(mark, over, until)
    if usable == until or not _alone(tx):
        return usable
    _catch_up(tx, over, known, until)
    return until


def _settled(tx: Transaction, over: Window) -> date:
    """The first day of the window on which something may still be recorded."""
    covered = tx.run("SELECT covered_until FROM checkpoint_mark WHERE merchant_id = :merchant_id").scalar_one_or_none()
    day = over.first if covered is None else covered.astimezone(over.zone).date()
    return max(over.first, min(day, over.today))


def _mark(tx: Transaction) -> _Mark | None:
    row = tx.run("SELECT time_zone, since, until FROM flow_mark WHERE merchant_id = :merchant_id").one_or_none()
    return None if row is None else _Mark(*row)


def _usable(mark: _Mark | None, over: Window, until: date) -> date:
    """The first day of the window whose sums are not there, or not to be trusted."""
    if mark is None or mark.time_zone != over.zone.key or mark.since > over.first:
        return over.first
    return max(over.first, min(mark.until, until))


def _alone(tx: Transaction) -> bool:
    """Does nobody else sum up for this merchant until our transaction ends?"""
    return bool(
        tx.run(
            "SELECT pg_try_advisory_xact_lock(hashtextextended('holdfast.flow_day', CAST(:merchant_id AS bigint)))"
        ).scalar_one()
    )


def _catch_up(tx: Transaction, over: Window, known: Pools, until: date) -> None:
    """From the first day of the window, or earlier where it was summed up before, until ``until``."""
    mark = _mark(tx)
    if mark is None or mark.time_zone != over.zone.key or mark.since > until:
        mark = _Mark(over.zone.key, over.first, over.first)
        tx.run("DELETE FROM flow_day WHERE merchant_id = :merchant_id")
    oldest = over.today - _KEPT
    # Days from ``until`` on are there only when a clock went backwards: they run twice.
    tx.run(
        "DELETE FROM flow_day WHERE merchant_id = :merchant_id AND (day >= :until OR day < :oldest)",
        until=until, oldest=oldest,
    )  # fmt: skip
    _sum_up(tx, over, known, over.first, mark.since)
    _sum_up(tx, over, known, max(mark.since, min(mark.until, until)), until)
    tx.run(
        """INSERT INTO flow_mark (merchant_id, time_zone, since, until) VALUES (:merchant_id, :zone, :since, :until)
           ON CONFLICT (merchant_id) DO UPDATE SET time_zone = EXCLUDED.time_zone, since = EXCLUDED.since,
               until = EXCLUDED.until""",
        zone=over.zone.key, since=max(min(mark.since, over.first), oldest), until=until,
    )  # fmt: skip


def _sum_up(tx: Transaction, over: Window, known: Pools, begin: date, end: date) -> None:
    """The days from ``begin`` until before ``end``, of all items; none of them is summed up already."""
    ids = list(tx.run("SELECT id FROM item WHERE merchant_id = :merchant_id ORDER BY id").scalars())
    while begin < end:
        stop = min(begin + _DAYS_AT_ONCE, end)
        for some in _in_parts(ids):
            tx.run(
                f"""INSERT INTO flow_day (merchant_id, item_id, grade, place_id, day, sold, came, net)
                    SELECT :merchant_id, k.item_id, d.grade, d.place_id, d.day, d.sold, d.came, d.net {_DAYS}""",
                items=some, **bound(over, known, begin, stop),
            )  # fmt: skip
        begin = stop


def _in_parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for at in range(0, len(ids), _ITEMS_AT_ONCE):
        yield ids[at : at + _ITEMS_AT_ONCE]
