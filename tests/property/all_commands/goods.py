"""What may happen to goods: they come, go, change what they are, and entries made by mistake are taken back."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from core import reversing
from core.errors import KeyReused, Refused
from core.goods.adjusting import Lose, Regrade, SetOnShelf, Unblock
from core.goods.bundles import Assemble, ReturnBundle
from core.reversing import Posted, Reverse, Reversed
from core.stock import Bucket, DocumentKind, Layer, Spot
from tests.property.all_commands.kinds import FLAWED, GOOD, Kind, other
from tests.property.all_commands.machine import ANY, BUNDLE, FEW, KIT, MANY, NESTED, PLAIN, SKUS, Machine, Shop, happens

KIND = st.tuples(st.sampled_from((*PLAIN, KIT)), st.sampled_from([GOOD, GOOD, GOOD, FLAWED]))
_GOOD = st.tuples(st.sampled_from(SKUS), st.just(GOOD))  # bundles among them
_REVERSIBLE = ("receipt", "found", "missing", "scrap", "deal", "collect", "lock")
_OF_POOLS = (Bucket.FREE, Bucket.RESERVED, Bucket.SOLD)


class GoodsRules(Machine):
    @happens(2,
        which=ANY, kind=st.sampled_from([DocumentKind.RECEIPT, DocumentKind.RETURN, DocumentKind.FOUND]),
        good=st.dictionaries(KIND | _GOOD, MANY, min_size=1, max_size=2),
        damaged=st.dictionaries(KIND, FEW, max_size=1), place=ANY,
    )  # fmt: skip
    def goods_come(
        self, which: int, kind: DocumentKind, good: dict[Kind, int], damaged: dict[Kind, int], place: int
    ) -> None:
        self.receive(self.shop(which), kind, good, damaged, place)

    @happens(2, which=ANY, lost=st.dictionaries(KIND, FEW, min_size=1, max_size=2), place=ANY,
             kind=st.sampled_from([DocumentKind.MISSING, DocumentKind.DAMAGE, DocumentKind.SET_APART]))  # fmt: skip
    def lose(self, which: int, lost: dict[Kind, int], kind: DocumentKind, place: int) -> None:
        """Gone, or there and not to be sold."""
        shop = self.shop(which)
        spot = shop.spot_with(next(iter(lost)), place)
        command = Lose(
            f"lose/{next(self.numbers)}", "seen", kind, {shop.stocked(of): n for of, n in lost.items()},
            spot=None if spot == shop.spots[0] else spot,
        )  # fmt: skip

        def note(result: Any) -> None:
            if self.is_refused(result, self.is_frozen(shop, spot) or not shop.books.holds(spot.bin_id, lost)):
                return
            self.goods_are_gone(shop, spot, lost)
            if kind is not DocumentKind.MISSING:
                shop.books.enter(spot.bin_id, lost, apart=True)

        self.act(shop, command, note)

    @happens(1, which=ANY, kind=KIND, counted=st.integers(0, 15), place=ANY)
    def count_the_shelf(self, which: int, kind: Kind, counted: int, place: int) -> None:
        """Frozen or not."""
        shop = self.shop(which)
        self.finish(shop)
        spot = shop.spot_with(kind, place)
        command = SetOnShelf(
            f"count/{next(self.numbers)}",
            "counted",
            shop.stocked(kind),
            counted,
            spot=None if spot == shop.spots[0] else spot,
        )

        def note(result: Any) -> None:
            assert not isinstance(result, Refused)
            change = counted - shop.books.shelf[spot.bin_id, kind]
            self.step.counts = True
            if change < 0:
                self.goods_are_gone(shop, spot, {kind: -change})
            shop.books.shelf[spot.bin_id, kind] = counted

        self.act(shop, command, note)

    @happens(1, which=ANY, units=st.dictionaries(KIND, FEW, min_size=1, max_size=2), mended=st.booleans(), place=ANY)
    def unblock(self, which: int, units: dict[Kind, int], mended: bool, place: int) -> None:
        shop = self.shop(which)
        kind = DocumentKind.MEND if mended else DocumentKind.SCRAP
        spot = shop.spot_with(next(iter(units)), place, apart=True)
        command = Unblock(
            f"unblock/{next(self.numbers)}", "looked at", kind, {shop.stocked(of): n for of, n in units.items()},
            spot=None if spot == shop.spots[0] else spot,
        )  # fmt: skip

        def note(result: Any) -> None:
            lacks = not shop.books.holds(spot.bin_id, units, apart=True)
            if self.is_refused(result, lacks or self.is_frozen(shop, spot)):
                return
            shop.books.enter(spot.bin_id, less(units), apart=True)
            if mended:
                shop.books.enter(spot.bin_id, units)

        self.act(shop, command, note)

    @happens(1, which=ANY, kind=KIND, units=FEW, place=ANY)
    def regrade(self, which: int, kind: Kind, units: int, place: int) -> None:
        shop, after = self.shop(which), other(kind)
        spot = shop.spot_with(kind, place)
        command = Regrade(
            f"regrade/{next(self.numbers)}", "looked at", shop.stocked(kind), after[1], units,
            spot=None if spot == shop.spots[0] else spot,
        )  # fmt: skip

        def note(result: Any) -> None:
            lacks = not shop.books.holds(spot.bin_id, {kind: units})
            if not self.is_refused(result, lacks or self.is_frozen(shop, spot)):
                self.goods_are_gone(shop, spot, {kind: units})
                shop.books.enter(spot.bin_id, {after: units})

        self.act(shop, command, note)

    @happens(1, which=ANY, units=FEW, apart=st.booleans())
    def assemble(self, which: int, units: int, apart: bool) -> None:
        shop, kit = self.shop(which), (KIT, GOOD)
        command = Assemble(f"assembly/{next(self.numbers)}", shop.stocked(kit), units, apart)
        parts = {part: n * units for part, n in shop.recipes[KIT].items()}
        used, made = ({kit: units}, parts) if apart else (parts, {kit: units})

        def note(result: Any) -> None:
            home, seen = shop.spots[0], shop.books.seen
            lacks = any(n > min(seen.free(of), seen.at(home.warehouse_id, of).available) for of, n in used.items())
            lacks = lacks or not seen.loose(home.bin_id, used)
            if not self.is_refused(result, lacks or self.is_frozen(shop, home)):
                shop.books.enter(home.bin_id, less(used))
                shop.books.enter(home.bin_id, made)

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
            home = shop.spots[0]
            if self.is_refused(result, flawed + damaged > came[mug] or self.is_frozen(shop, home)):
                return
            shop.books.enter(home.bin_id, came)
            shop.books.enter(home.bin_id, {mug: -flawed - damaged, other(mug): flawed})
            shop.books.enter(home.bin_id, {mug: damaged}, apart=True)

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
                    shop.books.enter(end.place_id, {kind: change}, apart=end.bucket is Bucket.UNAVAILABLE)
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

    @staticmethod
    def is_frozen(shop: Shop, *spots: Spot) -> bool:
        return any(spot.bin_id in shop.books.frozen for spot in spots)

    def goods_are_gone(self, shop: Shop, spot: Spot, lost: Mapping[Kind, int]) -> None:
        """They make room in a fixed order, so it is known how many promises break."""
        for kind, units in lost.items():
            if self.step.alone:
                self.step.waits[kind] = self.broken(shop, spot.warehouse_id, kind, units)
            shop.books.shelf[spot.bin_id, kind] -= units
            self.step.left[kind] += units

    def never_come(self, shop: Shop, kind: Kind, units: int, fresh: int = 0) -> None:
        """Units that were on sale on their way; ``fresh``: those that came beside and nobody had."""
        free = self.unsold(shop, kind, None)
        self.step.waits[kind] = max(units - free - fresh, 0), max(units - free, 0)
        self.step.left[kind] += units

    def broken(self, shop: Shop, warehouse_id: int, kind: Kind, units: int) -> tuple[int, int]:
        """Promised units that are lost, at least and at most: those of physical locks last, and in both parts after
        all free ones. What everybody shares elsewhere may serve who had a physical lock's.
        """
        free, shared = self.unsold(shop, kind, None), shop.books.seen.free(kind)
        if shop.books.seen.at(warehouse_id, kind).allocated:
            # The newest give back what they were to get, of physical locks or others.
            return max(units - free - self.unsold(shop, kind, warehouse_id), 0), units
        outside = min(units, shop.books.seen.at(warehouse_id, kind).available)
        inside = max(units - outside - self.unsold(shop, kind, warehouse_id), 0)
        outside = max(outside - free, 0)
        return outside + max(inside - shared, 0), outside + inside

    @staticmethod
    def unsold(shop: Shop, kind: Kind, warehouse_id: int | None) -> int:
        """Free units of physical locks at a warehouse, or with None of all other pools."""
        books = shop.books
        pools = books.physical_pools(warehouse_id) if warehouse_id else books.seen.pools.keys() - books.physical_pools()
        return sum(books.seen.stand(one, kind).free for one in pools if books.seen.pools.get(one) != "presale")


def less(units: Mapping[Kind, int]) -> dict[Kind, int]:
    """So many gone."""
    return {kind: -n for kind, n in units.items()}
