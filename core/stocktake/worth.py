"""What it is worth that was found and is missing: by how much posting a stocktake changes the value on hand."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.goods import averages
from core.goods.averages import Shares
from core.past import valuation
from core.stocktake.papers import StocktakeRow
from core.stocktake.views import LineView
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Worth:
    """``minor``: by currency, in its smallest unit; below 0: missing. ``without_cost``: units that nobody priced."""

    minor: Mapping[str, int] = field(default_factory=dict)
    without_cost: int = 0


def of_lines(tx: Transaction, row: StocktakeRow, lines: Sequence[LineView]) -> list[Worth]:
    """Of each line, by moving average: as posting would change it now, or changed it when it began."""
    units = [line.booked for line in lines]
    items = {line.item_id for line, n in zip(lines, units, strict=True) if n}
    on_hand = dict.fromkeys(items, 0) | valuation.units_on_hand(tx, items, row.posting_at)
    known, there = valuation.noted(tx, items, row.posting_at), Counter(on_hand)
    found = defaultdict[int, Worth](Worth)
    # In the order of posting: what was found first.
    for n in sorted(range(len(lines)), key=lambda one: (units[one] < 0, one)):
        if units[n]:
            item_id = lines[n].item_id
            after = max(there[item_id] + units[n], 0)
            found[n] = between(known[item_id], there[item_id], after)
            there[item_id] = after
    return [found[n] for n in range(len(lines))]


def between(known: Shares, before: int, after: int) -> Worth:
    """How much more ``after`` units of an item are worth than ``before``, by what was noted last of it. Pure."""
    worth: Counter[str] = Counter()
    without = 0
    for sign, units in ((1, after), (-1, before)):
        for one in averages.settled(known, units):
            if one.currency:
                worth[one.currency] += sign * valuation.whole(one.value)
            else:
                without += sign * one.units
    return Worth({currency: minor for currency, minor in sorted(worth.items()) if minor}, without)


def total(parts: Sequence[Worth]) -> Worth:
    """All of these together."""
    minor: Counter[str] = Counter()
    for one in parts:
        minor.update(one.minor)
    return Worth(dict(sorted(minor.items())), sum(one.without_cost for one in parts))
