"""Rules are set in one place, with every version they had, and what stores show follows."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from core import catalog
from core.errors import NotFound, Refused
from core.selling import rules
from core.selling.rulebook import Scope, Value
from core.selling.rules import Difference, Subject, item_subject, listing_subject, store_subject
from core.transaction import connect
from tests.builders import Clock, World, line, order
from tests.conftest import Logins
from tests.integration.facts_acts import bundle, number
from tests.integration.test_pushes import applied, claim, pushed, settle, wanted


def store_of(world: World, name: str = "Main street") -> Subject:
    with world.db.begin(1, actor="test") as tx:
        return store_subject(tx, name)


def listing_of(world: World, sku: str, store: str = "Main street") -> Subject:
    with world.db.begin(1, actor="test") as tx:
        return listing_subject(tx, store, sku)


def item_of(world: World, sku: str) -> Subject:
    with world.db.begin(1, actor="test") as tx:
        return item_subject(tx, sku)


def change(world: World, subject: Subject, rule: str, value: Value, actor: str = "test") -> bool:
    with world.db.begin(1, actor=actor) as tx:
        return len(rules.set_rules(tx, subject, {rule: value})) == 1


def previewed(world: World, subject: Subject, rule: str, value: Value) -> list[Difference]:
    with world.db.begin(1, actor="test") as tx:
        return rules.preview(tx, subject, {rule: value})


def due(world: World) -> list[str]:
    """SKUs of what is stale; forgotten afterwards."""
    rows = world.ask("SELECT l.sku FROM push_due d JOIN listing l ON l.id = d.listing_id ORDER BY 1")
    world.tell("DELETE FROM push_due WHERE merchant_id = :merchant_id")
    return [row.sku for row in rows]


# ---- versions


def test_each_change_is_a_version_that_tells_who_when_from_and_to(world: World, clock: Clock) -> None:
    world.stocked("mug", units=20)
    listing = listing_of(world, "mug")
    change(world, listing, "buffer", 3, actor="user:7")
    clock.pass_(60)
    change(world, listing, "buffer", "5")
    clock.pass_(60)
    change(world, listing, "buffer", None)

    with world.db.begin(1, actor="test") as tx:
        told = rules.history(tx, subject=listing)

    assert [(one.version, one.was, one.becomes) for one in told] == [(3, 5, None), (2, 3, 5), (1, None, 3)]
    assert (told[-1].actor, told[-1].subject) == ("user:7", "listing-mug of Main street")
    assert told[0].changed_at - told[-1].changed_at == timedelta(seconds=120)


def test_saying_the_same_again_changes_nothing(world: World) -> None:
    world.stocked("mug", units=20)
    shop = store_of(world)
    assert change(world, shop, "cap", 5) is True
    due(world)
    assert change(world, shop, "cap", "5") is False
    assert change(world, shop, "buffer", None) is False
    assert due(world) == []
    assert world.scalar("SELECT count(*) FROM rule_change") == 1


def test_the_value_as_of_any_instant_can_be_told(world: World, clock: Clock) -> None:
    world.stocked("mug", units=20)
    shop, instants = store_of(world), [clock.now]
    for value in (1, 4, None):
        clock.pass_(60)
        change(world, shop, "buffer", value)
        instants.append(clock.now)
    key = (Scope.STORE, shop.id, "buffer")
    with world.db.begin(1, actor="test") as tx:
        then = [rules.changed_since(tx, at) for at in instants]
        between = rules.changed_since(tx, instants[1] + timedelta(seconds=30))
    assert [one.get(key, "as it is now") for one in then] == [None, 1, 4, "as it is now"]
    assert between[key] == 1


def test_who_waited_for_the_row_comes_later_though_it_began_earlier(world: World, clock: Clock) -> None:
    world.stocked("mug", units=20)
    shop = store_of(world)
    with world.db.begin(1, actor="first") as early:
        clock.pass_(60)
        change(world, shop, "buffer", 1, actor="second")
        rules.set_rules(early, shop, {"buffer": 2})
    with world.db.begin(1, actor="test") as tx:
        newest, oldest = rules.history(tx, subject=shop)
    assert (oldest.actor, newest.actor, newest.was) == ("second", "first", 1)
    assert newest.changed_at == oldest.changed_at


def test_two_who_change_one_rule_at_once_change_it_one_after_the_other(world: World) -> None:
    world.stocked("mug", units=20)
    shop = store_of(world)
    second = threading.Thread(target=lambda: change(world, shop, "buffer", 9, actor="second"))
    with world.db.begin(1, actor="first") as tx:
        rules.set_rules(tx, shop, {"buffer": 4})
        second.start()
        second.join(0.3)
        assert second.is_alive(), "it waits for what the first makes of it"
        assert world.scalar("SELECT buffer FROM store") is None, "who does not wait would start from nothing"
    second.join(10)
    with world.db.begin(1, actor="test") as tx:
        told = [(one.version, one.was, one.becomes, one.actor) for one in rules.history(tx)]
    assert told == [(2, 4, 9, "second"), (1, None, 4, "first")]


@pytest.mark.parametrize(
    "statement", ["UPDATE rule_change SET actor = 'x'", "DELETE FROM rule_change", "TRUNCATE rule_change"]
)
def test_what_was_changed_is_never_unsaid(world: World, logins: Logins, statement: str) -> None:
    world.stocked("mug", units=20)
    change(world, store_of(world), "buffer", 4)
    with pytest.raises(ProgrammingError, match="permission denied"):
        world.tell(statement)
    owner = connect(logins.owner, role=None)
    with pytest.raises(DBAPIError, match="never changed"), owner.begin() as connection:
        connection.execute(text(statement))
    owner.dispose()


# ---- what follows


def test_a_change_of_a_store_marks_what_it_lists_and_no_other_store(world: World) -> None:
    world.stocked("mug", "cup", units=20)
    world.listings(world.store("other"), "mug")
    due(world)
    change(world, store_of(world), "buffer", 2)
    assert due(world) == ["cup", "mug"]


def test_a_change_of_an_item_marks_it_everywhere_and_in_bundles(world: World) -> None:
    store = world.stocked("mug", "cup", units=20)
    world.listings(world.store("other"), "mug")
    bundle(world, "pair", store, mug=2)
    due(world)
    change(world, item_of(world, "mug"), "safety_stock", 2)
    assert due(world) == ["mug", "mug", "pair"]


def test_a_change_of_a_listing_marks_it_alone_and_of_its_pack_all_that_share_with_it(world: World) -> None:
    world.stocked("mug", units=20)
    world.listings(world.store("other"), "mug")
    due(world)
    change(world, listing_of(world, "mug"), "cap", 2)
    assert due(world) == ["mug"]
    change(world, listing_of(world, "mug"), "pack_size", 2)
    assert due(world) == ["mug", "mug"]


def test_when_orders_take_their_units_changes_no_number(world: World) -> None:
    world.stocked("mug", units=20)
    due(world)
    change(world, store_of(world), "deduct", "at_order")
    assert world.scalar("SELECT deduct FROM store") == "at_order"
    assert due(world) == []
    assert previewed(world, store_of(world), "deduct", "at_payment") == []


def test_a_store_without_safety_stock_has_none(world: World) -> None:
    world.stocked("mug", units=20)
    shop = store_of(world)
    change(world, shop, "safety_stock", 3)
    change(world, shop, "safety_stock", None)
    assert world.scalar("SELECT safety_stock FROM store") == 0
    with world.db.begin(1, actor="test") as tx:
        assert rules.listed(tx) == []


def test_a_push_that_was_claimed_by_the_old_rule_does_not_rest_the_listing(world: World) -> None:
    store = world.stocked("mug", units=20, shown=0)
    claimed = claim(world, store)
    change(world, store_of(world), "cap", 5)

    settle(world, store, claimed, *(applied(one) for one in claimed))

    assert (wanted(claimed), wanted(claim(world, store))) == ([("mug", 20)], [("mug", 5)])


def test_a_push_that_is_claimed_while_the_rule_changes_is_made_again_by_the_new_one(world: World) -> None:
    store = world.stocked("mug", units=20, shown=0)
    pushed(world, store)
    with world.db.begin(1, actor="test") as tx:
        rules.set_rules(tx, store_subject(tx, "Main street"), {"cap": 5})
        assert claim(world, store) == [], "the change is not there yet"
    assert wanted(claim(world, store)) == [("mug", 5)]


def test_rules_pushes_and_sales_at_once_never_wait_in_a_circle(world: World) -> None:
    skus = [f"sku-{n}" for n in range(30)]
    store = world.stocked(*skus, units=500)
    shop, listings, items = store_of(world), [listing_of(world, sku) for sku in skus], [item_of(world, s) for s in skus]

    def take_part(n: int) -> None:
        if n % 4 == 0:
            change(world, shop, "buffer", n)
        elif n % 4 == 1:
            for subject in (*listings[n % 7 :: 7], *items[n % 5 :: 5]):
                with world.db.begin(1, actor="test") as tx:
                    rules.set_rules(tx, subject, {"safety_stock": n, "backorder_limit": n})
        elif n % 4 == 2:
            world.polled(store, world.db.clock())
            claimed = claim(world, store)
            settle(world, store, claimed, *(applied(one) for one in claimed))
        else:
            world.hear(store, order(*(line(sku, 1, counted=1) for sku in skus[n % 3 :: 3]), external_id=str(n)))

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(take_part, range(60))) == [None] * 60


# ---- dry run


def test_a_dry_run_tells_the_numbers_that_the_change_then_makes(world: World) -> None:
    store = world.stocked("mug", "cup", units=20)
    bundle(world, "pair", store, mug=2)
    world.receive("cup", 1)
    shop = store_of(world)
    before = {sku: number(world, store, sku) for sku in ("cup", "mug", "pair")}

    found = previewed(world, shop, "buffer", 3)

    assert {one.sku: (one.before, one.after) for one in found} == {"cup": (21, 18), "mug": (20, 17), "pair": (10, 8)}
    assert {sku: number(world, store, sku) for sku in before} == before
    change(world, shop, "buffer", 3)
    assert {one.sku: one.after for one in found} == {sku: number(world, store, sku) for sku in before}


def test_a_dry_run_changes_and_marks_nothing(world: World) -> None:
    world.stocked("mug", units=20)
    due(world)
    listing = listing_of(world, "mug")
    with world.db.begin(1, actor="test") as tx:
        assert len(rules.preview(tx, listing, {"cap": 2})) == 1
        assert len(rules.preview(tx, listing, {"pack_size": 2, "cap": 2})) == 1
        assert rules.preview(tx, listing, {"cap": 50}) == []
    assert due(world) == []
    assert world.scalar("SELECT count(*) FROM rule_change") == 0
    assert world.listing(store_of(world).id, "mug").cap is None


# ---- what is there


def test_all_rules_that_are_set_are_listed_with_who_set_them(world: World) -> None:
    world.stocked("mug", units=20)
    change(world, store_of(world), "buffer", 2, actor="user:1")
    change(world, item_of(world, "mug"), "backorder", "yes", actor="user:2")
    change(world, listing_of(world, "mug"), "pack_size", 4, actor="user:3")
    with world.db.begin(1, actor="test") as tx:
        every, one = rules.listed(tx), rules.listed(tx, subject=item_subject(tx, "MUG"))
    assert [(said.scope, said.subject, said.rule, said.value, said.actor) for said in every] == [
        ("store", "Main street", "buffer", 2, "user:1"),
        ("item", "mug", "backorder", "yes", "user:2"),
        ("listing", "listing-mug of Main street", "pack_size", 4, "user:3"),
    ]
    assert [said.rule for said in one] == ["backorder"]


def test_what_is_not_there_is_said_with_the_cure(world: World) -> None:
    store = world.stocked("mug", units=20)
    with world.db.begin(1, actor="test") as tx:
        with pytest.raises(NotFound, match="there are: Main street"):
            store_subject(tx, "Side street")
        with pytest.raises(NotFound, match="holdfast listing show Main street"):
            listing_subject(tx, "Main street", "nothing")
        with pytest.raises(NotFound, match="did you mean mug"):
            item_subject(tx, "mugs")
    world.tell(
        """INSERT INTO listing (merchant_id, id, store_id, external_id, sku, title)
           VALUES (:merchant_id, 5, :store, 'twin', 'MUG', '')""",
        store=store,
    )
    with world.db.begin(1, actor="test") as tx:
        with pytest.raises(Refused, match="listing-mug, twin"):
            listing_subject(tx, "Main street", "mug")
        assert listing_subject(tx, "Main street", "twin").id == 5


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("buffer", -1),
        ("share", 0),
        ("cap", "many"),
        ("grade", None),
        ("pack_size", None),
        ("floor", 2),
        ("deduct", "no"),
    ],
)
def test_a_refused_change_writes_nothing(world: World, rule: str, value: Value) -> None:
    world.stocked("mug", units=20)
    listing = listing_of(world, "mug")
    due(world)
    for act in (change, previewed):
        with pytest.raises(Refused):
            act(world, listing, rule, value)
    assert due(world) == []
    assert world.scalar("SELECT count(*) FROM rule_change") == 0


def test_rules_of_another_merchant_are_not_to_be_had(world: World) -> None:
    """A number from elsewhere names nothing here."""
    world.stocked("mug", units=20)
    shop = store_of(world)

    catalog.ensure_merchant(world.db, 2, name="Second shop")
    other = World(world.db, merchant_id=2)
    with world.db.begin(2, actor="test") as tx, pytest.raises(NotFound):
        rules.set_rules(tx, shop, {"buffer": 4})
    change(world, shop, "buffer", 4)
    assert other.scalar("SELECT count(*) FROM rule_change") == 0
