"""``@job``: a function of (app, merchant_id, store_id) that does the work of one topic. No broker in sight.

The simulator and the tests call the same functions that the actors do. Limits nest: an HTTP time-out is shorter than a
job's time limit, which is shorter than the lease it takes.
"""

from collections.abc import Callable
from dataclasses import dataclass

from config.wiring import App

JobFunction = Callable[[App, int, int], None]

TIME_LIMIT_S = 120
LEASE_S = 180.0
_MOST_AT_ONCE = 6


@dataclass(frozen=True, slots=True)
class Job:
    """``queue``: "order" and "push" for what shoppers wait for, each with threads of its own, so that a rush of
    one does not hold up the other; "upkeep" for the rest. ``lot``: rows that one job takes at a time; 0: one job has
    them all. ``limit_s``: after so long it is stopped; its leases must be longer.
    """

    topic: str
    queue: str
    run: JobFunction
    lot: int
    limit_s: int

    def share(self, waiting: int) -> int:
        """How many messages to send for ``waiting`` rows (>= 1) of one store: one for each lot of work."""
        return min(-(-waiting // self.lot), _MOST_AT_ONCE) if self.lot else 1


JOBS: dict[str, Job] = {}


def job(
    topic: str, *, queue: str = "upkeep", lot: int = 0, limit_s: int = TIME_LIMIT_S
) -> Callable[[JobFunction], JobFunction]:
    """Register the function that does the work of ``topic``."""

    def register(function: JobFunction) -> JobFunction:
        JOBS[topic] = Job(topic, queue, function, lot, limit_s)
        return function

    return register
