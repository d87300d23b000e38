"""Each invariant goes red when the books are corrupted by hand, and names the row."""

import json

import pytest
from sqlalchemy import Engine, text

from core import audit, catalog
from core.audit import INVARIANTS
from core.goods import recipes
from core.rows import Part
from tests.builders import Units, World, line, order
from tests.conftest import Logins, violations

A_LOCK = (
    "INSERT INTO pool (merchant_id, id, kind) SELECT id, 1, 'lock' FROM merchant",
    "INSERT INTO pool_item SELECT merchant_id, id, 'good', 1, true FROM item WHERE sku = 'mug'",
    "INSERT INTO lock SELECT merchant_id, 1, 'k', 'business', 'active', id, 'good', 1, 0, 0, '', '', NULL, NULL,"
    " false, 'no', NULL, NULL, '', now(), '', NULL, '', NULL, NULL FROM item WHERE sku = 'mug'",
    "INSERT INTO sales_balance SELECT merchant_id, 1, id, 'good', 0, 0, 0, 0 FROM item WHERE sku = 'mug'",
)
CORRUPTIONS = {
    "1": [
        "ALTER TABLE sales_balance DROP CONSTRAINT sales_balance_free_check",
        "UPDATE sales_balance SET free = -1",
    ],
    "2": ["UPDATE sales_balance SET free = free + 1"],
    "3": ["UPDATE warehouse_balance SET unavailable = unavailable + 1"],
    "4": ["UPDATE dispatch_balance SET incoming_sellable = incoming_sellable + 1"],
    "5a": ["UPDATE sales_balance SET reserved = reserved + 1, free = free - 1 WHERE free > 0"],
    "5b": ["UPDATE dispatch_balance SET locked = locked + 1, available = available - 1 WHERE available > 0"],
    "5c": ["UPDATE pool SET closed_at = now()"],
    "5d": ["UPDATE promise SET presale = true"],
    "5e": ["INSERT INTO lock SELECT merchant_id, 1, 'k', 'business', 'active', id, 'good', 1, 0, 0, '', '', NULL, NULL,"
           " false, 'no', NULL, NULL, '', now(), '', NULL, '', NULL, NULL FROM item LIMIT 1"],
    "5f": [*A_LOCK, "UPDATE pool SET store_id = 7 WHERE id = 1"],
    "5g": [*A_LOCK, "UPDATE sales_balance SET free = 2 WHERE pool_id = 1"],
    "5h": ["INSERT INTO pool_item SELECT merchant_id, item_id, grade, pool_id, false FROM sales_balance"
           " WHERE free > 0"],
    "5i": ["UPDATE promise SET presale_id = 5 WHERE live = 2",
           "INSERT INTO pool (merchant_id, id, kind) VALUES (1, 5, 'presale')",
           "INSERT INTO pool_item SELECT DISTINCT merchant_id, item_id, grade, 5, true, 1 FROM promise WHERE live = 2"],
    "5j": ["UPDATE dispatch_balance SET incoming = incoming + 1"],
    "5k": ["INSERT INTO purchase VALUES (1, 5, 'PO-7', 1, 1, NULL, '', now(), 'test', now(), NULL)",
           "INSERT INTO purchase_line VALUES (1, 6, 5, 1, 1, 'good', 2, 0, 2, 0, 1, NULL, NULL)"],
    "5l": ["UPDATE promise SET allocated = live WHERE paid AND deducted AND live > 0"],
    "5m": ["UPDATE dispatch_balance SET allocated = allocated + 1, available = available - 1 WHERE available > 0"],
    "5n": ["INSERT INTO expected SELECT merchant_id, 9, id, 'good', 6, 2, now(), 'PO-7', now(), '{}' FROM item"
           " WHERE sku = 'mug'",
           "INSERT INTO pool_item SELECT merchant_id, item_id, grade, pool_id, true, 9, 9 FROM sales_balance"
           " WHERE free > 0"],
    "6a": ["DELETE FROM effect WHERE document_id = (SELECT min(id) FROM document)"],
    "6b": ["INSERT INTO document SELECT merchant_id, id + 1000000, recorded_at, kind, effect_key, actor, source,"
           " correlation_id, happened_at, corrects_id, order_id, reason FROM document LIMIT 1"],
    "6c": [
        "ALTER TABLE promise DROP CONSTRAINT promise_check",
        "UPDATE promise SET shipped = shipped + 1",
    ],
    "6d": ["UPDATE promise SET waiting = 1, wanted = wanted + 1 WHERE item_id IN"
           " (SELECT item_id FROM sales_balance WHERE free > 0)",
           "UPDATE sales_balance SET backordered = 1 WHERE free > 0"],
    "6e": ["UPDATE promise SET order_line_id = -1"],
    "7": ["UPDATE incident SET closed_at = now()"],
    "8": ["ALTER TABLE movement DISABLE TRIGGER stays"],
    "10": ["UPDATE item SET kind = 'bundle'"],
    "10b": ["INSERT INTO item (merchant_id, id, sku, sku_key, title, created_at) VALUES (1, 9, 'x', 'x', '', now())",
            "UPDATE item SET merged_into = 9 WHERE sku = 'mug'"],
    "14": ["UPDATE warehouse_balance SET unavailable = unavailable + 1",
           "UPDATE dispatch_balance SET unavailable = unavailable + 1"],
    "16": ["INSERT INTO mirror_message VALUES (1, 1, 'id/m', 1, 'good', 0, 1, 5, now(), 'test', 'booked', 5, 7)"],
    "17": ["INSERT INTO item_cost (merchant_id, item_id, at, nth, document_id, units, cost_minor, currency, parts) "
           "VALUES (1, 5, now(), 1, 9, -1, 100, 'EUR', '[]')"],
    "9": [
        """INSERT INTO balance_checkpoint SELECT 1, id, now(), '[["sales", "good", 1, "free", 7]]' FROM item LIMIT 1"""
    ],
}  # fmt: skip


@pytest.fixture
def busy(world: World) -> World:
    """One item with units free, reserved and sold, another that is oversold."""
    store = world.stocked("mug", units=10)
    world.listings(store, "cup")
    world.hear(store, order(line("mug", 2), external_id="unpaid"))
    world.hear(store, order(line("mug", 3, shipped=1), external_id="paid", paid=True))
    world.hear(store, order(line("cup", 1), external_id="oversold", paid=True))
    return world


def found(logins: Logins) -> set[str]:
    return {violation.invariant.split()[0] for violation in violations(logins)}


def corrupt(superuser: Engine, *statements: str) -> None:
    with superuser.connect() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        for statement in statements:
            connection.execute(text(statement))


def test_every_invariant_has_its_corruption_here() -> None:
    assert {name.split()[0] for name in INVARIANTS} == set(CORRUPTIONS)


def test_right_books_have_no_violation(busy: World, logins: Logins) -> None:
    assert violations(logins) == []


@pytest.mark.broken_books
@pytest.mark.parametrize("invariant", CORRUPTIONS)
def test_a_corruption_by_hand_turns_its_invariant_red(
    busy: World, logins: Logins, superuser: Engine, invariant: str
) -> None:
    assert found(logins) == set()
    corrupt(superuser, *CORRUPTIONS[invariant])
    assert invariant in found(logins)


def test_a_unit_that_makes_no_whole_bundle_is_free_although_a_row_of_its_line_waits_for_one(
    world: World, superuser: Engine
) -> None:
    """What comes out of a presale has a row of its own on the line."""
    store_id = world.stocked("mug", "plate", units=0)
    world.listings(store_id, "set")
    world.receive("mug", 2)
    with world.db.begin(world.merchant_id, actor="test") as tx:
        parts = [Part(world.item("mug"), 1), Part(world.item("plate"), 2)]
        recipes.set_recipe(tx, world.item("set").item_id, recipes.BUNDLE, parts)
    world.hear(store_id, order(line("set", 2), paid=True))
    beside = {"id": world.scalar("SELECT max(id) + 1 FROM promise"), "wanted": 1, "waiting": 1}
    corrupt(
        superuser,
        "UPDATE promise SET wanted = 3, waiting = 3 WHERE waiting = 4",
        "INSERT INTO promise SELECT r.* FROM promise p CROSS JOIN LATERAL json_populate_record(p,"
        f" '{json.dumps(beside)}') r WHERE p.waiting = 3",
    )

    world.receive("plate", 1)

    assert world.units("plate") == Units(free=1, backordered=4)


@pytest.mark.broken_books
def test_a_partition_without_its_guard_turns_the_audit_red(busy: World, logins: Logins, superuser: Engine) -> None:
    with superuser.connect() as connection:
        part = connection.execute(
            text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'document'::regclass LIMIT 1")
        ).scalar_one()
    corrupt(superuser, f"DROP TRIGGER stays_whole ON {part}")
    assert found(logins) == {"8"}


@pytest.mark.broken_books
@pytest.mark.parametrize("right", ["UPDATE", "DELETE", "TRUNCATE"])
def test_a_right_too_many_turns_the_audit_red(busy: World, logins: Logins, superuser: Engine, right: str) -> None:
    corrupt(superuser, f"GRANT {right} ON document TO holdfast_app")
    assert found(logins) == {"8"}


@pytest.mark.broken_books
def test_a_lost_movement_is_found_by_replay(busy: World, logins: Logins, superuser: Engine) -> None:
    corrupt(superuser, "DELETE FROM movement WHERE layer = 'sales' AND to_bucket = 'reserved'")
    reds = [violation for violation in violations(logins) if violation.invariant.startswith("2")]
    assert {(red.row["layer"], red.row["bucket"]) for red in reds} == {("sales", "free"), ("sales", "reserved")}


@pytest.mark.broken_books
def test_a_corrupted_merchant_does_not_redden_another(busy: World, logins: Logins, superuser: Engine) -> None:
    catalog.ensure_merchant(busy.db, 2, name="Second shop")
    corrupt(superuser, "UPDATE sales_balance SET free = free + 1")
    with busy.db.begin(2, actor="test") as tx:
        assert audit.audit(tx) == []
