"""What may happen to locks: asked for, decided on, changed, given back, consumed, migrated, ended by the clock."""

from functools import partial
from typing import Any

from hypothesis import strategies as st

from core.errors import Refused
from core.sales.lock_floors import SetFloor, floor_key
from core.sales.lock_migration import MigrateLock, Successor, move_promises
from core.sales.lock_requests import ChangeLock, Changes, DecideLock, RequestLock
from core.sales.lock_terms import LockLimit, Terms
from core.sales.locks import ConsumeLock, ExpireLock, ReleaseLock, StartLock
from tests.property.all_commands.goods import KIND
from tests.property.all_commands.kinds import Kind
from tests.property.all_commands.machine import ANY, FEW, MANY, Machine, Shop, happens
from tests.property.all_commands.plain_model import LOCKS_TO_COME, OPEN_LOCK, Lock, Step

_SOON = st.none() | st.integers(2, 60)


class LockRules(Machine):
    def some_lock(self, shop: Shop, nth: int) -> str:
        keys = list(shop.books.locks)
        return keys[-1 - nth % len(keys)] if keys and nth < 95 else f"none {nth}"

    @happens(2,
        which=ANY, kind=KIND, units=MANY, store=st.none() | st.integers(0, 2), account=st.booleans(),
        type_=st.sampled_from(["business", "internal"]), physical=st.none() | st.integers(0, 1), pure=st.booleans(),
        priority=st.integers(0, 2), starts=_SOON, ends=_SOON, overflow=st.sampled_from(["yes", "yes", "no", "ask"]),
        limit=st.none() | st.integers(3, 9), decided=st.booleans() | st.just(True),
    )  # fmt: skip
    def ask_for_a_lock(
        self, which: int, kind: Kind, units: int, store: int | None, account: bool, type_: str, physical: int | None,
        pure: bool, priority: int, starts: int | None, ends: int | None, overflow: str, limit: int | None,
        decided: bool,
    ) -> None:  # fmt: skip
        shop, key = self.shop(which), f"lock {next(self.numbers)}"
        store_id = None if store is None else shop.stores[store]
        if store_id is not None:
            type_ = "channel" if store_id else "main_site"
        begins = None if starts is None else self.clock.after(starts)
        place = None if physical is None else shop.warehouses[physical]
        terms = Terms(
            type_, shop.stocked(kind), units, store_id=store_id, warehouse_id=place,
            pure=pure and physical is not None, account="acme" if account and type_ == "business" else "",
            priority=priority, starts_at=begins,
            expires_at=None if ends is None else self.clock.after((starts or 0) + ends),
            overflow=overflow,
        )  # fmt: skip
        lock = Lock(
            shop.new_id(), kind, units, type=type_, store=store_id, account=terms.account, warehouse=place,
            is_pure=terms.pure, overflow=overflow, starts=begins, ends=terms.expires_at,
        )  # fmt: skip
        command = RequestLock(key, lock.pool_id, terms, None if limit is None else LockLimit(units=limit))

        def note(result: Any) -> None:
            if not self.is_refused(result, limit is not None and units > limit):
                shop.books.locks[key] = lock

        self.act(shop, command, note, key)
        if decided:
            self.decide(shop, key, approve=True)

    @happens(1, which=ANY, nth=ANY, approve=st.booleans())
    def decide_on_a_lock(self, which: int, nth: int, approve: bool) -> None:
        shop = self.shop(which)
        self.decide(shop, self.some_lock(shop, nth), approve=approve)

    def decide(self, shop: Shop, key: str, *, approve: bool) -> None:
        def note(result: Any) -> None:
            lock = shop.books.locks.get(key)
            if lock is None or (lock.status == "requested" and approve and self.is_over(lock)):
                assert isinstance(result, Refused)
            elif lock.status == "requested":
                lock.status = "approved" if approve else "refused"
                if approve:
                    self.begin(lock)
            elif lock.status not in (("approved", OPEN_LOCK) if approve else ("refused",)):
                assert isinstance(result, Refused)

        self.act(shop, DecideLock(key, approve=approve, as_owner=True), note, key)

    def begin(self, lock: Lock) -> None:
        """An approved lock has its units, or waits for them, when its time has come."""
        if lock.starts is None or lock.starts <= self.clock.now:
            lock.status, lock.units = OPEN_LOCK, lock.size

    def is_over(self, lock: Lock) -> bool:
        return lock.ends is not None and lock.ends <= self.clock.now

    @happens(2, which=ANY, nth=ANY, units=st.none() | FEW)
    def release_a_lock(self, which: int, nth: int, units: int | None) -> None:
        shop = self.shop(which)
        key = self.some_lock(shop, nth)

        def note(result: Any) -> None:
            lock = shop.books.locks.get(key)
            if lock is None or (units is None and lock.status not in (*LOCKS_TO_COME, OPEN_LOCK)):
                assert isinstance(result, Refused) is (units is not None)
            elif units is None:
                self.close(lock, "closed")
            else:
                self.give_back(shop, key, lock, units, result)

        self.act(shop, ReleaseLock(key, units, str(next(self.numbers))), note, key)

    def give_back(self, shop: Shop, key: str, lock: Lock, units: int, result: Any) -> None:
        seen, stand = shop.books.seen.locks.get(key), shop.books.seen.stand(lock.pool_id, lock.kind)
        most = lock.size
        if lock.status == OPEN_LOCK:
            most = min(most, stand.free + (seen.waiting if seen else 0))
        if self.is_refused(result, units > most or lock.status not in (*LOCKS_TO_COME, OPEN_LOCK)):
            return
        if units == lock.size:
            self.close(lock, "closed")
        else:
            lock.size -= units
            lock.units -= units if lock.status == OPEN_LOCK else 0

    def close(self, lock: Lock, status: str) -> None:
        self.step.ended.add(lock.pool_id)
        lock.status = status

    @happens(1, which=ANY, nth=ANY, units=FEW)
    def consume_a_lock(self, which: int, nth: int, units: int) -> None:
        shop = self.shop(which)
        key = self.some_lock(shop, nth)

        def note(result: Any) -> None:
            lock = shop.books.locks.get(key)
            may = lock is not None and lock.is_pure and lock.status == OPEN_LOCK and not self.is_over(lock)
            there = lock is not None and units <= shop.books.seen.stand(lock.pool_id, lock.kind).free
            if not self.is_refused(result, not may or not there) and lock is not None:
                lock.units -= units

        self.act(shop, ConsumeLock(key, units, str(next(self.numbers))), note, key)

    @happens(2,
        which=ANY, nth=ANY, units=st.none() | MANY, priority=st.none() | st.integers(0, 2), ends=_SOON,
        overflow=st.none() | st.sampled_from(["yes", "no", "ask"]), endless=st.booleans(),
    )  # fmt: skip
    def change_a_lock(
        self, which: int, nth: int, units: int | None, priority: int | None, ends: int | None, overflow: str | None,
        endless: bool,
    ) -> None:  # fmt: skip
        shop = self.shop(which)
        key = self.some_lock(shop, nth)
        until = None if ends is None else self.clock.after(ends)
        changes = Changes(units, priority, overflow, expires_at=until, endless=endless)

        def note(result: Any) -> None:
            lock = shop.books.locks.get(key)
            if isinstance(result, Refused) or lock is None:
                assert isinstance(result, Refused)
                return
            assert lock.status in (*LOCKS_TO_COME, OPEN_LOCK)
            if units is not None:
                lock.units += units - lock.size if lock.status == OPEN_LOCK else 0
                lock.size = units
            lock.overflow = overflow or lock.overflow
            lock.ends = None if endless else until or lock.ends

        self.act(shop, ChangeLock(key, changes, str(next(self.numbers)), as_owner=True), note, key)

    @happens(1, which=ANY, store=st.integers(1, 2), kind=KIND, units=st.integers(0, 6))
    def set_a_floor(self, which: int, store: int, kind: Kind, units: int) -> None:
        shop, lock_id = self.shop(which), 0
        lock_id = shop.new_id()
        command = SetFloor(lock_id, shop.stores[store], shop.stocked(kind), units)
        key = floor_key(shop.stores[store], shop.stocked(kind))

        def note(result: Any) -> None:
            assert not isinstance(result, Refused)
            lock = shop.books.locks.get(key)
            if lock is None and units:
                lock = shop.books.locks[key] = Lock(
                    lock_id, kind, units, type="channel", store=shop.stores[store], is_floor=True
                )
            if lock is None:
                return
            if not units:
                lock.status = "closed" if lock.status == OPEN_LOCK else lock.status
                return
            lock.status, lock.size, lock.units = OPEN_LOCK, units, 0

        self.act(shop, command, note, key)

    @happens(
        2,
        which=ANY,
        nth=ANY,
        to=st.none() | ANY,
        units=st.none() | FEW,
        physical=st.none() | st.integers(0, 1),
        follow=st.booleans(),
    )
    def migrate_a_lock(
        self, which: int, nth: int, to: int | None, units: int | None, physical: int | None, follow: bool
    ) -> None:
        shop = self.shop(which)
        self.finish(shop)
        key = self.some_lock(shop, nth)
        target = f"lock {next(self.numbers)}" if to is None else self.some_lock(shop, to)
        kind = shop.books.locks[key].kind if key in shop.books.locks else ("mug", "good")
        place = None if physical is None else shop.warehouses[physical]
        terms = Terms("business", shop.stocked(kind), 1, warehouse_id=place)
        made = Lock(shop.new_id(), kind, 0, status=OPEN_LOCK, warehouse=place)
        command = MigrateLock(
            key, target, str(next(self.numbers)), units, Successor(made.pool_id, terms) if to is None else None
        )
        self.act(shop, command, lambda result: self.migrated(shop, command, made, result))
        if follow:
            self.promises_follow(shop, key, target)

    def migrated(self, shop: Shop, command: MigrateLock, made: Lock, result: Any) -> None:
        """Free units and those that it waits for go over; what orders have of it follows, and is counted already."""
        locks, seen = shop.books.locks, shop.books.seen
        lock = locks.get(command.key)
        if isinstance(result, Refused) or lock is None:
            assert isinstance(result, Refused)
            return
        target = locks.setdefault(command.to, made)
        assert lock.status == target.status == OPEN_LOCK
        assert (lock.kind, lock is target) == (target.kind, False)
        stand = seen.stand(lock.pool_id, lock.kind)
        promised = 0 if command.units else stand.reserved + stand.sold
        going = command.units or stand.free + seen.locks[command.key].waiting
        lock.units -= going
        target.units, target.size = target.units + going, target.size + going + promised
        if command.units is None or going == lock.size:
            self.close(lock, "closed")
        else:
            lock.size -= going

    def promises_follow(self, shop: Shop, key: str, target: str) -> None:
        locks = shop.books.locks
        if key not in locks or target not in locks or locks[key].status in (*LOCKS_TO_COME, "refused"):
            return
        self.clock.pass_(1)
        run = shop.world.run
        try:
            moved = move_promises(self.database, shop.world.merchant_id, lambda said: run(*said), key, target)
        except Refused:
            moved = 0
        self.step, self.afterwards = Step(alone=True, now=self.clock.now, moves=True), []
        locks[key].units -= moved
        # Units that a lock was to have are counted among those that it is for since it took over.
        locks[target].units += moved
        self.look(shop)

    def keep_locks(self, shop: Shop) -> None:
        """What the clock brings: locks that have run out end, and those whose time has come begin."""
        keys = [key for key, lock in shop.books.locks.items() if lock.status in ("approved", OPEN_LOCK)]
        self.gather(shop, len(keys))
        for key in keys:
            self.act(shop, ExpireLock(key), partial(self.expired, shop.books.locks[key]))
        self.gather(shop, len(keys))
        for key in keys:
            self.act(shop, StartLock(key), partial(self.started, shop.books.locks[key]))

    def expired(self, lock: Lock, result: Any) -> None:
        if lock.status == OPEN_LOCK and self.is_over(lock):
            self.close(lock, "expired")
        assert result.status == lock.status

    def started(self, lock: Lock, result: Any) -> None:
        if lock.status == "approved" and (lock.starts is None or lock.starts <= self.clock.now):
            if self.is_over(lock):
                lock.status = "expired"
            else:
                self.begin(lock)
        assert result.status == lock.status
