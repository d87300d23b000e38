"""The comparison: the shops' truth against the ledger, line by line and item by item. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from drills.referee.journal import sku_key
from drills.referee.oversell import Oversale, by_item, healed, oversales
from drills.referee.records import (
    Delays,
    ItemBook,
    LedgerLine,
    LineKey,
    Recorded,
    Restock,
    Sale,
    Told,
    Units,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class _Gap:
    """Something that the ledger has less of (lost) or more of (doubled) than the shops, and of which order."""

    order: tuple[str, str]
    lost: bool
    what: str


@dataclass(frozen=True, slots=True)
class _Oversold:
    """What became of the oversold units of one item."""

    sku: str
    units: int
    unavoidable: int
    healed: int
    unexplained: int


def judge(told: Told, recorded: Recorded, shown: Mapping[str, Mapping[str, int]], delays: Delays) -> Verdict:
    """Args: shown: what shoppers of each shop see at rest, by SKU."""
    gaps = [*_line_gaps(told, recorded), *_return_gaps(told, recorded)]
    oversold = list(_oversold(told, recorded, delays.window))
    stock = list(_stock_differences(told, recorded))
    unequal = list(_unequal_listings(recorded, shown))
    return Verdict(
        orders=len({(line.shop, line.order_id) for line in told.lines}),
        order_lines=len(told.lines),
        effects_applied=recorded.effects_applied,
        orders_lost=len({gap.order for gap in gaps if gap.lost}),
        effects_doubled=sum(not gap.lost for gap in gaps) + len(recorded.doubled_keys),
        oversold_units=sum(item.units for item in oversold),
        oversold_units_unavoidable=sum(item.unavoidable for item in oversold),
        oversold_units_healed=sum(item.healed for item in oversold),
        oversold_units_unexplained=sum(item.unexplained for item in oversold),
        stock_differences=len(stock),
        listings=len(recorded.listings),
        listings_equal=len(recorded.listings) - len(unequal),
        findings=[
            *(gap.what for gap in gaps),
            *(f"effect key {key} was posted more than once" for key in recorded.doubled_keys),
            *(f"{item.sku}: no incident explains {item.unexplained} oversold" for item in oversold if item.unexplained),
            *stock,
            *unequal,
        ],
    )


def _line_gaps(told: Told, recorded: Recorded) -> Iterator[_Gap]:
    for key in [*told.lines, *(key for key in recorded.lines if key not in told.lines)]:
        truth = told.lines.get(key, Units())
        line = recorded.lines.get(key, LedgerLine(Units(), "", None))
        yield from _gap(key, "units", truth.taken, line.units.taken)
        yield from _gap(key, "shipped units", truth.shipped, line.units.shipped)
        if line.sku and key in told.skus and sku_key(line.sku) != told.skus[key]:
            what = f"{_named(key)}: sold {told.skus[key]}, recorded as {line.sku}"
            yield _Gap((key.shop, key.order_id), lost=True, what=what)


def _return_gaps(told: Told, recorded: Recorded) -> Iterator[_Gap]:
    for key in {**told.returned, **recorded.returned}:
        line = LineKey(key.shop, key.order_id, key.sku)
        yield from _gap(line, "returned units", told.returned.get(key, 0), recorded.returned.get(key, 0))


def _gap(key: LineKey, kind: str, truth: int, recorded: int) -> Iterator[_Gap]:
    if truth != recorded:
        what = f"{_named(key)}: {truth} {kind} in the shop's journal, {recorded} in the ledger"
        yield _Gap((key.shop, key.order_id), lost=recorded < truth, what=what)


def _named(key: LineKey) -> str:
    return f"{key.shop} order {key.order_id}, line {key.line_id}"


def _oversold(told: Told, recorded: Recorded, window: timedelta) -> Iterator[_Oversold]:
    known_at = {key: line.first_at for key, line in recorded.lines.items() if line.first_at is not None}
    for sku, events in by_item(told.events).items():
        found = oversales(events, _opening(told, sku), window)
        if not found:
            continue
        units = sum(each.units for each in found)
        gap = max(units - recorded.items.get(sku, ItemBook()).incident_units, 0)
        back = min(gap, _healed(found, events, known_at)) if gap else 0
        yield _Oversold(sku, units, sum(each.unavoidable for each in found), back, gap - back)


def _healed(found: Sequence[Oversale], events: Sequence[Sale | Restock], known_at: Mapping[LineKey, datetime]) -> int:
    return sum(healed(each, events, known_at) for each in found)


def _opening(told: Told, sku: str) -> int:
    """What the pool opened with: all shops show the same goods, so the same number."""
    return max(told.openings.get(sku, {"": 0}).values())


def _stock_differences(told: Told, recorded: Recorded) -> Iterator[str]:
    """Items whose opening, or whose free less waiting units, are not what the journal's events make them."""
    events = by_item(told.events)
    for sku in {**told.openings, **recorded.items}:
        book, opening = recorded.items.get(sku, ItemBook()), _opening(told, sku)
        if book.opened != opening:
            yield f"{sku}: opened with {opening} in the shops, {book.opened} in the ledger"
        moved = sum(event.units if isinstance(event, Restock) else -event.units for event in events.get(sku, ()))
        should_be = opening + moved + book.found
        if book.free - book.waiting != should_be:
            yield f"{sku}: {should_be} units should be free, {book.free} are and {book.waiting} are owed"


def _unequal_listings(recorded: Recorded, shown: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    levels = {(shop, sku_key(sku)): level for shop, here in shown.items() for sku, level in here.items()}
    for listing in recorded.listings:
        level = levels.get((listing.shop, sku_key(listing.sku)))
        if level != listing.should_show:
            yield f"{listing.shop} shows {level} of {listing.sku}, it should show {listing.should_show}"
