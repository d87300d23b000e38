"""What may happen to goods that are set apart: they come back unseen, are looked at, and go back to their supplier."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from core.goods import inspection
from core.goods.inspection import Findings, ReturnToInspect
from core.stock import DocumentKind, Spot
from core.supply import going_back, suppliers
from tests.property.all_commands.goods import KIND
from tests.property.all_commands.kinds import FLAWED, GOOD, Kind
from tests.property.all_commands.machine import ANY, FEW, Shop, happens
from tests.property.all_commands.supplying import SUPPLIER, SupplyRules

_FOUND = st.builds(Findings, *[st.sampled_from([0, 0, 1, 2])] * 4)


class SetApartRules(SupplyRules):
    @happens(2, which=ANY, units=st.dictionaries(KIND, FEW, min_size=1, max_size=2), place=ANY)
    def something_comes_back(self, which: int, units: dict[Kind, int], place: int) -> None:
        """Nobody knows yet what it is."""
        self.receive(self.shop(which), DocumentKind.RETURN, {}, units, place, make=ReturnToInspect)

    @happens(3, which=ANY, nth=ANY, found=_FOUND)
    def look_at_it(self, which: int, nth: int, found: Findings) -> None:
        shop = self.shop(which)

        def note(record_id: int, spot: Spot, kind: Kind, left: int) -> None:
            def do() -> Any:
                return inspection.inspect(
                    self.database, shop.world.merchant_id, record_id, found, f"{next(self.numbers)}", actor="test",
                    reason="looked at",
                )  # fmt: skip

            def noted(result: Any) -> None:
                if self.is_refused(result, not 1 <= sum(found) <= left or self.is_frozen(shop, spot)):
                    return
                gone = found.good + found.minor_defect + found.scrap
                shop.books.enter(spot.bin_id, {kind: -gone}, apart=True)
                shop.books.enter(spot.bin_id, {(kind[0], GOOD): found.good})
                shop.books.enter(spot.bin_id, {(kind[0], FLAWED): found.minor_defect})

            self.act_alone(shop, do, noted)

        self.with_a_record(shop, nth, note)

    @happens(2, which=ANY, nth=ANY, units=FEW, named=st.booleans())
    def send_it_back(self, which: int, nth: int, units: int, named: bool) -> None:
        """Units of one record, or those that were set apart first."""
        shop = self.shop(which)

        def note(record_id: int, spot: Spot, kind: Kind, left: int) -> None:
            def do() -> Any:
                goods = going_back.GoingBack(spot, shop.stocked(kind), units)
                if named:
                    goods = self.write_down(shop, going_back.of_record, record_id, units)
                return going_back.send_back(
                    self.database, shop.world.merchant_id, f"VR-{next(self.numbers)}", SUPPLIER, [goods], actor="test",
                    reason="broken",
                )  # fmt: skip

            def noted(result: Any) -> None:
                there = left if named else shop.books.apart[spot.bin_id, kind]
                if not self.is_refused(result, units > there or self.is_frozen(shop, spot)):
                    shop.books.enter(spot.bin_id, {kind: -units}, apart=True)

            self.act_alone(shop, do, noted)

        self.write_down(shop, _know_the_supplier)
        self.with_a_record(shop, nth, note)

    def with_a_record(self, shop: Shop, nth: int, act: Callable[[int, Spot, Kind, int], None]) -> None:
        """Its id, where it lies, what it is, and how many are left of it."""
        self.finish(shop)
        rows = shop.world.ask(
            """SELECT a.id, a.bin_id, i.sku, a.grade, a.units_left FROM set_apart a
               JOIN item i ON (i.merchant_id, i.id) = (a.merchant_id, a.item_id)
               WHERE a.merchant_id = :merchant_id AND a.units_left > 0 ORDER BY a.id"""
        )
        if rows:
            row = rows[nth % len(rows)]
            (spot,) = [spot for spot in shop.spots if spot.bin_id == row.bin_id]
            act(row.id, spot, (row.sku, row.grade), row.units_left)


def _know_the_supplier(tx: Any) -> None:
    if SUPPLIER not in {one.code for one in suppliers.every(tx)}:
        suppliers.add(tx, SUPPLIER, {})
