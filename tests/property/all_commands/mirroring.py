"""What may happen when an outside system counts a warehouse, bin by bin: told in time, late, again, and otherwise."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from core.mirror import full, sources, telling
from core.stock import Spot
from tests.property.all_commands.goods import KIND, GoodsRules
from tests.property.all_commands.kinds import Heap, Kind
from tests.property.all_commands.machine import ANY, HAMBURG, MANY, Shop, happens

SOURCE = "wms"
_BINS = {2: "", 3: "A-01"}  # as it calls those of ``machine.BINS``
_NO_BOUNDS = dict.fromkeys(("most_percent", "most_zeroed", "most_units"))


class MirrorRules(GoodsRules):
    @happens(4, which=ANY, place=st.integers(2, 3), kind=KIND, counted=st.integers(0, 12), behind=st.sampled_from(
             [0, 0, 0, 0, 1, 2]))  # fmt: skip
    def an_item_is_told(self, which: int, place: int, kind: Kind, counted: int, behind: int) -> None:
        """``behind``: under the same version as the newest (1), or an older one (2)."""
        shop = self.shop(which)
        self.name_the_source(shop)
        heap = (shop.spots[place].bin_id, kind)
        newest, units = shop.mirrored.get(heap, (0, 0))
        version = newest + 1 - behind if newest and behind else next(self.numbers) + 1
        said = {"sku": kind[0], "grade": kind[1], "quantity": counted, "bin": _BINS[place], "version": version}

        def do() -> Any:
            return telling.tell(self.database, shop.world.merchant_id, SOURCE, [(1, said)], actor="test")

        def note(result: Any) -> None:
            (answer,) = result
            if version < newest:
                assert answer.outcome in ("late", "same", "refused")
            elif version == newest:
                assert answer.outcome == ("same" if counted == units else "refused")
            else:
                changes = counted != shop.books.shelf[heap]
                assert answer.outcome == ("booked" if changes else "same")
                self.is_told(shop, version, {heap: counted})

        self.act_alone(shop, do, note)

    @happens(1, which=ANY, told=st.dictionaries(st.tuples(st.integers(2, 3), KIND), MANY, min_size=1, max_size=3))
    def much_is_told_at_once(self, which: int, told: Mapping[tuple[int, Kind], int]) -> None:
        """Of what it does not name it says nothing."""
        shop, version = self.shop(which), next(self.numbers) + 1
        self.name_the_source(shop)
        rows = [
            (nth, {"sku": sku, "grade": grade, "quantity": units, "bin": _BINS[place]})
            for nth, ((place, (sku, grade)), units) in enumerate(told.items(), start=1)
        ]

        def do() -> Any:
            said = {"version": version}
            return full.tell(self.database, shop.world.merchant_id, SOURCE, said, rows, actor="test")

        def note(result: Any) -> None:
            assert result.row.state == "done"
            heaps = {(shop.spots[place].bin_id, kind): units for (place, kind), units in told.items()}
            self.is_told(
                shop, version, {heap: n for heap, n in heaps.items() if shop.mirrored.get(heap, (0,))[0] < version}
            )

        self.act_alone(shop, do, note)

    def is_told(self, shop: Shop, version: int, told: Mapping[Heap, int]) -> None:
        """So many stand there now."""
        self.step.counts = True
        spots: dict[int, Spot] = {spot.bin_id: spot for spot in shop.spots}
        for (bin_id, kind), units in told.items():
            if (gone := shop.books.shelf[bin_id, kind] - units) > 0:
                self.goods_are_gone(shop, spots[bin_id], {kind: gone})
            shop.books.shelf[bin_id, kind] = units
            shop.mirrored[bin_id, kind] = version, units

    def name_the_source(self, shop: Shop) -> None:
        def add(tx: Any) -> None:
            if not sources.every(tx):
                sources.add(tx, SOURCE, HAMBURG, _NO_BOUNDS, by_bin=True)

        self.write_down(shop, add)
