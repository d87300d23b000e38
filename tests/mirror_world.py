"""Short ways to play an outside system that counts a warehouse, for tests."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.mirror import full, sources, telling
from core.mirror.full import Batch
from core.mirror.telling import Answer
from tests.builders import World, line, order

ACTOR = "test"
OPEN: Mapping[str, Any] = {"most_percent": None, "most_zeroed": None, "most_units": None}


def source(
    world: World, name: str = "wms", at: str = "MAIN", *, by_time: bool = False, by_bin: bool = False, **terms: Any
) -> int:
    """A source without bounds, unless they are named."""
    with world.db.begin(world.merchant_id, actor=ACTOR) as tx:
        return sources.add(tx, name, at, {**OPEN, **terms}, by_time=by_time, by_bin=by_bin)


def row(sku: str, units: object, version: object = None, **more: object) -> dict[str, object]:
    said = {"sku": sku, "quantity": units, **more}
    return said if version is None else {**said, "version": version}


def numbered(rows: Any) -> list[tuple[int, object]]:
    return list(enumerate(rows, start=1))


def tell(world: World, *rows: object, name: str = "wms", **how: Any) -> list[Answer]:
    return telling.tell(world.db, world.merchant_id, name, numbered(rows), actor=ACTOR, **how)


def tell_all(
    world: World, version: object, units: Mapping[str, object], *, name: str = "wms", as_of: datetime | None = None,
    key: str = "", **how: Any,
) -> Batch:  # fmt: skip
    said: dict[str, object] = {"version": version, "id": key, "as_of": as_of.isoformat() if as_of else ""}
    rows = numbered(row(sku, n) for sku, n in units.items())
    return full.tell(world.db, world.merchant_id, name, said, rows, actor=ACTOR, **how)


def shelf(world: World, sku: str, at: str = "MAIN") -> int:
    """Sellable units of good grade that stand in a warehouse."""
    return int(
        world.scalar(
            """SELECT coalesce(sum(b.available + b.picking), 0) FROM warehouse_balance b
               JOIN bin ON bin.merchant_id = b.merchant_id AND bin.id = b.bin_id
               JOIN warehouse w ON w.merchant_id = b.merchant_id AND w.id = bin.warehouse_id
               WHERE b.merchant_id = :merchant_id AND w.code = :at AND b.grade = 'good' AND b.item_id = :item_id""",
            at=at, item_id=world.item(sku).item_id,
        )
    )  # fmt: skip


def shipped(world: World, store_id: int, units: int) -> None:
    """An order for mugs is placed and shipped."""
    world.hear(store_id, order(line("mug", units, shipped=units), external_id=f"o{units}", paid=True))
