"""What may happen to items: units are split off as another, which is used, and joined with the first again."""

from typing import Any

from hypothesis import strategies as st

from core.errors import Refused
from core.goods import merging, renames, splitting
from core.goods.splitting import Piece, Wish
from core.stock import DocumentKind, PoolKind, Stocked
from tests.property.all_commands.goods import GoodsRules
from tests.property.all_commands.holding import Wish as Held
from tests.property.all_commands.kinds import GOOD
from tests.property.all_commands.machine import ANY, FEW, Shop, happens
from tests.property.all_commands.plain_joining import join_items
from tests.property.all_commands.pooling import PoolRules

_MOST_PARTS = 3
_USES = ("come", "come", "hold", "hold", "hold", "lock", "physical lock", "pool", "lose", "set apart")


class LifeRules(PoolRules, GoodsRules):
    @happens(2, which=ANY, nth=ANY, units=FEW)
    def split(self, which: int, nth: int, units: int) -> None:
        shop = self.shop(which)
        spot, kind = shop.heap(nth)
        if len(shop.split_off) >= _MOST_PARTS:
            return
        self.finish(shop)
        part, key = f"{kind[0]}-{next(self.numbers)}", str(next(self.numbers))
        seen = shop.books.seen
        may = (
            seen.loose(spot.bin_id, {kind: units})
            and units <= min(seen.free(kind), seen.at(spot.warehouse_id, kind).available)
            and not self.is_frozen(shop, spot)
        )

        def do() -> Any:
            wish = Wish(kind[0], part, {Piece(kind[1], spot): units})
            return splitting.split(self.database, shop.world.merchant_id, wish, key, actor="test")

        def note(result: Any) -> None:
            if not self.is_refused(result, not may):
                shop.items = {**shop.items, part: Stocked(result.item_id)}
                shop.split_off[part] = kind[0]
                shop.books.enter(spot.bin_id, {kind: -units})
                shop.books.enter(spot.bin_id, {(part, kind[1]): units})

        self.act_alone(shop, do, note)

    @happens(4, which=ANY, nth=ANY, what=st.sampled_from(_USES), units=FEW, place=ANY)
    def use_a_part(self, which: int, nth: int, what: str, units: int, place: int) -> None:
        shop = self.shop(which)
        if not shop.split_off:
            return
        kind = (sorted(shop.split_off)[nth % len(shop.split_off)], GOOD)
        if what == "come":
            self.receive(shop, DocumentKind.RECEIPT, {kind: units}, {}, place)
        elif what == "hold":
            # Some of them want the other, too: two promises of one hold become two of one item.
            beside = {(shop.split_off[kind[0]], GOOD): 1} if place % 3 == 0 else {}
            self.hold_one(shop, Held({kind: units, **beside}, 20 + place, place % 3, "", None, False, False, False, 4))
        elif what == "pool":
            self.open_a_pool(which, PoolKind.CHANNEL, {kind: units}, place % 3, False, 0, 60, True)
        elif what in ("lose", "set apart"):
            lost = DocumentKind.MISSING if what == "lose" else DocumentKind.SET_APART
            self.lose(which, {kind: units}, lost, place)
        else:
            at = place % 2 if what == "physical lock" else None
            self.ask_for_a_lock(
                which, kind, units, None, False, "business", at, False, 0, None, None, "yes", None, True
            )

    @happens(3, which=ANY, nth=ANY)
    def join(self, which: int, nth: int) -> None:
        """All that is there of a part, or is promised, is of the other item from then on."""
        shop = self.shop(which)
        if not shop.split_off:
            return
        self.finish(shop)
        part = sorted(shop.split_off)[nth % len(shop.split_off)]
        item = shop.split_off[part]

        def do() -> Any:
            return merging.merge(self.database, shop.world.merchant_id, part, item, actor="test")

        def note(result: Any) -> None:
            if isinstance(result, Refused):
                assert self.may_not_be_joined(shop, part), result
                return
            join_items(shop.books, part, item)
            del shop.split_off[part]
            self.step.moves = True

        self.act_alone(shop, do, note)

    @staticmethod
    def may_not_be_joined(shop: Shop, part: str) -> bool:
        """It stands in a bin that is being counted, or a stocktake is open that may count it or the other."""
        heaps = (shop.books.shelf, shop.books.apart)
        is_frozen = any(n and bin_id in shop.books.frozen and kind[0] == part for heap in heaps
                        for (bin_id, kind), n in heap.items())  # fmt: skip
        return is_frozen or bool(shop.books.stocktake)

    @happens(1, which=ANY, nth=ANY, back=st.booleans())
    def rename_a_part(self, which: int, nth: int, back: bool) -> None:
        """And again, found by its new name or the one it had (``back``); nothing of it moves."""
        shop = self.shop(which)
        if shop.split_off:
            part = sorted(shop.split_off)[nth % len(shop.split_off)]
            names = [(part, f"{part} for a while"), (part if back else f"{part} for a while", part)]

            def do() -> list[bool]:
                return [self.write_down(shop, renames.rename, *one) for one in names]

            def note(result: Any) -> None:
                assert result == [True, True]

            self.act_alone(shop, do, note)
