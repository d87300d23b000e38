"""What other strategies would have decided is tried with the stock of then, and changes nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.dispatch import comparing, decisions, rates, reading
from core.dispatch.strategies import named
from core.warehouse import warehouses
from tests.builders import World, line, order
from tests.integration.routing_acts import MUNICH, begin, order_id, place, put, route


class TestThePast:
    @pytest.fixture
    def sold(self, world: World) -> World:
        """MAIN sent the mug and BERLIN the cup, though BERLIN had both."""
        place(world, "BERLIN", country="DE", subdivision="BE")
        store = world.stocked("MUG", "CUP", units=0)
        put(world, "MAIN", MUG=5)
        put(world, "BERLIN", MUG=5, CUP=5)
        with begin(world) as tx:
            warehouses.change(tx, "MAIN", {"priority": 9})
            rates.put_rate(tx, "Post", 9_000, 500, "EUR")
            rates.put_transit(tx, 1, 2)
        world.hear(store, order(line("MUG", 1), line("CUP", 1), placed_at=datetime.now(UTC), paid=True))
        with begin(world) as tx:
            found = route(tx, reading.lines_of_orders(tx, [order_id(world)])[order_id(world)])
            decisions.record(tx, [decisions.New(order_id(world), found)])
        return world

    def test_another_strategy_is_tried_with_the_stock_of_then(self, sold: World) -> None:
        with begin(sold) as tx:
            cases = comparing.cases_decided(tx, tx.now - timedelta(hours=1))
            (one,) = comparing.compare(tx, cases, named("fewest_parcels"))
            sums = comparing.totals([one])
        assert (one.was.parcels, one.would_be.parcels) == (2, 1)
        assert (sums.cost_was, sums.cost_would_be, sums.priced, sums.timed) == (1_000, 500, 1, 1)

    def test_what_came_or_went_since_does_not_count(self, sold: World) -> None:
        with begin(sold) as tx:
            cases = comparing.cases_decided(tx, tx.now - timedelta(hours=1))
        before = self.compared(sold, cases)
        put(sold, "MAIN", CUP=7)
        assert self.compared(sold, cases) == before
        later = [comparing.Case(**{**_fields(case), "at": datetime.now(UTC)}) for case in cases]
        assert self.compared(sold, later) != before

    def compared(self, world: World, cases: Sequence[comparing.Case]) -> list[tuple[int, int]]:
        with begin(world) as tx:
            return [
                (one.was.parcels, one.would_be.parcels) for one in comparing.compare(tx, cases, named("fewest_parcels"))
            ]

    def test_orders_that_nobody_routed_are_tried_as_if_all_went_to_one_place(self, sold: World) -> None:
        with begin(sold) as tx:
            cases = comparing.cases_ordered(tx, tx.now - timedelta(hours=1), MUNICH)
            (one,) = comparing.compare(tx, cases, named("cheapest"))
        assert (one.order_id, one.strategy, one.destination) == (order_id(sold), "priority", MUNICH)
        assert (one.was.cost, one.would_be.cost) == (1_000, 500)

    def test_trying_changes_nothing(self, sold: World) -> None:
        before = sold.ask("SELECT id, superseded_by FROM route_decision"), sold.ask("SELECT * FROM route_parcel")
        with begin(sold) as tx:
            comparing.compare(tx, comparing.cases_decided(tx, tx.now - timedelta(hours=1)), named("closest"))
        assert (
            sold.ask("SELECT id, superseded_by FROM route_decision"), sold.ask("SELECT * FROM route_parcel"),
        ) == before  # fmt: skip


def _fields(case: comparing.Case) -> dict[str, Any]:
    return {name: getattr(case, name) for name in ("order_id", "at", "lines", "destination", "strategy")}
