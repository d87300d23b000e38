"""A Shopify shop: Admin GraphQL API 2026-10 and the client credentials grant.

What it keeps to: the official names and types of the schema it plays; cost-based throttling out of a bucket of points;
compare-and-set and ``@idempotent`` on stock writes, all rows of a call or none; orders that take ``available`` at once,
paid or not; refunds with their restock types; signed webhooks, echoes of our own writes among them, retried 8 times.

What it leaves out: several variants per product, stock at a second location, drafts, edits, returns with dispositions,
bulk operations, a search index that lags. Webhooks may go to plain http, since everything here is local.
"""

from starlette.applications import Starlette

from sandbox.shop import Shop, Storefront
from sandbox.shopify.api import Admin, Keys, schema_for
from sandbox.shopify.cost import PLUS, Bucket, Plan
from sandbox.shopify.hooks import Hooks
from sandbox.shopify.inventory import Inventory
from sandbox.shopify.queries import Queries
from sandbox.things import UnpaidUnits


def build(shop: Shop, plan: Plan = PLUS) -> Storefront:
    """A shop that takes several orders a second is on the largest plan."""
    shop.unpaid_units = UnpaidUnits.TAKEN
    shop.name_prefix = "#"
    keys = Keys(f"shpat_{shop.token('token')[:32]}", f"shpss_{shop.token('secret')[:32]}")
    queries, hooks = Queries(shop), Hooks(shop, keys.secret)
    shop.watch(queries)
    shop.watch(hooks)
    admin = Admin(keys, schema_for(queries, Inventory(shop), hooks), Bucket(plan))
    return Storefront(
        app=Starlette(routes=admin.routes()),
        credentials={"access_token": keys.access_token, "api_secret": keys.secret},
        throttled=admin.throttled,
    )
