"""What a person sees: a table on a terminal, plain lines elsewhere."""

import io

from rich.console import Console

from drills.screen import Screen
from drills.shoppers import Tally
from drills.watch import Progress

PROGRESS = Progress(open_work=4, effects=9, lag_s=0.25, served={"shopify": (7, 8), "woocommerce": (8, 8)})


def shown(*, terminal: bool, looks: int = 1) -> str:
    out = io.StringIO()
    with Screen(Console(file=out, force_terminal=terminal, width=120)) as screen:
        for _ in range(looks):
            screen.show(Tally(orders=3, units=5), PROGRESS)
    return out.getvalue()


def test_without_a_terminal_a_plain_line_names_every_figure_and_is_not_repeated_at_once() -> None:
    told = shown(terminal=False, looks=3)

    assert told.count("\n") == 1
    assert "orders 3, units 5, queue 4, lag 0.2 s" in told
    assert "shopify 7/8, woocommerce 8/8" in told
    assert "\x1b" not in told


def test_on_a_terminal_a_table_shows_the_same() -> None:
    told = shown(terminal=True)

    for words in ("orders", "queue depth", "effects posted", "7 / 8", "0.2 s"):
        assert words in told


def test_the_summary_has_a_row_for_each_number() -> None:
    out = io.StringIO()
    with Screen(Console(file=out, width=120)) as screen:
        screen.summary({"orders_lost": 0, "lag_ms": {"p50": 1, "p95": 2}})

    assert "orders lost" in out.getvalue()
    assert "p50 1, p95 2" in out.getvalue()
