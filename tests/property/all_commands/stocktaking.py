"""What may happen when a stocktake is done while goods move: bins are counted, and the difference is booked later."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from core.errors import Refused
from core.stocktake import entering, opening, posting
from core.stocktake.entering import Counted
from tests.property.all_commands.goods import KIND, GoodsRules
from tests.property.all_commands.kinds import Heap, Kind
from tests.property.all_commands.machine import ANY, BINS, Shop, happens


class StocktakeRules(GoodsRules):
    @happens(3, which=ANY, place=ANY, counts=st.dictionaries(KIND, st.integers(0, 12), min_size=1, max_size=3))
    def count_a_bin(self, which: int, place: int, counts: dict[Kind, int]) -> None:
        """What the books have too much or too few is noted now, whatever moves until it is booked."""
        shop = self.shop(which)
        books, spot = shop.books, shop.spots[place % len(BINS)]
        self.finish(shop)
        if not books.stocktake:
            books.stocktake = f"S-{next(self.numbers)}"
            self.write_down(shop, opening.start, books.stocktake, BINS)

        def note(result: Any) -> None:
            if not isinstance(result, Refused):  # its books were just corrected
                for kind, units in counts.items():
                    books.counted[spot.bin_id, kind] = units - books.shelf[spot.bin_id, kind]

        told = [Counted(spot, shop.stocked(kind), units) for kind, units in counts.items()]
        self.act_alone(shop, lambda: self.write_down(shop, entering.enter, books.stocktake, told, "ann"), note)

    @happens(2, which=ANY)
    def book_what_was_counted(self, which: int) -> None:
        shop = self.shop(which)
        books, number = shop.books, shop.books.stocktake
        self.finish(shop)
        if not books.counted:
            return

        def do() -> Any:
            return posting.post(self.database, shop.world.merchant_id, number, actor="test", leave_out=True)

        def note(result: Any) -> None:
            self.step = replace(self.step, alone=False, counts=True)
            if not isinstance(result, Refused):
                self.is_booked(shop, number)

        self.act_alone(shop, do, note)

    def is_booked(self, shop: Shop, number: str) -> None:
        """What left the bin since cannot be missing, too; what somebody corrected since is left out."""
        books, spots = shop.books, {spot.bin_id: spot for spot in shop.spots}
        booked = self.posted(shop, number)
        for heap, variance in books.counted.items():
            bin_id, kind = heap
            units = booked.get(heap)
            if units is None:
                continue
            assert units == max(variance, -books.shelf[heap]), (heap, variance, units)
            if units < 0:
                self.goods_are_gone(shop, spots[bin_id], {kind: -units})
            else:
                books.shelf[heap] += units
        books.stocktake, books.counted = "", {}

    @staticmethod
    def posted(shop: Shop, number: str) -> dict[Heap, int]:
        """Units found, or below 0 missing, of the lines that were not left out."""
        rows = shop.world.ask(
            """SELECT l.bin_id, i.sku, l.grade, l.posted FROM stocktake s
               JOIN stocktake_line l ON (l.merchant_id, l.stocktake_id) = (s.merchant_id, s.id)
               JOIN item i ON (i.merchant_id, i.id) = (l.merchant_id, l.item_id)
               WHERE s.merchant_id = :merchant_id AND s.number = :number AND l.posted IS NOT NULL""",
            number=number,
        )
        return {(row.bin_id, (row.sku, row.grade)): row.posted for row in rows}
