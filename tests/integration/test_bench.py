"""The past that measurements are made on is one that the ledger could have written."""

from bench import shop
from core.transaction import Database
from tests.builders import World
from tests.conftest import Logins


def test_a_written_past_has_right_books_and_its_orders_are_read_like_any_other(
    logins: Logins, db: Database, world: World
) -> None:
    skus = [f"sku-{n}" for n in range(6)]
    store_id = world.stocked(*skus, units=5)
    past = shop.Shop(db, logins.app, [world.item(sku).item_id for sku in skus], store_id)

    shop.add_past(logins.superuser, past, 1, 20)

    assert shop.violations(past) == 0
    assert world.scalar("SELECT count(*) FROM store_order") == 20
    assert world.scalar("SELECT count(*) FROM movement WHERE layer = 'sales' AND to_bucket = 'sold'") == 80
