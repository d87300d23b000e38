"""When a store's number may be written: down at once, up only with evidence."""

from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.evidence import decide_write, is_explained
from core.model import PushIntent
from tests.builders import at

NUMBER = st.integers(0, 200)


def intent(believed: int | None, wanted: int, **evidence: object) -> PushIntent:
    values = {"last_observed": None, "last_observed_at": None, "orders_known_until": None, **evidence}
    return PushIntent(1, "listing", believed, wanted, "key", **values)  # type: ignore[arg-type]  # values by name


def test_what_we_believe_and_the_store_shows_is_replaced_by_what_is_wanted() -> None:
    decision = decide_write(intent(10, 12), observed=10)
    assert (decision.target, decision.settled) == (12, True)


def test_a_number_that_is_right_already_is_not_written() -> None:
    decision = decide_write(intent(10, 12), observed=12)
    assert decision.target is None


def test_a_fall_goes_through_although_the_gap_is_unexplained() -> None:
    """Believed 10, wanted 4, shown 9: one unit was sold unseen, so 3 are left."""
    decision = decide_write(intent(10, 4), observed=9)
    assert (decision.target, decision.settled) == (3, False)


def test_a_rise_waits_while_the_gap_is_unexplained() -> None:
    decision = decide_write(intent(10, 12), observed=9)
    assert (decision.target, decision.settled) == (None, False)


def test_a_number_never_read_before_does_not_rise() -> None:
    decision = decide_write(intent(None, 12), observed=9)
    assert (decision.target, decision.settled) == (None, False)


def test_a_number_never_read_before_falls() -> None:
    assert decide_write(intent(None, 4), observed=9).target == 4


def test_an_earlier_read_of_the_same_number_with_all_its_orders_known_is_evidence() -> None:
    read_twice = intent(10, 12, last_observed=9, last_observed_at=at(0), orders_known_until=at(1))
    assert is_explained(read_twice, 9)
    assert decide_write(read_twice, observed=9).target == 12


def test_orders_known_only_up_to_the_read_itself_are_no_evidence() -> None:
    same_second = intent(10, 12, last_observed=9, last_observed_at=at(0), orders_known_until=at(0))
    assert not is_explained(same_second, 9)


def test_a_number_that_moved_since_the_earlier_read_is_no_evidence() -> None:
    moved = intent(10, 12, last_observed=9, last_observed_at=at(0), orders_known_until=at(1))
    assert not is_explained(moved, 8)


def test_a_read_without_its_time_is_no_evidence() -> None:
    assert not is_explained(intent(10, 12, last_observed=9, orders_known_until=at(1)), 9)


@given(believed=st.none() | NUMBER, wanted=NUMBER, observed=NUMBER)
def test_an_unexplained_number_only_ever_falls_and_never_below_zero(
    believed: int | None, wanted: int, observed: int
) -> None:
    push = intent(believed, wanted)
    assume(not is_explained(push, observed))
    decision = decide_write(push, observed)
    assert not decision.settled
    assert decision.target is None or 0 <= decision.target < observed


@given(free=NUMBER, believed=NUMBER, unseen=st.integers(0, 200))
def test_a_unit_sold_unseen_is_never_put_back_on_sale(free: int, believed: int, unseen: int) -> None:
    """The store sold ``unseen`` units of what we believe it shows; our books still call them free."""
    assume(0 < unseen <= min(believed, free))
    observed = believed - unseen
    decision = decide_write(intent(believed, free), observed)
    really_left = free - unseen
    shown = observed if decision.target is None else decision.target
    assert shown <= max(really_left, observed)
    assert decision.target is None or decision.target <= really_left


@given(believed=NUMBER, wanted=NUMBER)
def test_an_explained_number_ends_as_wanted(believed: int, wanted: int) -> None:
    decision = decide_write(intent(believed, wanted), believed)
    assert decision.settled
    assert (believed if decision.target is None else decision.target) == wanted
