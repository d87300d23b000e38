"""How the answers of ``holdfast replenish`` look, for people and for machines."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from core.words import counted
from edge.commands.common import say, say_table

if TYPE_CHECKING:
    from core.replenish.accuracy import Score, Scores
    from core.replenish.views.planning import Accuracy, Group, Line, OneItem
    from core.replenish.views.standing import Slow, Transfer


def line_as_json(line: "Line") -> dict[str, Any]:
    return {
        "sku": line.item.sku,
        "supplier": line.source.code if line.source else None,
        "sold": line.sells.sold,
        "counted_days": line.sells.days,
        **dataclasses.asdict(line.position),
        **dataclasses.asdict(line.terms),
        **dataclasses.asdict(line.plan),
        "forecast": None if line.forecast is None else {"kind": line.forecast.kind, "week": list(line.forecast.week)},
        "cost_minor": line.source.cost_minor if line.source else None,
    }


def group_as_json(group: "Group") -> dict[str, Any]:
    return {
        "supplier": group.supplier or None,
        "currency": group.currency,
        "expected_on": group.expected_on.isoformat(),
        "units": group.units,
        "cost_minor": group.cost_minor,
        "lines": [line_as_json(line) for line in group.lines],
    }


def score_as_json(score: "Score") -> dict[str, Any]:
    """Shares in per mille of what was sold."""
    return {
        "weeks": score.weeks,
        "sold": score.actual,
        "wape_permille": score.wape,
        "bias_permille": score.bias,
        "naive_wape_permille": score.naive_wape,
    }


def scores_as_json(scores: "Scores") -> dict[str, Any]:
    """The pace, and beside it the forecast; None where its library is not installed."""
    smoothed = None if scores.forecast is None else score_as_json(scores.forecast)
    return {**score_as_json(scores.pace), "forecast": smoothed, "better": scores.better}


def item_as_json(one: "OneItem", sentences: Sequence[str]) -> dict[str, Any]:
    return {
        **line_as_json(one.line),
        "window_days": one.line.window_days,
        "first_day": one.first.isoformat(),
        "days": list(one.days),
        "channels": dict(one.channels),
        "accuracy": scores_as_json(one.scores),
        "suppliers": [source.code for source in one.sources],
        "sentences": list(sentences),
    }


def slow_as_json(one: "Slow") -> dict[str, Any]:
    return {"sku": one.sku, "grade": one.grade, "free": one.free, **dataclasses.asdict(one.verdict),
            "dead": one.verdict.is_dead, "why": list(_whys(one))}  # fmt: skip


def say_groups(groups: "Sequence[Group]") -> None:
    from core.money import from_minor
    from core.replenish.wording import per_day

    if not groups:
        say("Nothing is to be ordered now. `holdfast replenish item SKU` says of an item why.")
        return
    for group in groups:
        head = f"From {group.supplier}" if group.supplier else "Nobody is known to bring these"
        cost = "" if group.cost_minor is None else f", {from_minor(group.cost_minor, group.currency)} {group.currency}"
        say(f"{head}: {counted(group.units, 'unit')}{cost}, here by {group.expected_on} if ordered today")
        rows = [
            [line.item.sku, line.plan.order, per_day(line.sells.sold, line.sells.days), line.position.free,
             line.plan.lasts_days, line.position.on_way + line.position.drafted, line.position.owed,
             line.plan.reorder_point, line.plan.target]
            for line in group.lines
        ]  # fmt: skip
        say_table(
            ["sku", ">order", ">a day", ">free", ">days left", ">on its way", ">owed", ">reorder at", ">up to"], rows
        )
        if not group.supplier:
            say("Say who does: `holdfast supplier item SUPPLIER SKU --pack 24`. Kits are assembled: `holdfast bundle "
                "assemble SKU N`.")  # fmt: skip
        say("")


def say_transfers(found: "Sequence[Transfer]") -> None:
    if not found:
        say("No warehouse runs short of what another has too much of.")
        return
    rows = [
        [one.sku, one.move.units, one.from_, one.to, one.move.taker_lasts, one.move.taker_lasts_then,
         one.move.giver_lasts, one.move.giver_lasts_then]
        for one in found
    ]  # fmt: skip
    say_table(["sku", ">send", "from", "to", ">it lasts", ">then", ">there it lasts", ">then"], rows)
    first = found[0]
    say(
        f"Days; - means for ever. `holdfast transfer ask T-1 {first.sku}={first.move.units} --from {first.from_} "
        f"--to {first.to}` asks for the first."
    )


def say_slow(found: "Sequence[Slow]", *, left_out: int) -> None:
    if not found:
        say("Nothing lies for long. `holdfast replenish defaults` says what counts as long.")
        return
    rows = [[one.sku, one.grade, one.free, one.verdict.sold, one.verdict.last_sale, one.verdict.lasts_days,
             "; ".join(_whys(one))] for one in found]  # fmt: skip
    say_table(["sku", "grade", ">free", ">sold", ">days since", ">days left", "why"], rows)
    if left_out > 0:
        say(f"And {left_out:,} more: --last {len(found) + left_out}, or --json for all.")


def _whys(one: "Slow") -> Iterator[str]:
    """Each cause with what can be done."""
    from core.replenish.slow import Cause
    from core.replenish.wording import days, units

    verdict = one.verdict
    for lock in verdict.idle:
        owner = f" of {lock.owner}" if lock.owner else ""
        yield f"{units(lock.units)} idle in lock {lock.key}{owner}: `holdfast lock release {lock.key} {lock.units}`"
    for cause in verdict.causes:
        match cause:
            case Cause.NOT_LISTED:
                yield "no store shows it: `holdfast store map` does"
            case Cause.NEVER_SOLD:
                yield f"dead: nothing sold on {days(verdict.counted_days)}; `holdfast replenish set {one.sku} --off`"
            case Cause.NO_SALES:
                last = "since it came" if verdict.last_sale is None else f"for {days(verdict.last_sale)}"
                yield f"nothing sold {last}"
            case Cause.TOO_MUCH:
                bought = f": {verdict.came:,} came, {verdict.sold:,} sold" if verdict.came > verdict.sold else ""
                yield f"{units(verdict.beyond)} too much{bought}"
            case Cause.IDLE_LOCK:
                pass


def say_accuracy(found: "Accuracy", last: int) -> None:
    from core.replenish.forecast import CURE
    from core.replenish.wording import percent, units

    pace, smoothed = found.over_all.pace, found.over_all.forecast
    if pace.wape is None or pace.bias is None or pace.naive_wape is None:
        say("Nothing was sold in the weeks that can be looked at; there is nothing to compare with.")
        return
    say(
        f"Forecast from the days before it, each week of the newer half of {found.window_days} days would have been "
        f"off by {percent(pace.wape)} of the {units(pace.actual)} sold, too {'high' if pace.bias >= 0 else 'low'} "
        f"by {percent(abs(pace.bias))} in all. Taking the week before would have been off by "
        f"{percent(pace.naive_wape)}."
    )
    if smoothed is None:
        say(f"The forecasting library is not installed, so there is nothing to compare the pace with: {CURE}.")
    else:
        say(f"The forecasting library would have been off by {percent(smoothed.wape or 0)}. {_advice(found)}")
    worst = sorted(found.items.items(), key=lambda pair: (-pair[1].pace.missed, pair[0]))[:last]
    say_table(
        ["sku", ">sold", ">off by", ">too high by", ">week before off by", ">library off by", "better", ">weeks"],
        [_accuracy_row(sku, scores) for sku, scores in worst],
    )


def _accuracy_row(sku: str, scores: "Scores") -> list[Any]:
    from core.replenish.wording import percent

    pace = scores.pace
    shares = [percent(share or 0) for share in (pace.wape, pace.bias, pace.naive_wape)]
    smoothed = None if scores.forecast is None else percent(scores.forecast.wape or 0)
    return [sku, pace.actual, *shares, smoothed, scores.better, pace.weeks]


def _advice(found: "Accuracy") -> str:
    """Which method to say, from what it would have been."""
    from core.replenish.decide import Method

    won = {
        method: [sku for sku, one in sorted(found.items.items()) if one.better is method]
        for method in (Method.PACE, Method.FORECAST)
    }
    counts = " and ".join(f"{method} on {counted(len(skus), 'item')}" for method, skus in won.items())
    if not won[Method.FORECAST]:
        return f"Better was {counts}."
    return (
        f"Better was {counts}. `holdfast replenish set {won[Method.FORECAST][0]} --method forecast` chooses it for an "
        "item, `holdfast replenish defaults --method better` the better one for each."
    )
