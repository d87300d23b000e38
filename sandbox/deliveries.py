"""The webhooks of one shop on their way: doubled, dropped, reordered, late, and retried as the platform does."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass

import httpx

from sandbox.faults import Faults

SENDERS = 16  # at once per shop; also keeps the client's pool short, whose work grows with its queue


@dataclass(frozen=True, slots=True)
class Webhook:
    """One message to deliver.

    ``make`` is called once, when the message leaves, and gives headers and body; None: no longer to be sent. Doubles
    and retries carry the same bytes. ``retry_waits_s`` are the platform's documented waits after each failed attempt,
    empty where it never retries; the dial ``retry_speed`` shortens them. ``done`` hears the HTTP status of every
    attempt (None: no answer), but not of messages lost on the way.
    """

    url: str
    make: Callable[[], tuple[Mapping[str, str], bytes] | None]
    retry_waits_s: Sequence[float] = ()
    done: Callable[[int | None], None] | None = None
    timeout_s: float = 10.0
    accepts: range = range(200, 300)


class Deliveries:
    """Sends each webhook on its own task; all of them end with ``close``."""

    def __init__(self, faults: Faults, client: httpx.AsyncClient) -> None:
        self._faults = faults
        self._client = client
        self._tasks: set[asyncio.Task[None]] = set()
        self._senders = asyncio.Semaphore(SENDERS)

    @property
    def pending(self) -> int:
        """Messages under way or waiting for a retry."""
        return len(self._tasks)

    def send(self, webhook: Webhook) -> None:
        """Queue a webhook; its luck is drawn now. Call it on the event loop's thread."""
        panel, faults = self._faults.panel, self._faults
        wait_s = faults.one_way_s()
        if faults.happens(panel.dials.webhooks_reordered):
            panel.counters.webhooks_reordered += 1
            wait_s += faults.held_back_s()
        lost = faults.happens(panel.dials.webhooks_dropped)
        copies = 2 if faults.happens(panel.dials.webhooks_doubled) and not lost else 1
        self._start(self._depart(webhook, wait_s, 0 if lost else copies))

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> int | None:
        """One attempt, now; the HTTP status, or None when nothing came back."""
        try:
            async with self._senders:
                answer = await self._client.post(
                    url, content=body, headers=headers, timeout=timeout_s, follow_redirects=False
                )
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        return answer.status_code

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, errand: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(errand)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _depart(self, webhook: Webhook, wait_s: float, copies: int) -> None:
        await asyncio.sleep(wait_s)
        made = webhook.make()
        if made is None:
            return
        counters = self._faults.panel.counters
        counters.webhooks_dropped += copies == 0
        counters.webhooks_duplicated += copies == 2
        if copies == 2:
            self._start(self._deliver(webhook, *made, wait_s=self._faults.one_way_s()))
        if copies:
            await self._deliver(webhook, *made, wait_s=0)

    async def _deliver(self, webhook: Webhook, headers: Mapping[str, str], body: bytes, wait_s: float) -> None:
        """Try until it is taken or the platform gives up; a shop that is down sends nothing but waits its turn."""
        waits = iter(webhook.retry_waits_s)
        while True:
            await asyncio.sleep(wait_s)
            if not self._faults.is_down and await self._attempt(webhook, headers, body):
                return
            retry_s = next(waits, None)
            if retry_s is None:
                self._faults.panel.counters.webhooks_dropped += 1
                return
            wait_s = retry_s / self._faults.panel.dials.retry_speed

    async def _attempt(self, webhook: Webhook, headers: Mapping[str, str], body: bytes) -> bool:
        self._faults.panel.counters.webhooks_sent += 1
        status = await self.post(webhook.url, headers, body, webhook.timeout_s)
        if webhook.done:
            webhook.done(status)
        return status is not None and status in webhook.accepts
