"""Whatever order fetched states arrive in, and however often, the books end as if only the newest had come."""

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import catalog
from core.errors import Refused
from core.goods import recipes
from core.model import StoreOrder
from core.rows import Part
from core.sales.pools import Preload
from core.stock import PoolKind
from core.transaction import Database
from tests.builders import FAR_OFF, NOON, World, line, order
from tests.integration import fulfilment_acts, lock_acts
from tests.pool_world import open_pool
from tests.property.histories import played, random_shop, violations

PLAYED = settings(played(12, soak=2_000), suppress_health_check=[HealthCheck.function_scoped_fixture])
ITEMS = ("mug", "cup", "plate")
# Lines of an order by the store's id, each with the listing that it sells; units of an item stand on several.
LINES = {
    "1": "set",  # 2 mugs and a cup
    "2": "mug",
    "3": "mug",
    "10": "six-pack",  # of cups
    "11": "cup",
    "12": "plate",
}
_APART = ("channel", "activity", "lock", "presale")


@st.composite
def histories(draw: st.DrawFn, *, scarce: bool) -> list[StoreOrder]:
    """States of one order as they follow each other: what has left or come back stays so.

    Lines come and go, and are told in any order; only one of which units broke stays, since without it nobody says
    whether they are whole again. With ``scarce`` stock nothing comes back or breaks: which units those
    were depends on what was there when it happened, and that cannot be told from the newest state alone.
    """
    states = []
    broke: set[str] = set()
    gone: dict[str, dict[str, Any]] = {line_id: {"shipped": 0, "returned": 0, "written_off": 0} for line_id in LINES}
    for n in range(draw(st.integers(1, 5))):
        lines = []
        for line_id in draw(st.permutations(list(LINES))):
            facts = gone[line_id]
            facts["shipped"] += draw(st.integers(0, 2))
            if not scarce:
                facts["written_off"] = draw(st.integers(0, 2))
                facts["returned"] += draw(st.integers(0, facts["shipped"] - facts["returned"]))
            still = draw(st.integers(0, 4))
            cancelled = draw(st.integers(0, 2))
            quantity = facts["shipped"] + facts["written_off"] + cancelled + still
            broke.update([line_id] if facts["written_off"] else [])
            if quantity or line_id in broke or draw(st.booleans()):
                counted = draw(st.integers(0, quantity))
                sku = LINES[line_id]
                lines.append(line(sku, quantity, line_id, cancelled=cancelled, counted=counted, **facts))
        told: dict[str, Any] = {"paid": draw(st.booleans()), "holds": draw(st.booleans() | st.just(True))}
        states.append(order(*lines, version=str(n), **told))
    return states


@st.composite
def arrivals(draw: st.DrawFn, *, scarce: bool) -> tuple[list[StoreOrder], list[int]]:
    """A history, and the places of its states in the order in which they arrive: all of them, some of them doubled."""
    states = draw(histories(scarce=scarce))
    every = list(range(len(states)))
    doubled = draw(st.lists(st.sampled_from(every), max_size=3))
    return states, draw(st.permutations(every + doubled))


def shop(db: Database, stock: Mapping[str, int], apart: Sequence[tuple[str, str, int]] = ()) -> tuple[World, int]:
    """A new merchant with units of each item, some of them ``apart``: in which kind of pool, of what, how many."""
    world = random_shop(db)
    store = world.store()
    world.listings(store, *ITEMS, "set", shown=50)
    world.listings(store, "six-pack", shown=50, pack_size=6)
    with db.begin(world.merchant_id, actor="test") as tx:
        recipes.set_recipe(
            tx, catalog.item_id_of(tx, "set"), recipes.BUNDLE, [Part(world.item("mug"), 2), Part(world.item("cup"), 1)]
        )
        tx.run(
            "UPDATE listing SET item_id = :item_id WHERE merchant_id = :merchant_id AND sku = 'six-pack'",
            item_id=world.item("cup").item_id,
        )
    for sku, units in stock.items():
        if units:
            world.receive(sku, units)
    for n, (kind, sku, units) in enumerate(apart):
        set_apart(world, store, kind, f"apart-{n}", sku, units)
    return world, store


def set_apart(world: World, store: int, kind: str, code: str, sku: str, units: int) -> None:
    if kind == "lock":
        lock_acts.lock(world, code, sku, units, type="channel", store_id=store)
    elif kind == "activity":
        pool_id = open_pool(world, code, PoolKind.ACTIVITY, {sku: units}, starts_at=NOON, ends_at=FAR_OFF)
        world.do(Preload(pool_id, best_effort=True))
    elif kind == "presale":
        open_pool(world, code, PoolKind.PRESALE, {sku: units})
    else:
        open_pool(world, code, PoolKind.CHANNEL, {sku: units}, store_id=store)


def books_after(
    told: tuple[World, int], states: list[StoreOrder], arriving: list[int], sends: Sequence[str] = ()
) -> dict[str, Any]:
    """All that the books say of units: by item and pool, in the house, by line, and what is expected to be shown.

    Of units that have left, each line and each pool has its number; which line had which pool's is history.

    Args: sends: what warehouses do after each state that arrives, in turn; at the end all of it is allocated.
    """
    world, store = told
    for nth, place in enumerate(arriving):
        world.hear(store, states[place], fetch_seq=place + 1)
        if sends:
            send(world, sends[nth % len(sends)])
    if sends:
        send(world, "allocate")
    assert violations(world) == []
    promised = world.ask(
        """SELECT l.external_line_id AS line, i.sku, coalesce(nullif(o.code, ''), o.kind) AS pool, p.* FROM promise p
           JOIN order_line l ON l.merchant_id = p.merchant_id AND l.id = p.order_line_id
           JOIN item i ON i.merchant_id = p.merchant_id AND i.id = p.item_id
           JOIN pool o ON o.merchant_id = p.merchant_id AND o.id = p.pool_id
           WHERE p.merchant_id = :merchant_id"""
    )
    return {
        "pools": {
            (row.sku, row.pool): row[2:]
            for row in world.ask(
                """SELECT i.sku, coalesce(nullif(p.code, ''), p.kind) AS pool, b.free, b.reserved, b.sold, b.backordered
                   FROM sales_balance b JOIN item i ON i.merchant_id = b.merchant_id AND i.id = b.item_id
                   JOIN pool p ON p.merchant_id = b.merchant_id AND p.id = b.pool_id
                   WHERE b.merchant_id = :merchant_id AND b.free + b.reserved + b.sold + b.backordered > 0"""
            )
        },
        "house": {sku: in_the_house(world, sku) for sku in ITEMS},
        "live": units(((p.line, p.sku, p.pool, p.deducted), p.live) for p in promised),
        "waiting": units(((p.line, p.sku), p.waiting) for p in promised),
        "shipped of lines": units(((p.line, p.sku), p.shipped) for p in promised),
        "shipped of pools": units(((p.sku, p.pool), p.shipped) for p in promised),
        "lost": units(((p.line, p.sku), p.damaged) for p in promised),
        "shown": {sku: world.listing(store, sku).believed for sku in (*ITEMS, "set", "six-pack")},
    }


def in_the_house(world: World, sku: str) -> tuple[int, int]:
    """Units for sale, on the shelf or with those who pack; and units set apart."""
    (row,) = world.ask(
        """SELECT coalesce(sum(available + picking), 0) AS whole, coalesce(sum(unavailable), 0) AS apart
           FROM warehouse_balance WHERE merchant_id = :merchant_id AND item_id = :item_id""",
        item_id=world.item(sku).item_id,
    )
    return row.whole, row.apart


def send(world: World, what: str) -> None:
    """Warehouses take, pack or give back what they can of the order."""
    if what == "allocate":
        fulfilment_acts.dispatch(world)
    elif what != "nothing":
        for nth in range(len(fulfilment_acts.fulfilments(world))):
            with contextlib.suppress(Refused):  # nothing of that one is left
                fulfilment_acts.act(world, what, nth + 1)


def allocated(world: World) -> Counter[tuple[Any, ...]]:
    rows = world.ask(
        """SELECT l.external_line_id AS line, i.sku, p.allocated FROM promise p
           JOIN order_line l ON l.merchant_id = p.merchant_id AND l.id = p.order_line_id
           JOIN item i ON i.merchant_id = p.merchant_id AND i.id = p.item_id WHERE p.merchant_id = :merchant_id"""
    )
    return units(((row.line, row.sku), row.allocated) for row in rows)


def units(told: Iterable[tuple[tuple[Any, ...], int]]) -> Counter[tuple[Any, ...]]:
    """Units by what they are of, added up."""
    found: Counter[tuple[Any, ...]] = Counter()
    for key, n in told:
        found[key] += n
    return +found


@PLAYED
@given(arrived=arrivals(scarce=False))
def test_states_in_any_order_and_number_end_as_the_newest_alone(
    db: Database, arrived: tuple[list[StoreOrder], list[int]]
) -> None:
    states, arriving = arrived
    plenty = dict.fromkeys(ITEMS, 400)
    newest = len(states) - 1
    assert books_after(shop(db, plenty), states, arriving) == books_after(shop(db, plenty), states, [newest])


@PLAYED
@given(arrived=arrivals(scarce=True), stock=st.fixed_dictionaries(dict.fromkeys(ITEMS, st.integers(0, 24))))
def test_so_they_do_when_units_are_short(
    db: Database, arrived: tuple[list[StoreOrder], list[int]], stock: dict[str, int]
) -> None:
    states, arriving = arrived
    newest = len(states) - 1
    assert books_after(shop(db, stock), states, arriving) == books_after(shop(db, stock), states, [newest])


@PLAYED
@given(
    arrived=arrivals(scarce=True),
    stock=st.fixed_dictionaries(dict.fromkeys(ITEMS, st.integers(3, 24))),
    kinds=st.lists(st.tuples(st.sampled_from(_APART), st.sampled_from(ITEMS)), min_size=1, max_size=3, unique=True),
)
def test_so_they_do_when_units_are_set_apart_for_the_store(
    db: Database, arrived: tuple[list[StoreOrder], list[int]], stock: dict[str, int], kinds: list[tuple[str, str]]
) -> None:
    """Not totals alone: promises end in the same pools, for what was set apart is drawn first and given back last."""
    states, arriving = arrived
    newest = len(states) - 1
    apart = [(kind, sku, 1 + n) for n, (kind, sku) in enumerate(kinds)]
    apart = [(kind, sku, min(units, stock[sku] // len(kinds))) for kind, sku, units in apart]
    assert books_after(shop(db, stock, apart), states, arriving) == books_after(
        shop(db, stock, apart), states, [newest]
    )


@PLAYED
@given(
    arrived=arrivals(scarce=False),
    sends=st.lists(st.sampled_from(["allocate", "hand", "put back", "give back", "nothing"]), min_size=1, max_size=6),
)
def test_so_they_do_whatever_warehouses_do_between_them(
    db: Database, arrived: tuple[list[StoreOrder], list[int]], sends: list[str]
) -> None:
    """What is to be sent in the end is what the newest state has paid and not sent, whoever was told of it before."""
    states, arriving = arrived
    plenty = dict.fromkeys(ITEMS, 400)
    newest = len(states) - 1
    busy, calm = shop(db, plenty), shop(db, plenty)
    assert books_after(busy, states, arriving, sends) == books_after(calm, states, [newest], ["nothing"])
    assert allocated(busy[0]) == allocated(calm[0])
