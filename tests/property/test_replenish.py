"""What holds for every history and every setting: velocity, orders, transfers, accuracy."""

from dataclasses import replace
from datetime import date
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from core.demand.velocity import Demand, Moved, daily, demand
from core.replenish.accuracy import backtest, together
from core.replenish.decide import Position, Terms, plan, safety_stock, z_permille
from core.replenish.moving import Stand, moves
from core.replenish.slow import Limits, Lying, judge

TODAY = date(2027, 2, 1)
WINDOW = 30
COUNTS = st.integers(0, 50)
# By day of the window (WINDOW is today): wanted, came, went to waste.
HISTORIES = st.dictionaries(st.integers(0, WINDOW), st.tuples(COUNTS, COUNTS, COUNTS), max_size=WINDOW)
DAILY = st.lists(st.none() | st.integers(-3, 40), min_size=1, max_size=90)


def played(start: int, history: dict[int, tuple[int, int, int]]) -> tuple[Moved, list[int]]:
    """A history in which nothing is sold that is not there, and the free units at the beginning of each day."""
    free, begins, rows = start, [], []
    for day in range(WINDOW + 1):
        begins.append(free)
        wanted, came, wasted = history.get(day, (0, 0, 0))
        sold = min(wanted, free + came)
        lost = min(wasted, free + came - sold)
        if day in history:
            rows.append((day, sold, came, came - sold - lost))
        free += came - sold - lost
    days, sold_by, came_by, net = ([row[n] for row in rows] for n in range(4))
    return Moved(free, days, sold_by, came_by, net), begins


@given(COUNTS, HISTORIES)
def test_a_day_counts_exactly_when_there_was_something_to_sell(
    start: int, history: dict[int, tuple[int, int, int]]
) -> None:
    moved, begins = played(start, history)
    came = dict(zip(moved.days, moved.came, strict=True))
    sold = dict(zip(moved.days, moved.sold, strict=True))

    expected = [sold.get(day, 0) if begins[day] > 0 or came.get(day, 0) > 0 else None for day in range(WINDOW)]

    assert list(daily(moved, WINDOW)) == expected


@given(DAILY, st.integers(0, 60), st.integers(0, 3090))
def test_the_safety_stock_is_the_smallest_whole_number_that_is_enough(of: list[int | None], lead: int, z: int) -> None:
    sells = demand(of)
    safety = safety_stock(sells, lead, z)

    counted = [units for units in of if units is not None]
    if not sells.sold:
        assert safety == 0
        return
    n, mean = len(counted), Fraction(sum(counted), len(counted))
    variance = sum((units - mean) ** 2 for units in counted) / (n - 1) if n > 1 else mean
    wanted = Fraction(z * z, 1_000_000) * lead * variance
    assert safety * safety >= wanted
    assert safety == 0 or (safety - 1) ** 2 < wanted


POSITIONS = st.builds(Position, *[st.integers(0, 300)] * 6)
TERMS = st.builds(
    Terms, st.integers(0, 60), st.integers(1, 90), st.integers(500, 999), st.integers(1, 48), st.integers(1, 200),
    st.just(False),
)  # fmt: skip


@given(DAILY, POSITIONS, TERMS)
def test_an_order_fills_the_position_up_to_the_target_in_whole_cases(
    of: list[int | None], has: Position, terms: Terms
) -> None:
    found = plan(demand(of), has, terms)

    assert found.order % terms.pack_size == 0
    assert found.order == 0 or found.order >= max(terms.least_units, found.target - has.units)
    assert found.order < max(found.short, terms.least_units) + terms.pack_size
    if has.units > found.reorder_point:
        assert found.order == 0
    else:
        assert has.units + found.order >= found.target
    assert found.target >= found.reorder_point >= found.safety


@given(DAILY, POSITIONS, TERMS)
def test_what_was_drafted_is_not_suggested_again(of: list[int | None], has: Position, terms: Terms) -> None:
    first = plan(demand(of), has, terms)
    drafted = replace(has, drafted=has.drafted + first.order)

    assert plan(demand(of), drafted, terms).order == 0


@given(st.integers(500, 998))
def test_a_higher_service_level_keeps_at_least_as_much(service: int) -> None:
    assert z_permille(service) <= z_permille(service + 1)


STANDS = st.lists(
    st.builds(
        lambda available, coming, days, sold, paused: (available, coming, Demand(days, sold, sold * sold), paused),
        st.integers(0, 200), st.integers(0, 50), st.integers(1, 60), st.integers(0, 200), st.booleans(),
    ),
    max_size=6,
).map(lambda rows: [Stand(place, *row) for place, row in enumerate(rows)])  # fmt: skip


@given(STANDS, st.integers(1, 20), st.integers(0, 40))
def test_transfers_make_nobody_short_and_send_nothing_that_is_not_there(
    stands: list[Stand], short_days: int, more: int
) -> None:
    cover_days = short_days + more
    by_place = {one.warehouse_id: one for one in stands}
    sent = dict.fromkeys(by_place, 0)
    got = dict.fromkeys(by_place, 0)

    for move in moves(stands, short_days, cover_days):
        sent[move.from_id] += move.units
        got[move.to_id] += move.units

    for place, one in by_place.items():
        assert not (sent[place] and got[place])
        assert sent[place] <= one.available
        if sent[place]:
            assert one.units - sent[place] >= one.sells.over(cover_days)
        if got[place]:
            assert one.units * one.sells.days < short_days * one.sells.sold
            assert one.units + got[place] <= one.sells.over(cover_days)
        if one.paused:
            assert not sent[place]
            assert not got[place]


@given(DAILY)
def test_the_score_of_a_history_is_the_sum_of_its_parts_and_never_negative(of: list[int | None]) -> None:
    score = backtest(of)

    assert score.missed >= abs(score.above)
    assert score.naive >= 0
    assert together([score, score]).missed == 2 * score.missed
    assert score.weeks <= len(of) // 14 + 1


@given(st.integers(0, 500), DAILY, st.integers(1, 90), st.integers(1, 400))
def test_nothing_that_sold_yesterday_is_called_unsold(free: int, of: list[int | None], slow: int, most: int) -> None:
    verdict = judge(Lying(free, 0, [*of, 1], ()), Limits(slow + 1, most))

    assert verdict is None or not {"never_sold", "no_sales"} & set(verdict.causes)
