"""The script of the day: the same from the same seed, some items sell out and no others, and its pace."""

from collections import Counter

import pytest

from drills.orders_file import FileLine, Invoice, OrdersFile, read_orders
from drills.plan import Checkout, Fulfil, Pay, Plan, Undo, Wanted, from_file, from_seed, shop_of
from tests.unit.test_drills_orders_file import REAL_FILE

SHOPS = ("shopify", "woocommerce", "bigcommerce")


def checkouts(plan: Plan) -> list[Checkout]:
    return [step.act for step in plan.steps if isinstance(step.act, Checkout)]


def demand(plan: Plan) -> Counter[str]:
    wanted: Counter[str] = Counter()
    for order in checkouts(plan):
        for line in order.lines:
            wanted[line.sku] += line.quantity
    return wanted


def invoices(*told: tuple[str, dict[str, int]]) -> OrdersFile:
    made = [
        Invoice(number, number.startswith("C"), tuple(FileLine(sku, "", units) for sku, units in lines.items()))
        for number, lines in told
    ]
    return OrdersFile(made, [], len(made), {})


def test_the_same_seed_makes_the_same_plan_and_another_one_another() -> None:
    assert from_seed(7, SHOPS) == from_seed(7, SHOPS)
    assert from_seed(7, SHOPS) != from_seed(8, SHOPS)


def test_a_file_and_a_seed_always_make_the_same_plan() -> None:
    file = invoices(("1", {"A": 2, "B": 1}), ("2", {"A": 1}), ("C3", {"A": 1}))

    assert from_file(file, SHOPS, 1) == from_file(file, SHOPS, 1)


def test_an_order_is_dealt_to_the_same_shop_on_every_machine() -> None:
    dealt = Counter(shop_of(str(number), SHOPS) for number in range(3000))

    assert shop_of("536365", SHOPS) == "bigcommerce"
    assert all(count > 900 for count in dealt.values())


def test_invoices_become_checkouts_and_cancellations_in_the_order_of_the_file() -> None:
    plan = from_file(invoices(("1", {"A": 2}), ("C2", {"A": 1})), SHOPS, 1)

    acts = [step.act for step in plan.steps]
    assert acts == [Checkout(shop_of("1", SHOPS), "1", (Wanted("A", 2),)), Undo("C2", (Wanted("A", 1),))]


def test_a_larger_order_is_followed_by_a_larger_gap_and_pace_shortens_all_of_them() -> None:
    file = invoices(("1", {"A": 1}), ("2", {f"S{n}": 1 for n in range(100)}), ("3", {"A": 1}))

    first, second, third = (step.at_s for step in from_file(file, SHOPS, 1).steps)
    hurried = [step.at_s for step in from_file(file, SHOPS, 1, speed=4.0).steps]

    assert third - second > 4 * (second - first)
    assert hurried == pytest.approx([first / 4, second / 4, third / 4])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_only_the_chosen_items_can_sell_out(seed: int) -> None:
    plan = from_seed(seed, SHOPS)
    wanted = demand(plan)

    scarce = {product.sku for product in plan.products if product.stock < wanted[product.sku]}
    assert scarce == plan.sells_out
    assert len(scarce) == round(0.04 * len(wanted))
    assert all(product.stock >= 1 for product in plan.products)


def test_a_day_of_our_own_has_late_payments_shipments_and_cancellations() -> None:
    plan = from_seed(1, SHOPS)

    kinds = Counter(type(step.act) for step in plan.steps)
    assert kinds[Checkout] == 240
    assert min(kinds[Pay], kinds[Fulfil], kinds[Undo]) > 0
    assert {order.shop for order in checkouts(plan)} == set(SHOPS)
    assert 30 < plan.steps[-1].at_s < 50


@pytest.mark.parametrize("seed", range(1, 6))
def test_later_acts_follow_their_order_and_meet_no_scarce_item(seed: int) -> None:
    plan = from_seed(seed, SHOPS)
    placed: dict[str, Checkout] = {}

    for step in plan.steps:
        if isinstance(step.act, Checkout):
            placed[step.act.reference] = step.act
        elif isinstance(step.act, Pay | Fulfil):
            order = placed[step.act.reference]
            assert order.paid == isinstance(step.act, Fulfil)
            assert not plan.sells_out & {line.sku for line in order.lines}
    assert sum(not order.paid for order in placed.values()) == sum(isinstance(s.act, Pay) for s in plan.steps)


def test_a_limit_bounds_the_orders_of_a_day_of_our_own() -> None:
    assert len(checkouts(from_seed(1, SHOPS, orders=5))) == 5


@pytest.mark.skipif(not REAL_FILE.is_file(), reason="the real orders are not here")
def test_the_real_file_plays_in_about_two_minutes_and_four_in_a_hundred_items_sell_out() -> None:
    plan = from_file(read_orders(REAL_FILE), SHOPS, 1)
    wanted = demand(plan)

    assert 115 < plan.steps[-1].at_s < 135
    assert {p.sku for p in plan.products if p.stock < wanted[p.sku]} == plan.sells_out
    assert len(plan.sells_out) == round(0.04 * len(wanted))
