"""The one writer of quantities: each command wholly or not at all, each effect once."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from core import flows, ledger
from core.books import Books
from core.command import Command
from core.errors import InsufficientStock, KeyReused, NotFound, Refused
from core.goods.receiving import Receive
from core.rows import StoreKey
from core.sales.holds import EndHold, Held, Hold
from core.stock import BalanceKey, Bucket, DocumentKind, Layer, Stocked
from core.transaction import Database, wall_clock
from tests.builders import FAR_OFF, Units, World, at, line, order


def receipt(key: str, stocked: Stocked, quantity: int) -> Receive:
    return Receive(key, DocumentKind.RECEIPT, {stocked: quantity})


@dataclass(frozen=True, slots=True)
class MeetsAnother(Command):
    """A decision that finds out only while deciding that it needs a second item."""

    first: Stocked
    second: Stocked

    def effect_keys(self) -> Iterable[str]:
        return ("meets",)

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        return [books.home.key(layer, self.first) for layer in Layer]

    def decide(self, books: Books) -> int:
        moves = [move for stocked in (self.first, self.second) for move in flows.come_in(books.home, stocked, 1)]
        return books.post(DocumentKind.FOUND, "meets", moves)


def test_a_receipt_enters_all_three_layers(world: World) -> None:
    world.stocked("mug", units=0)
    world.receive("mug", 7)
    assert (world.units("mug"), world.on_hand("mug")) == (Units(free=7), (7, 0))
    assert world.scalar("SELECT available FROM dispatch_balance WHERE merchant_id = :merchant_id") == 7


def test_the_same_key_with_the_same_content_answers_as_the_first_time(world: World) -> None:
    world.stocked("mug", units=0)
    first = world.do(receipt("receipt/1", world.item("mug"), 7))
    assert world.do(receipt("receipt/1", world.item("mug"), 7)) == first
    assert world.units("mug") == Units(free=7)


def test_the_same_key_with_other_content_is_refused(world: World) -> None:
    world.stocked("mug", units=0)
    world.do(receipt("receipt/1", world.item("mug"), 7))
    with pytest.raises(KeyReused):
        world.do(receipt("receipt/1", world.item("mug"), 8))
    assert world.units("mug") == Units(free=7)


def test_one_key_twice_in_one_batch_is_posted_once(world: World) -> None:
    world.stocked("mug", units=0)
    mug = world.item("mug")
    first, second, other = world.run(receipt("r", mug, 7), receipt("r", mug, 7), receipt("r", mug, 9))
    assert first == second
    assert isinstance(other, KeyReused)
    assert world.units("mug") == Units(free=7)


def test_a_receipt_of_nothing_posts_nothing(world: World) -> None:
    world.stocked("mug", units=0)
    assert world.do(receipt("receipt/1", world.item("mug"), 0)) is None
    assert world.documents() == []


def test_a_refused_command_leaves_its_neighbours_alone(world: World) -> None:
    world.stocked("mug", "cup", units=5)
    mug, cup = world.item("mug"), world.item("cup")
    end = FAR_OFF
    results = world.run(Hold("a", {mug: 3}, end), Hold("b", {cup: 1, mug: 3}, end), Hold("c", {mug: 2}, end))
    assert isinstance(results[1], InsufficientStock)
    assert results[1].missing == {mug: 1}
    assert (world.units("mug"), world.units("cup")) == (Units(free=0, reserved=5), Units(free=5))


def test_later_commands_of_a_batch_see_what_earlier_ones_did(world: World) -> None:
    world.stocked("mug", units=0)
    mug = world.item("mug")
    results = world.run(Hold("early", {mug: 2}, FAR_OFF), receipt("r", mug, 2), Hold("late", {mug: 2}, FAR_OFF))
    assert isinstance(results[0], InsufficientStock)
    assert isinstance(results[2], Held)


def test_a_decision_that_meets_a_row_outside_its_batch_comes_again_with_it(world: World) -> None:
    world.stocked("mug", "cup", units=1)
    world.do(MeetsAnother(world.item("mug"), world.item("cup")))
    assert (world.units("mug"), world.units("cup")) == (Units(free=2), Units(free=2))
    assert world.documents() == ["found"]


def test_documents_say_who_when_and_why(world: World) -> None:
    store = world.stocked("mug", units=5)
    world.hear(store, order(line("mug", 1)))
    (document,) = world.ask("SELECT * FROM document WHERE merchant_id = :merchant_id AND kind = 'reservation'")
    assert (document.actor, document.happened_at) == ("test", at(0))
    assert document.effect_key.startswith(f"store/{store}/order/1001/")
    assert wall_clock() - document.recorded_at < timedelta(minutes=5)


def test_a_batch_that_dies_before_its_commit_leaves_nothing(world: World, db: Database) -> None:
    world.stocked("mug", units=5)

    def die_before_the_commit(command: Hold) -> None:
        with db.begin(1, actor="test") as tx:
            ledger.Batch(tx, ledger.home_of(db, 1)).apply({0: command}, {0: frozenset()})
            raise ConnectionError("the server went away")

    with pytest.raises(ConnectionError):
        die_before_the_commit(Hold("a", {world.item("mug"): 3}, FAR_OFF))
    assert world.units("mug") == Units(free=5)
    assert world.ask("SELECT 1 FROM store_order WHERE merchant_id = :merchant_id") == []


def test_a_large_batch_written_in_parts_is_one_batch(world: World) -> None:
    """Rows go ahead while later commands are decided; later commands may still change what earlier ones made."""
    world.stocked("mug", units=300)
    mug = world.item("mug")
    holds = [Hold(f"h{n}", {mug: 1}, FAR_OFF) for n in range(350)]
    results = world.run(*holds, *(EndHold(f"h{n}") for n in range(0, 300, 3)), Hold("late", {mug: 100}, FAR_OFF))
    refused = [result for result in results if isinstance(result, Refused)]
    assert len(refused) == 50
    assert world.units("mug") == Units(free=0, reserved=300)
    assert world.scalar("SELECT count(DISTINCT recorded_at) FROM document WHERE kind = 'reservation'") == 1


def test_a_large_batch_that_dies_leaves_nothing_of_its_first_parts(world: World, db: Database) -> None:
    world.stocked("mug", units=500)
    mug = world.item("mug")
    commands: dict[int, Command] = {n: Hold(f"h{n}", {mug: 1}, FAR_OFF) for n in range(250)}

    def die_before_the_commit() -> None:
        with db.begin(1, actor="test") as tx:
            ledger.Batch(tx, ledger.home_of(db, 1)).apply(commands, dict.fromkeys(commands, frozenset()))
            raise ConnectionError("the server went away")

    with pytest.raises(ConnectionError):
        die_before_the_commit()
    assert world.units("mug") == Units(free=500)
    assert world.ask("SELECT 1 FROM promise WHERE merchant_id = :merchant_id") == []
    assert world.documents() == []


def test_who_waits_is_served_in_the_same_order_however_large_the_batch(world: World) -> None:
    store = world.stocked("mug", units=0)
    for n in range(5):
        world.hear(store, order(line("mug", 1), external_id=f"waits-{n}", paid=n == 4))
    mug = world.item("mug")
    world.run(*(receipt(f"r{n}", mug, 1) for n in range(2)))
    served = world.ask(
        """SELECT o.external_id FROM promise p JOIN store_order o ON o.id = p.order_id
           WHERE p.merchant_id = :merchant_id AND p.live > 0 ORDER BY o.external_id"""
    )
    assert [row.external_id for row in served] == ["waits-0", "waits-4"]
    assert world.units("mug") == Units(reserved=1, sold=1, backordered=3)


@dataclass(frozen=True, slots=True)
class Breaks(Command):
    """Writes what a table refuses, and that is no race."""

    item: Stocked
    tries: list[int]

    def effect_keys(self) -> Iterable[str]:
        return ("breaks",)

    def order_keys(self) -> Iterable[StoreKey]:
        return ()

    def listing_keys(self, _books: Books) -> Iterable[StoreKey]:
        return ()

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        return [books.home.key(Layer.SALES, self.item)]

    def decide(self, books: Books) -> None:
        self.tries.append(1)
        books.put(books.cells, (books.home.key(Layer.SALES, self.item), Bucket.FREE), -1)


def test_a_row_that_its_table_refuses_is_told_as_it_is_and_not_tried_again(world: World) -> None:
    world.stocked("mug", units=5)
    tries: list[int] = []
    with pytest.raises(IntegrityError, match="sales_balance_free_check"):
        world.run(Breaks(world.item("mug"), tries))
    assert (len(tries), world.units("mug")) == (1, Units(free=5))


def test_a_merchant_that_is_not_set_up_is_told_the_cure(world: World, db: Database) -> None:
    with pytest.raises(NotFound, match="holdfast migrate"):
        World(db, merchant_id=99).run(receipt("r", Stocked(1), 1))


def test_ids_are_unique_over_connections_and_processes(logins: object, db: Database) -> None:
    other = Database(db.engine)
    with db.begin(1, actor="a") as one, other.begin(1, actor="b") as two:
        ids = [one.new_id() for _ in range(1500)] + [two.new_id() for _ in range(1500)]
    assert len(set(ids)) == 3000


def test_balances_as_of_any_past_instant_follow_from_the_movements(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 3), external_id="a"))
    then = world.scalar("SELECT max(recorded_at) FROM document WHERE merchant_id = :merchant_id")
    world.hear(store, order(line("mug", 4), external_id="b"))
    free = world.scalar(
        """SELECT sum(CASE WHEN to_bucket = 'free' THEN quantity WHEN from_bucket = 'free' THEN -quantity ELSE 0 END)
           FROM movement WHERE merchant_id = :merchant_id AND recorded_at <= :then""",
        then=then,
    )
    assert (free, world.units("mug").free) == (7, 3)
