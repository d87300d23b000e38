"""What pools do by the clock, supply to come, and the dates that customers were promised from it."""

from sqlalchemy import BigInteger, Boolean, Column, Date, Integer, Table
from sqlalchemy.dialects.postgresql import ARRAY

from core.tables.base import identity, instant, metadata, reference, tenant, units, words

# Has the id of its pool, an activity or a presale.
campaign = Table(
    "campaign",
    metadata,
    tenant(),
    identity(),
    instant("preload_at", nullable=True),  # when its units are dealt; None: when it starts
    Column("best_effort", Boolean, nullable=False),  # deal what there is, should there be too little
    instant("balance_due_at", nullable=True),  # of a presale with deposits: by when the rest is to be paid
    instant("preloaded_at", nullable=True),
    instant("shown_at", nullable=True),  # when stores were told that its units may be sold
    words("trouble"),  # why it could not be preloaded, and the cure
    instant("made_at"),
    words("made_by"),
)

expected = Table(
    "expected",
    metadata,
    tenant(),
    identity(),
    reference("item_id"),
    words("grade"),
    units("quantity"),
    units("received"),
    instant("expected_at"),
    words("reference"),
    instant("moved_at"),
    Column("receipts", ARRAY(BigInteger), nullable=False),  # documents whose units are in ``received``
)

# One row for each change of a date; the newest row of a promise says what holds.
promise_date = Table(
    "promise_date",
    metadata,
    tenant(),
    identity("promise_id"),
    Column("nth", Integer, primary_key=True),
    reference("order_id"),
    Column("was", Date, nullable=True),
    Column("becomes", Date, nullable=True),
    words("reference"),  # the supply that brings it by then; empty: none
    words("reason"),
    instant("at"),
    instant("told_at", nullable=True),
)
