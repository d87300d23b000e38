"""The shop every platform shares: atomic checkout, its counter, and the journal that adds up to it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.deliveries import Deliveries
from sandbox.faults import CALM, Counters, Dials, Faults, Panel
from sandbox.journal import Entry, Journal
from sandbox.shop import Shop, Wish
from sandbox.things import ByChange, Order, Product, Refused, UnpaidUnits


def a_shop(
    unpaid_units: UnpaidUnits = UnpaidUnits.TAKEN, stock: Mapping[str, int] | None = None, dials: Dials = CALM
) -> Shop:
    faults = Faults(Panel(dials, Counters()), "7/test")
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    shop = Shop("test", "http://shop.test", "7/test", faults, Deliveries(faults, client), Journal())
    shop.unpaid_units = unpaid_units
    for sku, quantity in (stock or {}).items():
        shop.add_product(sku, sku.title(), quantity)
    return shop


def buy(shop: Shop, *wishes: tuple[str, int], paid: bool = True) -> Order:
    order, _ = shop.checkout("shopper", paid, [Wish(sku, quantity) for sku, quantity in wishes])
    assert order is not None
    return order


def the(shop: Shop, sku: str) -> Product:
    product = shop.product(sku)
    assert product is not None
    return product


def test_checkout_sells_what_is_left_in_order_and_keeps_lines_of_one_sku_apart() -> None:
    shop = a_shop(stock={"mug": 5})

    order, served = shop.checkout("r", True, [Wish("mug", 3), Wish("MUG", 4), Wish("mug", 1), Wish("cup", 1)])

    assert order is not None
    assert [line.quantity for line in order.lines] == [3, 2]
    assert [each.line.quantity if each.line else 0 for each in served] == [3, 2, 0, 0]
    assert the(shop, "mug").stock == 0


def test_shoppers_live_in_many_cities_unless_one_is_named() -> None:
    shop = a_shop(stock={"mug": 99})

    lives = [order.ship_to.city for order in (buy(shop, ("mug", 1)) for _ in range(16)) if order.ship_to]
    here, _ = shop.checkout("r", True, [Wish("mug", 1)], "Munich")
    picked_up, _ = shop.checkout("r", True, [Wish("mug", 1)], "")

    assert lives[:8] == lives[8:]
    assert len(set(lives)) == 8
    assert here is not None
    assert here.ship_to is not None
    assert here.ship_to.postcode == "80331"
    assert picked_up is not None
    assert picked_up.ship_to is None
    with pytest.raises(Refused, match="nobody lives in Atlantis; say one of Berlin"):
        shop.checkout("r", True, [Wish("mug", 1)], "Atlantis")
    assert the(shop, "mug").sold == 18


def test_a_checkout_that_sells_nothing_makes_no_order() -> None:
    shop = a_shop(stock={"mug": 0})

    order, _ = shop.checkout("r", True, [Wish("mug", 1)])

    assert order is None
    assert len(shop.orders) == 0
    assert [entry["kind"] for entry in shop.journal.after(0, 9)] == ["opening"]


def test_a_pending_order_hides_units_but_leaves_them_in_the_number_until_it_is_paid() -> None:
    shop = a_shop(UnpaidUnits.HIDDEN, {"mug": 5})

    order = buy(shop, ("mug", 3), paid=False)
    shown_while_pending = (the(shop, "mug").stock, the(shop, "mug").on_sale)
    shop.pay(order.number)

    assert shown_while_pending == (5, 2)
    assert (the(shop, "mug").stock, the(shop, "mug").on_sale) == (2, 2)


def test_a_hidden_unit_that_was_written_away_makes_the_number_negative_when_paid() -> None:
    shop = a_shop(UnpaidUnits.HIDDEN, {"mug": 1})
    order = buy(shop, ("mug", 1), paid=False)

    shop.write_stock(the(shop, "mug"), 0)
    shop.pay(order.number)

    assert the(shop, "mug").stock == -1
    assert the(shop, "mug").on_sale == 0


def test_a_later_payer_is_refused_where_unpaid_orders_hold_nothing() -> None:
    shop = a_shop(UnpaidUnits.FREE, {"mug": 1})
    first, second = buy(shop, ("mug", 1), paid=False), buy(shop, ("mug", 1), paid=False)

    shop.pay(second.number)

    with pytest.raises(Refused, match="out of stock"):
        shop.pay(first.number)
    assert the(shop, "mug").stock == 0


def test_cancelling_twice_gives_units_back_once() -> None:
    shop = a_shop(stock={"mug": 5})
    order = buy(shop, ("mug", 3))

    shop.cancel(order.number)
    shop.cancel(order.number)

    assert (the(shop, "mug").stock, the(shop, "mug").committed) == (5, 0)


def test_a_shipped_order_is_not_cancelled() -> None:
    shop = a_shop(stock={"mug": 5})
    order = buy(shop, ("mug", 3))
    shop.fulfil(order.number)

    with pytest.raises(Refused, match="shipped"):
        shop.cancel(order.number)


def test_a_refund_spreads_over_the_lines_of_its_sku_and_never_exceeds_them() -> None:
    shop = a_shop(stock={"mug": 5, "cup": 5})
    order = buy(shop, ("mug", 1), ("cup", 1), ("mug", 2))

    refund = shop.refund(order.number, {"MUG": 9}, restock=True)

    assert refund is not None
    assert [(part.line.number, part.quantity) for part in refund.lines] == [(1, 1), (3, 2)]
    assert (the(shop, "mug").stock, the(shop, "mug").committed) == (5, 0)
    assert shop.refund(order.number, {"mug": 1}, restock=True) is None


@pytest.mark.parametrize(("gives_back", "stock"), [(False, 4), (True, 5)])
def test_cancelling_after_a_write_off_follows_the_platform(gives_back: bool, stock: int) -> None:
    shop = a_shop(stock={"mug": 5})
    shop.cancel_returns_written_off = gives_back
    order = buy(shop, ("mug", 3))
    shop.refund(order.number, {"mug": 1}, restock=False)

    shop.cancel(order.number)

    assert the(shop, "mug").stock == stock


def test_refunds_take_unshipped_units_first() -> None:
    shop = a_shop(stock={"mug": 5})
    order = buy(shop, ("mug", 3))
    shop.refund(order.number, {"mug": 1}, restock=True)
    shop.fulfil(order.number)
    shop.refund(order.number, {"mug": 1}, restock=True)

    line = order.lines[0]

    assert (line.removed, line.fulfilled, line.returned, line.taken) == (1, 2, 1, 1)
    assert (the(shop, "mug").stock, the(shop, "mug").committed) == (4, 0)


def replayed(entries: Sequence[Entry], unpaid_units: UnpaidUnits, unpaid: set[str]) -> dict[str, int]:
    """The numbers that follow from the journal alone; ``unpaid`` names the orders placed without payment."""
    numbers: dict[str, int] = {}
    uncounted: dict[str, list[Any]] = {}
    for entry in entries:
        kind, sku, lines = entry["kind"], str(entry.get("sku")), entry.get("lines", [])
        order_id = str(entry.get("order_id"))
        assert isinstance(lines, list)
        if kind == "opening":
            numbers[sku] = int(str(entry["quantity"]))
        elif kind in ("stock_write", "foreign_edit"):
            assert numbers[sku] == entry["before"]
            numbers[sku] = int(str(entry["after"]))
        elif kind == "sale" and order_id in unpaid and unpaid_units is not UnpaidUnits.TAKEN:
            uncounted[order_id] = lines
        elif kind == "cancel" and order_id in uncounted:
            uncounted.pop(order_id)
        else:
            sign = {"sale": -1, "cancel": 1, "refund": 1 if entry.get("restock") else 0}.get(str(kind), 0)
            for line in uncounted.pop(order_id, []) if kind == "pay" else lines:
                numbers[line["sku"]] += (-1 if kind == "pay" else sign) * line["quantity"]
    return numbers


STEP = st.tuples(
    st.sampled_from(["buy", "buy unpaid", "pay", "fulfil", "cancel", "refund", "write off", "write", "edit"]),
    st.integers(0, 5),
    st.sampled_from(["mug", "cup"]),
    st.integers(1, 4),
)


@settings(max_examples=80, deadline=None)
@given(policy=st.sampled_from(UnpaidUnits), steps=st.lists(STEP, max_size=25))
def test_the_journal_adds_up_to_the_shops_own_numbers(
    policy: UnpaidUnits, steps: list[tuple[str, int, str, int]]
) -> None:
    shop = a_shop(policy, {"mug": 6, "cup": 6})
    orders: list[Order] = []
    unpaid: set[str] = set()

    for act, pick, sku, quantity in steps:
        if act in ("buy", "buy unpaid"):
            order, _ = shop.checkout("r", act == "buy", [Wish(sku, quantity), Wish("cup", 1)])
            orders += [order] if order else []
            unpaid |= {str(order.number)} if order and act == "buy unpaid" else set()
        elif act in ("write", "edit"):
            (shop.write_stock if act == "write" else shop.edit_stock)(the(shop, sku), quantity)
        elif orders:
            _try(shop, act, orders[pick % len(orders)].number, {sku: quantity})

    shown = {product.sku: product.stock for product in shop.products}
    assert replayed(shop.journal.after(0, 999), policy, unpaid) == shown
    assert all(product.withheld >= 0 and product.committed >= 0 for product in shop.products)


def _try(shop: Shop, act: str, number: int, wanted: Mapping[str, int]) -> None:
    acts: Mapping[str, Callable[[], object]] = {
        "pay": lambda: shop.pay(number),
        "fulfil": lambda: shop.fulfil(number),
        "cancel": lambda: shop.cancel(number),
        "refund": lambda: shop.refund(number, wanted, restock=True),
        "write off": lambda: shop.refund(number, wanted, restock=False),
    }
    before = shop.journal.last
    try:
        acts[act]()
    except Refused:
        assert shop.journal.last == before


def test_things_come_back_in_order_of_their_last_change() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    things: ByChange[Product] = ByChange()
    products = [Product(number, f"s{number}", "t", 0, start, start) for number in (1, 2, 3)]
    for product in products:
        things.touch(product, start)

    things.touch(products[2], start + timedelta(seconds=1))
    things.touch(products[0], start + timedelta(seconds=2))

    assert [thing.number for thing in things.changed_since(start + timedelta(seconds=1))] == [3, 1]
