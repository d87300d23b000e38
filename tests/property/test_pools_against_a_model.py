"""Random histories of pools, presales, deposits and demand that waits, against a plain model that shares no code with
the core: units per pool agree after every step, and the audit is empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from core.errors import Refused
from core.sales.holds import EndHold, Hold, PayHold
from core.sales.pools import ClosePool, Collect, Deal, OpenPool, Preload, Resize
from core.sales.presale import PayDeposit
from core.sales.waiting import HoldPriority
from core.stock import Pool, PoolKind
from core.transaction import Database
from tests.builders import FAR_OFF, Clock, Units
from tests.pool_world import in_pool, shared
from tests.property.histories import History, played, random_shop, violations

SKUS = ("mug", "cup")
PLAYED = played(7, soak=1_000, steps=(25, 60))
_AMOUNT = st.integers(1, 6)
_SKU = st.sampled_from(SKUS)


@dataclass
class Share:
    """What one hold has of one item from one place: a pool's name, or the shared pool's empty one."""

    key: str
    sku: str
    place: str
    since: int
    live: int = 0
    waiting: int = 0
    priority: int = 0
    paid: bool = False
    presold: bool = False


@dataclass
class Bag:
    """One pool of the model."""

    name: str
    kind: PoolKind
    free: dict[str, int]
    plan: dict[str, int]
    closed: bool = False
    preloaded: bool = False


class Model:
    """Who has which unit, by hand."""

    def __init__(self) -> None:
        self.free = dict.fromkeys(SKUS, 0)
        self.on_hand = dict.fromkeys(SKUS, 0)
        self.bags: dict[str, Bag] = {}
        self.shares: list[Share] = []
        self.clock = 0

    def receive(self, sku: str, units: int) -> None:
        self.free[sku] += units
        self.on_hand[sku] += units
        self.serve()

    def serve(self) -> None:
        for sku in SKUS:
            wants = [one for one in self.shares if one.sku == sku and (one.waiting or (one.presold and one.live))]
            for one in sorted(wants, key=self.turn):
                if one.waiting:
                    got = min(one.waiting, self.free[sku])
                    one.waiting, one.live = one.waiting - got, one.live + got
                else:
                    got = min(one.live, self.free[sku])
                    one.live -= got
                    self.shares.append(
                        Share(one.key, sku, "", one.since, live=got, priority=one.priority, paid=one.paid)
                    )
                self.free[sku] -= got

    def turn(self, one: Share) -> tuple[int, int, int]:
        rank = 2 if one.presold and not one.waiting else 1 if one.paid else 4
        return rank, -one.priority, one.since

    def places(self, own: str) -> Iterator[str]:
        """Where a hold draws: its own pool, or goods that are there before goods that are to come."""
        if own:
            yield own
            return
        open_bags = [bag for bag in self.bags.values() if not bag.closed]
        for kind in (PoolKind.ACTIVITY, PoolKind.CHANNEL):
            yield from (bag.name for bag in open_bags if bag.kind is kind)
        yield ""
        yield from (bag.name for bag in open_bags if bag.kind is PoolKind.PRESALE)

    def hold(self, key: str, sku: str, units: int, own: str, *, may_wait: bool) -> bool:
        left, taken = units, []
        for place in self.places(own):
            there = self.free[sku] if not place else self.bags[place].free.get(sku, 0)
            if got := min(left, there):
                taken.append((place, got))
                left -= got
        if left and not (may_wait and not own):
            return False
        self.clock += 1
        for place, got in taken:
            presold = bool(place) and self.bags[place].kind is PoolKind.PRESALE
            self.shares.append(Share(key, sku, place, self.clock, live=got, presold=presold))
            if place:
                self.bags[place].free[sku] -= got
            else:
                self.free[sku] -= got
        if left:
            self.shares.append(Share(key, sku, "", self.clock, waiting=left))
        self.serve()  # who asked for units of a presale gets goods that are there
        return True

    def of(self, key: str) -> list[Share]:
        return [one for one in self.shares if one.key == key and one.live + one.waiting]

    def end(self, key: str) -> None:
        for one in self.of(key):
            bag = self.bags.get(one.place)
            if bag is not None and not bag.closed:
                bag.free[one.sku] = bag.free.get(one.sku, 0) + one.live
            elif not one.presold:
                self.free[one.sku] += one.live
            one.live = one.waiting = 0
        self.serve()

    def close(self, bag: Bag) -> None:
        bag.closed = True
        for sku, units in bag.free.items():
            if bag.kind is not PoolKind.PRESALE:
                self.free[sku] += units
            bag.free[sku] = 0
        self.serve()

    def units(self, place: str, sku: str) -> Units:
        mine = [one for one in self.shares if one.place == place and one.sku == sku]
        free = self.free[sku] if not place else self.bags[place].free.get(sku, 0)
        return Units(
            free, sum(one.live for one in mine if not one.paid), sum(one.live for one in mine if one.paid),
            sum(one.waiting for one in mine),
        )  # fmt: skip


class Pools(History):
    @initialize()
    def open_shop(self) -> None:
        self.clock = Clock()
        self.database.clock = self.clock
        self.world, self.model = random_shop(self.database), Model()
        self.world.listings(self.world.store(), *SKUS)
        self.ids: dict[str, int] = {}
        self.names = count(1)
        self.open: list[str] = []
        self.ends: dict[str, datetime] = {}

    def bags(self, *kinds: PoolKind) -> list[str]:
        return [bag.name for bag in self.model.bags.values() if not bag.closed and (not kinds or bag.kind in kinds)]

    @rule(sku=_SKU, units=_AMOUNT)
    def receive(self, sku: str, units: int) -> None:
        self.clock.pass_(1)
        self.world.receive(sku, units)
        self.model.receive(sku, units)

    @rule(kind=st.sampled_from([PoolKind.CHANNEL, PoolKind.ACTIVITY, PoolKind.PRESALE]),
          wanted=st.dictionaries(_SKU, _AMOUNT, min_size=1))  # fmt: skip
    def make(self, kind: PoolKind, wanted: dict[str, int]) -> None:
        self.clock.pass_(1)
        name = f"pool-{next(self.names)}"
        with self.database.begin(self.world.merchant_id, actor="test") as tx:
            pool = Pool(tx.new_id(), kind, name, 0 if kind is PoolKind.CHANNEL else None)
        if kind is PoolKind.ACTIVITY:
            pool = pool._replace(starts_at=self.clock.now, ends_at=FAR_OFF)
        (result,) = self.world.run(OpenPool(pool, {self.world.item(sku): n for sku, n in wanted.items()}))
        short = kind is PoolKind.CHANNEL and any(n > self.model.free[sku] for sku, n in wanted.items())
        assert isinstance(result, Refused) is short
        if short:
            return
        self.ids[name] = pool.id
        free = dict.fromkeys(SKUS, 0) if kind is PoolKind.ACTIVITY else dict(wanted)
        self.model.bags[name] = Bag(name, kind, free, dict(wanted))
        if kind is PoolKind.CHANNEL:
            for sku, n in wanted.items():
                self.model.free[sku] -= n

    @precondition(lambda self: self.bags())
    @rule(
        data=st.data(), sku=_SKU, units=_AMOUNT, act=st.sampled_from(["deal", "collect", "resize"]), best=st.booleans()
    )
    def shift(self, data: st.DataObject, sku: str, units: int, act: str, best: bool) -> None:
        self.clock.pass_(1)
        bag = self.model.bags[data.draw(st.sampled_from(self.bags()))]
        pool_id, key, what = self.ids[bag.name], f"k{next(self.names)}", {self.world.item(sku): units}
        command = {
            "deal": Deal(pool_id, key, what, best),
            "collect": Collect(pool_id, key, what, best),
            "resize": Resize(pool_id, key, what, best),
        }[act]
        (result,) = self.world.run(command)
        there = bag.free.get(sku, 0)
        change = {"deal": units, "collect": -units, "resize": units - there}[act]
        most = change if bag.kind is PoolKind.PRESALE else min(change, self.model.free[sku])
        done = max(-there, change) if change < 0 else most
        if done != change and not best:
            assert isinstance(result, Refused)
            return
        bag.free[sku] = there + done
        if bag.kind is not PoolKind.PRESALE:
            self.model.free[sku] -= done
        self.model.serve()

    @precondition(lambda self: self.bags(PoolKind.ACTIVITY))
    @rule(data=st.data(), best=st.booleans())
    def preload(self, data: st.DataObject, best: bool) -> None:
        self.clock.pass_(1)
        bag = self.model.bags[data.draw(st.sampled_from(self.bags(PoolKind.ACTIVITY)))]
        (result,) = self.world.run(Preload(self.ids[bag.name], best_effort=best))
        wanted = {}
        for sku, plan in bag.plan.items():
            has = bag.free.get(sku, 0) + sum(one.live for one in self.model.shares
                                             if one.place == bag.name and one.sku == sku)  # fmt: skip
            wanted[sku] = max(plan - has, 0)
        short = any(n > self.model.free[sku] for sku, n in wanted.items())
        if bag.preloaded or not any(wanted.values()):
            assert result == {}
        elif short and not best:
            assert isinstance(result, Refused)
        else:
            for sku, n in wanted.items():
                got = min(n, self.model.free[sku])
                bag.free[sku] = bag.free.get(sku, 0) + got
                self.model.free[sku] -= got
                bag.preloaded = bag.preloaded or bool(got)

    @rule(data=st.data(), sku=_SKU, units=_AMOUNT, waits=st.booleans(), ttl=st.integers(5, 40))
    def hold(self, data: st.DataObject, sku: str, units: int, waits: bool, ttl: int) -> None:
        self.clock.pass_(1)
        own, key, item = data.draw(st.sampled_from(["", *self.bags()])), f"h{next(self.names)}", self.world.item(sku)
        command = Hold(key, {item: units}, self.clock.after(ttl), pool_id=self.ids.get(own),
                       may_wait={item: 10**6} if waits else {})  # fmt: skip
        (result,) = self.world.run(command)
        assert isinstance(result, Refused) is not self.model.hold(key, sku, units, own, may_wait=waits)
        if not isinstance(result, Refused):
            self.open.append(key)
            self.ends[key] = self.clock.after(ttl)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), act=st.sampled_from(["release", "pay", "deposit", "priority"]), number=st.integers(-2, 2))
    def act_on_a_hold(self, data: st.DataObject, act: str, number: int) -> None:
        self.clock.pass_(1)
        key = data.draw(st.sampled_from(sorted(self.open)))
        mine = self.model.of(key)
        presold = all(one.presold or one.key in self.handed(key) for one in mine)
        if act == "release":
            self.world.do(EndHold(key))
            self.model.end(key)
            self.open.remove(key)
        elif act == "pay":
            self.world.do(PayHold(key, "paid"))
            for one in mine:
                one.paid = True
            self.ends.pop(key, None)
        elif act == "deposit":
            (result,) = self.world.run(PayDeposit(key, self.clock.after(60)))
            if not isinstance(result, Refused):
                assert presold
                assert not any(one.paid for one in mine)
                self.ends[key] = self.clock.after(60)
        else:
            (result,) = self.world.run(HoldPriority(key, number))
            for one in mine:
                if one.waiting or (one.presold and one.live):
                    assert not isinstance(result, Refused)
                    one.priority = number

    def handed(self, key: str) -> set[str]:
        """The hold, when its goods of a presale have come: they are told apart from others by no word of the model."""
        return {key} if any(one.key == key and one.presold for one in self.model.shares) else set()

    @rule(seconds=st.integers(1, 30))
    def time_passes(self, seconds: int) -> None:
        self.clock.pass_(seconds)
        over = sorted(key for key, end in self.ends.items() if end <= self.clock.now and key in self.open)
        for key in over:
            assert self.world.do(EndHold(key, only_expired=True)) is True
            self.model.end(key)
            self.open.remove(key)
        for key in self.open:
            assert self.world.do(EndHold(key, only_expired=True)) is False

    @precondition(lambda self: self.bags())
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        self.clock.pass_(1)
        bag = self.model.bags[data.draw(st.sampled_from(self.bags()))]
        back = self.world.do(ClosePool(self.ids[bag.name], "closed"))
        assert back == {self.world.item(sku): n for sku, n in bag.free.items() if n}
        self.model.close(bag)

    @precondition(lambda self: any(bag.closed for bag in self.model.bags.values()))
    @rule(data=st.data())
    def put_away(self, data: st.DataObject) -> None:
        closed = [bag.name for bag in self.model.bags.values() if bag.closed]
        assert self.world.do(ClosePool(self.ids[data.draw(st.sampled_from(closed))])) is None

    @invariant()
    def the_books_are_right(self) -> None:
        assert violations(self.world) == []
        for sku in SKUS:
            assert shared(self.world, sku) == self.model.units("", sku), sku
            assert self.world.on_hand(sku) == (self.model.on_hand[sku], 0)
            for name, pool_id in self.ids.items():
                assert in_pool(self.world, pool_id, sku) == self.model.units(name, sku), (name, sku)

    @invariant()
    def nobody_is_promised_a_unit_twice(self) -> None:
        """Goods that are there are in one pool each; presales promise nothing that is there."""
        for sku in SKUS:
            there = [shared(self.world, sku)] + [
                in_pool(self.world, pool_id, sku)
                for name, pool_id in self.ids.items()
                if self.model.bags[name].kind is not PoolKind.PRESALE
            ]
            assert sum(one.free + one.reserved + one.sold for one in there) == self.world.on_hand(sku)[0]


def test_random_histories_of_pools_agree_with_the_model(db: Database) -> None:
    ended = Pools.play(db, PLAYED)

    assert ended
    there = [shared(one.world, sku) for one in ended for sku in SKUS]
    assert there == [one.model.units("", sku) for one in ended for sku in SKUS]
