"""Files whose reading is torn off, doubled, or meets a world that changed since it was tried out."""

import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any

import pytest

from config.processes import wait_until
from core import catalog, ledger
from core.command import Command
from core.errors import Refused
from core.files import recorded, running, undoing
from core.files.columns import find_columns
from core.files.desk import Desk
from core.files.kinds import KINDS
from core.files.running import Done, File
from core.goods import items, recipes, references
from core.rows import Part
from core.sales import lock_limits
from core.sales.lock_terms import LockLimit
from core.stock import Stocked
from core.supply import suppliers
from core.transaction import Database, Transaction
from tests import supply_world as sup
from tests.builders import World
from tests.integration.race_acts import somebody_waits

ACTOR = "test"
MANY = 7


class TornOff(Exception):
    """What a killed process never says."""


def desk_of(world: World, run: Callable[[Sequence[Command]], list[Any]] | None = None, **said: object) -> Desk:
    own = run or (lambda commands: ledger.run(world.db, world.merchant_id, commands, actor=ACTOR))
    return Desk(world.db, world.merchant_id, ACTOR, own, said=said)


def file_of(kind: str, text: str, name: str = "rows.csv") -> File:
    names, *rows = [row.split(",") for row in text.splitlines()]
    header = find_columns(KINDS[kind].columns, names, {})
    return File(KINDS[kind], header, lambda: list(enumerate(rows, start=2)), name, f"{kind}{text}".encode())


def do(desk: Desk, file: File, **how: bool) -> Done:
    return running.do(file, desk, **{"again": False, "best_effort": False, **how})


@pytest.fixture
def counted(world: World, monkeypatch: pytest.MonkeyPatch) -> File:
    """A file that counts seven items, worked on two at a time."""
    skus = [f"ITEM-{n}" for n in range(MANY)]
    world.stocked(*skus, units=5)
    monkeypatch.setattr(running, "CHUNK", 2)
    return file_of("stock", "sku,quantity\n" + "\n".join(f"{sku},3" for sku in skus))


def torn(world: World) -> Callable[[Sequence[Command]], list[Any]]:
    """Runs commands as ever, and is torn off when it has run the second lot."""
    lots = itertools.count(1)

    def run(commands: Sequence[Command]) -> list[Any]:
        results = ledger.run(world.db, world.merchant_id, commands, actor=ACTOR)
        if next(lots) == 2:
            raise TornOff
        return results

    return run


def on_hand(world: World) -> list[int]:
    return [world.on_hand(f"ITEM-{n}")[0] for n in range(MANY)]


def test_an_import_that_was_torn_off_goes_on_and_can_be_taken_back_whole(world: World, counted: File) -> None:
    """Torn off after its second chunk was booked, and before that was noted down."""
    with pytest.raises(TornOff):
        do(desk_of(world, torn(world)), counted)
    assert on_hand(world) == [3, 3, 3, 3, 5, 5, 5]
    with world.db.begin(world.merchant_id, actor=ACTOR) as tx:
        (begun,) = recorded.newest(tx, 5)
    with pytest.raises(Refused, match=r"read rows\.csv again"):
        undoing.undo(KINDS["stock"], desk_of(world), begun, "mistake", dry_run=False)

    done = do(desk_of(world), counted)

    assert done.row.state == "done"
    assert on_hand(world) == [3] * MANY
    assert world.documents() == ["missing"] * MANY
    told = undoing.undo(KINDS["stock"], desk_of(world), done.row, "mistake", dry_run=False)
    assert (told.undone, told.kept) == (MANY, 0)
    assert on_hand(world) == [5] * MANY


def test_taking_back_that_was_torn_off_goes_on(world: World, counted: File, monkeypatch: pytest.MonkeyPatch) -> None:
    done = do(desk_of(world), counted)
    monkeypatch.setattr(recorded, "to_take_back", with_limit(recorded.to_take_back, 2))
    with pytest.raises(TornOff):
        undoing.undo(KINDS["stock"], desk_of(world, torn(world)), done.row, "mistake", dry_run=False)
    told = undoing.undo(KINDS["stock"], desk_of(world), done.row, "mistake", dry_run=False)

    assert told.kept == 0
    assert on_hand(world) == [5] * MANY
    assert do(desk_of(world), counted).row.nth == 2  # what was taken back can be read anew


def with_limit(read: Callable[..., Any], limit: int) -> Callable[..., Any]:
    return lambda *args, **how: read(*args, **{**how, "limit": limit})


def test_two_who_read_the_same_file_at_once_do_it_once(world: World) -> None:
    world.stocked("MUG", units=0)
    came = file_of("stock", "sku,quantity\nMUG,4\n")
    gate, answers = threading.Barrier(2), list[Any]()

    def read() -> None:
        gate.wait()
        try:
            answers.append(do(desk_of(world, adds=True), came).tally is not None)
        except Refused as refusal:
            answers.append(str(refusal))

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert world.on_hand("MUG") == (4, 0)
    assert answers.count(True) == 1
    assert all(one is False or "somebody else" in one for one in answers if one is not True)


def test_two_who_read_files_that_differ_do_both(world: World) -> None:
    """The control of the race above: what keeps the second one out is that the file is the same."""
    world.stocked("MUG", units=0)
    for name in ("a", "b"):
        came = replace(file_of("stock", "sku,quantity\nMUG,4\n"), content_hash=name.encode())
        do(desk_of(world, adds=True), came)

    assert world.on_hand("MUG") == (8, 0)


def test_a_row_that_is_refused_after_all_takes_the_others_with_it(world: World, counted: File) -> None:
    with world.db.begin(world.merchant_id, actor=ACTOR) as tx:
        tx.run("UPDATE bin SET frozen = true WHERE merchant_id = :merchant_id")
    world.tell("UPDATE bin SET frozen = false WHERE merchant_id = :merchant_id")
    calls = 0

    def freezes(commands: Sequence[Command]) -> list[Any]:
        nonlocal calls
        calls += 1
        if calls == 3:
            world.tell("UPDATE bin SET frozen = true WHERE merchant_id = :merchant_id")
        results = ledger.run(world.db, world.merchant_id, commands, actor=ACTOR)
        world.tell("UPDATE bin SET frozen = false WHERE merchant_id = :merchant_id")
        return results

    done = do(desk_of(world, freezes, adds=True), counted)

    assert (done.taken_back, done.kept, done.row.state) == (True, 0, "undone")
    assert on_hand(world) == [5] * MANY


@dataclass(slots=True)
class Mortal(Database):
    """A database whose caller is killed before its transactions but the first ``lives`` ones."""

    lives: int = 0

    def _live(self) -> None:
        if not self.lives:
            raise TornOff
        self.lives -= 1

    def begin(self, *args: Any, **how: Any) -> Any:
        self._live()
        return Database.begin(self, *args, **how)

    def begin_piped(self, *args: Any, **how: Any) -> Any:
        self._live()
        return Database.begin_piped(self, *args, **how)


FILES = {
    "items": "sku,title,units\nMUG,Red mug,case=24\nNEW,Newcomer,\n",
    "bundles": "bundle,kind,part,units\nSET,bundle,PAIR,1\nSET,,POT,2\nPAIR,kit,MUG,2\nOLD,bundle,POT,1\n",
    "suppliers": "code,lead_days\nACME,9\nOTHER,3\n",
    "supplier-items": "supplier,sku,supplier_sku,cost\nACME,MUG,M-1,3.20\nACME,POT,P-1,\n",
    "stock": "sku,quantity\nMUG,7\nPOT,3\n",
    "purchases": "number,supplier,sku,quantity,state\nPO-8,ACME,MUG,5,placed\nPO-8,ACME,POT,5,\nPO-9,ACME,MUG,1,\n",
    "receipts": "order,delivery,sku,good\nPO-7,,MUG,3\nPO-7,D-2,MUG,1\n",
    "transfers": "number,from,to,sku,quantity\nT-7,MAIN,BERLIN,MUG,2\nT-8,MAIN,BERLIN,POT,1\n",
    "locks": "key,sku,quantity\nfair,MUG,2\nlater,POT,9\n",
}


def run(desk: Desk, commands: Sequence[Command]) -> list[Any]:
    return ledger.run(desk.db, desk.merchant_id, commands, actor=ACTOR)


def own_item(tx: Transaction, sku: str) -> Stocked:
    return Stocked(catalog.item_id_of(tx, sku))


def settled(world: World, merchant_id: int) -> World:
    """A merchant of its own, with a little of everything."""
    catalog.ensure_merchant(world.db, merchant_id, name="Mortal shop")
    own = World(world.db, merchant_id)
    own.stocked("MUG", "POT", units=5)
    with world.db.begin(merchant_id, actor=ACTOR) as tx:
        *_, old = (items.add_item(tx, sku) for sku in ("SET", "PAIR", "OLD"))
        recipes.set_recipe(tx, old, recipes.BUNDLE, [Part(own_item(tx, "MUG"), 1)])
    sup.warehouse(own, "BERLIN")
    sup.placed(own, "PO-7", {"MUG": 9})
    with world.db.begin(merchant_id, actor=ACTOR) as tx:
        suppliers.put_item(tx, suppliers.find(tx, "ACME").id, own_item(tx, "MUG").item_id, {"pack_size": 24})
    return own


def state(world: World, kind: str) -> list[Any]:
    with world.db.begin(world.merchant_id, actor=ACTOR) as tx:
        return [row for page in KINDS[kind].pages(tx, True) for row in page]


def told_by(world: World, kind: str) -> list[str]:
    """What there is, in no order: ids say only who made something first.

    A delivery without a name is called after its import and the row that told of it.
    """
    rows = state(world, kind)
    if kind == "receipts":
        rows = [(number, str(key).rpartition("/")[2], *rest) for number, key, *rest in rows]
    return sorted(map(repr, rows))


@pytest.mark.parametrize("kind", FILES)
def test_wherever_a_reader_is_killed_the_same_file_ends_as_if_nobody_had_been(world: World, kind: str) -> None:
    how: dict[str, Any] = {"approves": True, "as_owner": True} if kind == "locks" else {}
    whole = settled(world, 1_000)
    before = told_by(whole, kind)
    done = do(desk_of(whole, **how), file_of(kind, FILES[kind]))
    wanted = told_by(whole, kind)
    told = undoing.undo(KINDS[kind], desk_of(whole), done.row, "mistake", dry_run=False)
    undone = told_by(whole, kind)
    assert wanted != before

    for lives in count(1):
        own = settled(world, 1_000 + lives)
        mortal = replace(desk_of(own, **how), db=Mortal(world.db.engine, lives=lives))
        try:
            do(replace(mortal, run=partial(run, mortal)), file_of(kind, FILES[kind]))
        except TornOff:
            again = do(desk_of(own, **how), file_of(kind, FILES[kind]))
        else:
            break

        assert again.row.state == "done"
        assert told_by(own, kind) == wanted
        back = undoing.undo(KINDS[kind], desk_of(own), again.row, "mistake", dry_run=False)
        assert (back.undone, back.kept) == (told.undone, told.kept)
        assert told_by(own, kind) == undone
    assert lives > 3


def test_a_barcode_that_goes_to_another_item_meanwhile_is_not_taken_away(world: World) -> None:
    world.stocked("MUG", "POT", units=1)
    titles = file_of("items", "sku,title,barcodes\nMUG,Red,96385074\n")
    with ThreadPoolExecutor(1) as pool:
        with world.db.begin(1, actor=ACTOR) as tx:
            references.put(tx, own_item(tx, "POT").item_id, "barcode", "96385074")
            reading = pool.submit(do, desk_of(world), titles)
            assert wait_until(lambda: somebody_waits(world), 10)
        with pytest.raises(Refused, match="96385074 was given to another item"):
            reading.result(30)

    assert world.scalar("SELECT title FROM item WHERE merchant_id = :merchant_id AND sku = 'MUG'") == "Mug"
    again = do(desk_of(world), titles)
    assert again.taken_back
    assert again.tally is not None
    assert [one.column for one in again.tally.problems] == ["barcodes"]


def test_a_barcode_that_nobody_takes_meanwhile_is_given(world: World) -> None:
    """The control of the race above."""
    world.stocked("MUG", "POT", units=1)

    done = do(desk_of(world), file_of("items", "sku,title,barcodes\nMUG,Red,96385074\n"))

    assert done.tally is not None
    assert done.tally.changed == 1


def test_a_file_asks_for_no_more_locks_than_its_reader_may_have(world: World) -> None:
    world.stocked("MUG", units=10)
    with world.db.begin(world.merchant_id, actor=ACTOR) as tx:
        lock_limits.set_limit(tx, ACTOR, LockLimit(share=50))
    asked = file_of("locks", "key,sku,quantity\na,MUG,4\nb,MUG,4\n")

    tried = running.go_through(asked, desk_of(world))
    done = do(desk_of(world), asked, best_effort=True)

    assert (tried.made, tried.refused) == (1, 1)
    assert "50 %" in tried.problems[0].cure
    assert done.tally is not None
    assert (done.tally.made, done.tally.refused) == (1, 1)
    one_by_one = desk_of(world, lambda some: [ledger.run(world.db, 1, [one], actor=ACTOR)[0] for one in some])
    again = do(one_by_one, file_of("locks", "key,sku,quantity\nc,MUG,1\nd,MUG,1\n"), best_effort=True)
    assert again.tally is not None
    assert (again.tally.made, again.tally.refused) == (1, 1)
