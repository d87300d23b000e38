"""Which earlier order a cancellation undoes."""

from drills.orders_book import OrdersBook, Sold
from drills.plan import Wanted


def book(*orders: Sold) -> OrdersBook:
    made = OrdersBook()
    for order in orders:
        made.add(order, refundable=True)
    return made


def sold(reference: str, **units: int) -> Sold:
    return Sold(reference, "shopify", f"id-{reference}", units)


def matched(made: OrdersBook, **units: int) -> tuple[list[tuple[str, dict[str, int], bool]], dict[str, int]]:
    found, unmatched = made.match([Wanted(sku, quantity) for sku, quantity in units.items()])
    return (
        [(takeback.order.reference, dict(takeback.units), takeback.whole) for takeback in found],
        {line.sku: line.quantity for line in unmatched},
    )


def test_the_newest_order_that_holds_all_the_units_gives_them_back() -> None:
    made = book(sold("1", A=5, B=5), sold("2", A=5, B=5), sold("3", A=9))

    assert matched(made, A=2, B=1) == ([("2", {"A": 2, "B": 1}, False)], {})


def test_an_order_of_which_nothing_is_left_is_undone_as_a_whole() -> None:
    made = book(sold("1", A=2, B=1))

    assert matched(made, A=2, B=1) == ([("1", {"A": 2, "B": 1}, True)], {})


def test_units_that_no_one_order_holds_together_come_from_several() -> None:
    made = book(sold("1", A=5), sold("2", B=5))

    assert matched(made, A=1, B=5) == ([("1", {"A": 1}, False), ("2", {"B": 5}, True)], {})


def test_units_that_nobody_bought_in_one_order_are_unmatched() -> None:
    made = book(sold("1", A=1), sold("2", A=1))

    assert matched(made, A=2, C=1) == ([], {"A": 2, "C": 1})


def test_lines_of_one_sku_are_wanted_together() -> None:
    made = book(sold("1", A=2), sold("2", A=1))

    found, _ = made.match([Wanted("A", 1), Wanted("A", 1)])

    assert [takeback.order.reference for takeback in found] == ["1"]


def test_units_taken_back_are_not_found_again() -> None:
    made = book(sold("1", A=2))
    order = made.find("1")
    assert order is not None

    made.take(order, {"A": 1})

    assert matched(made, A=2) == ([], {"A": 2})
    assert matched(made, A=1) == ([("1", {"A": 1}, True)], {})


def test_a_shipped_order_gives_nothing_back() -> None:
    made = book(sold("1", A=2), sold("2", A=2))
    order = made.find("2")
    assert order is not None

    made.close(order)

    assert matched(made, A=1) == ([("1", {"A": 1}, False)], {})


def test_an_unpaid_order_gives_nothing_back_before_it_is_paid() -> None:
    made = OrdersBook()
    unpaid = sold("1", A=2)
    made.add(unpaid, refundable=False)

    assert matched(made, A=1) == ([], {"A": 1})
    made.refundable(unpaid)
    assert matched(made, A=1) == ([("1", {"A": 1}, False)], {})
