"""What may happen between warehouses: goods are asked for, sent, received, lost on their way, and wanted no more."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from core.supply import sending, transfers
from core.supply.sending import Arrived
from tests.property.all_commands.kinds import Kind
from tests.property.all_commands.machine import ANY, MANY, Shop, happens
from tests.property.all_commands.plain_supply import Sent, Transfer
from tests.property.all_commands.supplying import SupplyRules

_UNITS = st.none() | st.lists(st.integers(1, 5), min_size=1, max_size=2)
_ARRIVED = st.builds(Arrived, st.integers(0, 5), st.sampled_from([0, 0, 0, 1, 2]))


class TransferRules(SupplyRules):
    def some_transfer(self, shop: Shop, nth: int, fits: Callable[[Sent], object] = bool) -> str | None:
        """Nearly always one that something can be done with."""
        known = list(shop.books.transfers)
        fitting = [one for one in known if any(map(fits, shop.books.transfers[one].lines.values()))]
        chosen = fitting if fitting and nth % 8 else known
        return chosen[-1 - nth % min(len(chosen), 4)] if chosen else None

    @happens(3, which=ANY, back=st.booleans(), wanted=st.lists(st.tuples(ANY, MANY), min_size=1, max_size=2),
             start=ANY, at_once=st.booleans())  # fmt: skip
    def ask_for_a_transfer(
        self, which: int, back: bool, wanted: Sequence[tuple[int, int]], start: int, at_once: bool
    ) -> None:
        """What is there is kept for it; often it is sent at once."""
        shop, number = self.shop(which), f"T-{next(self.numbers)}"
        ends = shop.warehouses[int(back)], shop.warehouses[int(not back)]
        units = {shop.heap(nth, place=ends[0])[1]: n for nth, n in wanted}
        self.finish(shop)
        said = {shop.stocked(kind): n for kind, n in units.items()}

        def note(_: Any) -> None:
            seen = shop.books.seen
            lines = {kind: Sent(n, kept=min(n, seen.at(ends[0], kind).available)) for kind, n in units.items()}
            shop.books.transfers[number] = Transfer(*ends, lines)

        self.act_alone(shop, lambda: self.write_down(shop, transfers.ask, number, ends, said), note)
        if at_once:
            self.send_goods(which, 0, list(units.values()) if start % 2 else [1], start)

    @happens(3, which=ANY, nth=ANY, units=_UNITS, start=ANY)
    def send_goods(self, which: int, nth: int, units: Sequence[int] | None, start: int) -> None:
        """They stay on sale."""
        shop = self.shop(which)
        number = self.some_transfer(shop, nth, lambda line: line.unsent)
        if number is None:
            return
        self.finish(shop)
        transfer, books, seen = shop.books.transfers[number], shop.books, shop.books.seen
        spot = shop.spot_with(next(iter(transfer.lines)), start)
        going = {kind: line.unsent for kind, line in transfer.lines.items() if line.unsent}
        if units is not None:
            going = dict(zip(transfer.lines, units, strict=False))
        may = (
            going
            and spot.warehouse_id == transfer.start
            and not self.is_frozen(shop, spot)
            and all(n <= transfer.lines[kind].unsent for kind, n in going.items())
            and seen.loose(spot.bin_id, going)
            and all(
                n <= seen.at(spot.warehouse_id, kind).available + transfer.lines[kind].sets_free(n)
                for kind, n in going.items()
            )
        )

        def note(result: Any) -> None:
            if self.is_refused(result, not may):
                return
            for kind, n in going.items():
                books.shelf[spot.bin_id, kind] -= n
                transfer.lines[kind].leaves(n)

        said = self.by_line(shop, number, None if units is None else going)
        self.on_purchase(shop, sending.send, number, note, said, spot, str(next(self.numbers)))

    @happens(3, which=ANY, nth=ANY, came=st.none() | st.lists(_ARRIVED, min_size=1, max_size=2), place=ANY)
    def goods_arrive(self, which: int, nth: int, came: Sequence[Arrived] | None, place: int) -> None:
        """In either warehouse, more or fewer than were sent, some damaged."""
        shop = self.shop(which)
        number = self.some_transfer(shop, nth, lambda line: line.on_way or line.sent)
        if number is None:
            return
        self.finish(shop)
        transfer, spot, books = shop.books.transfers[number], shop.spot(place), shop.books
        units = {kind: Arrived(line.on_way) for kind, line in transfer.lines.items() if line.on_way}
        if came is not None:
            units = dict(zip(transfer.lines, came, strict=False))
        was_sent = any(line.sent for line in transfer.lines.values())
        may = units and was_sent and all(sum(n) for n in units.values()) and not self.is_frozen(shop, spot)

        def note(result: Any) -> None:
            if self.is_refused(result, not may):
                return
            for kind, one in units.items():
                self.never_come(shop, kind, transfer.lines[kind].arrives(*one))
                books.enter(spot.bin_id, {kind: one.good})
                books.enter(spot.bin_id, {kind: one.damaged}, apart=True)
            self.lost_by_books(shop, result.losses)

        said = self.by_line(shop, number, None if came is None else units)
        self.on_purchase(shop, sending.receive, number, note, said, spot, str(next(self.numbers)))

    @happens(2, which=ANY, nth=ANY, units=_UNITS)
    def goods_are_lost(self, which: int, nth: int, units: Sequence[int] | None) -> None:
        shop = self.shop(which)
        number = self.some_transfer(shop, nth, lambda line: line.on_way)
        if number is None:
            return
        self.finish(shop)
        transfer = shop.books.transfers[number]
        gone = {kind: line.on_way for kind, line in transfer.lines.items() if line.on_way}
        if units is not None:
            gone = dict(zip(transfer.lines, units, strict=False))
        may = gone and all(n <= transfer.lines[kind].on_way for kind, n in gone.items())

        def note(result: Any) -> None:
            if self.is_refused(result, not may):
                return
            for kind, n in gone.items():
                transfer.lines[kind].on_way -= n
                self.never_come(shop, kind, n)
            self.lost_by_books(shop, result.losses)

        said = self.by_line(shop, number, None if units is None else gone)
        self.on_purchase(shop, sending.lose, number, note, said, str(next(self.numbers)), reason="parcel lost")

    @happens(1, which=ANY, nth=ANY)
    def close_a_transfer(self, which: int, nth: int) -> None:
        """What is on its way still comes."""
        shop = self.shop(which)
        number = self.some_transfer(shop, nth)
        if number is None:
            return
        lines = shop.books.transfers[number].lines.values()

        def note(result: Any) -> None:
            assert result is any(line.unsent for line in lines)
            for line in lines:
                line.asked, line.kept = line.sent if line.unsent else line.asked, 0

        self.act_alone(shop, lambda: self.write_down(shop, transfers.close, number), note)

    def by_line(self, shop: Shop, number: str, units: Mapping[Kind, Any] | None) -> Mapping[int, Any] | None:
        if units is None:
            return None
        transfer = self.write_down(shop, transfers.find, number)
        ids = {(transfer.skus[line.item_id], line.grade): line.id for line in transfer.lines}
        return {ids[kind]: n for kind, n in units.items()}
