"""What a person sees of a demo, on stderr: a live table on a terminal, else a plain line every few seconds."""

import time
from collections.abc import Mapping
from itertools import zip_longest
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from drills.shoppers import Tally
from drills.watch import Progress

PLAIN_EVERY_S = 5.0


class Screen:
    """A context manager; ``say`` for single sentences, ``show`` for how far it is."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._began = time.monotonic()
        self._last_line = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    @property
    def is_watched(self) -> bool:
        return self._console.is_terminal

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def say(self, sentence: str) -> None:
        self._console.print(f"[{self.seconds:5.1f} s] {sentence}", markup=False, soft_wrap=True)

    def show(self, tally: Tally, progress: Progress) -> None:
        if self._console.is_terminal:
            self._live.start()
            self._live.update(_table(tally, progress, self.seconds), refresh=True)
        elif time.monotonic() - self._last_line >= PLAIN_EVERY_S:
            self._last_line = time.monotonic()
            self.say(_line(tally, progress))

    def summary(self, numbers: Mapping[str, Any]) -> None:
        self._live.stop()
        table = Table(title="What the referee found", show_header=False)
        for name, value in numbers.items():
            shown = ", ".join(f"{key} {part}" for key, part in value.items()) if isinstance(value, dict) else str(value)
            table.add_row(name.replace("_", " "), shown)
        self._console.print(table)


def _lag(progress: Progress) -> str:
    return "-" if progress.lag_s is None else f"{progress.lag_s:.1f} s"


def _line(tally: Tally, progress: Progress) -> str:
    shops = ", ".join(f"{shop} {served}/{total}" for shop, (served, total) in progress.served.items())
    return (
        f"orders {tally.orders}, units {tally.units}, queue {progress.open_work}, lag {_lag(progress)}, "
        f"shown as sellable: {shops}"
    )


def _table(tally: Tally, progress: Progress, seconds: float) -> Table:
    table = Table(title=f"Holdfast demo, {seconds:.0f} s", caption="Ctrl-C stops it")
    for heading in ("", "", "shop", "shows what may be sold"):
        table.add_column(heading)
    left = [
        ("orders", str(tally.orders)),
        ("units sold", str(tally.units)),
        ("cancellations", str(tally.cancellations)),
        ("queue depth", str(progress.open_work)),
        ("lag (median)", _lag(progress)),
        ("effects posted", str(progress.effects)),
    ]
    right = [(shop, f"{served} / {total}") for shop, (served, total) in progress.served.items()]
    for name_and_value, shop_and_count in zip_longest(left, right, fillvalue=("", "")):
        table.add_row(*name_and_value, *shop_and_count)
    return table
