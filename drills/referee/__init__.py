"""Compares what really happened in the shops with what the ledger says. Trusts no code of the hub.

``journal`` reads the shops' own record, ``ledger`` reads documents with plain selects, ``judge`` and ``oversell``
compare the two without I/O.
"""

from drills.referee.journal import read_journal
from drills.referee.judge import judge
from drills.referee.ledger import read_ledger
from drills.referee.records import Delays, Verdict

__all__ = ["Delays", "Verdict", "judge", "read_journal", "read_ledger"]
