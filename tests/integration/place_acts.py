"""What tests of warehouses and bins share."""

from typing import Any

from core.goods.receiving import Receive
from core.stock import DocumentKind, Spot
from core.warehouse import bins, warehouses
from tests.builders import World


def place(world: World, name: str) -> Spot:
    """The bin, made with its warehouse where there is none."""
    code, _, bin_code = name.partition("/")
    with world.db.begin(world.merchant_id, actor="test") as tx:
        if code not in {one.code for one in warehouses.every(tx)}:
            warehouses.add(tx, code, {})
        if bin_code:
            bins.add(tx, name)
        return warehouses.spot_of(tx, name)


def receive(world: World, sku: str, units: int, at: str, damaged: int = 0) -> None:
    what = world.item(sku)
    broken = {what: damaged} if damaged else {}
    world.do(Receive(f"r/{sku}/{at}/{units}", DocumentKind.RECEIPT, {what: units}, "", broken, place(world, at)))


def in_bin(world: World, sku: str, at: str) -> tuple[int, int, int]:
    """Available, picking and unavailable units."""
    rows = world.ask(
        """SELECT available, picking, unavailable FROM warehouse_balance
           WHERE merchant_id = :merchant_id AND item_id = :item_id AND bin_id = :bin_id""",
        item_id=world.item(sku).item_id, bin_id=place(world, at).bin_id,
    )  # fmt: skip
    return tuple(rows[0]) if rows else (0, 0, 0)


def tell(world: World, act: Any, *values: Any) -> Any:
    with world.db.begin(world.merchant_id, actor="test") as tx:
        return act(tx, *values)
