"""What may happen to purchase orders: placed, sold before they are here, come, cut, ended, and taken back."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from core.errors import Refused
from core.sales.shortage import Loss
from core.stock import Spot
from core.supply import counting, placing, purchases, receipts, suppliers, taking_back
from core.supply.lines import Came
from core.transaction import Transaction
from tests.property.all_commands.goods import KIND, GoodsRules
from tests.property.all_commands.kinds import Kind, other
from tests.property.all_commands.machine import ANY, FEW, MANY, Shop, happens
from tests.property.all_commands.plain_supply import Bought, Delivered, Purchase, Receipt

ACTOR, SUPPLIER = "test", "ACME"
_ZONE = ZoneInfo("Europe/Berlin")
_DAYS = st.none() | st.integers(-1, 4)
_DELIVERED = st.builds(Delivered, st.integers(0, 6), st.sampled_from([0, 0, 1, 3]), st.sampled_from([0, 0, 1, 3]))


class SupplyRules(GoodsRules):
    def today(self) -> date:
        return self.clock.now.astimezone(_ZONE).date()

    def on(self, days: int | None) -> date | None:
        return None if days is None else self.today() + timedelta(days=days)

    def some_purchase(self, shop: Shop, nth: int) -> str | None:
        """Nearly always one that something is still to come of."""
        known = [number for number, one in shop.books.purchases.items() if not one.is_dropped]
        coming = [number for number in known if shop.books.purchases[number].is_open]
        chosen = coming if coming and nth % 8 else known
        return chosen[-1 - nth % min(len(chosen), 5)] if chosen else None

    @happens(3, which=ANY, wanted=st.dictionaries(KIND, MANY, min_size=1, max_size=2), days=_DAYS,
             to=st.integers(0, 1), placed=st.booleans() | st.just(True))  # fmt: skip
    def order_goods(self, which: int, wanted: dict[Kind, int], days: int | None, to: int, placed: bool) -> None:
        shop, number = self.shop(which), f"PO-{next(self.numbers)}"
        place = shop.warehouses[to]
        self.write_down(shop, _draft, number, place, self.on(days), wanted)
        lines = {kind: Bought(units) for kind, units in wanted.items()}
        shop.books.purchases[number] = Purchase(place, self.on(days), lines)
        if placed:
            self.place(shop, number)

    @happens(1, which=ANY, nth=ANY)
    def place_an_order(self, which: int, nth: int) -> None:
        shop = self.shop(which)
        number = self.some_purchase(shop, nth)
        if number is not None:
            self.place(shop, number)

    def place(self, shop: Shop, number: str) -> None:
        """Once for all."""
        purchase = shop.books.purchases[number]

        def note(result: Any) -> None:
            assert not isinstance(result, Refused)
            assert result.repeated is purchase.is_placed
            purchase.is_placed = True

        self.on_purchase(shop, placing.place, number, note)

    def on_purchase(
        self, shop: Shop, act: Callable[..., Any], number: str, note: Callable[[Any], None], *said: Any, **told: Any
    ) -> None:
        """Act on it, and keep what was done, to do it again later."""

        def do() -> Any:
            return act(self.database, shop.world.merchant_id, number, *said, actor=ACTOR, **told)

        def noted(result: Any) -> None:
            note(result)
            if said and not isinstance(result, Refused):
                shop.papers = [*shop.papers, do][-8:]

        self.act_alone(shop, do, noted)

    @happens(1, which=ANY, nth=ANY)
    def say_again_what_became_of_goods(self, which: int, nth: int) -> None:
        """Under the same key nothing more happens."""
        shop = self.shop(which)
        if shop.papers:

            def note(result: Any) -> None:
                assert result.repeated, result

            self.act_alone(shop, shop.papers[-1 - nth % len(shop.papers)], note)

    # ---- goods come

    @happens(4, which=ANY, nth=ANY, came=st.none() | st.lists(_DELIVERED, min_size=1, max_size=2), place=ANY)
    def ordered_goods_come(self, which: int, nth: int, came: Sequence[Delivered] | None, place: int) -> None:
        shop = self.shop(which)
        number = self.some_purchase(shop, nth)
        if number is None:
            return
        self.finish(shop)
        purchase, spot = shop.books.purchases[number], shop.spot(place)
        if came is None:
            units = {kind: Delivered(line.open) for kind, line in purchase.lines.items() if line.open}
        else:
            units = dict(zip(purchase.lines, came, strict=False))
        ids = self.line_ids(shop, number)
        told = None if came is None else {ids[kind]: Came(*n) for kind, n in units.items()}
        may = purchase.is_placed and units and all(sum(n) for n in units.values()) and not self.is_frozen(shop, spot)

        def note(result: Any) -> None:
            if not self.is_refused(result, not may):
                self.arrived(shop, purchase, spot, units, result.document_ids[0])
                self.lost_by_books(shop, result.losses)

        key = str(next(self.numbers))
        self.on_purchase(shop, receipts.receive, number, note, receipts.Delivery(spot, told), key)

    def arrived(
        self, shop: Shop, purchase: Purchase, spot: Spot, units: Mapping[Kind, Delivered], document_id: int
    ) -> None:
        books = shop.books
        receipt: list[Receipt] = []
        fresh: dict[Kind, int] = {}
        for kind, came in units.items():
            fresh[other(kind)] = fresh.get(other(kind), 0) + came.regraded
        for kind, came in units.items():
            good, damaged, regraded = purchase.lines[kind].arrives(came)
            self.never_come(shop, kind, damaged.counted + regraded.counted, fresh.get(kind, 0))
            books.enter(spot.bin_id, {kind: came.good, other(kind): came.regraded})
            books.enter(spot.bin_id, {kind: came.damaged}, apart=True)
            receipt.append(Receipt(kind, came, good.counted, spot.bin_id))
        purchase.receipts[document_id] = receipt

    def lost_by_books(self, shop: Shop, losses: Sequence[Loss]) -> None:
        """Nobody gives up more than did not come."""
        for loss in losses:
            assert loss.units >= 1
            assert loss.pool.warehouse_id is None, "goods of physical locks are not on their way"

    @happens(1, which=ANY, nth=ANY, document=ANY)
    def undo_a_receipt(self, which: int, nth: int, document: int) -> None:
        shop = self.shop(which)
        number = self.some_purchase(shop, nth)
        if number is None or not shop.books.purchases[number].receipts:
            return
        self.finish(shop)
        purchase = shop.books.purchases[number]
        document_id = list(purchase.receipts)[-1 - document % len(purchase.receipts)]

        def note(result: Any) -> None:
            is_frozen = any(one.bin_id in shop.books.frozen for one in purchase.receipts[document_id])
            if isinstance(result, Refused):
                assert is_frozen or not self.can_go_back(shop, purchase, purchase.receipts[document_id])
                return
            assert not is_frozen
            self.goes_back(shop, purchase, document_id)

        self.on_purchase(shop, taking_back.take_back, number, note, document_id, reason="typed")

    def can_go_back(self, shop: Shop, purchase: Purchase, receipt: Sequence[Receipt]) -> bool:
        """Do its units still stand as it put them, with nobody who has them?"""
        books, seen = shop.books, shop.books.seen
        free: dict[Kind, int] = {}
        out: dict[Kind, int] = {}
        apart: dict[Kind, int] = {}
        for one in receipt:
            line = purchase.lines[one.kind]
            copy = Bought(line.ordered, line.cut, line.came, line.counted)
            good, _, _ = copy.goes_back(one)
            for kind, n, unsold in (
                (one.kind, one.came.good, one.came.good - good.counted),
                (other(one.kind), one.came.regraded, one.came.regraded),
            ):
                out[kind], free[kind] = out.get(kind, 0) + n, free.get(kind, 0) + unsold
            apart[one.kind] = one.came.damaged
        bin_id = receipt[0].bin_id
        place = books.warehouses[bin_id]
        return (
            all(n <= seen.free(kind) for kind, n in free.items())
            and seen.loose(bin_id, out)
            and all(n <= seen.at(place, kind).available for kind, n in out.items())
            and books.holds(bin_id, apart, apart=True)
        )

    def goes_back(self, shop: Shop, purchase: Purchase, document_id: int) -> None:
        for one in purchase.receipts.pop(document_id):
            purchase.lines[one.kind].goes_back(one)
            back = {one.kind: -one.came.good, other(one.kind): -one.came.regraded}
            shop.books.enter(one.bin_id, back)
            shop.books.enter(one.bin_id, {one.kind: -one.came.damaged}, apart=True)

    # ---- goods that do not come

    @happens(2, which=ANY, nth=ANY, units=st.lists(FEW, min_size=1, max_size=2), lost=st.booleans())
    def ordered_goods_are_cut(self, which: int, nth: int, units: Sequence[int], lost: bool) -> None:
        shop = self.shop(which)
        number = self.some_purchase(shop, nth)
        if number is None:
            return
        self.finish(shop)
        purchase, ids = shop.books.purchases[number], self.line_ids(shop, number)
        gone = dict(zip(purchase.lines, units, strict=False))
        may = purchase.is_open and all(n <= purchase.lines[kind].open for kind, n in gone.items())

        def note(result: Any) -> None:
            if not self.is_refused(result, not may):
                self.cut(shop, purchase, gone)
                self.lost_by_books(shop, result.losses)

        said = {ids[kind]: n for kind, n in gone.items()}
        self.on_purchase(
            shop, placing.cut, number, note, said, str(next(self.numbers)), reason="supplier says so", lost=lost
        )

    @happens(1, which=ANY, nth=ANY, cancel=st.booleans())
    def end_a_purchase(self, which: int, nth: int, cancel: bool) -> None:
        shop = self.shop(which)
        number = self.some_purchase(shop, nth)
        if number is None:
            return
        purchase = shop.books.purchases[number]

        def note(result: Any) -> None:
            came = any(line.came for line in purchase.lines.values())
            if self.is_refused(result, came if cancel else not purchase.is_placed):
                return
            if purchase.is_placed:
                self.cut(shop, purchase, {kind: line.open for kind, line in purchase.lines.items()})
            else:
                purchase.is_dropped = True

        self.on_purchase(shop, placing.end, number, note, reason="enough", cancel=cancel)

    def cut(self, shop: Shop, purchase: Purchase, gone: Mapping[Kind, int]) -> None:
        for kind, units in gone.items():
            self.never_come(shop, kind, purchase.lines[kind].loses(units))

    # ---- goods that are sold before they are here

    @happens(1, which=ANY, nth=ANY, days=st.integers(-1, 4))
    def another_day(self, which: int, nth: int, days: int) -> None:
        shop = self.shop(which)
        number = self.some_purchase(shop, nth)
        on = self.today() + timedelta(days=days)
        if number is not None and (shop.books.purchases[number].is_open or not shop.books.purchases[number].is_placed):
            self.write_down(shop, purchases.set_day, number, on)
            shop.books.purchases[number].on = on

    @happens(3, which=ANY, days=st.none() | st.integers(0, 4))
    def count_what_is_on_its_way(self, which: int, days: int | None) -> None:
        """By a new rule: what comes in time may be sold; what does not may no more, unless somebody bought it."""
        shop = self.shop(which)
        self.write_down(shop, counting.set_days, days)
        before = {
            (number, kind): (
                line.counted,
                0 if (number, kind) in shop.books.seen.presold
                else line.should_count(purchase.on, self.today(), days),
            )
            for number, purchase in shop.books.purchases.items() if purchase.is_placed
            for kind, line in purchase.lines.items()
        }  # fmt: skip
        changed = [key for key, (was, should) in before.items() if was != should]
        free = {kind: shop.books.seen.free(kind) for _, kind in changed}

        def do() -> Any:
            return counting.apply(self.database, shop.world.merchant_id, actor=ACTOR)

        def note(_: Any) -> None:
            now = self.counted(shop)
            for number, kind in changed:
                was, should = before[number, kind]
                line = shop.books.purchases[number].lines[kind]
                line.counted = should
                if should < was:
                    alone = len([one for one in changed if one[1] == kind]) == 1
                    least, most = should, was
                    if alone:
                        least = most = max(should, was - free[kind])
                    line.counted = now[number, kind]
                    assert least <= line.counted <= most, (number, kind, was, should, line.counted, free[kind])

        self.act_alone(shop, do, note)

    def counted(self, shop: Shop) -> Mapping[tuple[str, Kind], int]:
        rows = shop.world.ask(
            """SELECT p.number, i.sku, l.grade, l.counted FROM purchase p
               JOIN purchase_line l ON (l.merchant_id, l.purchase_id) = (p.merchant_id, p.id)
               JOIN item i ON (i.merchant_id, i.id) = (l.merchant_id, l.item_id)
               WHERE p.merchant_id = :merchant_id"""
        )
        return {(row.number, (row.sku, row.grade)): row.counted for row in rows}

    @staticmethod
    def line_ids(shop: Shop, number: str) -> dict[Kind, int]:
        rows = shop.world.ask(
            """SELECT i.sku, l.grade, l.id FROM purchase p
               JOIN purchase_line l ON (l.merchant_id, l.purchase_id) = (p.merchant_id, p.id)
               JOIN item i ON (i.merchant_id, i.id) = (l.merchant_id, l.item_id)
               WHERE p.merchant_id = :merchant_id AND p.number = :number""",
            number=number,
        )
        return {(row.sku, row.grade): row.id for row in rows}


def _draft(tx: Transaction, number: str, place: int, on: date | None, wanted: Mapping[Kind, int]) -> None:
    if SUPPLIER not in {one.code for one in suppliers.every(tx)}:
        suppliers.add(tx, SUPPLIER, {})
    purchases.new(tx, number, SUPPLIER, place, expected_on=on)
    told = [purchases.Wanted(sku, units, grade=grade) for (sku, grade), units in wanted.items()]
    purchases.add_lines(tx, number, told)
