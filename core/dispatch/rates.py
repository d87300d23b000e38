"""Rates of carriers, transit times, working weeks and weights on record."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from core.dispatch import waking
from core.dispatch.terms import Week
from core.errors import NotFound, Refused
from core.transaction import Transaction

HEAVIEST_G = 2_000_000
_LONGEST_TRANSIT = 365


@dataclass(frozen=True, slots=True)
class RateView:
    """``region``, ``warehouse``: names; empty: everywhere, from everywhere. ``cost``: in the smallest unit."""

    id: int
    carrier: str
    region: str
    warehouse: str
    up_to_g: int
    cost: int
    currency: str


@dataclass(frozen=True, slots=True)
class TransitView:
    """Working days of the general week; ``region`` and ``warehouse`` as in ``RateView``."""

    id: int
    region: str
    warehouse: str
    least_days: int
    most_days: int


def put_rate(
    tx: Transaction, carrier: str, up_to_g: int, cost: int, currency: str, *, region_id: int | None = None,
    warehouse_id: int | None = None,
) -> None:  # fmt: skip
    """What a carrier takes for a parcel of at most ``up_to_g`` grams; said again, the new price holds.

    Raises: Refused, also for a currency that is not the one of all other rates: prices are compared.
    """
    carrier = carrier.strip()
    if not carrier or len(carrier) > 60 or not carrier.isprintable():
        raise Refused("name the carrier in a word or two, like DHL")
    if not 1 <= up_to_g <= HEAVIEST_G:
        raise Refused(f"a parcel weighs 1 to {HEAVIEST_G:,} g; write the most that this price holds for")
    tx.run("SELECT pg_advisory_xact_lock(hashtextextended('holdfast.carrier_rate', :merchant_id))")
    other = tx.run(
        "SELECT currency FROM carrier_rate WHERE merchant_id = :merchant_id AND currency <> :currency LIMIT 1",
        currency=currency,
    ).scalar_one_or_none()
    if other is not None:
        raise Refused(
            f"your rates are in {other}, and prices in {currency} cannot be compared with them; say it in {other}"
        )
    tx.run(
        """INSERT INTO carrier_rate (merchant_id, id, carrier, region_id, warehouse_id, up_to_g, cost, currency)
           VALUES (:merchant_id, :id, :carrier, CAST(:region_id AS bigint), CAST(:warehouse_id AS bigint), :up_to_g,
               :cost, :currency)
           ON CONFLICT (merchant_id, carrier, region_id, warehouse_id, up_to_g) DO UPDATE SET cost = EXCLUDED.cost""",
        id=tx.new_id(), carrier=carrier, region_id=region_id, warehouse_id=warehouse_id, up_to_g=up_to_g, cost=cost,
        currency=currency,
    )  # fmt: skip


def rates(tx: Transaction) -> list[RateView]:
    """By carrier, region, warehouse and weight."""
    rows = tx.run(
        """SELECT c.id, c.carrier, coalesce(r.name, '') AS region, coalesce(w.code, '') AS warehouse, c.up_to_g, c.cost,
               c.currency
           FROM carrier_rate c LEFT JOIN region r ON (r.merchant_id, r.id) = (c.merchant_id, c.region_id)
           LEFT JOIN warehouse w ON (w.merchant_id, w.id) = (c.merchant_id, c.warehouse_id)
           WHERE c.merchant_id = :merchant_id ORDER BY 2, 3, 4, 5"""
    )
    return [RateView(**row._mapping) for row in rows]


def put_transit(
    tx: Transaction, least_days: int, most_days: int, *, region_id: int | None = None, warehouse_id: int | None = None
) -> None:
    """How many working days parcels are on the road; said again, the new times hold. Raises: Refused."""
    if not 0 <= least_days <= most_days <= _LONGEST_TRANSIT:
        raise Refused(f"say the least and the most days, like 1 3, from 0 to {_LONGEST_TRANSIT}")
    tx.run(
        """INSERT INTO transit_time (merchant_id, id, region_id, warehouse_id, least_days, most_days)
           VALUES (:merchant_id, :id, CAST(:region_id AS bigint), CAST(:warehouse_id AS bigint), :least, :most)
           ON CONFLICT (merchant_id, region_id, warehouse_id)
               DO UPDATE SET least_days = EXCLUDED.least_days, most_days = EXCLUDED.most_days""",
        id=tx.new_id(), region_id=region_id, warehouse_id=warehouse_id, least=least_days, most=most_days,
    )  # fmt: skip


def transits(tx: Transaction) -> list[TransitView]:
    """By region and warehouse."""
    rows = tx.run(
        """SELECT t.id, coalesce(r.name, '') AS region, coalesce(w.code, '') AS warehouse, t.least_days, t.most_days
           FROM transit_time t LEFT JOIN region r ON (r.merchant_id, r.id) = (t.merchant_id, t.region_id)
           LEFT JOIN warehouse w ON (w.merchant_id, w.id) = (t.merchant_id, t.warehouse_id)
           WHERE t.merchant_id = :merchant_id ORDER BY 2, 3"""
    )
    return [TransitView(**row._mapping) for row in rows]


def remove_rate(tx: Transaction, rate_id: int) -> None:
    """Raises: NotFound."""
    gone = tx.run("DELETE FROM carrier_rate WHERE merchant_id = :merchant_id AND id = :id", id=rate_id).rowcount
    if not gone:
        raise NotFound(f"there is no rate {rate_id}; `holdfast route rates list` shows their numbers")


def remove_transit(tx: Transaction, transit_id: int) -> None:
    """Raises: NotFound."""
    gone = tx.run("DELETE FROM transit_time WHERE merchant_id = :merchant_id AND id = :id", id=transit_id).rowcount
    if not gone:
        raise NotFound(f"there is no transit time {transit_id}; `holdfast route transit list` shows their numbers")


def put_week(tx: Transaction, warehouse_id: int | None, weekdays: Collection[int], closed_on: Collection[date]) -> None:
    """The days on which a warehouse works; None: the general week, for all without their own and for carriers.

    Raises: Refused.
    """
    if not weekdays or not set(weekdays) <= set(range(1, 8)):
        raise Refused("a week has a working day or more, like mon-fri")
    tx.run(
        """INSERT INTO working_week (merchant_id, warehouse_id, weekdays, closed_on)
           VALUES (:merchant_id, CAST(:warehouse_id AS bigint), CAST(:weekdays AS smallint[]), CAST(:closed AS date[]))
           ON CONFLICT (merchant_id, warehouse_id)
               DO UPDATE SET weekdays = EXCLUDED.weekdays, closed_on = EXCLUDED.closed_on""",
        warehouse_id=warehouse_id, weekdays=sorted(set(weekdays)), closed=sorted(set(closed_on)),
    )  # fmt: skip
    waking.wake(tx)  # parcels of another day may have room


def drop_week(tx: Transaction, warehouse_id: int | None) -> bool:
    """Let the general week hold for it again, or (None) Monday to Friday for all; False when it was so."""
    gone = tx.run(
        """DELETE FROM working_week WHERE merchant_id = :merchant_id
             AND warehouse_id IS NOT DISTINCT FROM CAST(:warehouse_id AS bigint)""",
        warehouse_id=warehouse_id,
    )
    if gone.rowcount:
        waking.wake(tx)
    return bool(gone.rowcount)


def weeks(tx: Transaction) -> list[tuple[str, Week]]:
    """By the warehouse's code; empty: the general week."""
    rows = tx.run(
        """SELECT coalesce(w.code, '') AS code, k.weekdays, k.closed_on
           FROM working_week k LEFT JOIN warehouse w ON (w.merchant_id, w.id) = (k.merchant_id, k.warehouse_id)
           WHERE k.merchant_id = :merchant_id ORDER BY 1"""
    )
    return [(row.code, Week(tuple(row.weekdays), tuple(row.closed_on))) for row in rows]


def set_weights(tx: Transaction, grams: Mapping[int, int | None]) -> None:
    """What one unit weighs, by item, packed; None: nobody knows. Raises: Refused."""
    if any(weight is not None and not 1 <= weight <= HEAVIEST_G for weight in grams.values()):
        raise Refused(f"a unit weighs 1 to {HEAVIEST_G:,} g")
    items: Sequence[int] = sorted(grams)
    refuse_bundles(tx, items)
    tx.run(
        """UPDATE item i SET weight_g = k.weight_g
           FROM unnest(CAST(:ids AS bigint[]), CAST(:weights AS integer[])) k (id, weight_g)
           WHERE i.merchant_id = :merchant_id AND i.id = k.id""",
        ids=items,
        weights=[grams[item] for item in items],
    )


def refuse_bundles(tx: Transaction, items: Sequence[int]) -> None:
    """Raises: Refused when one of these is a virtual bundle: what is sent are its components."""
    sku = tx.run(
        """SELECT i.sku FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT sku FROM item WHERE merchant_id = :merchant_id AND id = k.id
               AND kind = 'bundle' OFFSET 0) i LIMIT 1""",
        ids=list(items),
    ).scalar_one_or_none()
    if sku is not None:
        raise Refused(f"{sku} is a bundle, and what is sent are its components: name those; `holdfast item show {sku}`")
