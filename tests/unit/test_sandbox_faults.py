"""What goes wrong on the way to and from a sandbox shop, as dialled."""

import asyncio
from collections.abc import Callable, Mapping

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.deliveries import Deliveries, Webhook
from sandbox.faults import CALM, Counters, Dials, Faults, FaultyNetwork, Panel
from sandbox.journal import Journal
from sandbox.shop import Shop, Wish, broken, slow_down

Answer = Callable[[httpx.Request], httpx.Response]


def a_shop(dials: Dials = CALM) -> Shop:
    """With five mugs."""
    faults = Faults(Panel(dials, Counters()), "7/test")
    shop = Shop("test", "http://shop.test", "7/test", faults, Deliveries(faults, httpx.AsyncClient()), Journal())
    shop.add_product("mug", "Mug", 5)
    return shop


def write_three(shop: Shop) -> None:
    mug = shop.product("mug")
    assert mug
    shop.write_stock(mug, 3)


def test_one_seed_draws_the_same_luck_twice_and_calm_draws_none() -> None:
    first, second = (Faults(Panel(Dials(), Counters()), "5/shop") for _ in range(2))
    calm = Faults(Panel(CALM, Counters()), "5/shop")

    drawn = [(first.call_fate(), first.one_way_s()) for _ in range(500)]

    assert drawn == [(second.call_fate(), second.one_way_s()) for _ in range(500)]
    assert len({fate for fate, _ in drawn}) > 1
    assert {(calm.call_fate(), calm.one_way_s()) for _ in range(500)} == {(drawn[0][0], 0.0)}


@pytest.mark.parametrize("values", [{"nosuch": 1}, {"outage_s": -1}, {"outage_s": "x"}, {"retry_speed": 0}])
def test_a_dial_that_makes_no_sense_is_refused(values: Mapping[str, object]) -> None:
    with pytest.raises(ValueError, match="dial"):
        Dials().turned(values)


def delivered(webhook: Webhook, dials: Dials, answer: Answer, *, down_s: float = 0) -> Counters:
    """Send one webhook through a shop with these dials and wait until nothing is under way."""

    async def play() -> Counters:
        panel = Panel(dials, Counters())
        faults = Faults(panel, "1/test")
        if down_s:
            faults.go_down(down_s)
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            deliveries = Deliveries(faults, client)
            deliveries.send(webhook)
            while deliveries.pending:
                await asyncio.sleep(0.002)
        return panel.counters

    return asyncio.run(play())


class Receiver:
    """Answers with the given statuses in turn, then 200, and keeps what it got."""

    def __init__(self, *statuses: int) -> None:
        self.bodies: list[bytes] = []
        self._statuses = list(statuses)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(request.content)
        return httpx.Response(self._statuses.pop(0) if self._statuses else 200)


def a_webhook(*waits_s: float, heard: list[int | None] | None = None) -> Webhook:
    made = iter(range(100))
    return Webhook(
        "http://hub.test/in",
        lambda: ({"X-Test": "1"}, f"body {next(made)}".encode()),
        retry_waits_s=waits_s,
        done=None if heard is None else heard.append,
    )


def test_a_doubled_webhook_carries_the_same_bytes() -> None:
    receiver = Receiver()

    counters = delivered(a_webhook(), CALM.turned({"webhooks_doubled": 1}), receiver)

    assert receiver.bodies == [b"body 0", b"body 0"]
    assert (counters.webhooks_sent, counters.webhooks_duplicated) == (2, 1)


def test_a_dropped_webhook_never_arrives_even_where_the_platform_retries() -> None:
    receiver = Receiver()

    counters = delivered(a_webhook(1, 1), CALM.turned({"webhooks_dropped": 1}), receiver)

    assert receiver.bodies == []
    assert (counters.webhooks_sent, counters.webhooks_dropped) == (0, 1)


def test_a_failed_webhook_is_retried_after_the_platforms_waits_and_then_given_up() -> None:
    receiver, heard = Receiver(500, 404, 503), list[int | None]()

    counters = delivered(a_webhook(0.1, 0.1, heard=heard), CALM, receiver)

    assert receiver.bodies == [b"body 0"] * 3
    assert heard == [500, 404, 503]
    assert (counters.webhooks_sent, counters.webhooks_dropped) == (3, 1)


def test_a_webhook_of_an_outage_is_lost_where_the_platform_never_retries() -> None:
    receiver, heard = Receiver(), list[int | None]()

    counters = delivered(a_webhook(heard=heard), CALM, receiver, down_s=5)

    assert (receiver.bodies, heard, counters.webhooks_dropped) == ([], [], 1)


def test_a_webhook_of_an_outage_arrives_afterwards_where_the_platform_retries() -> None:
    receiver = Receiver()

    delivered(a_webhook(*[1.2] * 20), CALM, receiver, down_s=0.1)

    assert receiver.bodies == [b"body 0"]


def call(shop: Shop, act: Callable[[], None], *, dials: Dials) -> httpx.Response:
    """One API call through the faulty network; the endpoint acts and answers 200."""

    async def endpoint(_request: Request) -> Response:
        act()
        return JSONResponse({})

    async def play() -> httpx.Response:
        shop.faults.panel.dials = dials
        app = FaultyNetwork(Starlette(routes=[Route("/", endpoint)]), shop.faults, slow_down, broken)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://shop.test") as client:
            return await client.get("/")

    return asyncio.run(play())


def test_a_write_is_journalled_with_the_moment_it_was_answered() -> None:
    shop = a_shop()

    answer = call(shop, lambda: write_three(shop), dials=CALM)

    entry = shop.journal.after(1, 1)[0]
    assert (entry["kind"], entry["before"], entry["after"]) == ("stock_write", 5, 3)
    assert str(entry["answered_at"]) >= str(entry["at"])
    assert "Date" in answer.headers


def test_a_lost_answer_may_leave_its_write_behind() -> None:
    shop = a_shop()

    answers = [call(shop, lambda: write_three(shop), dials=CALM.turned({"calls_failed": 1})) for _ in range(12)]

    written = [entry for entry in shop.journal.after(0, 99) if entry["kind"] == "stock_write"]
    assert {answer.status_code for answer in answers} == {500}
    assert 0 < len(written) < 12
    assert all(entry["answered_at"] is None for entry in written)


@pytest.mark.parametrize(("dial", "status"), [("calls_throttled", 429), ("calls_failed", 500)])
def test_bad_luck_has_its_own_status_and_counter(dial: str, status: int) -> None:
    shop = a_shop()

    answer = call(shop, lambda: None, dials=CALM.turned({dial: 1}))

    assert answer.status_code == status
    counters = shop.faults.panel.counters
    assert (counters.api_calls, counters.api_throttled, counters.api_failed) == (1, status == 429, status == 500)


def test_a_shop_that_is_down_answers_503_and_does_nothing() -> None:
    shop = a_shop()
    shop.faults.go_down(5)

    answer = call(shop, lambda: write_three(shop), dials=CALM)

    assert answer.status_code == 503
    assert [entry["kind"] for entry in shop.journal.after(0, 9)] == ["opening"]


def test_the_first_order_brings_the_one_outage() -> None:
    shop = a_shop(dials=CALM.turned({"outage_s": 60, "outage_after_max_s": 0, "outage_after_min_s": 0}))
    before = shop.faults.is_down

    shop.checkout("shopper", True, [Wish("mug", 1)])

    assert (before, shop.faults.is_down) == (False, True)


def test_a_late_write_counts_as_pending_and_belongs_to_the_call_that_asked() -> None:
    shop = a_shop()
    pending: list[int] = []

    async def play() -> None:
        async def endpoint(_request: Request) -> Response:
            shop.later(0.05, lambda: write_three(shop))
            pending.append(shop.writes_pending)
            return JSONResponse({})

        app = FaultyNetwork(Starlette(routes=[Route("/", endpoint)]), shop.faults, slow_down, broken)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://shop.test") as client:
            await client.get("/")
        await _until(lambda: not shop.writes_pending)

    asyncio.run(play())

    entry = shop.journal.after(1, 1)[0]
    assert pending == [1]
    assert str(entry["answered_at"]) < str(entry["at"])


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.005)
