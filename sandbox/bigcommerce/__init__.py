"""A BigCommerce store: V3 catalogue, inventory, refunds and hooks, V2 orders, time and store.

What it keeps to: X-Auth-Token; rate-limit headers of a 30 s window on every answer and 429 beyond the quota; absolute
adjustments that are answered first and take effect later; V2 lists of 50 rows by default and 204 at their end; order
lines on pages of their own; hooks with custom headers and Standard Webhooks signatures, retried 11 times and then
switched off.

What it leaves out: products with options (each product is simple, with one base variant), several locations, relative
adjustments, shipments, edits of orders. Hooks may deliver to plain http on any port, since everything here is local.
"""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route

from sandbox.bigcommerce import catalogue, hooks, inventory, orders, settings
from sandbox.bigcommerce.answers import Problem, problem_answer, wrong_path
from sandbox.bigcommerce.gate import Gate, Quota
from sandbox.bigcommerce.state import State
from sandbox.shop import Shop, Storefront
from sandbox.things import UnpaidUnits


def build(shop: Shop, quota: int = 900) -> Storefront:
    """``quota``: calls per 30 s. Pro plans have 450; the default is an Enterprise store's."""
    shop.unpaid_units = UnpaidUnits.FREE
    state = State(shop)
    shop.watch(hooks.Events(state))
    window = Quota(quota)
    routes: list[Route] = [
        *settings.routes(state),
        *catalogue.routes(state),
        *inventory.routes(state),
        *orders.routes(state),
        *hooks.routes(state),
    ]
    app = Starlette(
        routes=[Mount(f"/stores/{state.store_hash}", routes=routes)],
        exception_handlers={Problem: problem_answer, HTTPException: wrong_path},
    )
    return Storefront(
        app=Gate(app, state.access_token, window),
        credentials={
            "store_hash": state.store_hash,
            "access_token": state.access_token,
            "client_secret": state.client_secret,
            "webhook_secret": "sandbox-webhook-secret",
        },
        throttled=window.crowded_out,
    )
