"""What tests of routing share."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from core.dispatch import reading
from core.dispatch.destinations import Destination
from core.dispatch.model import Line, Route
from core.dispatch.routing import decide
from core.dispatch.strategies import named
from core.goods.receiving import Receive
from core.stock import DocumentKind
from core.transaction import Transaction
from core.warehouse import warehouses
from core.warehouse.warehouses import spot_of
from tests.builders import World

MUNICH = Destination("DE", "BY", "80")


@contextmanager
def begin(world: World) -> Iterator[Transaction]:
    with world.db.begin(world.merchant_id, actor="test") as tx:
        yield tx


def place(world: World, code: str, **terms: object) -> int:
    with begin(world) as tx:
        return warehouses.add(tx, code, terms)


def put(world: World, code: str, **units: int) -> None:
    with begin(world) as tx:
        spot = spot_of(tx, code)
    quantities = {world.item(sku): n for sku, n in units.items()}
    world.do(Receive(f"receipt/{code}/{units}", DocumentKind.RECEIPT, quantities, spot=spot))


def codes(world: World) -> Mapping[int, str]:
    with begin(world) as tx:
        return {one.id: one.code for one in warehouses.every(tx)}


def order_id(world: World, external_id: str = "1001") -> int:
    return int(world.scalar("SELECT id FROM store_order WHERE external_id = :id", id=external_id))


def route(tx: Transaction, lines: Sequence[Line], strategy: str = "priority", **told: Any) -> Route:
    laid, places = reading.terms(tx), warehouses.every(tx)
    things = [part.stocked for one in lines for part in one.parts]
    supply = reading.supply(tx, things, places, laid, tx.now)
    return decide(lines, MUNICH, places, supply, laid, named(strategy), tx.now, **told)


def sent(world: World, found: Route) -> dict[str, int]:
    """Units by warehouse."""
    names = codes(world)
    return {names[leg.warehouse_id]: leg.units for leg in found.legs}
