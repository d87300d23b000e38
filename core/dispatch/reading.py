"""What a decision is made from, read for many orders at once: a fixed number of statements, whatever their number.

Rows are found by key, one probe of an index each, whatever the planner believes of the tables.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from core.dispatch.destinations import Destination, Point, Region
from core.dispatch.model import Line, Part, Supply
from core.dispatch.routing import before_day, day_of
from core.dispatch.terms import Effect, Rate, Rule, Terms, Transit, Week
from core.pipe import Runner
from core.stock import Stocked
from core.warehouse.warehouses import Warehouse


def terms(tx: Runner) -> Terms:
    """All that the merchant has laid down on sending."""
    return Terms(regions(tx), _rules(tx), _rates(tx), _transits(tx), _weeks(tx))


def regions(tx: Runner) -> list[Region]:
    """All regions, by name."""
    rows = tx.run(
        "SELECT id, name, parts, latitude, longitude FROM region WHERE merchant_id = :merchant_id ORDER BY name"
    ).fetchall()
    return [
        Region(id_, name, [part_in(part) for part in parts], None if north is None else Point(north, east))
        for id_, name, parts, north, east in rows
    ]


def part_in(words: str) -> Destination:
    """A part of a region as it is kept; see ``destinations.read_part``."""
    country, subdivision, postal = (*words.split("-"), "", "")[:3]
    return Destination(country, subdivision, postal)


def _rules(tx: Runner) -> list[Rule]:
    rows = tx.run(
        """SELECT id, effect, warehouse_id, item_id, region_id, starts_at, ends_at FROM serving_rule
           WHERE merchant_id = :merchant_id ORDER BY id"""
    ).fetchall()
    return [Rule(id_, Effect(effect), *rest) for id_, effect, *rest in rows]


def _rates(tx: Runner) -> list[Rate]:
    rows = tx.run(
        """SELECT id, carrier, region_id, warehouse_id, up_to_g, cost, currency FROM carrier_rate
           WHERE merchant_id = :merchant_id ORDER BY id"""
    )
    return [Rate(*row) for row in rows.fetchall()]


def _transits(tx: Runner) -> list[Transit]:
    rows = tx.run(
        """SELECT id, region_id, warehouse_id, least_days, most_days FROM transit_time
           WHERE merchant_id = :merchant_id ORDER BY id"""
    )
    return [Transit(*row) for row in rows.fetchall()]


def _weeks(tx: Runner) -> dict[int | None, Week]:
    rows = tx.run("SELECT warehouse_id, weekdays, closed_on FROM working_week WHERE merchant_id = :merchant_id")
    return {place: Week(frozenset(days), frozenset(closed)) for place, days, closed in rows.fetchall()}


def supply(
    tx: Runner, things: Collection[Stocked], warehouses: Sequence[Warehouse], laid: Terms, now: datetime
) -> Supply:
    """What stands in each warehouse of these things, and the parcels that each sends on the day it would send more."""
    keys = sorted(things)
    rows = tx.run(
        """SELECT k.item_id, k.grade, b.places, b.available, b.locked
           FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[])) k (item_id, grade)
           CROSS JOIN LATERAL (SELECT array_agg(warehouse_id) AS places, array_agg(available) AS available,
                   CASE WHEN sum(locked) > 0 THEN array_agg(locked) END AS locked FROM dispatch_balance
               WHERE merchant_id = :merchant_id AND item_id = k.item_id AND grade = k.grade
                 AND available + locked > 0) b
           WHERE b.places IS NOT NULL""",
        items=[one.item_id for one in keys],
        grades=[one.grade for one in keys],
    ).fetchall()
    available: dict[Stocked, dict[int, int]] = {}
    locked: dict[Stocked, dict[int, int]] = {}
    for item_id, grade, places, units, apart in rows:
        thing = Stocked(item_id, grade)
        available[thing] = dict(zip(places, units, strict=True))
        if apart is not None:
            locked[thing] = dict(zip(places, apart, strict=True))
    return Supply(available, locked, _parcels(tx, warehouses, laid, now))


def _parcels(tx: Runner, warehouses: Sequence[Warehouse], laid: Terms, now: datetime) -> dict[int, int]:
    """Of warehouses with a limit; what was told to send and was taken back altogether is none."""
    bounded = sorted((one.id, day_of(one, laid, now)) for one in warehouses if one.capacity_per_day is not None)
    if not bounded:
        return {}
    rows = tx.run(
        """SELECT k.id, (SELECT count(*) FROM route_parcel p
                   CROSS JOIN LATERAL (SELECT order_id FROM route_decision
                       WHERE merchant_id = :merchant_id AND id = p.decision_id OFFSET 0) d
                   CROSS JOIN LATERAL (SELECT coalesce(bool_or(l.goes), true) AS goes FROM (
                           SELECT id FROM fulfilment_order WHERE merchant_id = :merchant_id AND order_id = d.order_id
                               AND decision_id = p.decision_id AND warehouse_id = k.id OFFSET 0) f
                       CROSS JOIN LATERAL (SELECT units + shipped > 0 AS goes FROM fulfilment_line
                           WHERE merchant_id = :merchant_id AND order_id = d.order_id AND fulfilment_id = f.id
                           OFFSET 0) l) g
                   WHERE p.merchant_id = :merchant_id AND p.warehouse_id = k.id AND p.leaves_on = k.day AND g.goes)
           FROM unnest(CAST(:ids AS bigint[]), CAST(:days AS date[])) k (id, day)""",
        ids=[place for place, _ in bounded],
        days=[day for _, day in bounded],
    ).fetchall()
    found = Counter({place: int(count) for place, count in rows})
    return dict(found + _undecided(tx, [one for one in warehouses if one.capacity_per_day is not None], laid, now))


def _undecided(tx: Runner, warehouses: Sequence[Warehouse], laid: Terms, now: datetime) -> Counter[int]:
    """Parcels of the same day that no decision told of, since goods of a pure lock were consumed for an order."""
    days = {one.id: (one, day_of(one, laid, now)) for one in warehouses}
    rows = tx.run(
        """SELECT k.id, f.made_at FROM unnest(CAST(:ids AS bigint[]), CAST(:since AS timestamptz[])) k (id, since)
           CROSS JOIN LATERAL (SELECT id, order_id, made_at FROM fulfilment_order
               WHERE merchant_id = :merchant_id AND warehouse_id = k.id AND made_at >= k.since AND decision_id IS NULL
               OFFSET 0) f
           WHERE EXISTS (SELECT FROM fulfilment_line WHERE merchant_id = :merchant_id AND order_id = f.order_id
               AND fulfilment_id = f.id AND units + shipped > 0)""",
        ids=list(days),
        since=[before_day(one, laid, now) for one in warehouses],
    ).fetchall()
    return Counter(place for place, made_at in rows if day_of(days[place][0], laid, made_at) == days[place][1])


def weights_of(tx: Runner, items: Iterable[int]) -> dict[int, int]:
    """Grams of one unit, by item; those that nobody has said are left out."""
    rows = tx.run(
        """SELECT i.id, i.weight_g FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT id, weight_g FROM item WHERE merchant_id = :merchant_id AND id = k.id
               AND weight_g IS NOT NULL OFFSET 0) i""",
        ids=sorted(set(items)),
    )
    return {row[0]: row[1] for row in rows.fetchall()}


def lines_of_orders(tx: Runner, order_ids: Collection[int]) -> dict[int, list[Line]]:
    """What paid lines of these orders are still promised and no warehouse is to send, by order; those without any are
    left out.
    """
    return _lines(tx, order_ids, "p.live - p.allocated", "p.waiting", "paid AND live + waiting > allocated")


def lines_once_ordered(tx: Runner, order_ids: Collection[int]) -> dict[int, list[Line]]:
    """The same as if nothing had been sent or had waited yet: what the lines wanted, and was not given up."""
    return _lines(tx, order_ids, "p.wanted - p.released", "0", "paid AND wanted > released")


def _lines(tx: Runner, order_ids: Collection[int], live: str, waiting: str, which: str) -> dict[int, list[Line]]:
    rows = tx.run(
        f"""SELECT p.order_id, p.order_line_id, p.item_id, p.grade, p.per_unit, {live}, {waiting}, p.presale,
               (SELECT warehouse_id FROM pool WHERE merchant_id = :merchant_id AND id = p.pool_id) AS place,
               (SELECT weight_g FROM item WHERE merchant_id = :merchant_id AND id = p.item_id) AS weight_g
           FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT * FROM promise WHERE merchant_id = :merchant_id AND order_id = k.id
               AND order_line_id IS NOT NULL AND {which} OFFSET 0) p
           ORDER BY p.order_id, p.order_line_id, p.item_id, p.grade, p.id""",
        ids=sorted(order_ids),
    ).fetchall()
    found: defaultdict[int, defaultdict[int, dict[Stocked, Part]]] = defaultdict(lambda: defaultdict(dict))
    for order_id, line_id, item_id, grade, per_unit, units, owed, presale, place, weight_g in rows:
        parts, thing = found[order_id][line_id], Stocked(item_id, grade)
        part = parts.get(thing, Part(thing, 0, per_unit, weight_g or 0))
        parts[thing] = _with(part, units, owed, presale=presale, place=place)
    return {
        order_id: [Line(line_id, list(parts.values())) for line_id, parts in lines.items()]
        for order_id, lines in found.items()
    }


def _with(part: Part, live: int, waiting: int, *, presale: bool, place: int | None) -> Part:
    """The part with one more promise."""
    free = live if not presale and place is None else 0
    pinned: Mapping[int, int] = part.pinned
    if live and place is not None and not presale:
        pinned = {**pinned, place: pinned.get(place, 0) + live}
    return Part(
        part.stocked,
        part.units + free,
        part.per_unit,
        part.weight_g,
        part.waiting + waiting,
        part.presale + (live if presale else 0),
        pinned,
    )


def lines_of_goods(tx: Runner, wanted: Mapping[Stocked, int]) -> list[Line]:
    """One line for each thing that somebody might order, bundles taken apart; their ids count from 1."""
    from core.reading import find_recipes

    recipes = find_recipes(tx, [thing.item_id for thing in wanted])
    made_of = {
        thing: [(part.stocked, part.per_unit) for part in recipes.get(thing.item_id, ())] or [(thing, 1)]
        for thing in wanted
    }
    weights = weights_of(tx, (part.item_id for parts in made_of.values() for part, _ in parts))
    return [
        Line(nth, [Part(part, units * each, each, weights.get(part.item_id, 0)) for part, each in made_of[thing]])
        for nth, (thing, units) in enumerate(wanted.items(), start=1)
    ]
