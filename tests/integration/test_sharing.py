"""Stores that cannot share a transaction: few units are dealt out, so that together they never show too many."""

import threading
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import catalog, pushes
from core.model import PushStatus, Sharing
from core.pushes import Claimed
from core.sales.holds import Hold
from core.stock import DocumentKind, PoolKind
from tests.builders import FAR_OFF, World, line, order
from tests.integration.facts_acts import bundle, set_apart
from tests.integration.test_pushes import applied, claim, outcome, pushed, settle, wanted


def escrow(world: World) -> None:
    with world.db.begin(1, actor="test") as tx:
        catalog.set_merchant(tx, sharing=Sharing.ESCROW)


def shops(world: World, count: int, *, units: int, shown: int | None = None) -> list[int]:
    """Live stores that list the cup, of which there are ``units``; each shows ``shown`` of them (all, if not said)."""
    made = [world.store(f"shop {n}") for n in range(count)]
    for store in made:
        world.listings(store, "cup", shown=units if shown is None else shown)
    world.receive("cup", units, DocumentKind.OPENING)
    return made


def shown(world: World, stores: Sequence[int]) -> list[int]:
    return [world.listing(store, "cup").believed for store in stores]


def serve(world: World, stores: Sequence[int], rounds: int = 3) -> None:
    """Rounds of pushes in which every store takes what it is told; waits are over each time."""
    for _ in range(rounds):
        for store in stores:
            world.tell("UPDATE push_due SET not_before = NULL WHERE merchant_id = :merchant_id")
            pushed(world, store)


def test_while_there_are_plenty_every_store_shows_all(world: World) -> None:
    stores = shops(world, 3, units=70)
    world.hear(stores[0], order(line("cup", 10, counted=10)))
    serve(world, stores)
    assert shown(world, stores) == [60, 60, 60], "two orders of ten fit each store"


def test_few_units_are_dealt_out_and_add_up_to_what_is_there(world: World) -> None:
    stores = shops(world, 3, units=30)
    world.hear(stores[0], order(line("cup", 10, counted=10)))
    serve(world, stores)
    assert sorted(shown(world, stores)) == [6, 7, 7]


def test_a_store_that_sells_alone_shows_the_last_unit(world: World) -> None:
    open_store, watching = shops(world, 2, units=1)
    with world.db.begin(1, actor="test") as tx:
        tx.run("UPDATE store SET mode = 'observe' WHERE merchant_id = :merchant_id AND id = :id", id=watching)
    serve(world, [open_store])
    assert shown(world, [open_store]) == [1]


def test_the_receiver_waits_until_the_giver_shows_less(world: World) -> None:
    escrow(world)
    giver, receiver = shops(world, 2, units=4, shown=0)
    world.tell("UPDATE listing SET believed = 4 WHERE merchant_id = :merchant_id AND store_id = :id", id=giver)

    (first,) = claim(world, receiver)
    assert (first.intent.wanted, first.short) == (0, True)
    settle(world, receiver, [first], outcome(first, PushStatus.EQUAL, shown=0, observed=0))
    assert world.due(receiver, "cup") is not None, "it is still owed its part"

    pushed(world, giver)
    world.tell("UPDATE push_due SET not_before = NULL WHERE merchant_id = :merchant_id")
    assert wanted(claim(world, receiver)) == [("cup", 2)]


def test_units_of_a_write_that_may_still_land_are_nobody_elses(world: World) -> None:
    escrow(world)
    one, other = shops(world, 2, units=4, shown=0)
    (rise,) = claim(world, one)
    assert rise.intent.wanted == 2
    settle(world, one, [rise], outcome(rise, PushStatus.RETRY, reason="no answer"))
    world.do(Hold("a", {world.item("cup"): 2}, FAR_OFF))

    (late,) = claim(world, other)

    assert (late.intent.wanted, late.short) == (0, True), "2 are left, and the first store may show 2 by now"


def test_two_stores_never_rise_by_the_same_unit_at_once(world: World) -> None:
    escrow(world)
    one, other = shops(world, 2, units=4, shown=0)
    claimed: list[Claimed] = []
    second = threading.Thread(target=lambda: claimed.extend(claim(world, other)))

    with world.db.begin(1, actor="test") as tx:
        assert wanted(pushes.claim(tx, one, limit=10)) == [("cup", 2)]
        world.do(Hold("a", {world.item("cup"): 2}, FAR_OFF))
        second.start()
        second.join(0.3)
        assert second.is_alive(), "the second looks only when the first has noted what it asks for"
    second.join(10)

    assert [(c.intent.wanted, c.short) for c in claimed] == [(0, True)]


def test_a_paused_store_leaves_its_part_to_the_others(world: World) -> None:
    escrow(world)
    stores = shops(world, 2, units=4)
    serve(world, stores)
    assert shown(world, stores) == [2, 2]
    world.tell("UPDATE store SET paused = true WHERE merchant_id = :merchant_id AND id = :id", id=stores[1])
    with world.db.begin(1, actor="test") as tx:
        assert pushes.mark_wrong(tx, stores[0]) == 1
    serve(world, stores[:1])
    assert shown(world, stores[:1]) == [4]


@pytest.mark.parametrize(
    ("sharing", "numbers"), [(Sharing.MIRROR, [3, 3]), (Sharing.ADAPTIVE, [1, 2]), (Sharing.ESCROW, [1, 2])]
)
def test_the_merchant_says_how_units_are_shared(world: World, sharing: Sharing, numbers: list[int]) -> None:
    with world.db.begin(1, actor="test") as tx:
        catalog.set_merchant(tx, sharing=sharing)
    stores = shops(world, 2, units=3)
    serve(world, stores)
    assert sorted(shown(world, stores)) == numbers


def test_below_a_number_of_the_merchants_own_units_are_dealt_out_before_any_order(world: World) -> None:
    with world.db.begin(1, actor="test") as tx:
        catalog.set_merchant(tx, share_below=100)
    stores = shops(world, 2, units=90)
    serve(world, stores)
    assert shown(world, stores) == [45, 45]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(st.data())
def test_dealt_out_stores_never_show_more_together_than_there_is_whatever_happens(
    world: World, data: st.DataObject
) -> None:
    """Sales at the stores, heard of late; pushes that arrive or are lost; goods that come in."""
    escrow(world)
    number = data.draw(st.integers(0, 10**9))
    sku = f"cup-{number}-{world.next_seq()}"
    stores = [world.store(f"{sku} {n}") for n in range(3)]
    for store in stores:
        world.listings(store, sku, shown=0)
    world.receive(sku, 9, DocumentKind.OPENING)
    really = dict.fromkeys(stores, 0)
    unheard: list[tuple[int, str, int]] = []
    under_way: list[tuple[int, list[Claimed]]] = []
    for step in range(data.draw(st.integers(5, 25))):
        act = data.draw(st.sampled_from(["claim", "answer", "lose", "sell", "hear", "receive"]))
        store = data.draw(st.sampled_from(stores))
        if act == "claim" and not any(held == store for held, _ in under_way):
            world.tell("UPDATE push_due SET not_before = NULL WHERE merchant_id = :merchant_id")
            claimed = [c for c in claim(world, store) if c.intent.external_id == f"listing-{sku}"]
            under_way.append((store, claimed))
        elif act in ("answer", "lose") and under_way:
            held, claimed = under_way.pop(0)
            for one in claimed:
                arrived = act == "answer"
                if arrived:  # compare and set: over an unheard sale nothing is written
                    arrived = really[held] == (one.intent.believed or 0)
                    really[held] = one.intent.wanted if arrived else really[held]
                settle(world, held, [one], applied(one) if arrived else outcome(one, PushStatus.RETRY))
        elif act == "sell" and really[store]:
            units = data.draw(st.integers(1, really[store]))
            really[store] -= units
            unheard.append((store, f"{sku}-{step}", units))
        elif act == "hear" and unheard:
            sold_by, number_, units = unheard.pop(0)
            world.hear(sold_by, order(line(sku, units, counted=units), external_id=number_))
        elif act == "receive":
            world.receive(sku, data.draw(st.integers(1, 5)))
        sold = sum(units for _, _, units in unheard)
        assert sum(really.values()) + sold <= world.units(sku).free
        assert world.units(sku).backordered == 0


# ---- the same with bundles and pools of a store's own


class Street:
    """Three stores that list a cup; the last also lists pairs of it, the first has cups of its own in a pool.

    ``really`` is what each listing's store shows; ``unheard`` are sales that we have not been told of.
    """

    def __init__(self, world: World, sku: str, own: int, shared: int) -> None:
        self.world, self.sku = world, sku
        self.stores = [world.store(f"{sku} {n}") for n in range(3)]
        for store in self.stores:
            world.listings(store, sku, shown=0)
        bundle(world, f"pair-{sku}", self.stores[-1], **{sku: 2})
        world.receive(sku, own + shared, DocumentKind.OPENING)
        if own:
            set_apart(world, PoolKind.CHANNEL, sku, own, self.stores[0])
        self.really = {(store, sku): 0 for store in self.stores} | {(self.stores[-1], f"pair-{sku}"): 0}
        self.unheard: list[tuple[tuple[int, str], str, int]] = []
        self.under_way: list[tuple[int, list[Claimed]]] = []

    def cups(self, listing: tuple[int, str]) -> int:
        return 1 if listing[1] == self.sku else 2

    def claim(self, store: int) -> None:
        self.world.tell("UPDATE push_due SET not_before = NULL WHERE merchant_id = :merchant_id")
        ours = {f"listing-{sku}" for _, sku in self.really}
        self.under_way.append((store, [c for c in claim(self.world, store) if c.intent.external_id in ours]))

    def end_push(self, *, arrives: bool) -> None:
        store, claimed = self.under_way.pop(0)
        for one in claimed:
            listing = (store, one.intent.external_id.removeprefix("listing-"))
            # Compare and set: over a sale that was not heard of nothing is written.
            arrived = arrives and self.really[listing] == (one.intent.believed or 0)
            if arrived:
                self.really[listing] = one.intent.wanted
            settle(self.world, store, [one], applied(one) if arrived else outcome(one, PushStatus.RETRY))

    def sell(self, listing: tuple[int, str], units: int, number: str) -> None:
        self.really[listing] -= units
        self.unheard.append((listing, number, units))

    def hear(self) -> None:
        (store, sku), number, units = self.unheard.pop(0)
        self.world.hear(store, order(line(sku, units, counted=units), external_id=number))

    def too_many(self) -> tuple[int, int]:
        """Cups that are shown or sold beyond those that are free, and cups that orders wait for."""
        shown = sum(units * self.cups(listing) for listing, units in self.really.items())
        sold = sum(units * self.cups(listing) for listing, _, units in self.unheard)
        free, backordered = self.world.ask(
            """SELECT coalesce(sum(free), 0)::bigint, coalesce(sum(backordered), 0)::bigint FROM sales_balance
               WHERE merchant_id = :merchant_id AND item_id = :id""",
            id=self.world.item(self.sku).item_id,
        )[0]
        return max(shown + sold - free, 0), backordered


def test_two_listings_of_a_store_do_not_rise_by_the_same_units(world: World) -> None:
    escrow(world)
    for n in range(4):  # odd units fall to another listing with each item
        street = Street(world, f"mug-{n}", own=0, shared=8)
        last = street.stores[-1]
        for store in street.stores:
            street.claim(store)
            street.end_push(arrives=True)
        for listing in ((last, street.sku), (last, f"pair-{street.sku}")):
            street.sell(listing, street.really[listing], f"{n}-{listing[1]}")
            street.hear()
        world.receive(street.sku, 3)
        for _ in range(3):
            street.claim(last)
            street.end_push(arrives=True)
            assert street.too_many() == (0, 0)
        assert street.really[last, street.sku] > 0


ACTS = ["push", "push", "claim", "answer", "lose", "sell", "order", "order", "hear", "receive"]
# An act, the place of a store and of a listing in their lists, and an amount.
HAPPENING = st.tuples(st.sampled_from(ACTS), st.integers(0, 2), st.integers(0, 3), st.integers(1, 5))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(st.lists(HAPPENING, min_size=10, max_size=40), st.sampled_from([0, 4]))
def test_bundles_and_own_pools_never_make_a_unit_show_twice(
    world: World, happenings: list[tuple[str, int, int, int]], own: int
) -> None:
    escrow(world)
    street = Street(world, f"cup-{world.next_seq()}", own, shared=8)
    for store in street.stores:
        street.claim(store)
        street.end_push(arrives=True)
    for step, (act, at, of, amount) in enumerate(happenings):
        store, listing = street.stores[at], list(street.really)[of]
        if act in ("claim", "push") and not any(held == store for held, _ in street.under_way):
            street.claim(store)
        if act in ("answer", "lose", "push") and street.under_way:
            street.end_push(arrives=act != "lose")
        if act in ("sell", "order") and street.really[listing]:
            street.sell(listing, min(amount, street.really[listing]), f"{street.sku}-{step}")
        if act in ("hear", "order") and street.unheard:
            street.hear()
        if act == "receive":
            world.receive(street.sku, amount)
        assert street.too_many() == (0, 0)
