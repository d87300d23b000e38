"""Shoppers do what the plan says, count what became of it, and never swallow a failure."""

import json
from collections.abc import Sequence

import httpx
import pytest
import respx

from core.errors import Broken
from drills.plan import Act, Checkout, Fulfil, Pay, Plan, Step, Undo, Wanted
from drills.shoppers import Shoppers, Tally
from drills.storefronts import SandboxFailed

CONTROL = "http://127.0.0.1:1"
SHOP = f"{CONTROL}/shops/shopify"
BUY = Checkout("shopify", "S-1", (Wanted("A", 3), Wanted("B", 1)))


def played(*acts: Act) -> Tally:
    shoppers = Shoppers(Plan([], [Step(0.0, act) for act in acts], frozenset()), CONTROL)
    shoppers.start()
    shoppers.join()
    return shoppers.tally


def sells(*sold: int) -> respx.Route:
    """The shop sells so many units of each line."""

    def answer(request: httpx.Request) -> httpx.Response:
        lines = json.loads(request.content)["lines"]
        return httpx.Response(
            200,
            json={
                "order_id": "1001" if any(sold) else None,
                "lines": [{**line, "line_id": "1", "sold": units} for line, units in zip(lines, sold, strict=True)],
            },
        )

    return respx.post(f"{SHOP}/checkout").mock(side_effect=answer)


def asked(route: respx.Route) -> Sequence[object]:
    return [json.loads(call.request.content) for call in route.calls]


@respx.mock
def test_what_a_shop_cannot_sell_is_counted_as_refused() -> None:
    sells(2, 0)

    tally = played(BUY)

    assert (tally.orders, tally.order_lines, tally.units, tally.units_refused) == (1, 1, 2, 2)


@respx.mock
def test_an_order_of_which_nothing_is_left_is_no_order() -> None:
    sells(0, 0)

    tally = played(BUY, Fulfil("S-1"), Pay("S-1"))

    assert (tally.orders, tally.orders_refused) == (0, 1)
    assert len(tally.unplayed) == 2


@respx.mock
def test_a_cancellation_takes_back_what_was_really_sold() -> None:
    sells(3, 1)
    refunds = respx.post(f"{SHOP}/refund").respond(json={"lines": [{"sku": "A", "quantity": 3}]})
    cancels = respx.post(f"{SHOP}/cancel").respond(json={})

    tally = played(BUY, Undo("C-1", (Wanted("A", 3),)), Undo("C-2", (Wanted("B", 1),)), Undo("C-3", (Wanted("B", 1),)))

    assert asked(refunds) == [{"order_id": "1001", "lines": [{"sku": "A", "quantity": 3}], "restock": True}]
    assert asked(cancels) == [{"order_id": "1001"}]
    assert (tally.cancellations, tally.cancellations_unmatched, tally.units_back) == (2, 1, 4)
    assert tally.unmatched == ["C-3: no earlier order holds 1 x B"]


@respx.mock
def test_an_order_that_the_shop_cannot_serve_any_more_is_cancelled_instead_of_paid() -> None:
    sells(3, 1)
    respx.post(f"{SHOP}/pay").respond(409, json={"error": "out of stock meanwhile: A"})
    cancels = respx.post(f"{SHOP}/cancel").respond(json={})

    tally = played(Checkout("shopify", "S-1", BUY.lines, paid=False), Pay("S-1"))

    assert cancels.call_count == 1
    assert tally.paid_later == 0
    assert "out of stock meanwhile" in tally.unplayed[0]


@respx.mock
def test_a_failing_sandbox_ends_the_play_with_what_it_said() -> None:
    respx.post(f"{SHOP}/checkout").respond(500, text="no more")

    with pytest.raises(SandboxFailed, match="500 no more"):
        played(BUY)


@respx.mock
def test_a_shop_that_takes_back_fewer_units_than_it_sold_is_broken() -> None:
    sells(3, 1)
    respx.post(f"{SHOP}/refund").respond(json={"lines": []})

    with pytest.raises(Broken, match="took back 0 of 3"):
        played(BUY, Undo("C-1", (Wanted("A", 3),)))
