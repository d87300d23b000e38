"""A generated day of a merchant, through all three layers of the books: goods come, move, are counted, sold and sent.

Everything goes through the doors that stores, people and jobs use. An outside count that shares no code with the core
is kept beside it and must come to the same units; at the end the audit must be empty.
"""

from drills.day.plan import Sizes
from drills.day.run import Options, run

__all__ = ["Options", "Sizes", "run"]
