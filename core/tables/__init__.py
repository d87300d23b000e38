"""Core Tables, one file per layer, one MetaData. ``core/migrations`` creates them; a test holds the two together."""

from core.tables.base import metadata
from core.tables.catalog import bin_, item, listing, merchant, pool, store, warehouse
from core.tables.ledger import dispatch_balance, document, effect, movement, sales_balance, warehouse_balance
from core.tables.sales import incident, order_line, promise, store_order
from core.tables.work import alert, push, push_due, schedule, work

__all__ = [
    "alert",
    "bin_",
    "dispatch_balance",
    "document",
    "effect",
    "incident",
    "item",
    "listing",
    "merchant",
    "metadata",
    "movement",
    "order_line",
    "pool",
    "promise",
    "push",
    "push_due",
    "sales_balance",
    "schedule",
    "store",
    "store_order",
    "warehouse",
    "warehouse_balance",
    "work",
]
