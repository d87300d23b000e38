"""What the forecasting library gains over the plain pace, on generated years of demand of nine kinds.

``.venv-forecast/bin/python -P -m bench.forecast [--window 90] [--items 40] [--json]``, after ``make check-forecast``.
Every 30 days of a year, each item's lead time and cover are forecast from the days of the window before: by its pace,
by the library, and by whichever ``holdfast replenish accuracy`` would have called the better one on that day. Errors
are shares of what was sold then (as in ``core.replenish.accuracy``); ``kept`` are the lead times, in percent, in which
what was expected and its safety stock were enough. 95 are asked for. The same seeds give the same demand.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from core.demand.velocity import Daily, demand
from core.replenish.accuracy import compare
from core.replenish.decide import Expects, Method, safety_stock, z_permille
from core.replenish.forecast import forecast

LEAD, COVER, SERVICE = 14, 30, 950
YEAR, EVERY = 365, 30
NAMES = ("pace", "forecast", "better")
_BY_WEEKDAY = (0.7, 0.7, 0.8, 0.9, 1.2, 1.6, 1.1)

# The mean of each day, out of how many days there are.
Means = Callable[[Random, int], Sequence[float]]


def _flat(days: int) -> list[float]:
    return [1.0] * days


def _weekly(days: int) -> list[float]:
    return [_BY_WEEKDAY[day % 7] for day in range(days)]


def _yearly(random: Random, days: int) -> list[float]:
    peak = random.randrange(YEAR)
    return [by * (1 + 0.7 * math.sin(math.tau * (day + peak) / YEAR)) for day, by in enumerate(_weekly(days))]


def _promoted(random: Random, days: int) -> list[float]:
    found = _flat(days)
    for begin in random.sample(range(days), days // 60):
        more = random.uniform(2.5, 5)
        for day in range(begin, min(begin + random.randint(3, 7), days)):
            found[day] *= more
    return found


def _ended(random: Random, days: int) -> list[float]:
    end = random.randrange(days - YEAR, days)
    return [1.0 if day < end else 0.03 for day in range(days)]


KINDS: dict[str, Means] = {
    "steady": lambda _, days: _flat(days),
    "by weekday": lambda _, days: _weekly(days),
    "by season": _yearly,
    "rising": lambda _, days: [0.5 + 1.5 * day / days for day in range(days)],
    "falling": lambda _, days: [2.0 - 1.5 * day / days for day in range(days)],
    "promoted": _promoted,
    "phased out": _ended,
}


def demand_of(kind: str, random: Random, days: int) -> list[int]:
    """Units wanted on each day. Busy items differ in scale and more than by chance; sporadic ones sell now and then."""
    if kind in ("sporadic", "lumpy"):
        chance, most = random.choice((0.05, 0.1, 0.2)), 2 if kind == "sporadic" else 20
        return [random.randint(1, most) if random.random() < chance else 0 for _ in range(days)]
    scale = random.choice((0.5, 2, 6, 20))
    return [_poisson(random, scale * mean * random.gammavariate(5, 0.2)) for mean in KINDS[kind](random, days)]


def _poisson(random: Random, mean: float) -> int:
    """Knuth's way; for the small means here."""
    bound, found, product = math.exp(-mean), 0, random.random()
    while product > bound:
        found, product = found + 1, product * random.random()
    return found


@dataclass(slots=True)
class Tally:
    """Of one kind, by name of the way to forecast it."""

    actual: int = 0
    tries: int = 0
    missed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    kept: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    safety: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))

    def add(self, before: Daily, then: Sequence[int]) -> None:
        """Forecast ``then``, ``LEAD + COVER`` days, from those before."""
        pace = demand(before)
        smoothed: Expects = forecast(before, LEAD) or pace
        better = smoothed if compare(before).better is Method.FORECAST else pace
        for name, expects in zip(NAMES, (pace, smoothed, better), strict=True):
            safety = safety_stock(expects, LEAD, z_permille(SERVICE))
            self.missed[name] += abs(expects.over(LEAD + COVER) - sum(then))
            self.kept[name] += sum(then[:LEAD]) <= expects.over(LEAD) + safety
            self.safety[name] += safety
        self.actual += sum(then)
        self.tries += 1

    def figures(self) -> dict[str, float]:
        """Percents, and the mean safety stock in units."""
        found = {f"{name}_off": 100 * self.missed[name] / self.actual for name in NAMES}
        found |= {f"{name}_kept": 100 * self.kept[name] / self.tries for name in NAMES}
        found |= {f"{name}_safety": self.safety[name] / self.tries for name in NAMES}
        return {name: round(value, 1) for name, value in found.items()}


def measure(window: int, items: int) -> dict[str, dict[str, float]]:
    """The figures of each kind."""
    found = {}
    for kind in (*KINDS, "sporadic", "lumpy"):
        tally = Tally()
        for nth in range(items):
            wanted = demand_of(kind, Random(f"{kind}-{nth}"), window + YEAR + LEAD + COVER)
            for today in range(window, window + YEAR, EVERY):
                tally.add(wanted[today - window : today], wanted[today : today + LEAD + COVER])
        found[kind] = tally.figures()
    return found


def main() -> int:
    asked = argparse.ArgumentParser(prog="bench.forecast", description="What the forecasting library gains.")
    asked.add_argument("--window", type=int, default=90, help="days of sales that are looked at")
    asked.add_argument("--items", type=int, default=40, help="of each kind")
    asked.add_argument("--json", action="store_true", help="print one line of JSON")
    options = asked.parse_args()
    forecast([1] * 60, LEAD)  # the library is imported before the clock runs
    began = time.perf_counter()
    found = measure(options.window, options.items)
    took = time.perf_counter() - began
    if options.json:
        sys.stdout.write(json.dumps(found) + "\n")
        return 0
    sys.stdout.write(f"{'':<12}" + "".join(f"{name:>18}" for name in NAMES) + "   (off %, kept %, safety)\n")
    for kind, of in found.items():
        cells = (f"{of[f'{name}_off']:>7}{of[f'{name}_kept']:>6}{of[f'{name}_safety']:>5.0f}" for name in NAMES)
        sys.stdout.write(f"{kind:<12}{''.join(cells)}\n")
    sys.stdout.write(f"{took:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
