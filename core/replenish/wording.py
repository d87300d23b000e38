"""Every number of a plan as a sentence, in the order in which one follows from the other. Pure."""

from collections.abc import Iterator

from core.demand.velocity import last_sale, lasts
from core.replenish.decide import PERMILLE, Method, z_permille
from core.replenish.forecast import MILLI, Kind
from core.replenish.views.planning import Line, OneItem
from core.words import counted


def per_day(sold: int, days: int) -> str:
    """Units on an average day, to the hundredth: ``2.35``."""
    hundredths = (200 * sold + days) // (2 * days) if days else 0
    return f"{hundredths // 100:,}.{hundredths % 100:02d}"


def percent(permille: int) -> str:
    """``97.5 %`` of 975."""
    sign, whole = "-" if permille < 0 else "", abs(permille)
    return f"{sign}{whole // 10:,}.{whole % 10} %" if whole % 10 else f"{sign}{whole // 10:,} %"


def units(number: int) -> str:
    return counted(number, "unit")


def are(number: int) -> str:
    """``1 unit is``, ``2 units are``."""
    return f"{units(number)} {'is' if number == 1 else 'are'}"


def days(number: int) -> str:
    return counted(number, "day")


def sentences(one: OneItem) -> list[str]:
    """The whole sum, step by step."""
    return [*_sales(one), *_accuracy(one), *_stands(one.line), *_terms(one), *_forecast(one.line), *_sum(one.line)]


def _sales(one: OneItem) -> Iterator[str]:
    line, sells = one.line, one.line.sells
    if not sells.sold:
        yield (
            f"On the last {days(line.window_days)} nothing was sold, on {days(sells.days)} with any to sell. So no "
            "sale is expected, and only who waits already is ordered for."
        )
        return
    ago = last_sale(one.days)
    yield (
        f"{units(sells.sold)} sold on {days(sells.days)} of the last {line.window_days}, "
        f"{per_day(sells.sold, sells.days)} a day; last sold {days(ago or 0)} ago."
    )
    if missing := line.window_days - sells.days:
        yield (
            f"The other {days(missing)} do not count: there was nothing to sell, or the item was not there yet. Over "
            f"all {line.window_days} it would look like {per_day(sells.sold, line.window_days)} a day."
        )
    if one.channels:
        told = [
            f"{name} {sold:,} ({per_day(max(sold, 0), sells.days)} a day)"
            for name, sold in sorted(one.channels.items(), key=lambda pair: (-pair[1], pair[0]))
        ]
        yield f"By channel: {', '.join(told)}."


def _accuracy(one: OneItem) -> Iterator[str]:
    pace, smoothed = one.scores.pace, one.scores.forecast
    if pace.wape is None or pace.naive_wape is None:
        return
    weeks = "the last week" if pace.weeks == 1 else f"the last {pace.weeks} weeks"
    other = "" if smoothed is None else f"; by the forecasting library, by {percent(smoothed.wape or 0)}"
    yield (
        f"Forecast by that pace, {weeks} with any to sell would have been off by {percent(pace.wape)} of what was "
        f"sold{other}; taking the week before, by {percent(pace.naive_wape)}."
    )


def _stands(line: Line) -> Iterator[str]:
    has = line.position
    left = lasts(has.free, line.sells.pace)
    yield f"{are(has.free)} free" + ("." if left is None else f", which lasts {days(left)}.")
    for number, words in (
        (has.on_way, "ordered or announced and not on sale yet"),
        (has.drafted, "on purchase orders that are not placed yet"),
        (has.backorders, "owed to orders that wait"),
        (has.locks, "owed to locks that wait or begin later"),
        (has.presales, "owed to presales"),
    ):
        if number:
            yield f"{are(number)} {words}."
    if has.units != has.free:
        parts = [str(has.free), *(f"+ {n}" for n in (has.on_way, has.drafted) if n)]
        parts += [f"- {n}" for n in (has.backorders, has.locks, has.presales) if n]
        yield f"So the position is {' '.join(parts)} = {has.units:,}."


def _terms(one: OneItem) -> Iterator[str]:
    line, terms = one.line, one.line.terms
    who = f"{line.source.code} brings it" if line.source else "No supplier is known to bring it; it is taken to come"
    yield f"{who} in {days(terms.lead_days)}; an order is to last {days(terms.cover_days)} beyond that."
    if line.plan.safety:
        yield (
            f"In {percent(terms.service_permille)} of lead times nothing may run out: z = "
            f"{z_permille(terms.service_permille) / PERMILLE:.3f}, and days differ so much that "
            f"{are(line.plan.safety)} kept as safety stock."
        )


_SMOOTHED = {
    Kind.SPORADIC: "It sells on few days, so how much and how often are smoothed",
    Kind.WEEKLY: "Each day of the week is smoothed by itself",
}


def _forecast(line: Line) -> Iterator[str]:
    if line.terms.method is Method.PACE:
        return
    if line.forecast is None:
        worse = " or it was off by more of late" if line.terms.method is Method.BETTER else ""
        yield f"Its days are too few for the forecasting library{worse}; the pace goes on."
        return
    yield (
        f"{_SMOOTHED[line.forecast.kind]}: {per_day(sum(line.forecast.week), 7 * MILLI)} a day are expected, where the "
        f"pace says {per_day(line.sells.sold, line.sells.days)}."
    )


def _sum(line: Line) -> Iterator[str]:
    plan, terms = line.plan, line.terms
    if line.sells.sold or line.forecast:
        yield (
            f"{units(plan.lead_demand)} sell in the lead time; with {plan.safety:,} of safety the reorder point is "
            f"{plan.reorder_point:,}."
        )
    if not plan.short:
        point = "above" if plan.position > plan.reorder_point else "at"
        yield f"The position of {plan.position:,} is {point} the reorder point: nothing is ordered."
        return
    yield (
        f"The position of {plan.position:,} is not above the reorder point of {plan.reorder_point:,}, so it is filled "
        f"up to {plan.target:,}, what sells in {days(terms.lead_days + terms.cover_days)} and the safety stock: "
        f"{are(plan.short)} missing."
    )
    if terms.is_off:
        yield "It is set not to be ordered again, so nothing is."
    elif plan.order != plan.short:
        yield (
            f"It is sold in cases of {terms.pack_size:,}, {terms.least_units:,} at the fewest: {are(plan.order)} "
            "ordered."
        )
    else:
        yield f"{are(plan.order)} ordered."
