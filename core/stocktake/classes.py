"""ABC classes after Pareto: few items make most of what is sold, in units or in what these cost."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from core.demand import flows
from core.past import valuation
from core.transaction import Transaction

CLASSES = ("A", "B", "C")
SALES_DAYS = 90  # of which the classes are made
_PER_CENT = {"A": 80, "B": 95}  # of all that was sold, by the items that sell most


def classes(sold: Mapping[int, int]) -> dict[int, str]:
    """The class of each item by what it sold (>= 0), in any measure: A, B or C, after Pareto. Pure."""
    total, sum_before, found = sum(sold.values()), 0, dict[int, str]()
    for item_id, much in sorted(sold.items(), key=lambda one: (-one[1], one[0])):
        share = 100 * sum_before
        found[item_id] = next((name for name, top in _PER_CENT.items() if much and share < top * total), "C")
        sum_before += much
    return found


def by_value(sold: Mapping[int, int], each: Mapping[int, Mapping[str, int]]) -> dict[int, str]:
    """The same by what the units sold cost. Pure.

    Sums of two currencies cannot be compared, so each has classes of its own, and an item is in the best of those that
    it has. Items of which nobody knows the cost are C.

    Args: each: by item and currency, what one unit costs, in any fine unit.
    """
    sums: dict[str, dict[int, int]] = defaultdict(dict)
    for item_id, costs in each.items():
        for currency, cost in costs.items():
            sums[currency][item_id] = sold[item_id] * cost
    found = dict.fromkeys(sold, "C")
    for of_currency in sums.values():
        for item_id, name in classes(of_currency).items():
            found[item_id] = min(found[item_id], name)
    return found


def read(tx: Transaction, item_ids: Sequence[int], *, value: bool) -> dict[int, str]:
    """The classes of items that are on hand, among each other."""
    sold = dict.fromkeys(item_ids, 0)
    for one in flows.read(tx, flows.window(tx, SALES_DAYS), flows.pools(tx), list(sold)):
        sold[one.item_id] += max(sum(one.sold), 0)
    return by_value(sold, valuation.unit_costs(tx, item_ids)) if value else classes(sold)
