"""Goods in the wrong place: in the wrong warehouse, or on the shelf for too long."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from core.demand import days, flows
from core.demand.velocity import Moved, daily, demand
from core.replenish import settings
from core.replenish.moving import Move, Stand, moves
from core.replenish.slow import IdleLock, Limits, Lying, Verdict, judge
from core.replenish.views import facts
from core.replenish.views.facts import Item
from core.sales import lock_report
from core.stock import GOOD, GRADES, Stocked
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Transfer:
    """Units of an item that should stand elsewhere; places by code."""

    sku: str
    from_: str
    to: str
    move: Move


def transfers(tx: Transaction, of: Collection[Item]) -> list[Transfer]:
    """What to send between warehouses, who runs out first at the top. Nothing with fewer than two warehouses."""
    places = {row.id: row for row in tx.run("SELECT id, code, paused FROM warehouse WHERE merchant_id = :merchant_id")}
    if len(places) < 2:
        return []
    merchant = settings.defaults(tx)
    over, known = flows.window(tx, merchant.window_days), flows.pools(tx)
    found = days.by_warehouse(tx, over, known, [item.id for item in of], GOOD)
    cover = max(merchant.cover_days, merchant.transfer_days)
    wanted = []
    for item in of:
        stands = [
            Stand(
                place,
                one.available,
                one.coming,
                demand(daily(one.moved, over.days)),
                places[place].paused,
                one.promised,
            )
            for place, one in found.get(item.id, {}).items()
        ]
        wanted += [
            Transfer(item.sku, places[move.from_id].code, places[move.to_id].code, move)
            for move in moves(stands, merchant.transfer_days, cover)
        ]
    return sorted(wanted, key=lambda one: (one.move.taker_lasts or 0, one.sku, one.to))


@dataclass(frozen=True, slots=True)
class Slow:
    """An item in one grade that lies; ``free`` units of it orders may draw on."""

    sku: str
    grade: str
    free: int
    verdict: Verdict


def slow(tx: Transaction, of: Collection[Item]) -> list[Slow]:
    """What lies and does not sell: dead first, then by how many units lie."""
    merchant = settings.defaults(tx)
    over, known = flows.window(tx, merchant.window_days), flows.pools(tx)
    moved = days.moved(tx, over, known, [item.id for item in of])
    listed, idle = facts.listed(tx), _idle(tx, merchant.slow_days)
    limits = Limits(min(merchant.slow_days, merchant.window_days), merchant.most_days)
    found = []
    for item in of:
        for grade in GRADES:
            one, locks = moved.get(Stocked(item.id, grade), Moved(0)), idle.get((item.sku, grade), ())
            if one.free_now <= 0 and not locks:
                continue
            brought = sum(max(sold + net, 0) for sold, net in zip(one.sold, one.net, strict=True))
            lying = Lying(one.free_now, brought, daily(one, over.days), locks, item.id in listed)
            if (verdict := judge(lying, limits)) is not None:
                found.append(Slow(item.sku, grade, one.free_now, verdict))
    return sorted(found, key=lambda one: (not one.verdict.is_dead, -_lies(one), one.sku))


def _lies(one: Slow) -> int:
    verdict = one.verdict
    lying = one.free if not verdict.sold else verdict.beyond
    return lying + sum(lock.units for lock in verdict.idle)


def _idle(tx: Transaction, slow_days: int) -> dict[tuple[str, str], Sequence[IdleLock]]:
    """Locks with units that nothing moved for so many days, by SKU and grade."""
    found: dict[tuple[str, str], list[IdleLock]] = {}
    for line in lock_report.report(tx, idle_days=slow_days).lines:
        if line.idle:
            lock = IdleLock(line.lock.key, line.lock.owner, line.idle)
            found.setdefault((line.lock.sku, line.lock.grade), []).append(lock)
    return dict(found)
