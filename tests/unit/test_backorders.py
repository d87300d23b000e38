"""Who is served first when units come free."""

from hypothesis import given
from hypothesis import strategies as st

from core.sales.backorders import Rank, Want, in_turn, want_of
from tests.builders import at, promise


def want(want_id: int, rank: Rank = Rank.UNPAID, *, priority: int = 0, since: float = 0, units: int = 1) -> Want:
    return Want(rank, priority, at(since), want_id, units)


def test_broken_promises_come_first_and_unpaid_orders_last() -> None:
    wants = [want(n, rank) for n, rank in enumerate(reversed(Rank))]
    assert [one.rank for one in in_turn(wants)] == [Rank.BROKEN, Rank.PAID, Rank.PRESALE, Rank.LOCK, Rank.UNPAID]


def test_among_equals_priority_goes_before_age() -> None:
    old, urgent, new = want(1, since=0), want(2, since=9, priority=5), want(3, since=5)
    assert in_turn([new, old, urgent]) == [urgent, old, new]


def test_a_promise_that_was_broken_waits_before_one_that_is_only_paid() -> None:
    broken = promise(1, waiting=1, wanted=1, broken=True)
    paid = promise(2, waiting=1, wanted=1, paid=True)
    assert (want_of(broken).rank, want_of(paid).rank) == (Rank.BROKEN, Rank.PAID)


def test_a_presale_waits_for_the_goods_of_all_it_sold() -> None:
    assert want_of(promise(1, live=3, wanted=3, presale=True)).units == 3


@given(st.permutations([want(n, since=n % 3, priority=n % 2, rank=Rank(n % 5)) for n in range(12)]))
def test_the_order_of_arrival_in_memory_changes_nothing(wants: list[Want]) -> None:
    assert in_turn(wants) == in_turn(sorted(wants, key=lambda one: one.id))
