"""Sets of warehouses that together have all that goes, found by search with a bound. Pure."""

from collections.abc import Iterator, Mapping

from core.dispatch.filling import Task
from core.stock import Stocked

LOOKED_AT = 2_000  # warehouses that one search tries; at its end the best so far is taken


class Search:
    """Looks for sets by what is hardest to find: a thing that few warehouses have must come from one of them.

    No set of the least size is overlooked, unless the bound of ``LOOKED_AT`` ends the search. A warehouse without which
    a set would do as well is added to none.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._units = {place: offer.units for place, offer in task.offers.items()}
        self._by_thing = {one: [place for place in task.offers if self._units[place].get(one)] for one in task.totals}
        self._most = {one: self._sums(one) for one in task.totals}
        self._tries = LOOKED_AT

    def _sums(self, one: Stocked) -> list[int]:
        """How much of one thing the best 0, 1, 2 ... warehouses have together."""
        sums = [0]
        for units in sorted((self._units[place][one] for place in self._by_thing[one]), reverse=True):
            sums.append(sums[-1] + units)
        return sums

    def sets(self, size: int) -> Iterator[tuple[int, ...]]:
        """Sets of at most ``size`` warehouses, each in the order of ``task.offers``; early ones come first.

        Those from which pinned units go are in each.
        """
        forced = [place for place in self._task.offers if place in self._task.forced]
        if len(forced) > size:
            return
        left: Mapping[Stocked, int] = self._task.totals
        for place in forced:
            left = self._less(left, place)
        rank = {place: nth for nth, place in enumerate(self._task.offers)}
        for found in self._grow(forced, left, size - len(forced), set(forced)):
            yield tuple(sorted(found, key=rank.__getitem__))

    def _grow(self, chosen: list[int], left: Mapping[Stocked, int], more: int, done: set[int]) -> Iterator[list[int]]:
        """``done``: warehouses that are chosen, or whose sets were all looked at before."""
        if not left:
            yield chosen
            return
        if any(needed > self._best(one, more) for one, needed in left.items()):
            return
        hardest = min(left, key=lambda one: len(self._by_thing[one]))
        if more == 1:
            yield from self._last(chosen, left, self._by_thing[hardest], done)
            return
        for place in self._by_thing[hardest]:
            if place in done:
                continue
            self._tries -= 1
            if self._tries < 0:
                return
            done = done | {place}
            yield from self._grow([*chosen, place], self._less(left, place), more - 1, done)

    def _last(
        self, chosen: list[int], left: Mapping[Stocked, int], places: list[int], done: set[int]
    ) -> Iterator[list[int]]:
        """Who alone has all that is left: most of the time is spent here."""
        needs = list(left.items())
        for place in places:
            self._tries -= 1
            if self._tries < 0:
                return
            if place not in done:
                units = self._units[place]
                for one, needed in needs:
                    if units.get(one, 0) < needed:
                        break
                else:
                    yield [*chosen, place]

    def _best(self, one: Stocked, more: int) -> int:
        sums = self._most[one]
        return sums[min(more, len(sums) - 1)]

    def _less(self, left: Mapping[Stocked, int], place: int) -> dict[Stocked, int]:
        units = self._units[place]
        return {one: still for one, needed in left.items() if (still := needed - units.get(one, 0)) > 0}


def greedy(task: Task) -> list[int]:
    """Those from which pinned units go, then each time the warehouse that has most of what is left."""
    left = dict(task.totals)
    chosen = [place for place in task.offers if place in task.forced]
    open_ = [place for place in task.offers if place not in task.forced]

    def less(place: int) -> None:
        for one, needed in left.items():
            left[one] = max(needed - task.offers[place].units.get(one, 0), 0)

    for place in chosen:
        less(place)
    while any(left.values()) and open_:
        best = max(open_, key=lambda place: sum(min(task.offers[place].units.get(k, 0), n) for k, n in left.items()))
        open_.remove(best)
        chosen.append(best)
        less(best)
    return chosen
