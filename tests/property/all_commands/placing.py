"""What may happen to places: goods are put away, bins are frozen for a count and thawed."""

from typing import Any

from hypothesis import strategies as st

from core.warehouse import bins
from core.warehouse.moves import PutAway
from tests.property.all_commands.machine import ANY, BINS, FEW, Machine, happens


class PlaceRules(Machine):
    @happens(3, which=ANY, nth=ANY, units=FEW, to=ANY, apart=st.booleans())
    def put_away(self, which: int, nth: int, units: int, to: int, apart: bool) -> None:
        """Mostly within a warehouse; nobody who sells is told."""
        shop = self.shop(which)
        from_, kind = shop.heap(nth, apart=apart)
        beside = [spot for spot in shop.spots if spot.warehouse_id == from_.warehouse_id and spot != from_]
        target = beside[0] if to % 5 else shop.spot(to)
        command = PutAway(f"away/{next(self.numbers)}", shop.stocked(kind), units, from_, target, apart)

        def note(result: Any) -> None:
            books, seen = shop.books, shop.books.seen
            away = from_.warehouse_id != target.warehouse_id or from_ == target
            is_frozen = bool({from_.bin_id, target.bin_id} & books.frozen)
            handed = 0 if apart else seen.picking[from_.bin_id, kind]
            lacks = not books.holds(from_.bin_id, {kind: units + handed}, apart=apart)
            if not self.is_refused(result, away or is_frozen or lacks):
                books.enter(from_.bin_id, {kind: -units}, apart=apart)
                books.enter(target.bin_id, {kind: units}, apart=apart)

        self.act(shop, command, note)

    @happens(1, which=ANY, place=ANY, frozen=st.booleans())
    def freeze(self, which: int, place: int, frozen: bool) -> None:
        """Somebody counts a bin, or has done so."""
        shop = self.shop(which)
        nth = place % len(BINS)
        bin_id = shop.spots[nth].bin_id
        changed = self.write_down(shop, bins.freeze, BINS[nth], frozen)
        assert changed is (frozen is not (bin_id in shop.books.frozen))
        (shop.books.frozen.add if frozen else shop.books.frozen.discard)(bin_id)
