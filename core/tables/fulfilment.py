"""Which warehouse sends which units of an order, and what became of them."""

from sqlalchemy import BigInteger, Column, Date, Integer, Table

from core.tables.base import identity, instant, metadata, reference, tenant, units, words

fulfilment_order = Table(
    "fulfilment_order",
    metadata,
    tenant(),
    identity(),
    reference("order_id"),
    Column("nth", Integer, nullable=False),  # of its order, from 1
    reference("warehouse_id"),
    Column("decision_id", BigInteger, nullable=True),
    # as the decision promised: the day of leaving, and the first and last of arrival
    Column("leaves_on", Date, nullable=True),
    Column("earliest", Date, nullable=True),
    Column("latest", Date, nullable=True),
    instant("made_at"),
    words("made_by"),
    instant("rejected_at", nullable=True),
    words("why"),
)

# Units of one promise in one fulfilment order: those not handed over yet, or those handed over out of one bin.
fulfilment_line = Table(
    "fulfilment_line",
    metadata,
    tenant(),
    identity(),
    reference("fulfilment_id"),
    reference("order_id"),
    reference("order_line_id"),
    reference("promise_id"),
    reference("warehouse_id"),
    reference("item_id"),
    words("grade"),
    reference("bin_id", nullable=True),
    units("units"),  # allocated now: neither shipped nor given back
    units("shipped"),
    units("back"),
    instant("moved_at"),
)
