"""What may happen to pools: opened for stores, activities and presales, dealt to, and closed; and time passes."""

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

from core import stock
from core.command import Command
from core.errors import InsufficientStock, Refused
from core.sales.pools import ClosePool, Collect, Deal, OpenPool, Preload, Resize, SetWindow
from core.stock import PoolKind, Stocked
from tests.property.all_commands.goods import KIND
from tests.property.all_commands.kinds import Kind
from tests.property.all_commands.locking import LockRules
from tests.property.all_commands.machine import ANY, FEW, Shop, happens
from tests.property.all_commands.ordering import OrderRules
from tests.property.all_commands.plain_model import Pool

_KINDS = st.sampled_from([PoolKind.CHANNEL, PoolKind.ACTIVITY, PoolKind.PRESALE])
_SHIFTS: Mapping[str, Callable[[int, str, Mapping[Stocked, int], bool], Command]] = {
    "deal": Deal,
    "collect": Collect,
    "resize": Resize,
}


class PoolRules(LockRules, OrderRules):
    def some_pool(self, shop: Shop, nth: int) -> Pool | None:
        known = list(shop.books.pools.values())
        return known[-1 - nth % len(known)] if known else None

    @happens(2,
        which=ANY, kind=_KINDS, units=st.dictionaries(KIND, FEW, min_size=1, max_size=2), store=st.integers(0, 2),
        for_all=st.booleans(), starts=st.integers(-5, 30), lasts=st.integers(5, 60), now=st.booleans(),
    )  # fmt: skip
    def open_a_pool(
        self, which: int, kind: PoolKind, units: dict[Kind, int], store: int, for_all: bool, starts: int, lasts: int,
        now: bool,
    ) -> None:  # fmt: skip
        shop = self.shop(which)
        store_id = None if for_all and kind is not PoolKind.CHANNEL else shop.stores[store]
        pool = Pool(shop.new_id(), str(kind), store_id)
        if kind is PoolKind.ACTIVITY or (kind is PoolKind.PRESALE and not for_all):
            pool.starts, pool.ends = self.clock.after(-9 if now else starts), self.clock.after(starts + lasts + 5)
        made = stock.Pool(pool.id, kind, f"pool-{next(self.numbers)}", store_id, starts_at=pool.starts,
                          ends_at=pool.ends)  # fmt: skip
        command = OpenPool(made, {shop.stocked(of): n for of, n in units.items()})

        def note(result: Any) -> None:
            lacks = kind is PoolKind.CHANNEL and any(n > shop.books.seen.free(of) for of, n in units.items())
            if self.is_refused(result, lacks):
                assert isinstance(result, InsufficientStock)
                return
            shop.books.pools[pool.id] = pool
            if kind is not PoolKind.ACTIVITY:
                pool.units.update(units)

        self.act(shop, command, note)

    @happens(2, which=ANY, nth=ANY, units=st.dictionaries(KIND, st.integers(0, 6), min_size=1, max_size=2),
          act=st.sampled_from(sorted(_SHIFTS)), best=st.booleans())  # fmt: skip
    def shift(self, which: int, nth: int, units: dict[Kind, int], act: str, best: bool) -> None:
        shop = self.shop(which)
        pool = self.some_pool(shop, nth)
        if pool is None:
            return
        what = {shop.stocked(of): n for of, n in units.items()}
        command = _SHIFTS[act](pool.id, f"k{next(self.numbers)}", what, best)

        def note(result: Any) -> None:
            changes = {of: self.change(shop, pool, of, n, act) for of, n in units.items()}
            lacks = any(abs(self.possible(shop, pool, of, n)) < abs(n) for of, n in changes.items())
            lacks_supply = any(n > 0 and n > shop.books.room(pool.supply[of], of) for of, n in changes.items()
                               if of in pool.supply)  # fmt: skip
            has_ended = not pool.is_open or (pool.ends is not None and pool.ends <= self.clock.now)
            if self.is_refused(result, has_ended or lacks_supply or (lacks and not best)):
                return
            dealt, collected = (
                self.by_kind(shop, [*result.dealt.items()]),
                self.by_kind(shop, [*result.collected.items()]),
            )
            if self.step.alone:
                expected = {of: self.possible(shop, pool, of, n) for of, n in changes.items()}
                assert dealt == {of: n for of, n in expected.items() if n > 0}
                assert collected == {of: -n for of, n in expected.items() if n < 0}
            pool.units.update(dealt)
            pool.units.subtract(collected)

        self.act(shop, command, note, str(pool.id))

    @staticmethod
    def change(shop: Shop, pool: Pool, kind: Kind, units: int, act: str) -> int:
        there = shop.books.seen.stand(pool.id, kind).free
        return {"deal": units, "collect": -units, "resize": units - there}[act]

    @staticmethod
    def possible(shop: Shop, pool: Pool, kind: Kind, change: int) -> int:
        """What of a change can be: free units alone leave a pool, or the shared one; a presale takes any number."""
        if change < 0:
            return max(change, -shop.books.seen.stand(pool.id, kind).free)
        return change if pool.type == "presale" else min(change, shop.books.seen.free(kind))

    @happens(1, which=ANY, nth=ANY, best=st.booleans(), again=st.booleans())
    def preload(self, which: int, nth: int, best: bool, again: bool) -> None:
        shop = self.shop(which)
        pool = self.some_pool(shop, nth)
        if pool is None:
            return
        free = {kind: shop.books.seen.free(kind) for _, kind in shop.books.seen.stands}

        def note(result: Any) -> None:
            if isinstance(result, Refused):
                return
            dealt = self.dealt(shop, result)
            assert pool.type == "activity"
            assert pool.is_open or not dealt
            assert not self.step.alone or all(0 < n <= free[kind] for kind, n in dealt.items())
            pool.units.update(dealt)

        self.act(shop, Preload(pool.id, best, f"again {next(self.numbers)}" if again else ""), note, str(pool.id))

    def dealt(self, shop: Shop, units: Mapping[Stocked, int]) -> dict[Kind, int]:
        return self.by_kind(shop, list(units.items()))

    @happens(1, which=ANY, nth=ANY, starts=st.none() | st.integers(-5, 20), lasts=st.none() | st.integers(1, 40))
    def set_a_window(self, which: int, nth: int, starts: int | None, lasts: int | None) -> None:
        shop = self.shop(which)
        pool = self.some_pool(shop, nth)
        if pool is None:
            return
        begins = None if starts is None else self.clock.after(starts)
        ends = None if lasts is None else self.clock.after((starts or 0) + lasts)

        def note(result: Any) -> None:
            if result is True:
                assert pool.is_open
                pool.starts, pool.ends = begins, ends

        self.act(shop, SetWindow(pool.id, begins, ends), note, str(pool.id))

    @happens(1, which=ANY, nth=ANY)
    def close_a_pool(self, which: int, nth: int) -> None:
        shop = self.shop(which)
        pool = self.some_pool(shop, nth)
        if pool is not None:
            self.act(
                shop, ClosePool(pool.id, "enough"), lambda result: self.pool_closed(shop, pool, result), str(pool.id)
            )

    def pool_closed(self, shop: Shop, pool: Pool, result: Any) -> None:
        """What nobody was promised goes back; of a closed one nothing does."""
        assert (result is None) is not pool.is_open
        if result is not None:
            back = self.dealt(shop, result)
            if self.step.alone:
                stands = shop.books.seen.stands.items()
                assert back == {of: one.free for (pool_id, of), one in stands if pool_id == pool.id and one.free}
            pool.units.subtract(back)
            pool.is_open = False
            self.step.ended.add(pool.id)

    @happens(2, seconds=st.integers(1, 40), is_idle=st.booleans())
    def time_passes(self, seconds: int, is_idle: bool) -> None:
        """And what is to be done by the clock is done, late or at once."""
        self.clock.pass_(seconds)
        for shop in () if is_idle else self.shops:
            self.finish(shop)
            self.expire_holds(shop)
            self.keep_locks(shop)
            self.close_pools(shop)

    def close_pools(self, shop: Shop) -> None:
        due = [pool for pool in shop.books.pools.values() if pool.is_open]
        self.gather(shop, len(due))
        for pool in due:
            is_over = pool.ends is not None and pool.ends <= self.clock.after(1)

            def note(result: Any, pool: Pool = pool, is_over: bool = is_over) -> None:
                assert (result is not None) is is_over
                if is_over:
                    self.pool_closed(shop, pool, result)

            self.act(shop, ClosePool(pool.id, "its time was over", only_ended=True), note)
