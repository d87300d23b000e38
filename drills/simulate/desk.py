"""What happens at our own interface: holds with payments, locks, pools, orders of the merchant's own shop."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any, NamedTuple

from core.errors import InsufficientStock, Refused
from core.orders import own
from core.orders.own import OwnLine, OwnOrder
from core.sales import campaigns, expected
from core.sales.campaigns import Campaign
from core.sales.holds import EndHold, ExtendHold, Hold, PayHold
from core.sales.lock_migration import MigrateLock, Successor, move_promises
from core.sales.lock_requests import ChangeLock, Changes, DecideLock, RequestLock
from core.sales.lock_terms import Terms
from core.sales.locks import ConsumeLock, ReleaseLock
from core.sales.pools import ClosePool, Collect, Deal, OpenPool, Resize, SetWindow
from core.sales.presale import PayDeposit
from core.stock import Pool, PoolKind, Stocked
from drills.simulate.caller import Caller, Kinds
from drills.simulate.hub import MERCHANT, Hub, Process
from drills.simulate.people import Goods
from drills.simulate.shop import Line, Order, OwnShop

_HOLDERS = ("acme", "zoe", "kim", "")
_SHIFTS: Mapping[str, type[Deal | Collect | Resize]] = {"deal": Deal, "collect": Collect, "resize": Resize}
_KEPT = 8  # locks and pools that somebody still thinks of


class _Opened(NamedTuple):
    id: int
    code: str
    starts: datetime | None
    items: Sequence[Stocked]


class Desk:
    """``shop``: the merchant's own, whose orders are told here."""

    def __init__(self, hub: Hub, goods: Goods, caller: Caller, shop: OwnShop) -> None:
        self._hub, self._goods, self.caller, self._shop = hub, goods, caller, shop
        self._number = 0
        self._locks: dict[str, Terms] = {}
        self._pools: list[_Opened] = []
        self._presales: list[tuple[int, Stocked]] = []
        self.kinds: Kinds = {
            self._hold: 9, self._buy: 6, self._presell: 4, self._lock: 6,
            self._act_on_a_lock: 8, self._open_any_pool: 4, self._act_on_a_pool: 6,
        }  # fmt: skip

    @property
    def _random(self) -> Random:
        return self._hub.scheduler.random

    def _name(self, what: str) -> str:
        self._number += 1
        return f"{what}-{self._number}"

    def _in(self, least_s: float, most_s: float) -> datetime:
        """An instant to come, by our clock."""
        return self._hub.clock() + timedelta(seconds=self._random.uniform(least_s, most_s))

    def _later(self, least_s: float, most_s: float, act: Callable[[], None]) -> None:
        self._hub.scheduler.after(self._random.uniform(least_s, most_s), act)

    def _new_id(self, edge: Process) -> int:
        with edge.app.db.begin(MERCHANT, actor="simulation") as tx:
            return tx.new_id()

    # ---- holds

    def _some_goods(self, most: int) -> dict[str, int]:
        skus = sorted({**self._goods.items, **self._goods.bundles})
        return {sku: self._random.randint(1, 3) for sku in self._random.sample(skus, self._random.randint(1, most))}

    def _stocked(self, wanted: Mapping[str, int]) -> dict[Stocked, int]:
        known = {**self._goods.items, **self._goods.bundles}
        return {known[sku]: units for sku, units in wanted.items()}

    def _hold_of(self, key: str, wanted: Mapping[str, int], ttl_s: float, holder: str) -> Hold:
        pool = self._random.choice(self._pools).id if self._pools and self._random.random() < 0.15 else None
        may_wait = dict.fromkeys(self._goods.items.values(), 4) if self._random.random() < 0.3 else {}
        return Hold(
            key, self._stocked(wanted), self._hub.clock() + timedelta(seconds=ttl_s), holder=holder, pool_id=pool,
            overflow=self._random.random() < 0.5, best_effort=self._random.random() < 0.2, may_wait=may_wait,
        )  # fmt: skip

    def _hold(self) -> str | None:
        """Held, and given back, kept alive, paid for, run out, or given back before it is made."""
        key, wanted = self._name("hold"), self._some_goods(2)
        ttl_s = self._random.uniform(3.0, 40.0)
        fate = self._random.random()
        end = partial(self.caller.ask, f"end of {key}", EndHold(key))
        if fate < 0.1:
            end()  # the release overtakes its hold
        elif fate < 0.4:
            self._later(0.0, ttl_s, end)
        elif fate < 0.75:
            state = self._random.choice(("started", "failed", "paid"))
            self._later(0.0, ttl_s, partial(self.caller.ask, f"{key} {state}", PayHold(key, state)))
            self._later(ttl_s, 3 * ttl_s, end)
        if self._random.random() < 0.4:
            self._later(0.0, ttl_s / 2, partial(self.caller.ask, f"sign of life of {key}", ExtendHold(key)))
        hold = self._hold_of(key, wanted, ttl_s, self._random.choice(_HOLDERS))
        self.caller.ask(key, hold, partial(self._held, hold), is_told=True)
        return f"{key}: {wanted} for {ttl_s:.1f} s"

    def _held(self, hold: Hold, result: object) -> None:
        """A hold that names no pool is refused for what lacks, and when it was given back before."""
        if not isinstance(result, Refused) or isinstance(result, InsufficientStock) or hold.pool_id is not None:
            return
        if "released" not in str(result):
            self._hub.found(f"{hold.key} was refused: {result}")

    def _presell(self) -> str | None:
        """Two payments for goods that are to come; the second one comes or not."""
        if not self._presales:
            return self._open_pool(PoolKind.PRESALE)
        key, (pool_id, item) = self._name("presold"), self._presales[-1]
        hold = Hold(key, {item: self._random.randint(1, 2)}, self._in(10.0, 30.0), holder="kim", pool_id=pool_id)
        self.caller.ask(key, hold, partial(self._pay_in_parts, key), is_told=True)
        return f"{key} of a presale"

    def _pay_in_parts(self, key: str, result: object) -> None:
        if not isinstance(result, Refused):
            self.caller.ask(f"deposit of {key}", PayDeposit(key, self._in(20.0, 60.0)))
            if self._random.random() < 0.6:
                self._later(5.0, 80.0, partial(self.caller.ask, f"rest of {key}", PayHold(key, "paid")))

    # ---- the merchant's own shop

    def _buy(self) -> str | None:
        """A hold for whoever pays now, which becomes an order when the payment is in; some order without a hold."""
        wanted, holder = self._some_goods(3), self._random.choice(_HOLDERS)
        order = self._shop.draft(list(wanted.items()))
        if self._random.random() < 0.4:
            self._shop.place(order, paid=self._random.random() < 0.7)
            return f"own order {order.number}: {wanted}"
        key = f"hold-of-{order.number}"
        hold = self._hold_of(key, wanted, self._random.uniform(5.0, 30.0), holder)
        self.caller.ask(key, hold, partial(self._is_held_for, order, hold))
        return f"own order {order.number}, held first: {wanted}"

    def _is_held_for(self, order: Order, hold: Hold, result: object) -> None:
        self._held(hold, result)
        if isinstance(result, Refused):
            return
        self.caller.ask(f"payment of {hold.key}", PayHold(hold.key, "started"))
        self._later(0.5, 30.0, partial(self._shop.place, order, paid=True, takes=hold.key))

    def tell_order(self, number: str) -> None:
        """An order of the own shop in the state that it has now: told late, and after newer ones."""
        order = self._shop.orders[number]
        lines = () if order.is_deleted else tuple(map(_own_line, order.lines))
        told = OwnOrder(
            number=number, placed_at=order.placed_at, lines=lines, paid=order.paid, holds=not order.is_deleted,
            version=order.version, takes=(order.takes,) if order.takes else (),
        )  # fmt: skip

        def act(edge: Process) -> Any:
            with edge.app.db.begin(MERCHANT, actor="simulation") as tx:
                (command,) = own.commands(tx, [told])
            return self.caller.do(edge, command)

        random, weather = self._random, self._hub.weather
        late_s = random.uniform(2.0, weather.hint_latest_s) if random.random() < weather.hint_late else 0.0
        self.caller.unanswered += 1
        self._hub.scheduler.after(late_s + random.uniform(0.0, 0.4), partial(self._send, number, order.version, act))

    def _send(self, number: str, version: int, act: Callable[[Process], Any]) -> None:
        self.caller.unanswered -= 1
        self.caller.have(f"own order {number}, state {version}", act, partial(self._taken, number))

    def _taken(self, number: str, result: object) -> None:
        if isinstance(result, Refused):
            self._hub.found(f"own order {number} was refused: {result}")

    # ---- locks

    def _lock(self) -> str | None:
        key, terms = self._name("lock"), self._terms()

        def ask(edge: Process) -> Any:
            return self.caller.do(edge, RequestLock(key, self._new_id(edge), terms))

        def decided(result: object) -> None:
            if isinstance(result, Refused):
                self._hub.found(f"{key} was refused: {result}")
            approve = self._random.random() < 0.9
            self._remember(key, terms)
            self.caller.ask(f"decision on {key}", DecideLock(key, approve, as_owner=True))

        self.caller.have(key, ask, decided)
        return f"{key}: {terms.quantity} for {terms.type} {terms.account}"

    def _remember(self, key: str, terms: Terms) -> None:
        self._locks = dict([*self._locks.items(), (key, terms)][-_KEPT:])

    def _terms(self) -> Terms:
        random = self._random
        store_id = random.choice((None, None, *self._goods.store_ids.values()))
        place = self._place() if random.random() < 0.5 else None
        starts = self._in(60.0, 80.0) if random.random() < 0.2 else None
        return Terms(
            "business" if store_id is None else "channel", self._goods.items[random.choice(sorted(self._goods.items))],
            random.randint(1, 6), store_id=store_id, warehouse_id=place,
            pure=place is not None and random.random() < 0.7, priority=random.randint(0, 2), starts_at=starts,
            account="acme" if store_id is None and random.random() < 0.6 else "",
            expires_at=self._in(300.0, 400.0) if random.random() < 0.6 else None,
            overflow=random.choice(("yes", "yes", "no", "ask")),
        )  # fmt: skip

    def _place(self) -> int:
        """A warehouse, mostly the one where most goods are."""
        first, *others = self._goods.warehouses
        return first if self._random.random() < 0.75 else self._random.choice(others)

    def _act_on_a_lock(self) -> str | None:
        if not self._locks:
            return None
        key, ref = self._random.choice(list(self._locks)), self._name("ref")
        terms = self._locks[key]
        what = self._random.choice(("release", "close", "change", "migrate", *(["consume"] * 8 if terms.pure else [])))
        units = min(self._random.randint(1, 3), 1 if what == "consume" else 3)
        if what == "migrate":
            self.caller.have(f"{ref}: {key} migrates", partial(self._migrate, key, terms, ref))
        elif what == "change":
            self.caller.ask(f"{ref}: change {key}", ChangeLock(key, Changes(units * 2), ref, as_owner=True))
        elif what == "consume":
            self.caller.ask(f"{ref}: consume {key}", ConsumeLock(key, units, ref), is_told=True)
        else:
            part = units if what == "release" else None
            self.caller.ask(f"{ref}: {what} {key}", ReleaseLock(key, part, ref), is_told=part is not None)
        return f"{what} {units} of {key}"

    def _migrate(self, key: str, terms: Terms, ref: str, edge: Process) -> Any:
        """Give a whole lock up for a new one, and let its promises follow."""
        to = f"{key} then {ref}"
        new = Successor(self._new_id(edge), Terms("business", terms.stocked, 1, account="acme"))
        result = self.caller.do(edge, MigrateLock(key, to, ref, None, new))
        if not isinstance(result, Refused):
            self._remember(to, new.terms)
            move_promises(edge.app.db, MERCHANT, lambda said: [self.caller.do(edge, one) for one in said], key, to)
        return result

    # ---- pools

    def _open_any_pool(self) -> str | None:
        return self._open_pool(self._random.choice((PoolKind.CHANNEL, PoolKind.ACTIVITY, PoolKind.PRESALE)))

    def _open_pool(self, kind: PoolKind) -> str:
        random, code = self._random, self._name("pool")
        skus = random.sample(sorted(self._goods.items), random.randint(1, 2))
        units = {self._goods.items[sku]: random.randint(1, 4) for sku in skus}
        store_id = random.choice(list(self._goods.store_ids.values())) if kind is PoolKind.CHANNEL else None
        starts = None if kind is PoolKind.CHANNEL else self._in(-5.0, 5.0)
        ends = None if starts is None else starts + timedelta(seconds=random.uniform(120.0, 300.0))
        presold, waits_for = kind is PoolKind.PRESALE, list[Mapping[Stocked, int]]()

        def act(edge: Process) -> Any:
            pool = Pool(self._new_id(edge), kind, code, store_id, starts_at=starts, ends_at=ends)
            if not waits_for:  # asked again, it waits for the same
                waits_for.append(_supply_for(edge, units) if presold else {})
            result = self.caller.do(edge, OpenPool(pool, units, waits_for[0]))
            if not isinstance(result, Refused) and kind is not PoolKind.CHANNEL:
                with edge.app.db.begin(MERCHANT, actor="simulation") as tx:
                    campaigns.plan(tx, Campaign(result, starts, best_effort=True))
            return result

        self.caller.have(code, act, partial(self._is_open, code, starts, list(units), presold), is_told=True)
        return f"{kind} {code}: {dict(zip(skus, units.values(), strict=True))}"

    def _is_open(
        self, code: str, starts: datetime | None, items: Sequence[Stocked], presold: bool, result: object
    ) -> None:
        if isinstance(result, int):
            self._pools = [*self._pools, _Opened(result, code, starts, items)][-_KEPT:]
            self._presales = [*self._presales, *((result, item) for item in items if presold)][-_KEPT:]

    def _act_on_a_pool(self) -> str | None:
        if not self._pools:
            return None
        pool_id, code, starts, items = self._random.choice(self._pools)
        windows = () if starts is None else ("window", "window")
        act, key = self._random.choice(("close", "resize", *_SHIFTS, *windows)), self._name("shift")
        if act == "close":
            self.caller.ask(f"{key}: close {code}", ClosePool(pool_id, "enough"))
        elif act == "window":
            ends = self._in(60.0, 300.0)
            self.caller.have(f"{key}: end of {code}", partial(self._end_at, SetWindow(pool_id, starts, ends)))
        else:
            any_item = self._goods.items[self._random.choice(sorted(self._goods.items))]
            what = {self._random.choice([*items, *items, any_item]): self._random.randint(1, 3)}
            self.caller.ask(f"{key}: {act} {code}", _SHIFTS[act](pool_id, key, what, best_effort=True), is_told=True)
        return f"{act} {code}"

    def _end_at(self, window: SetWindow, edge: Process) -> Any:
        """It may be drawn on for longer, or not so long."""
        result = self.caller.do(edge, window)
        with edge.app.db.begin(MERCHANT, actor="simulation") as tx:
            campaigns.wake(tx)
        return result


def _own_line(line: Line) -> OwnLine:
    return OwnLine(
        line_id=line.line_id, sku=line.sku, quantity=line.quantity, cancelled=line.cancelled,
        written_off=line.written_off, shipped=line.shipped, returned=line.returned,
    )  # fmt: skip


def _supply_for(edge: Process, units: Mapping[Stocked, int]) -> dict[Stocked, int]:
    """For a presale of so many units: of each item the supply that comes last of those that bring enough, if any."""
    with edge.app.db.begin(MERCHANT, actor="simulation") as tx:
        found = expected.supply(tx, list(units))
    coming = ((Stocked(one.item_id, one.grade), one) for one in found)
    return {stocked: one.id for stocked, one in coming if one.open - one.presold >= units[stocked]}
