"""What may happen to goods: they come, go, change what they are, and entries made by mistake are taken back."""

from collections import Counter
from typing import Any

from hypothesis import strategies as st

from core import reversing
from core.errors import KeyReused, Refused
from core.goods.adjusting import Lose, Regrade, SetOnShelf, Unblock
from core.goods.bundles import Assemble, ReturnBundle
from core.reversing import Posted, Reverse, Reversed
from core.stock import Bucket, DocumentKind, Layer
from tests.property.all_commands.machine import ANY, BUNDLE, FEW, KIT, MANY, NESTED, PLAIN, SKUS, Machine, Shop, happens
from tests.property.all_commands.plain_model import FLAWED, GOOD, Kind

KIND = st.tuples(st.sampled_from((*PLAIN, KIT)), st.sampled_from([GOOD, GOOD, GOOD, FLAWED]))
_GOOD = st.tuples(st.sampled_from(SKUS), st.just(GOOD))  # bundles among them
_REVERSIBLE = ("receipt", "found", "missing", "scrap", "deal", "collect", "lock")
_OF_POOLS = (Bucket.FREE, Bucket.RESERVED, Bucket.SOLD)


class GoodsRules(Machine):
    @happens(2,
        which=ANY, kind=st.sampled_from([DocumentKind.RECEIPT, DocumentKind.RETURN, DocumentKind.FOUND]),
        good=st.dictionaries(KIND | _GOOD, MANY, min_size=1, max_size=2),
        damaged=st.dictionaries(KIND, FEW, max_size=1),
    )  # fmt: skip
    def goods_come(self, which: int, kind: DocumentKind, good: dict[Kind, int], damaged: dict[Kind, int]) -> None:
        self.receive(self.shop(which), kind, good, damaged)

    @happens(2, which=ANY, lost=st.dictionaries(KIND, FEW, min_size=1, max_size=2), damaged=st.booleans())
    def lose(self, which: int, lost: dict[Kind, int], damaged: bool) -> None:
        shop = self.shop(which)
        kind = DocumentKind.DAMAGE if damaged else DocumentKind.MISSING
        command = Lose(f"lose/{next(self.numbers)}", "seen", kind, {shop.stocked(of): n for of, n in lost.items()})

        def note(result: Any) -> None:
            if self.is_refused(result, any(n > shop.books.shelf[of] for of, n in lost.items())):
                return
            self.goods_are_gone(shop, lost)
            if damaged:
                shop.books.apart.update(lost)

        self.act(shop, command, note)

    @happens(1, which=ANY, kind=KIND, counted=st.integers(0, 15))
    def count_the_shelf(self, which: int, kind: Kind, counted: int) -> None:
        shop = self.shop(which)
        self.finish(shop)
        command = SetOnShelf(f"count/{next(self.numbers)}", "counted", shop.stocked(kind), counted)

        def note(_: Any) -> None:
            change = counted - shop.books.shelf[kind]
            if change < 0:
                self.goods_are_gone(shop, {kind: -change})
            shop.books.shelf[kind] = counted

        self.act(shop, command, note)

    @happens(1, which=ANY, units=st.dictionaries(KIND, FEW, min_size=1, max_size=2), mended=st.booleans())
    def unblock(self, which: int, units: dict[Kind, int], mended: bool) -> None:
        shop = self.shop(which)
        kind = DocumentKind.MEND if mended else DocumentKind.SCRAP
        command = Unblock(
            f"unblock/{next(self.numbers)}", "looked at", kind, {shop.stocked(of): n for of, n in units.items()}
        )

        def note(result: Any) -> None:
            if self.is_refused(result, any(n > shop.books.apart[of] for of, n in units.items())):
                return
            shop.books.apart.subtract(units)
            if mended:
                shop.books.shelf.update(units)

        self.act(shop, command, note)

    @happens(1, which=ANY, kind=KIND, units=FEW)
    def regrade(self, which: int, kind: Kind, units: int) -> None:
        shop, after = self.shop(which), (kind[0], FLAWED if kind[1] == GOOD else GOOD)
        command = Regrade(f"regrade/{next(self.numbers)}", "looked at", shop.stocked(kind), after[1], units)

        def note(result: Any) -> None:
            if not self.is_refused(result, units > shop.books.shelf[kind]):
                self.goods_are_gone(shop, {kind: units})
                shop.books.shelf[after] += units

        self.act(shop, command, note)

    @happens(1, which=ANY, units=FEW, apart=st.booleans())
    def assemble(self, which: int, units: int, apart: bool) -> None:
        shop, kit = self.shop(which), (KIT, GOOD)
        command = Assemble(f"assembly/{next(self.numbers)}", shop.stocked(kit), units, apart)
        parts = {part: n * units for part, n in shop.recipes[KIT].items()}
        used, made = ({kit: units}, parts) if apart else (parts, {kit: units})

        def note(result: Any) -> None:
            lacks = any(n > shop.books.seen.free(of) for of, n in used.items())
            if not self.is_refused(result, lacks):
                shop.books.shelf.subtract(used)
                shop.books.shelf.update(made)

        self.act(shop, command, note)

    @happens(1, which=ANY, sku=st.sampled_from([BUNDLE, NESTED]), units=FEW, flawed=st.integers(0, 3), damaged=FEW)
    def a_bundle_comes_back(self, which: int, sku: str, units: int, flawed: int, damaged: int) -> None:
        """Some mugs of it are flawed, some are damaged."""
        shop, mug = self.shop(which), ("mug", GOOD)
        mugs, came = shop.items["mug"].item_id, {kind: n * units for kind, n in shop.parts((sku, GOOD)).items()}
        command = ReturnBundle(
            f"bundle/{next(self.numbers)}", shop.items[sku].item_id, units, {mugs: flawed} if flawed else {},
            {mugs: damaged},
        )  # fmt: skip

        def note(result: Any) -> None:
            if self.is_refused(result, flawed + damaged > came[mug]):
                return
            shop.books.shelf.update(came)
            shop.books.shelf[mug] -= flawed + damaged
            shop.books.shelf["mug", FLAWED] += flawed
            shop.books.apart[mug] += damaged

        self.act(shop, command, note)

    @happens(1, which=ANY, sku=st.sampled_from([BUNDLE, NESTED]), per=FEW, flawed=st.booleans())
    def change_a_recipe(self, which: int, sku: str, per: int, flawed: bool) -> None:
        """Of what is sold from now on; orders keep the recipe that they were placed with."""
        shop = self.shop(which)
        self.finish(shop)
        if sku == BUNDLE:
            self.make_of(shop, BUNDLE, {("mug", GOOD): per, ("plate", FLAWED if flawed else GOOD): 1})
        else:
            self.make_of(shop, NESTED, {(BUNDLE, GOOD): 1, (KIT, GOOD): per})

    # ---- taking back, and saying again

    @happens(2, which=ANY, nth=ANY, force=st.booleans())
    def take_back(self, which: int, nth: int, force: bool) -> None:
        shop = self.shop(which)
        self.finish(shop)
        rows = shop.world.ask(
            """SELECT id FROM document WHERE merchant_id = :merchant_id AND kind = ANY(CAST(:kinds AS text[]))
               ORDER BY id DESC LIMIT 12""",
            kinds=list(_REVERSIBLE),
        )
        if not rows:
            return
        with self.database.begin(shop.world.merchant_id, actor="test") as tx:
            document = reversing.read_document(tx, rows[nth % len(rows)].id)
        self.act(shop, Reverse(document, "by mistake", force), lambda result: self.taken_back(shop, document, result))

    def taken_back(self, shop: Shop, document: Posted, result: Any) -> None:
        if isinstance(result, Refused):
            return
        assert isinstance(result, Reversed)
        names = {item.item_id: sku for sku, item in shop.items.items()}
        is_swapped = result.kind is DocumentKind.REVERSAL
        self.step.moves = True
        for move in document.movements:
            kind = (names[move.stocked.item_id], move.stocked.grade)
            for end, change in ((move.from_, move.quantity), (move.to, -move.quantity)):
                if move.layer is Layer.WAREHOUSE and end.place_id is not None:
                    goods = shop.books.shelf if end.bucket is Bucket.AVAILABLE else shop.books.apart
                    goods[kind] += change
                    self.step.left[kind] += max(-change, 0)
                elif move.layer is Layer.SALES and is_swapped and end.place_id is not None:
                    self.pool_was_changed(shop, end.place_id, end.bucket, kind, change)
        if document.kind is DocumentKind.LOCK:
            for lock in shop.books.locks.values():
                if lock.pool_id == document.order_id:
                    lock.status = "closed"

    @staticmethod
    def pool_was_changed(shop: Shop, pool_id: int, bucket: Bucket, kind: Kind, change: int) -> None:
        if pool_id in shop.books.pools and bucket in _OF_POOLS:
            shop.books.pools[pool_id].units[kind] += change
        lock = shop.books.lock_of_pool(pool_id)
        if lock is not None:
            lock.units += change

    @happens(3, which=ANY, nth=ANY)
    def say_something_again(self, which: int, nth: int) -> None:
        """What has a key is done once, and answered as the first time."""
        shop = self.shop(which)
        said = [
            (command, result) for command, result in shop.done if list(command.effect_keys()) and self.keyed(command)
        ]
        if not said:
            return
        self.finish(shop)
        command, result = said[-1 - nth % len(said)]
        if isinstance(result, Refused):
            return

        def note(again: Any) -> None:
            assert not isinstance(again, KeyReused)
            if type(result) in (int, bool):
                assert again == result

        self.act(shop, command, note)

    @staticmethod
    def keyed(command: Any) -> bool:
        return isinstance(command, (Lose, Unblock, Regrade, SetOnShelf, Assemble, ReturnBundle))

    # ---- what rules share

    def goods_are_gone(self, shop: Shop, lost: dict[Kind, int]) -> None:
        """They make room in a fixed order, so it is known how many promises break."""
        for kind, units in lost.items():
            if self.step.alone:
                self.step.waits[kind] = self.broken(shop, kind, units)
            shop.books.shelf[kind] -= units
            self.step.left[kind] += units

    @staticmethod
    def broken(shop: Shop, kind: Kind, units: int) -> int:
        """Promised units that are lost: those of physical locks last, and in both parts after all free ones."""
        seen, physical = shop.books.seen, shop.books.physical_pools()
        free: Counter[bool] = Counter()
        promised: Counter[bool] = Counter()
        for (pool_id, of), stand in seen.stands.items():
            if of == kind and seen.pools[pool_id] != "presale":
                free[pool_id in physical] += stand.free
                promised[pool_id in physical] += stand.reserved + stand.sold
        outside = min(units, free[False] + promised[False])
        return max(outside - free[False], 0) + max(units - outside - free[True], 0)
