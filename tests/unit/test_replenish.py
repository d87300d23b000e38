"""How fast things sell, when they are ordered again and how much, what is sent where, and what lies: the pure parts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from math import sqrt

import pytest

from core.demand.velocity import Daily, Demand, Moved, Pace, daily, demand, last_sale
from core.replenish.accuracy import Score, Scores, all_together, backtest, together
from core.replenish.decide import Method, Plan, Position, Terms, in_cases, plan, safety_stock, z_permille
from core.replenish.moving import Move, Stand, moves
from core.replenish.settings import Defaults, ItemTerms
from core.replenish.slow import Cause, IdleLock, Limits, Lying, judge
from core.replenish.sources import Source, choose, terms_of
from core.replenish.views.facts import Item
from core.replenish.views.planning import Line, OneItem, grouped
from core.replenish.wording import per_day, percent, sentences

TERMS = Terms(lead_days=10, cover_days=20, service_permille=950)


def moved(free_now: int, *days: tuple[int, int, int, int], seen_from: int = 0) -> Moved:
    """``days``: which, sold, came, net."""
    which, sold, came, net = ([day[n] for day in days] for n in range(4))
    return Moved(free_now, which, sold, came, net, seen_from)


# ---- velocity


def test_a_day_without_units_says_nothing_about_demand() -> None:
    # 10 units came on day 1 and were sold out on day 2; from then on there was nothing to sell.
    of = daily(moved(0, (1, 4, 10, 6), (2, 6, 0, -6)), 5)

    assert list(of) == [None, 4, 6, None, None]
    assert demand(of) == Demand(days=2, sold=10, squares=52)


def test_a_day_with_units_and_no_sale_counts_as_none_sold() -> None:
    assert list(daily(moved(7, (2, 3, 0, -3)), 5)) == [0, 0, 3, 0, 0]
    assert list(daily(moved(7), 3)) == [0, 0, 0]
    assert list(daily(moved(0), 3)) == [None, None, None]


def test_what_today_did_is_taken_back_before_yesterday_is_judged() -> None:
    # The last 5 units were sold today: there were units all the time until then.
    assert list(daily(moved(0, (3, 5, 0, -5)), 3)) == [0, 0, 0]
    # 5 units came today: there were none before.
    assert list(daily(moved(5, (3, 0, 5, 5)), 3)) == [None, None, None]


def test_units_sold_though_there_were_none_are_demand_of_a_day_that_counts() -> None:
    assert list(daily(moved(0, (1, 2, 0, 0)), 3)) == [None, 2, None]


def test_days_before_an_item_was_there_do_not_count() -> None:
    assert list(daily(moved(7, (0, 9, 20, 11), (2, 4, 0, -4), seen_from=1), 4)) == [None, 0, 4, 0]


def test_more_given_back_than_sold_is_no_demand() -> None:
    of = daily(moved(9, (1, -4, 4, 4)), 3)

    assert demand(of) == Demand(days=3)
    assert last_sale(of) is None


def test_days_since_the_last_sale_are_counted_from_yesterday() -> None:
    assert last_sale([1, 0, None]) == 3
    assert last_sale([0, 0, 5]) == 1


# ---- what to order


def test_the_plan_follows_the_formula_with_numbers_that_can_be_done_by_hand() -> None:
    # 10 days of 2 and 4 units in turn: 3 a day, sample variance 10/9.
    sells = demand([2, 4] * 5)

    found = plan(sells, Position(free=30), TERMS)

    # z 1.645, sqrt(10 days * 10/9) = 3.333: 5.48, rounded up. 30 sell in the lead time, 90 until the cover ends.
    assert found == Plan(lasts_days=10, lead_demand=30, safety=6, reorder_point=36, target=96, position=30, short=66,
                         order=66)  # fmt: skip


def test_nothing_is_ordered_one_unit_above_the_reorder_point() -> None:
    sells = demand([2, 4] * 5)

    assert plan(sells, Position(free=36), TERMS).order == 60
    assert plan(sells, Position(free=37), TERMS).order == 0


def test_what_is_on_its_way_and_who_waits_move_the_position() -> None:
    has = Position(free=10, on_way=40, drafted=5, backorders=7, locks=11, presales=13)

    assert has.units == 24
    assert has.owed == 31


def test_who_waits_is_ordered_for_though_nothing_was_sold() -> None:
    assert plan(Demand(), Position(backorders=5), TERMS).order == 5
    assert plan(Demand(days=90), Position(free=2, locks=9), TERMS).order == 7
    assert plan(Demand(days=90), Position(), TERMS).order == 0


def test_an_item_that_is_off_is_short_but_not_ordered() -> None:
    found = plan(Demand(), Position(backorders=5), Terms(10, 20, 950, is_off=True))

    assert (found.short, found.order) == (5, 0)


@pytest.mark.parametrize(
    ("units", "pack", "least", "ordered"),
    [(1, 12, 1, 12), (12, 12, 1, 12), (13, 12, 1, 24), (1, 12, 30, 36), (5, 1, 1, 5), (0, 12, 30, 0)],
)
def test_orders_are_whole_cases_and_at_least_what_is_sold(units: int, pack: int, least: int, ordered: int) -> None:
    assert in_cases(units, Terms(1, 1, 950, pack, least)) == ordered


def test_the_safety_stock_is_the_textbook_one_rounded_up() -> None:
    sells = demand([0, 3, 1, 7, 0, 0, 4, 2])
    mean = 17 / 8
    deviation = sqrt(sum((units - mean) ** 2 for units in [0, 3, 1, 7, 0, 0, 4, 2]) / 7)

    exact = 1.645 * deviation * sqrt(14)

    assert exact < safety_stock(sells, 14, 1645) < exact + 1


def test_steady_sales_no_lead_time_or_an_even_chance_need_no_safety() -> None:
    assert safety_stock(demand([5] * 30), 14, 1645) == 0
    assert safety_stock(demand([0, 9]), 0, 1645) == 0
    assert safety_stock(demand([0, 9]), 14, z_permille(500)) == 0


def test_of_a_single_day_units_are_taken_to_sell_independently() -> None:
    assert safety_stock(demand([9]), 4, 1000) == 6  # the root of 4 days of 9


@pytest.mark.parametrize(("service", "z"), [(500, 0), (841, 999), (950, 1645), (975, 1960), (990, 2326), (999, 3090)])
def test_service_levels_are_quantiles_of_the_normal_distribution(service: int, z: int) -> None:
    assert z_permille(service) == z


# ---- who is asked, and on which terms


def source(code: str, lead: int | None, supplier_id: int = 0) -> Source:
    return Source(supplier_id or hash(code), code, "EUR", 12, 24, lead, 320)


def test_the_supplier_named_for_an_item_is_asked_else_the_soonest_else_the_first() -> None:
    slow, quick, silent = source("A", 30, 1), source("B", 7, 2), source("C", None, 3)

    assert choose([slow, quick, silent], preferred=3) == silent
    assert choose([slow, quick, silent], preferred=9) == quick
    assert choose([silent, slow], None) == slow
    assert choose([source("Z", 7), quick], None) == quick
    assert choose([], None) is None


def test_the_items_own_word_beats_the_suppliers_and_that_the_merchants() -> None:
    merchant = Defaults(lead_days=14, cover_days=30, service_permille=950)

    assert terms_of(ItemTerms(), None, merchant) == Terms(14, 30, 950)
    assert terms_of(ItemTerms(), source("A", 30), merchant) == Terms(30, 30, 950, 12, 24)
    by_forecast = Defaults(method=Method.FORECAST)
    assert terms_of(ItemTerms(), None, by_forecast).method is Method.FORECAST
    assert terms_of(ItemTerms(method=Method.PACE), None, by_forecast).method is Method.PACE
    assert terms_of(ItemTerms(lead_days=0, cover_days=9, service_permille=990, is_off=True), source("A", 30),
                    merchant) == Terms(0, 9, 990, 12, 24, is_off=True)  # fmt: skip


# ---- accuracy


def test_steady_sales_are_forecast_without_an_error() -> None:
    assert backtest([3] * 28) == Score(weeks=2, actual=42)


def test_a_forecast_that_is_off_is_told_as_a_share_of_what_was_sold() -> None:
    # Two weeks of 1 a day, then two of 2 a day. The first is forecast at 7 of 14, the second at 28/3 of 14.
    found = backtest([1] * 14 + [2] * 14)

    assert (found.actual, found.missed, found.above) == (28, 7_000 + 4_667, -7_000 - 4_667)
    assert (found.wape, found.bias) == (417, -417)
    assert found.naive_wape == 250  # off by 7 in the first week only


def test_a_week_is_forecast_for_the_days_on_which_there_was_any() -> None:
    found = backtest([2] * 21 + [2, 2, None, None, None, None, None])

    assert (found.weeks, found.actual, found.missed) == (2, 18, 0)


def test_weeks_that_cannot_be_compared_are_left_out() -> None:
    assert backtest([None] * 28) == Score()
    assert backtest([2] * 13) == Score()
    assert backtest([None] * 21 + [2] * 7) == Score()
    assert backtest([0] * 28).wape is None


def test_scores_are_added_up_not_averaged() -> None:
    good, bad = Score(1, 99, 0), Score(1, 1, 1_000)

    assert together([good, bad]).wape == 10


def test_what_is_forecast_by_another_hand_is_judged_on_the_same_weeks_and_days() -> None:
    of = [2] * 14 + [3, 3, None, 3, 3, 3, 3] + [3] * 7

    told = backtest(of, lambda at: [3_000] * 7)
    silent = backtest(of, lambda at: None)

    assert (told.weeks, told.actual, told.missed) == (2, 39, 0)
    assert silent == backtest(of)


def test_the_method_that_would_have_been_off_by_less_is_the_better_one() -> None:
    good, bad = Score(1, 10, 1_000), Score(1, 10, 3_000)

    assert Scores(bad, good).better is Method.FORECAST
    assert Scores(good, bad).better is Method.PACE
    assert Scores(good, good).better is None
    assert Scores(bad, None).better is None
    assert all_together([Scores(bad, good), Scores(good, bad)]).better is None
    assert all_together([Scores(bad, good), Scores(bad, None)]) == Scores(Score(2, 20, 6_000), None)


# ---- transfers


def stand(place: int, available: int, sold: int, days: int = 10, coming: int = 0, paused: bool = False) -> Stand:
    return Stand(place, available, coming, Demand(days, sold, sold * sold), paused)


def test_who_has_too_much_sends_to_who_runs_out() -> None:
    # 1 sells 1 a day and has 100, 2 sells 2 a day and has 4: it wants 20 days, 36 more; 1 keeps 20 days.
    assert moves([stand(1, 100, 10), stand(2, 4, 20)], short_days=7, cover_days=20) == [Move(1, 2, 36, 100, 2, 64, 20)]


def test_a_giver_keeps_what_it_sells_itself() -> None:
    (move,) = moves([stand(1, 25, 10), stand(2, 0, 20)], 7, 20)

    assert (move.units, move.giver_lasts_then) == (5, 20)


def test_who_runs_out_first_is_served_first_by_who_sells_nothing() -> None:
    found = moves([stand(1, 12, 0), stand(2, 200, 10), stand(3, 5, 10), stand(4, 1, 10)], 7, 10)

    assert [(move.from_id, move.to_id, move.units) for move in found] == [(1, 4, 9), (1, 3, 3), (2, 3, 2)]


def test_what_is_coming_already_is_not_sent_again_and_not_given() -> None:
    assert moves([stand(1, 100, 10), stand(2, 4, 20, coming=36)], 7, 20) == []
    assert moves([stand(1, 0, 0, coming=100), stand(2, 0, 20)], 7, 20) == []


def test_a_paused_warehouse_gives_and_gets_nothing() -> None:
    assert moves([stand(1, 100, 10, paused=True), stand(2, 0, 20)], 7, 20) == []
    assert moves([stand(1, 100, 10), stand(2, 0, 20, paused=True)], 7, 20) == []


def test_what_orders_were_promised_stays_where_it_may_have_to_leave_from() -> None:
    def promised(units: int) -> list[int]:
        giver = replace(stand(1, 100, 10), promised=units)
        return [move.units for move in moves([giver, stand(2, 4, 20)], short_days=7, cover_days=20)]

    assert (promised(44), promised(50), promised(80)) == ([36], [30], [])


def test_nobody_is_short_where_nothing_sells() -> None:
    assert moves([stand(1, 100, 0), stand(2, 0, 0)], 7, 20) == []


# ---- slow


LIMITS = Limits(slow_days=30, most_days=60)


def causes(free: int, days: Daily, idle: Sequence[IdleLock] = (), *, listed: bool = True) -> list[Cause]:
    verdict = judge(Lying(free, 0, days, idle, listed), LIMITS)
    return [] if verdict is None else list(verdict.causes)


def test_what_never_sold_though_it_was_there_is_dead() -> None:
    assert causes(5, [0] * 90) == [Cause.NEVER_SOLD]
    assert causes(5, [0] * 90, listed=False) == [Cause.NOT_LISTED, Cause.NEVER_SOLD]


def test_what_sold_for_the_last_time_long_ago_is_slow() -> None:
    assert causes(1, [1] * 59 + [0] * 30 + [1]) == []
    assert causes(1, [1] * 60 + [0] * 30) == [Cause.NO_SALES]
    assert causes(1, [1] * 61 + [0] * 29) == []


def test_days_without_units_make_nothing_slow() -> None:
    assert causes(5, [1] + [None] * 89) == []
    assert causes(5, [None] * 62 + [0] * 28) == []
    assert causes(5, [None] * 60 + [0] * 30) == [Cause.NO_SALES]


def test_what_sells_and_lasts_too_long_is_too_much() -> None:
    verdict = judge(Lying(500, 400, [1] * 90), LIMITS)

    assert verdict is not None
    assert (list(verdict.causes), verdict.beyond, verdict.lasts_days, verdict.came) == ([Cause.TOO_MUCH], 440, 500, 400)
    assert causes(60, [1] * 90) == []


def test_idle_locks_are_named_also_where_nothing_else_lies() -> None:
    lock = IdleLock("fair", "trade fairs", 40)

    assert causes(0, [1] * 90, [lock]) == [Cause.IDLE_LOCK]
    assert causes(0, [0] * 90) == []


# ---- words


def one_item(sells: Demand, has: Position, terms: Terms) -> OneItem:
    line = Line(Item(1, "MUG", "Mug", "plain"), 90, sells, has, terms, plan(sells, has, terms), source("ACME", 10))
    sold = {"Berlin": 170, "our own interface": 10}
    return OneItem(line, Defaults(), [1] * 90, date(2027, 1, 1), sold, Scores(Score(), None), [])


def test_every_number_of_a_plan_stands_in_its_sentences() -> None:
    has = Position(free=10, on_way=6, drafted=1, backorders=2, locks=3, presales=4)
    one = one_item(Demand(60, 180, 600), has, Terms(10, 20, 975, pack_size=24, least_units=48))
    found = one.line.plan

    text = " ".join(sentences(one))

    for said in ("180 units sold on 60 days of the last 90, 3.00 a day", "The other 30 days do not count",
                 "Berlin 170 (2.83 a day)", "10 + 6 + 1 - 2 - 3 - 4 = 8", "z = 1.960", f"{found.safety} units",
                 f"reorder point is {found.reorder_point}", f"up to {found.target}", f"{found.short} units are missing",
                 "in cases of 24, 48 at the fewest", f"{found.order} units are ordered"):  # fmt: skip
        assert said in text


def test_the_words_say_why_nothing_is_ordered() -> None:
    assert "nothing is ordered" in " ".join(sentences(one_item(Demand(90, 90, 90), Position(free=999), TERMS)))
    off = sentences(one_item(Demand(), Position(backorders=5), Terms(10, 20, 950, is_off=True)))
    assert "5 units are missing" in off[-2]
    assert "set not to be ordered again" in off[-1]


def test_small_numbers_are_told_exactly() -> None:
    assert (per_day(1, 3), per_day(2, 3), per_day(5, 0), per_day(123_456, 10)) == ("0.33", "0.67", "0.00", "12,345.60")
    assert (percent(950), percent(975), percent(-417), percent(0)) == ("95 %", "97.5 %", "-41.7 %", "0 %")
    assert Demand(3, 10).pace == Pace(3, 10)


def test_lines_are_grouped_by_supplier_who_waits_first_and_what_nobody_brings_last() -> None:
    def line(sku: str, free: int, code: str, owed: int = 0) -> Line:
        sells, has = Demand(10, 10, 10), Position(free=free, backorders=owed)
        of = source(code, 10) if code else None
        return Line(Item(1, sku, sku, "plain"), 90, sells, has, TERMS, plan(sells, has, TERMS), of)

    found = grouped([line("Z", 5, ""), line("B", 3, "ACME"), line("A", 2, "ACME"), line("C", 9, "ACME", owed=1),
                     line("D", 0, "ABEL")], date(2027, 1, 1))  # fmt: skip

    assert [(group.supplier, [one.item.sku for one in group.lines]) for group in found] == [
        ("ABEL", ["D"]), ("ACME", ["C", "A", "B"]), ("", ["Z"]),
    ]  # fmt: skip
    assert found[1].expected_on == date(2027, 1, 11)
    assert found[1].cost_minor == 320 * found[1].units
    assert found[2].cost_minor is None
