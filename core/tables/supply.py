"""Suppliers, what they bring and for how much, purchase orders, and what came for them."""

from sqlalchemy import BigInteger, Boolean, Column, Date, Integer, Table, Text

from core.tables.base import identity, instant, metadata, reference, tenant, units, words

supplier = Table(
    "supplier",
    metadata,
    tenant(),
    identity(),
    words("code"),
    words("name"),
    words("email"),  # the company's desk, never a person's own
    words("currency"),  # ISO 4217
    Column("lead_days", Integer, nullable=True),
    # true: ``count_days`` holds for its goods (None: they are never counted), false: the merchant's own
    Column("counts", Boolean, nullable=False),
    Column("count_days", Integer, nullable=True),
    instant("created_at"),
)

supplier_item = Table(
    "supplier_item",
    metadata,
    tenant(),
    identity("supplier_id"),
    identity("item_id"),
    words("supplier_sku"),
    units("pack_size"),  # sale units in one of its cases
    units("least_units"),  # the fewest that it sells
    Column("lead_days", Integer, nullable=True),
    Column("cost_minor", BigInteger, nullable=True),  # of one sale unit, in the smallest unit of the currency
)

# One row for each merchant that says when goods on their way may be sold.
supply_rule = Table("supply_rule", metadata, tenant(), Column("count_days", Integer, nullable=True))

purchase = Table(
    "purchase",
    metadata,
    tenant(),
    identity(),
    words("number"),
    reference("supplier_id"),
    reference("warehouse_id"),
    Column("expected_on", Date, nullable=True),
    words("note"),
    instant("created_at"),
    words("created_by"),
    instant("placed_at", nullable=True),
    instant("cancelled_at", nullable=True),  # of a draft: when it was dropped
)

purchase_line = Table(
    "purchase_line",
    metadata,
    tenant(),
    identity(),
    reference("purchase_id"),
    Column("nth", Integer, nullable=False),
    reference("item_id"),
    words("grade"),
    units("ordered"),
    units("cut"),
    units("came"),
    units("counted"),  # of those still to come
    units("pack_size"),
    Column("cost_minor", BigInteger, nullable=True),
    Column("expected_on", Date, nullable=True),  # None: the day of its order
)

purchase_notice = Table(
    "purchase_notice",
    metadata,
    tenant(),
    identity("line_id"),
    Column("number", Text, primary_key=True),
    units("units"),
    Column("expected_on", Date, nullable=False),
    units("came_before"),
    instant("noted_at"),
    words("noted_by"),
)

purchase_receipt = Table(
    "purchase_receipt",
    metadata,
    tenant(),
    identity("document_id"),
    identity("line_id"),
    units("good"),
    units("damaged"),
    units("regraded"),  # came in the other grade
    reference("bin_id"),
    instant("received_at"),
    reference("taken_back_by", nullable=True),  # the document that took it back: entered by mistake
)
