"""The past: balances and stores' numbers as of any instant, exactly, from wherever they are read."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from core import pushes
from core.errors import NotFound, Refused
from core.model import PushOutcome, PushStatus
from core.past import checkpoints, history, stock_card
from core.past.checkpoints import Window
from core.past.stock_card import Card, CardLine, Cursor
from core.pushes import Timing
from core.selling.availability import VERSION
from core.stock import Bucket, Layer
from tests.builders import Clock, World, line, order

Snapshot = Mapping[tuple[int, str, str, int, str], int]


@pytest.fixture
def store(world: World, clock: Clock) -> int:
    return world.stocked("mug", "cup", units=40)


def happen(world: World, clock: Clock, store: int, chance: random.Random) -> None:
    """Something that moves units, a while after what came before."""
    clock.pass_(chance.choice([0, 1, 90, 4000]))
    sku, number = chance.choice(["mug", "cup"]), str(chance.randint(1, 12))
    if chance.random() < 0.3:
        world.receive(sku, chance.randint(1, 5))
        return
    quantity = chance.randint(1, 9)
    told: dict[str, Any] = {"shipped": chance.randint(0, quantity)} if chance.random() < 0.5 else {}
    world.hear(store, order(line(sku, quantity, **told), external_id=f"{sku}-{number}", paid=chance.random() < 0.6))


def now_(world: World) -> Snapshot:
    """All balances as they are stored."""
    found: dict[tuple[int, str, str, int, str], int] = {}
    for layer, table, place, buckets in (
        ("warehouse", "warehouse_balance", "bin_id", ("available", "picking", "unavailable")),
        ("dispatch", "dispatch_balance", "warehouse_id",
         ("available", "allocated", "locked", "unavailable", "incoming", "incoming_sellable")),
        ("sales", "sales_balance", "pool_id", ("free", "reserved", "sold", "backordered")),
    ):  # fmt: skip
        for row in world.ask(f"SELECT * FROM {table} WHERE merchant_id = :merchant_id"):
            for bucket in buckets:
                if units := getattr(row, bucket):
                    found[row.item_id, layer, row.grade, getattr(row, place), bucket] = units
    return found


def then(world: World, at: datetime, *skus: str) -> Snapshot:
    item_ids = [world.item(sku).item_id for sku in skus] or None
    with world.db.begin(1, actor="test") as tx:
        rows = history.balances_at(tx, item_ids, at)
    return {
        (row.item_id, row.layer, row.grade, row.place_id, bucket): units
        for row in rows
        for bucket, units in row.units.items()
        if units
    }


def cover(world: World, until: datetime, every: int) -> None:
    with world.db.begin(1, actor="test") as tx:
        item_ids = checkpoints.items_after(tx, 0, limit=100)
        while checkpoints.make(tx, Window(None, until), item_ids, every=every):
            pass


def of_item(snapshot: Snapshot, item_id: int) -> Snapshot:
    return {key: units for key, units in snapshot.items() if key[0] == item_id}


@pytest.mark.parametrize("seed", range(6))
def test_any_instant_reads_as_it_was_with_and_without_checkpoints(
    world: World, clock: Clock, store: int, seed: int
) -> None:
    chance = random.Random(seed)
    seen: dict[datetime, Snapshot] = {}
    for _ in range(40):
        happen(world, clock, store, chance)
        seen[clock.now] = now_(world)
    clock.pass_(3600)
    assert {at: then(world, at) for at in seen} == seen

    cover(world, list(seen)[10 + 3 * seed], every=5)
    mug = world.item("mug").item_id
    assert world.scalar("SELECT count(*) FROM balance_checkpoint WHERE merchant_id = :merchant_id") > 2
    assert {at: then(world, at) for at in seen} == seen
    assert {at: then(world, at, "mug") for at in seen} == {at: of_item(seen[at], mug) for at in seen}


def test_between_two_documents_stands_what_the_first_left(world: World, clock: Clock, store: int) -> None:
    opened = clock.now
    clock.pass_(100)
    world.receive("mug", 5)

    assert then(world, clock.after(-1)) == then(world, opened)
    assert then(world, clock.now) == now_(world)
    assert then(world, opened - timedelta(microseconds=1)) == {}


def test_places_are_told_by_name_and_empty_ones_left_out(world: World, clock: Clock, store: int) -> None:
    with world.db.begin(1, actor="test") as tx:
        rows = history.item_at(tx, world.item("mug").item_id, clock.now)

    assert [(row.layer, row.place) for row in rows] == [
        ("warehouse", "MAIN/DEFAULT"),
        ("dispatch", "MAIN"),
        ("sales", "Shared"),
    ]
    assert rows[2].buckets["free"] == 40


# ---- the stock card


def page(world: World, clock: Clock, **told: Any) -> Card:
    with world.db.begin(1, actor="test") as tx:
        return stock_card.card(tx, world.item("mug").item_id, **{"until": clock.now, **told})


def free_after(card: Card) -> list[int]:
    return [sum(total.units[Bucket.FREE] for total in line.after if total.layer is Layer.SALES) for line in card.lines]


def test_the_card_tells_each_document_and_what_there_was_after_it(world: World, clock: Clock, store: int) -> None:
    clock.pass_(1)
    world.hear(store, order(line("mug", 3, shipped=1), paid=True))
    clock.pass_(1)
    world.receive("mug", 10)

    card = page(world, clock)

    assert [one.kind for one in card.lines] == ["receipt", "shipment", "deduction", "reservation", "opening"]
    assert free_after(card) == [47, 37, 37, 37, 40]
    assert (card.lines[1].order, card.lines[1].store, card.next) == ("#1001", "Main street", None)
    assert [(m.quantity, m.from_, m.to) for m in card.lines[3].movements] == [(3, "Shared free", "Shared reserved")]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_hold_together_whatever_their_size(world: World, clock: Clock, store: int, limit: int) -> None:
    """Also where many documents were recorded at one instant."""
    chance = random.Random(7)
    for _ in range(15):
        happen(world, clock, store, chance)
    whole, after = page(world, clock, limit=500), None
    lines: list[CardLine] = []
    while True:
        part = page(world, clock, limit=limit, after=after)
        assert len(part.lines) <= limit
        lines += part.lines
        after = part.next
        if after is None:
            break
        after = Cursor.read(str(after))

    assert whole.next is None
    assert lines == list(whole.lines)
    assert whole.lines[-1].kind == "opening"


def test_a_card_of_some_time_tells_that_time_alone(world: World, clock: Clock, store: int) -> None:
    world.receive("mug", 1)
    clock.pass_(10)
    begins = clock.now
    world.receive("mug", 2)
    clock.pass_(10)
    ends = clock.now
    clock.pass_(10)
    world.receive("mug", 4)

    card = page(world, clock, since=begins, until=ends)

    assert (free_after(card), card.next) == ([43], None)


@pytest.mark.parametrize(
    "word",
    [
        "",
        "yesterday",
        "2026-11-22T10:00:00/5",
        "2026-11-22T10:00:00+00:00/x",
        "2026-11-22T10:00:00+00:00/99999999999999999999",
    ],
)
def test_a_word_that_names_no_page_is_refused(word: str) -> None:
    with pytest.raises(Refused, match="names no page"):
        Cursor.read(word)


# ---- what stores showed


def push(world: World, clock: Clock, store: int, status: PushStatus = PushStatus.APPLIED, **told: Any) -> None:
    """One round of pushes, which the store answers alike."""
    with world.db.begin(1, actor="job") as tx:
        claimed = pushes.claim(tx, store, limit=10)
    assert claimed
    timing = Timing(clock.now, clock.now, clock.now, clock.now)
    shown = {} if status in (PushStatus.RETRY, PushStatus.PLANNED) else {"shown": True}
    with world.db.begin(1, actor="job") as tx:
        outcomes = [
            PushOutcome(one.intent.listing_id, status, shown=one.intent.wanted if shown else None, **told)
            for one in claimed
        ]
        pushes.settle(tx, store, claimed, outcomes, timing)


def number(world: World, listing_id: int, at: datetime) -> history.NumberThen:
    with world.db.begin(1, actor="test") as tx:
        return history.number_at(tx, listing_id, at)


def test_the_number_of_an_instant_is_the_last_confirmed_with_its_steps(world: World, clock: Clock, store: int) -> None:
    mug, before = world.listing(store, "mug").id, clock.now - timedelta(seconds=1)
    clock.pass_(1)
    push(world, clock, store)
    first = clock.now
    clock.pass_(60)
    world.receive("mug", 2)
    clock.pass_(60)
    unpushed = clock.now
    push(world, clock, store)
    clock.pass_(60)

    then_, later = number(world, mug, unpushed - timedelta(seconds=1)), number(world, mug, clock.now)

    assert (then_.number, then_.confirmed_at, later.number) == (40, first, 42)
    assert [(step.name, step.number) for step in then_.steps] == [("free", 40), ("sellable", 40)]
    assert then_.sentence == (
        "Main street had confirmed 40: 40 units are free in the shared pool; so this store may sell 40."
    )
    assert [document.kind for document in then_.documents] == ["receipt"]
    assert later.documents == []
    assert number(world, mug, before).sentence == "Main street had been told no number by then."


def test_a_try_that_no_store_confirmed_is_told_as_that(world: World, clock: Clock, store: int) -> None:
    push(world, clock, store, PushStatus.RETRY, reason="no answer")

    told = number(world, world.listing(store, "mug").id, clock.now)

    assert (told.number, told.steps) == (None, ())
    assert told.sentence == (
        "Main street had confirmed no number by then; the last try (retry) was to show 40: no answer."
    )


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ("jsonb_set(facts, '{version}', '1')",
         f"Version 1 of the sum computed that, and this is version {VERSION}, so its steps are told by name and number "
         "only: free 40, sellable 40."),
        ("NULL", "What that was computed from was not kept yet."),
    ],
)  # fmt: skip
def test_a_number_that_this_version_cannot_compute_says_so(
    world: World, clock: Clock, store: int, superuser: Engine, facts: str, words: str
) -> None:
    push(world, clock, store)
    with superuser.connect() as connection:
        connection.execute(text(f"UPDATE push SET facts = {facts}"))

    told = number(world, world.listing(store, "mug").id, clock.now)

    assert told.number == 40
    assert told.sentence == f"Main street had confirmed 40. {words}"


def test_an_unknown_listing_is_refused(world: World, clock: Clock) -> None:
    with pytest.raises(NotFound, match="no listing 7"):
        number(world, 7, clock.now)
