"""What a demo found out, as numbers for machines and as a table for people; and which checks failed. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from drills.orders_file import OrdersFile
from drills.referee.records import Verdict
from drills.shoppers import Tally
from drills.watch import Lag

WEBHOOK_COUNTS = ("webhooks_sent", "webhooks_duplicated", "webhooks_dropped", "webhooks_reordered")
_NAMED_AT_MOST = 12


@dataclass(frozen=True, slots=True)
class Result:
    """All findings of one run.

    ``unrest`` names what was still under way when the hub had had its time. ``whole``: nothing limited the plan, so it
    was long enough for every fault to show.
    """

    tally: Tally
    unrest: Sequence[str]
    verdict: Verdict
    file: OrdersFile | None
    lag: Lag
    sandbox: Mapping[str, Any]
    audit_violations: Sequence[str]
    sells_out: int
    seconds: float
    calm: bool
    whole: bool


def numbers(result: Result) -> dict[str, Any]:
    """The result as JSON values: counts are whole numbers, lag is in milliseconds."""
    tally, verdict, file = result.tally, result.verdict, result.file
    return {
        "orders": verdict.orders,
        "order_lines": verdict.order_lines,
        "units": tally.units,
        "cancellations": tally.cancellations,
        "cancellations_unmatched": tally.cancellations_unmatched,
        "rows": file.rows if file else 0,
        "rows_not_goods": sum(file.not_goods.values()) if file else 0,
        "rows_not_goods_by": dict(file.not_goods) if file else {},
        "orders_refused": tally.orders_refused,
        "units_refused": tally.units_refused,
        **{name: result.sandbox[name] for name in WEBHOOK_COUNTS},
        **{name: result.sandbox[name] for name in ("api_calls", "api_throttled", "api_failed")},
        "effects_applied": verdict.effects_applied,
        "orders_lost": verdict.orders_lost,
        "effects_doubled": verdict.effects_doubled,
        "oversold_units": verdict.oversold_units,
        "oversold_units_unavoidable": verdict.oversold_units_unavoidable,
        "oversold_units_healed": verdict.oversold_units_healed,
        "oversold_units_unexplained": verdict.oversold_units_unexplained,
        "stock_differences": verdict.stock_differences,
        "audit_violations": len(result.audit_violations),
        "listings": verdict.listings,
        "listings_equal": verdict.listings_equal,
        "items_made_to_sell_out": result.sells_out,
        "lag_ms": asdict(result.lag.own),
        "lag_whole_ms": asdict(result.lag.whole),
        "shoppers_late_ms": round(result.tally.late_s * 1000),
        "seconds": round(result.seconds, 1),
    }


def failed_checks(result: Result) -> list[str]:
    """The checks that do not hold, each as a sentence; none means that the demo proved what it claims."""
    return [*_failed(result)]


def _failed(result: Result) -> Iterator[str]:
    verdict = result.verdict
    if result.unrest:
        yield f"the hub did not come to rest; left: {'; '.join(result.unrest)}"
    must_be_none = {
        "orders lost": verdict.orders_lost,
        "effects doubled": verdict.effects_doubled,
        "items whose stock differs from the shops' own record": verdict.stock_differences,
        "audit violations": len(result.audit_violations),
        "oversold units that no incident explains": verdict.oversold_units_unexplained,
    }
    for what, count in must_be_none.items():
        if count:
            yield f"{count} {what}; there must be none"
    if not verdict.orders:
        yield "no order was placed"
    if verdict.orders != result.tally.orders:
        yield f"the shops' journal holds {verdict.orders} orders, the shoppers placed {result.tally.orders}"
    if verdict.listings_equal != verdict.listings or not verdict.listings:
        yield f"{verdict.listings_equal} of {verdict.listings} listings show what may be sold; all must"
    if result.calm and verdict.oversold_units != verdict.oversold_units_unavoidable:
        avoidable = verdict.oversold_units - verdict.oversold_units_unavoidable
        yield f"{avoidable} of {verdict.oversold_units} oversold units were avoidable; in calm none may be"
    if result.whole and not result.calm:
        for name in WEBHOOK_COUNTS:
            if not result.sandbox[name]:
                yield f"{name} is 0; the faults were not at work"


def details(result: Result) -> list[str]:
    """What is behind the numbers, for people: rows that are no goods, unmatched cancellations, what went wrong."""
    file = result.file
    return [
        *([f"rows that are not goods: {_counts(file.not_goods)}"] if file and file.not_goods else ()),
        *_some("invoices without goods", file.without_goods if file else ()),
        *_some("cancellations unmatched", result.tally.unmatched),
        *_some("not played as planned", result.tally.unplayed),
        *_some("referee", result.verdict.findings),
        *_some("audit", result.audit_violations),
    ]


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} x {reason}" for reason, count in sorted(counts.items(), key=lambda pair: -pair[1]))


def _some(title: str, sentences: Sequence[str]) -> list[str]:
    if not sentences:
        return []
    more = len(sentences) - _NAMED_AT_MOST
    shown = "; ".join(sentences[:_NAMED_AT_MOST]) + (f"; and {more} more" if more > 0 else "")
    return [f"{title} ({len(sentences)}): {shown}"]
