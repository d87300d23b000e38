"""The dials for what goes wrong between a shop and the world, drawn from one seed per shop."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import Enum, auto
from random import Random

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.journal import Call, current_call


@dataclass(frozen=True, slots=True)
class Dials:
    """Shares are 0..1, waits seconds.

    ``retry_speed``: how many times faster than after the platform's documented waits failed webhooks are sent again, so
    that hours pass in minutes.
    """

    delay_min_s: float = 0.05
    delay_max_s: float = 0.5
    webhooks_doubled: float = 0.02
    webhooks_dropped: float = 0.01
    webhooks_reordered: float = 0.05
    reorder_min_s: float = 0.5
    reorder_max_s: float = 3.0
    calls_throttled: float = 0.01
    calls_failed: float = 0.005
    outage_s: float = 10.0
    outage_after_min_s: float = 2.0
    outage_after_max_s: float = 15.0
    retry_speed: float = 60.0

    def turned(self, values: Mapping[str, object]) -> "Dials":
        """Raises: ValueError naming a dial that does not exist or a value that is no number >= 0."""
        known = {each.name for each in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"no dial {name!r}; there are {', '.join(sorted(known))}")
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise ValueError(f"dial {name} wants a number >= 0")
        turned = replace(self, **{name: float(str(value)) for name, value in values.items()})
        if turned.retry_speed == 0:
            raise ValueError("dial retry_speed wants a number > 0")
        return turned


CALM = Dials(
    delay_min_s=0,
    delay_max_s=0,
    webhooks_doubled=0,
    webhooks_dropped=0,
    webhooks_reordered=0,
    calls_throttled=0,
    calls_failed=0,
    outage_s=0,
)


@dataclass(slots=True)
class Counters:
    """Over all shops, since the start. ``webhooks_dropped`` holds all that will never arrive, outages included."""

    webhooks_sent: int = 0
    webhooks_duplicated: int = 0
    webhooks_dropped: int = 0
    webhooks_reordered: int = 0
    api_calls: int = 0
    api_throttled: int = 0
    api_failed: int = 0


@dataclass(slots=True)
class Panel:
    """What all shops share: the dials as they stand now, and the counters."""

    dials: Dials
    counters: Counters


class Fate(Enum):
    PASS = auto()
    THROTTLE = auto()
    FAIL_BEFORE = auto()
    FAIL_AFTER = auto()  # the call took effect, its answer is lost


class Faults:
    """The bad luck of one shop. Times are of the monotonic clock."""

    def __init__(self, panel: Panel, seed: str) -> None:
        self.panel = panel
        self._random = Random(seed)
        self._outages: list[tuple[float, float]] = []
        self._first_order_seen = False

    def one_way_s(self) -> float:
        dials = self.panel.dials
        return self._random.uniform(dials.delay_min_s, dials.delay_max_s)

    def happens(self, share: float) -> bool:
        return self._random.random() < share

    def held_back_s(self) -> float:
        return self._random.uniform(self.panel.dials.reorder_min_s, self.panel.dials.reorder_max_s)

    def call_fate(self) -> Fate:
        luck, dials = self._random.random(), self.panel.dials
        if luck < dials.calls_throttled:
            return Fate.THROTTLE
        if luck < dials.calls_throttled + dials.calls_failed:
            return Fate.FAIL_AFTER if self._random.random() < 0.5 else Fate.FAIL_BEFORE
        return Fate.PASS

    def order_placed(self) -> None:
        """The first order sets the moment of the shop's one outage."""
        if self._first_order_seen:
            return
        self._first_order_seen = True
        dials = self.panel.dials
        if dials.outage_s:
            self.go_down(dials.outage_s, self._random.uniform(dials.outage_after_min_s, dials.outage_after_max_s))

    def go_down(self, seconds: float, after_s: float = 0) -> None:
        start = time.monotonic() + after_s
        self._outages.append((start, start + seconds))

    @property
    def is_down(self) -> bool:
        now = time.monotonic()
        return any(start <= now < end for start, end in self._outages)


class FaultyNetwork:
    """ASGI: the way to a shop's API and back, with delays, throttling, failures, outages and the Date header."""

    def __init__(
        self, app: ASGIApp, faults: Faults, throttled: Callable[[], Response], failed: Callable[[], Response]
    ) -> None:
        self._app = app
        self._faults = faults
        self._throttled = throttled
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        counters = self._faults.panel.counters
        counters.api_calls += 1
        call = Call()
        current_call.set(call)
        await asyncio.sleep(self._faults.one_way_s())
        fate = Fate.FAIL_BEFORE if self._faults.is_down else self._faults.call_fate()
        if fate is not Fate.PASS:
            counters.api_throttled += fate is Fate.THROTTLE
            counters.api_failed += fate is not Fate.THROTTLE
        if fate is Fate.FAIL_AFTER:
            await self._app(scope, receive, _nowhere)
        app = self._app if fate is Fate.PASS else self._bad_answer(fate)
        await app(scope, receive, self._way_back(send, call if fate is Fate.PASS else None))

    def _bad_answer(self, fate: Fate) -> Response:
        if self._faults.is_down:
            return PlainTextResponse("Service Unavailable", status_code=503)
        return self._throttled() if fate is Fate.THROTTLE else self._failed()

    def _way_back(self, send: Send, call: Call | None) -> Send:
        async def deliver(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("Date", format_datetime(datetime.now(UTC), usegmt=True))
                await asyncio.sleep(self._faults.one_way_s())
            await send(message)
            if call and message["type"] == "http.response.body" and not message.get("more_body"):
                call.answered()

        return deliver


async def _nowhere(message: Message) -> None:
    """Where a lost answer goes."""
