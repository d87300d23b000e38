"""What one line of a fetched order should hold: the pure part of applying an order."""

from hypothesis import given
from hypothesis import strategies as st

from core.model import StoreOrderLine
from core.orders.apply import target_of
from core.orders.parts import Target
from tests.builders import line, order


@st.composite
def told_lines(draw: st.DrawFn) -> StoreOrderLine:
    quantity = draw(st.integers(0, 20))
    cancelled = draw(st.integers(0, quantity))
    written_off = draw(st.integers(0, quantity - cancelled))
    shipped = draw(st.integers(0, quantity - cancelled - written_off))
    returned = draw(st.integers(0, shipped))
    return line("mug", quantity, cancelled=cancelled, written_off=written_off, shipped=shipped, returned=returned)


def test_an_open_unpaid_line_holds_all_its_units_undeducted() -> None:
    told = line("mug", 3)
    assert target_of(order(told), told) == Target(3, 0, 0, 0, deducted=False)


def test_a_paid_line_is_deducted() -> None:
    told = line("mug", 3)
    assert target_of(order(told, paid=True), told).deducted


def test_goods_that_left_are_deducted_paid_or_not() -> None:
    told = line("mug", 3, shipped=1)
    assert target_of(order(told), told) == Target(2, 1, 0, 0, deducted=True)


def test_cancelled_written_off_and_shipped_units_are_outstanding_no_more() -> None:
    told = line("mug", 10, cancelled=1, written_off=2, shipped=3)
    assert target_of(order(told), told).outstanding == 4


def test_an_order_that_holds_nothing_has_nothing_outstanding() -> None:
    told = line("mug", 3, shipped=1)
    assert target_of(order(told, holds=False), told) == Target(0, 1, 0, 0, deducted=True)


def test_a_line_that_the_order_lost_holds_nothing() -> None:
    assert target_of(order(), None) == Target(0, 0, 0, 0, deducted=False)


def test_a_target_counts_as_the_store_does_and_what_came_back_has_left_before() -> None:
    told = line("mug", 5, cancelled=1, shipped=2, returned=1)
    assert target_of(order(told), told) == Target(2, 2, 0, 1, deducted=True)


@given(told=told_lines(), holds=st.booleans(), paid=st.booleans())
def test_no_line_ever_holds_more_than_the_customer_wanted(told: StoreOrderLine, holds: bool, paid: bool) -> None:
    target = target_of(order(told, holds=holds, paid=paid), told)
    assert min(target.outstanding, target.shipped, target.written_off, target.returned) >= 0
    assert target.outstanding + target.shipped + target.written_off <= told.quantity
    assert target.returned <= target.shipped
