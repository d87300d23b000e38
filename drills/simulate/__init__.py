"""The seeded simulation: the real hub, played through storms as steps of one scheduler.

Edge, worker, relay and combiner run on a real PostgreSQL; storefronts, broker, network and clocks are models that lose,
double, delay and reorder as the seed says, and processes die at named points..
"""

from drills.simulate.run import Options, run

__all__ = ["Options", "run"]
