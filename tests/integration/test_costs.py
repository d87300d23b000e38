"""What units cost is noted with the document that brings them, and goes with what takes them away."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from core import ledger
from core.books import Books
from core.errors import KeyReused, Refused
from core.goods import costs, items
from core.goods.adjusting import Lose, Unblock
from core.goods.costs import Cost
from core.goods.receiving import Receive
from core.ledger import Batch
from core.past.valuation import Method, Value
from core.reversing import Reverse, read_document
from core.stock import BalanceKey, DocumentKind, Stocked
from core.supply import taking_back
from core.supply.lines import Came
from tests import supply_world
from tests.builders import World
from tests.integration.place_acts import tell
from tests.integration.race_acts import somebody_waits
from tests.integration.test_inspection import apart, come_back, hold_back, look, send_back
from tests.integration.test_items_value import priced, worth


def receive(world: World, units: int, minor: int | None = None, currency: str = "EUR", **told: Any) -> int:
    """The document by which mugs came."""
    key = told.pop("key", "") or f"r{next(world._counter)}"
    what = told.pop("what", None) or world.item("mug")
    cost = None if minor is None else (minor, currency)
    return int(world.do(Receive(key, DocumentKind.RECEIPT, {what: units}, cost=cost, **told)))


def reverse(world: World, document_id: int, *, force: bool = False) -> None:
    with world.db.begin(1, actor="test") as tx:
        document = read_document(tx, document_id)
    world.do(Reverse(document, "entered by mistake", force))


def both(world: World) -> tuple[Value, Value]:
    """By moving average, and first in first out."""
    return worth(world), worth(world, Method.FIFO)


def eur(units: int, minor: int) -> tuple[Value, Value]:
    """The same by either method."""
    return (Value(units, 0, {"EUR": minor} if minor else {}),) * 2


def posted(world: World, kind: str) -> int:
    rows = world.ask("SELECT max(id) FROM document WHERE merchant_id = :merchant_id AND kind = :kind", kind=kind)
    return int(rows[0][0])


def test_a_receipt_with_a_cost_notes_it_once(world: World) -> None:
    world.stocked("mug", units=0)

    first = receive(world, 10, 420, key="d1", damaged={world.item("mug"): 2})
    again = receive(world, 10, 420, key="d1", damaged={world.item("mug"): 2})

    assert first == again
    assert both(world) == eur(12, 12 * 420)
    with pytest.raises(KeyReused):
        receive(world, 10, 430, key="d1", damaged={world.item("mug"): 2})


def test_receipts_of_one_batch_count_one_after_the_other(world: World) -> None:
    world.stocked("mug", units=0)
    mug = world.item("mug")
    receive(world, 5, 100)

    world.run(
        Receive("a", DocumentKind.RECEIPT, {mug: 10}, cost=(200, "EUR")),
        Receive("b", DocumentKind.RECEIPT, {mug: 4}),
        Receive("c", DocumentKind.RECEIPT, {mug: 1}, cost=(300, "USD")),
    )

    assert worth(world, Method.FIFO) == Value(20, 4, {"EUR": 2500, "USD": 300})
    # The four nobody priced count like the newest before the batch wrote: those of the five.
    assert worth(world) == Value(20, 0, {"EUR": 2900, "USD": 300})


def test_a_refused_receipt_notes_nothing(world: World) -> None:
    world.stocked("mug", units=0)
    world.tell("UPDATE bin SET frozen = true WHERE merchant_id = :merchant_id")

    with pytest.raises(Refused, match="frozen"):
        receive(world, 10, 420)

    assert world.scalar("SELECT count(*) FROM item_cost WHERE merchant_id = :merchant_id") == 0
    world.tell("UPDATE bin SET frozen = false WHERE merchant_id = :merchant_id")


def test_a_reversal_takes_the_cost_back_with_the_units(world: World) -> None:
    world.stocked("mug", units=0)
    receive(world, 10, 100)
    mistake = receive(world, 10, 9000)

    reverse(world, mistake)

    assert both(world) == eur(10, 1000)


def test_a_reversal_that_takes_units_from_others_takes_the_cost_back_too(world: World) -> None:
    world.stocked("mug", units=0)
    mistake = receive(world, 10, 9000)
    receive(world, 10, 100)
    hold_back(world, 12)

    with pytest.raises(Refused, match="--force"):
        reverse(world, mistake)
    world.do(Unblock("m", "fine", DocumentKind.MEND, {world.item("mug"): 4}))
    world.do(Lose("gone", "lost", DocumentKind.MISSING, {world.item("mug"): 2}))
    reverse(world, mistake, force=True)

    assert both(world) == eur(8, 800)


@contextmanager
def nothing_can_be_noted(superuser: Engine) -> Iterator[None]:
    """As if the process died, or the database refused, between the units and their cost."""
    with superuser.begin() as connection:
        connection.execute(text("CREATE FUNCTION no_cost() RETURNS trigger LANGUAGE plpgsql AS "
                                "$$BEGIN RAISE EXCEPTION 'the disk is full'; END$$"))  # fmt: skip
        connection.execute(text("CREATE TRIGGER no_cost BEFORE INSERT ON item_cost EXECUTE FUNCTION no_cost()"))
    yield
    with superuser.begin() as connection:
        connection.execute(text("DROP TRIGGER no_cost ON item_cost"))
        connection.execute(text("DROP FUNCTION no_cost()"))


def test_a_failure_between_units_and_their_cost_leaves_neither(superuser: Engine, world: World) -> None:
    world.stocked("mug", units=0)
    document_id = receive(world, 10, 100)

    with nothing_can_be_noted(superuser):
        with pytest.raises(DBAPIError, match="disk is full"):
            reverse(world, document_id)
        with pytest.raises(DBAPIError, match="disk is full"):
            receive(world, 5, 100, key="again")
    assert both(world) == eur(10, 1000)
    assert world.documents() == ["receipt"]

    reverse(world, document_id)
    receive(world, 5, 100, key="again")
    assert both(world) == eur(5, 500)


def bought(world: World) -> int:
    """Ten came at 1.00 and ten at 2.00 with PO-2, of which four are to go back. Returns: the receipt of PO-2."""
    world.stocked("mug", units=0)
    receive(world, 10, 100)
    priced(world, "PO-2", 200)
    acted = supply_world.receive(world, "PO-2", {"mug": Came(6, 4, 0)}, "r2")
    return acted.document_ids[0]


def test_what_goes_back_with_its_order_goes_at_the_cost_of_that_order(world: World) -> None:
    bought(world)
    assert both(world) == eur(20, 3000)

    send_back(world, "VR-1", 4, purchase="PO-2")

    assert both(world) == eur(16, 2200)


def test_what_goes_back_without_its_order_goes_as_any_other_unit(world: World) -> None:
    bought(world)

    send_back(world, "VR-1", 4)

    assert worth(world) == Value(16, 0, {"EUR": 2400})
    assert worth(world, Method.FIFO) == Value(16, 0, {"EUR": 2600})


def test_a_return_to_the_supplier_taken_back_brings_the_cost_back_to_where_it_was(world: World) -> None:
    bought(world)
    before = both(world)
    done = send_back(world, "VR-1", 4, purchase="PO-2")

    reverse(world, done.document_id)

    assert both(world) == before
    assert [(one.units, one.cause) for one in apart(world)] == [(4, "receipt")]
    receive(world, 1, 500)
    reverse(world, receive(world, 1, 700))
    world.do(Lose("l", "gone", DocumentKind.MISSING, {world.item("mug"): 10}))
    assert worth(world, Method.FIFO) == Value(11, 0, {"EUR": 2500})


def test_what_was_sent_back_by_mistake_may_go_back_with_its_order_again(world: World) -> None:
    bought(world)
    done = send_back(world, "VR-1", 4, purchase="PO-2")
    reverse(world, done.document_id)

    for nth in range(2, 4):
        send_back(world, f"VR-{nth}", 2, purchase="PO-2")

    assert both(world) == eur(16, 2200)
    assert not apart(world)


def test_a_receipt_taken_back_after_some_of_it_went_back_takes_only_the_rest(world: World) -> None:
    receipt = bought(world)
    send_back(world, "VR-1", 4, purchase="PO-2")
    hold_back(world, 4)

    taking_back.take_back(world.db, 1, "PO-2", receipt, actor="test", reason="typo")

    assert both(world) == eur(6, 600)


def test_a_cost_noted_anew_leaves_what_went_back_as_it_went(world: World) -> None:
    receipt = bought(world)
    done = send_back(world, "VR-1", 4, purchase="PO-2")
    item_id = world.item("mug").item_id

    tell(world, costs.correct, receipt, [Cost(item_id, 10, 300, "EUR")])
    assert both(world) == eur(16, 2800)
    assert not tell(world, costs.correct, receipt, [Cost(item_id, 10, 300, "EUR")])

    reverse(world, done.document_id)
    assert both(world) == eur(20, 3600)


def test_more_going_back_than_a_cost_is_noted_for_leaves_nothing_below_nothing(world: World) -> None:
    world.stocked("mug", units=0)
    priced(world, "PO-2", 900)
    supply_world.receive(world, "PO-2", {"mug": Came(0, 4, 0)}, "r2")
    receive(world, 10, 100)
    world.do(Lose("l", "gone", DocumentKind.MISSING, {world.item("mug"): 10}))
    assert worth(world, Method.FIFO) == Value(4, 0, {"EUR": 400})

    send_back(world, "VR-1", 4, purchase="PO-2")

    assert both(world) == eur(0, 0)


def test_an_inspection_keeps_the_cost_whatever_it_finds(world: World) -> None:
    world.stocked("mug", units=0)
    receive(world, 10, 100)
    record = hold_back(world, 8)

    look(world, record, good=2, minor_defect=3, unavailable=1)
    assert both(world) == eur(10, 1000)

    look(world, record, scrap=2)
    assert both(world) == eur(8, 800)
    come_back(world, 2)
    assert worth(world) == Value(10, 0, {"EUR": 1000})


def test_scrap_taken_back_is_worth_what_it_was(world: World) -> None:
    world.stocked("mug", units=0)
    receive(world, 10, 100)
    hold_back(world, 4)
    world.do(Unblock("s", "broken", DocumentKind.SCRAP, {world.item("mug"): 4}))
    assert both(world) == eur(6, 600)

    reverse(world, posted(world, "scrap"))

    assert both(world) == eur(10, 1000)


def test_two_who_bring_one_item_in_two_grades_at_once_are_both_noted(world: World) -> None:
    world.stocked("mug", units=0)
    grades = (world.item("mug"), Stocked(world.item("mug").item_id, "minor_defect"))
    begin = threading.Barrier(4)

    def bring(nth: int) -> None:
        begin.wait()
        for more in range(10):
            receive(world, 1, 100 * (1 + nth % 2), key=f"{nth}/{more}", what=grades[nth % 2])

    threads = [threading.Thread(target=partial(bring, nth)) for nth in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert both(world) == eur(40, 6000)


class Careless(Receive):
    """Does not hold the row by which those who note costs of an item take turns."""

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        return replace(self, cost=None).balance_keys(books) if self.cost else Receive.balance_keys(self, books)


def beside(world: World, command: type[Receive], *, waits: bool) -> Value:
    """What is noted when a unit of each grade comes, of which one is not committed when the other begins."""
    item_id = tell(world, items.add_item, "mug", "Mug")  # no store lists it: those who mark listings take turns, too
    mug, flawed = Stocked(item_id), Stocked(item_id, "minor_defect")
    second = command("b", DocumentKind.RECEIPT, {flawed: 1}, cost=(200, "EUR"))
    other = threading.Thread(target=lambda: world.do(second))
    with world.db.begin(1, actor="test") as tx:
        home = ledger.home_of(world.db, 1)
        first = command("a", DocumentKind.RECEIPT, {mug: 1}, cost=(100, "EUR"))
        Batch(tx, home, careful=True).apply({0: first}, {0: frozenset()})
        other.start()
        if waits:
            wait_until(partial(somebody_waits, world))
        else:
            other.join()
    other.join()
    return worth(world)


def test_who_notes_a_cost_waits_for_who_notes_one_of_another_grade(world: World) -> None:
    assert beside(world, Receive, waits=True) == Value(2, 0, {"EUR": 300})


@pytest.mark.broken_books
def test_without_waiting_the_note_of_the_other_grade_would_be_lost(world: World) -> None:
    """The control of the test above."""
    assert beside(world, Careless, waits=False) == Value(2, 0, {"EUR": 400})


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to that")
