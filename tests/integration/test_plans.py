"""Plans are kept where whole tables are never read, and made anew everywhere else."""

import pytest
from sqlalchemy.exc import DataError

from core import plans
from core.goods import item_views
from tests.builders import World

_SETTINGS = "SELECT current_setting('plan_cache_mode'), current_setting('enable_seqscan')"
_MADE = """SELECT sum(generic_plans) AS kept, sum(custom_plans) AS anew FROM pg_prepared_statements
    WHERE statement LIKE '%AS elsewhere%'"""


def test_what_a_store_shows_is_planned_once_for_a_connection(world: World) -> None:
    world.stocked("cup", units=7)
    cup = world.item("cup")
    with world.db.begin(1, actor="test") as tx:
        told = [item_views.shown_by_stores(tx, cup.item_id) for _ in range(6)]
        made = tx.run(_MADE).one()
    assert told[0] == told[-1]
    assert made.kept >= 3
    assert made.anew == 0


def test_other_statements_of_the_transaction_are_planned_as_before(world: World) -> None:
    with world.db.begin(1, actor="test") as tx:
        before = tx.run(_SETTINGS).one()
        with plans.kept(tx):
            assert tx.run(_SETTINGS).one() == ("force_generic_plan", "off")
        assert tx.run(_SETTINGS).one() == before == ("force_custom_plan", "on")


def test_an_error_inside_is_told_as_it_is(world: World) -> None:
    with pytest.raises(DataError, match="division by zero"), world.db.begin(1, actor="test") as tx, plans.kept(tx):
        tx.run("SELECT 1 / 0")
