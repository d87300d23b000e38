"""Which findings make a demo fail, and that each failure is named."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from drills.orders_file import OrdersFile
from drills.referee import Verdict
from drills.result import Result, details, failed_checks, numbers
from drills.shoppers import Tally
from drills.watch import Lag, Percentiles

GOOD = Verdict(
    orders=5, order_lines=9, effects_applied=10, orders_lost=0, effects_doubled=0, oversold_units=3,
    oversold_units_unavoidable=1, oversold_units_healed=0, oversold_units_unexplained=0, stock_differences=0,
    listings=6, listings_equal=6, findings=[],
)  # fmt: skip
SANDBOX = {
    "webhooks_sent": 9, "webhooks_duplicated": 1, "webhooks_dropped": 1, "webhooks_reordered": 1,
    "api_calls": 9, "api_throttled": 1, "api_failed": 1,
}  # fmt: skip


def result(verdict: Mapping[str, Any] | None = None, **told: Any) -> Result:
    values: dict[str, Any] = {
        "tally": Tally(orders=5), "unrest": [], "verdict": replace(GOOD, **(verdict or {})), "file": None,
        "lag": Lag(Percentiles(1, 2, 3), Percentiles(4, 5, 6)), "sandbox": SANDBOX, "audit_violations": [],
        "sells_out": 1, "seconds": 12.34, "calm": False, "whole": True,
    }  # fmt: skip
    return Result(**{**values, **told})


def test_a_run_in_which_every_check_holds_fails_none() -> None:
    assert failed_checks(result()) == []


@pytest.mark.parametrize(
    ("verdict", "told", "named"),
    [
        ({"orders_lost": 1}, {}, "1 orders lost"),
        ({"effects_doubled": 2}, {}, "2 effects doubled"),
        ({"stock_differences": 1}, {}, "1 items whose stock differs"),
        ({"oversold_units_unexplained": 1}, {}, "1 oversold units that no incident explains"),
        ({"listings_equal": 5}, {}, "5 of 6 listings"),
        ({"listings": 0, "listings_equal": 0}, {}, "0 of 0 listings"),
        ({"orders": 0}, {"tally": Tally()}, "no order was placed"),
        ({"orders": 4}, {}, "the shops' journal holds 4 orders"),
        ({}, {"audit_violations": ["2 balances"]}, "1 audit violations"),
        ({}, {"unrest": ["3 order open shopify"]}, "did not come to rest; left: 3 order open shopify"),
        ({}, {"calm": True}, "2 of 3 oversold units were avoidable"),
        ({}, {"sandbox": {**SANDBOX, "webhooks_dropped": 0}}, "webhooks_dropped is 0"),
    ],
)
def test_each_check_that_fails_is_named(verdict: Mapping[str, Any], told: Mapping[str, Any], named: str) -> None:
    (failed,) = failed_checks(result(verdict, **told))

    assert named in failed


def test_a_short_run_may_be_too_short_for_a_fault_and_a_calm_one_has_none() -> None:
    silent = {**SANDBOX, "webhooks_dropped": 0}

    assert failed_checks(result(sandbox=silent, whole=False)) == []
    assert failed_checks(result({"oversold_units": 1}, sandbox=silent, calm=True)) == []


def test_numbers_carry_counts_by_reason_and_lag_in_milliseconds() -> None:
    file = OrdersFile([], [], 8, {"POST: postage": 2, "D: discount": 1})

    found = numbers(result(file=file))

    assert (found["rows"], found["rows_not_goods"], found["rows_not_goods_by"]["POST: postage"]) == (8, 3, 2)
    assert found["lag_ms"] == {"p50": 1, "p95": 2, "p99": 3}
    assert found["seconds"] == 12.3


def test_details_name_what_was_left_out_and_only_so_many_of_it() -> None:
    file = OrdersFile([], ["7"], 8, {"POST: postage": 2})
    tally = Tally(orders=5, unmatched=[f"C{number}: none" for number in range(20)])

    told = details(result(file=file, tally=tally))

    assert told[0] == "rows that are not goods: 2 x POST: postage"
    assert told[1] == "invoices without goods (1): 7"
    assert told[2].startswith("cancellations unmatched (20): C0: none; ")
    assert told[2].endswith("; and 8 more")
