"""Core Tables, one file per layer, one MetaData. ``core/migrations`` creates them; a test holds the two together."""

from core.tables.actors import act_log, api_key, app_user, member
from core.tables.base import metadata
from core.tables.catalog import (
    bin_,
    component,
    item,
    item_unit,
    listing,
    merchant,
    pool,
    pool_item,
    rule_change,
    store,
    warehouse,
)
from core.tables.history import balance_checkpoint, checkpoint_mark
from core.tables.ledger import dispatch_balance, document, effect, movement, sales_balance, warehouse_balance
from core.tables.pools import campaign, expected, promise_date
from core.tables.sales import (
    hold_rule,
    incident,
    lock,
    lock_limit,
    order_line,
    promise,
    purchase_limit,
    store_order,
)
from core.tables.work import alert, alert_mail, alert_rule, push, push_due, sales_pace, schedule, work

__all__ = [
    "act_log",
    "alert",
    "alert_mail",
    "alert_rule",
    "api_key",
    "app_user",
    "balance_checkpoint",
    "bin_",
    "campaign",
    "checkpoint_mark",
    "component",
    "dispatch_balance",
    "document",
    "effect",
    "expected",
    "hold_rule",
    "incident",
    "item",
    "item_unit",
    "listing",
    "lock",
    "lock_limit",
    "member",
    "merchant",
    "metadata",
    "movement",
    "order_line",
    "pool",
    "pool_item",
    "promise",
    "promise_date",
    "purchase_limit",
    "push",
    "push_due",
    "rule_change",
    "sales_balance",
    "sales_pace",
    "schedule",
    "store",
    "store_order",
    "warehouse",
    "warehouse_balance",
    "work",
]
