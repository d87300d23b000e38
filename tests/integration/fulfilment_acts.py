"""Short ways to let warehouses send what orders want."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from core.fulfilment import dispatching
from core.fulfilment.acts import GiveBack, HandOver, PutBack, Reject, Ship
from core.fulfilment.dispatching import Dispatched
from core.goods.receiving import Receive
from core.rows import StoreKey
from core.stock import DocumentKind, Spot
from core.warehouse import warehouses
from tests.builders import World

_keys = itertools.count(1)
ACTS = {"hand": HandOver, "put back": PutBack, "ship": Ship, "give back": GiveBack, "reject": Reject}


def place(world: World, code: str, **terms: object) -> int:
    """A new warehouse."""
    with world.db.begin(world.merchant_id, actor="test") as tx:
        return warehouses.add(tx, code, terms)


def spot(world: World, name: str) -> Spot:
    with world.db.begin(world.merchant_id, actor="test") as tx:
        return warehouses.spot_of(tx, name)


def put(world: World, name: str, **units: int) -> None:
    """Goods come in at a place."""
    quantities = {world.item(sku): n for sku, n in units.items()}
    world.do(Receive(f"put/{next(_keys)}", DocumentKind.RECEIPT, quantities, spot=spot(world, name)))


def order_id(world: World, external_id: str = "1001") -> int:
    return int(
        world.scalar(
            "SELECT id FROM store_order WHERE merchant_id = :merchant_id AND external_id = :id", id=external_id
        )
    )


def dispatch(world: World, *external_ids: str, **told: Any) -> list[Dispatched]:
    ids = [order_id(world, one) for one in external_ids or ("1001",)]
    return dispatching.dispatch(world.db, world.merchant_id, ids, actor="test", **told)


def fulfilments(world: World, external_id: str = "1001") -> Sequence[Any]:
    """Of an order, in their turn: id, warehouse code and rejected_at."""
    return world.ask(
        """SELECT f.id, w.code, f.rejected_at FROM fulfilment_order f
           JOIN warehouse w ON (w.merchant_id, w.id) = (f.merchant_id, f.warehouse_id)
           WHERE f.merchant_id = :merchant_id AND f.order_id = :order_id ORDER BY f.nth""",
        order_id=order_id(world, external_id),
    )


def act(
    world: World, what: str, nth: int = 1, *, external_id: str = "1001", key: str = "",
    units: Mapping[str, int] | None = None, **told: Any,
) -> Any:  # fmt: skip
    """Do something with the nth fulfilment order of an order, with all of it or with ``units`` by SKU."""
    (row,) = world.ask(
        "SELECT store_id, external_id FROM store_order WHERE merchant_id = :merchant_id AND external_id = :id",
        id=external_id,
    )
    said = None if units is None else {world.item(sku): n for sku, n in units.items()}
    if what in ("reject", "give back", "put back"):
        told.setdefault("reason", "no room")
    effect_key = f"test/{key or next(_keys)}"
    fulfilment_id = fulfilments(world, external_id)[nth - 1].id
    return world.do(ACTS[what](effect_key, StoreKey(*row), fulfilment_id, said, **told))


def goods(world: World, sku: str) -> dict[str, tuple[int, int, int]]:
    """By warehouse: available and allocated in the dispatch layer, and picking in its bins."""
    rows = world.ask(
        """SELECT w.code, d.available, d.allocated, coalesce(sum(b.picking), 0)::bigint AS picking
           FROM dispatch_balance d JOIN warehouse w ON (w.merchant_id, w.id) = (d.merchant_id, d.warehouse_id)
           LEFT JOIN bin ON (bin.merchant_id, bin.warehouse_id) = (w.merchant_id, w.id)
           LEFT JOIN warehouse_balance b ON (b.merchant_id, b.bin_id, b.item_id, b.grade)
               = (bin.merchant_id, bin.id, d.item_id, d.grade)
           WHERE d.merchant_id = :merchant_id AND d.item_id = :item_id AND d.grade = 'good' GROUP BY 1, 2, 3""",
        item_id=world.item(sku).item_id,
    )
    return {row.code: (row.available, row.allocated, row.picking) for row in rows}
