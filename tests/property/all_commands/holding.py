"""What may happen to holds of our own interface: made, extended, paid, given back, run out, given way, limited."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hypothesis import strategies as st

from core.command import Command
from core.errors import Refused
from core.sales import limit_rules
from core.sales.holds import EndHold, ExtendHold, Hold, PayHold
from core.sales.limits import Per
from core.sales.presale import PayDeposit
from core.sales.waiting import HoldPriority
from core.stock import Stocked
from tests.property.all_commands.checks import close
from tests.property.all_commands.kinds import FLAWED, GOOD, Kind
from tests.property.all_commands.machine import ANY, SKUS, Machine, Shop, happens
from tests.property.all_commands.plain_model import Buyer, Claim

HOLDERS = st.sampled_from(["", "", "acme", "zoe"])
HOLD_ACTS = ("end", "end", "extend", "started", "failed", "paid", "due", "rank")


@dataclass(frozen=True, slots=True)
class Wish:
    """A hold that somebody asks for. ``room``: units that may wait at most."""

    wanted: Mapping[Kind, int]
    ttl: int
    store: int
    holder: str
    pool: int | None
    overflow: bool
    best_effort: bool
    deducted: bool
    room: int


SOLD = st.tuples(st.sampled_from(SKUS), st.sampled_from([GOOD, GOOD, FLAWED]))
WISHES = st.builds(
    Wish,
    wanted=st.dictionaries(SOLD, st.integers(1, 7), min_size=1, max_size=2),
    ttl=st.integers(1, 60), store=st.integers(0, 2), holder=HOLDERS, pool=st.none() | ANY, overflow=st.booleans(),
    best_effort=st.booleans(), deducted=st.booleans(), room=st.sampled_from([0, 0, 3, 100]),
)  # fmt: skip


class HoldRules(Machine):
    @happens(6, which=ANY, wishes=st.lists(WISHES, min_size=1, max_size=3), together=st.booleans())
    def hold(self, which: int, wishes: list[Wish], together: bool) -> None:
        """One after another, or all in one batch."""
        shop = self.shop(which)
        if together:
            self.gather(shop, len(wishes))
        for wish in wishes:
            self.hold_one(shop, wish)

    def hold_one(self, shop: Shop, wish: Wish) -> None:
        pools = sorted(shop.books.seen.pools.keys() - {shop.books.seen.shared})
        named = None if wish.pool is None or not pools else pools[-1 - wish.pool % len(pools)]
        demand = shop.demand(wish.wanted)
        may_wait = {shop.stocked(kind): wish.room for kind in demand} if wish.room else {}
        dead, store_id = sorted(shop.books.dead_keys), shop.stores[wish.store]
        key = dead[0] if dead and wish.ttl == 3 else f"h{next(self.numbers)}"
        command = Hold(
            key, {shop.stocked(kind): n for kind, n in wish.wanted.items()}, self.clock.after(wish.ttl + 1), store_id,
            wish.holder, named, wish.overflow, wish.best_effort, wish.deducted, may_wait,
        )  # fmt: skip
        buyer = Buyer(store_id, wish.holder, named, command.expires_at, is_hold=True)
        self.act(shop, command, lambda result: self.held(shop, command, buyer, demand, wish.room, result))

    def held(self, shop: Shop, command: Hold, buyer: Buyer, demand: Mapping[Kind, int], room: int, result: Any) -> None:
        owner = f"hold {command.key}"
        if command.key in shop.books.dead_keys:
            assert isinstance(result, Refused)
            return
        if self.step.alone:
            self.foretell(shop, command, buyer, demand, room, result)
        if isinstance(result, Refused):
            return
        self.step.holders |= {buyer.holder} - {""}
        self.step.orders.add(owner)
        missing = self.by_kind(shop, result.missing)
        shop.books.buyers[owner] = buyer
        # Its full time is from when it was made, in whole seconds.
        buyer.ttl_s = max(1, -int((self.clock.now - command.expires_at).total_seconds() // 1))
        for kind, units in demand.items():
            shop.books.claims[owner, "", kind] = Claim(units - missing.get(kind, 0))
        if self.step.alone:
            pools = {
                kind: shop.books.pools_for(buyer, kind, self.clock.now, overflow=command.overflow) for kind in demand
            }
            self.afterwards.append(lambda: self.stands_where_it_may(shop, owner, pools))
            self.afterwards.append(lambda: self.within_limits(shop, buyer, demand))

    @staticmethod
    def stands_where_it_may(shop: Shop, owner: str, pools: Mapping[Kind, set[int]]) -> None:
        """Goods for what a presale sold come from the shared pool; else only what a hold may draw on is shared."""
        seen = shop.books.seen
        for kind, allowed in pools.items():
            claim = seen.claim((owner, "", kind))
            if seen.shared not in allowed and not any(seen.pools[pool_id] == "presale" for pool_id in allowed):
                assert not claim.waiting, (owner, kind, "waits")
                assert not claim.live[seen.shared], (owner, kind, "draws on what all share")

    def within_limits(self, shop: Shop, buyer: Buyer, demand: Mapping[Kind, int]) -> None:
        asked = sum(units for kind, units in demand.items() if kind[0] == "mug")
        assert asked <= shop.limits.get(Per.ORDER, asked)
        mine = {owner for owner, other in shop.books.buyers.items() if other.holder == buyer.holder}
        has = [claim for key, claim in shop.books.claims.items() if key[0] in mine and key[2][0] == "mug"]
        units = sum(claim.owed + claim.shipped for claim in has)
        assert not asked or units <= shop.limits.get(Per.CUSTOMER, units)

    def foretell(
        self, shop: Shop, command: Hold, buyer: Buyer, demand: Mapping[Kind, int], room: int, result: Any
    ) -> None:
        """A hold is refused when units lack, and never otherwise; own holds that might give way make it less sure."""
        books, lacks, may_get = shop.books, {}, 0
        helped: dict[Kind, int] = {}
        for owner, other in books.buyers.items():
            if buyer.holder and other.holder == buyer.holder and other.may_give_way:
                for key, claim in books.claims_of(owner):
                    helped[key[2]] = helped.get(key[2], 0) + claim.owed
        for kind, units in demand.items():
            pools = books.pools_for(buyer, kind, self.clock.now, overflow=command.overflow)
            free = sum(books.seen.stand(pool_id, kind).free for pool_id in pools)
            waits = books.seen.stand(books.seen.shared, kind).backordered
            left = max(room - waits, 0) if books.seen.shared in pools else 0
            may_get += min(free, units) + (left if free < units else 0)
            if units > free and not (units - free <= left):
                lacks[kind] = units - free - left
        refused = isinstance(result, Refused)
        if lacks and any(helped.get(kind, 0) < n for kind, n in lacks.items()):
            assert refused or command.best_effort, (command, lacks)
        if not lacks and not shop.limits:
            assert not refused, (command, result)
        if not refused and not command.best_effort:
            assert not result.missing

    @staticmethod
    def by_kind(shop: Shop, units: Sequence[tuple[Stocked, int]]) -> dict[Kind, int]:
        names = {item.item_id: sku for sku, item in shop.items.items()}
        return {(names[stocked.item_id], stocked.grade): n for stocked, n in units}

    def some_hold(self, shop: Shop, nth: int) -> tuple[str, Buyer | None]:
        """A key, and the hold when there is one."""
        known = [owner.removeprefix("hold ") for owner, buyer in shop.books.buyers.items() if buyer.is_hold]
        key = known[-1 - nth % len(known)] if known and nth < 90 else f"h{nth}-{len(known)}"
        return key, shop.books.buyers.get(f"hold {key}")

    @happens(4, which=ANY, nth=ANY, act=st.sampled_from(HOLD_ACTS), seconds=st.integers(1, 40))
    def act_on_a_hold(self, which: int, nth: int, act: str, seconds: int) -> None:
        shop = self.shop(which)
        self.finish(shop)
        key, buyer = self.some_hold(shop, nth)
        now = self.clock.after(1)
        due = self.clock.after(1 + seconds)
        command = self.act_of(key, act, seconds)

        def note(result: Any) -> None:
            assert self.clock.now == now
            if act == "end":
                assert not isinstance(result, Refused)
                self.end(shop, key)
            elif act in ("due", "rank"):
                assert isinstance(result, Refused) or (buyer is not None and buyer.is_open)
                if act == "due" and buyer is not None and not isinstance(result, Refused):
                    buyer.ends = buyer.due = due
            else:
                self.known_of_payment(buyer, act, seconds, result)

        self.act(shop, command, note)

    def act_of(self, key: str, act: str, seconds: int) -> Command:
        if act == "end":
            return EndHold(key)
        if act == "extend":
            return ExtendHold(key, seconds)
        if act == "due":
            return PayDeposit(key, self.clock.after(1 + seconds))
        return HoldPriority(key, seconds - 20) if act == "rank" else PayHold(key, act)

    def known_of_payment(self, buyer: Buyer | None, act: str, seconds: int, result: Any) -> None:
        if buyer is None or not buyer.is_open:
            assert isinstance(result, Refused)
        elif act == "extend":
            assert isinstance(result, Refused) is (buyer.ends is None or buyer.due is not None)
            if not isinstance(result, Refused):
                buyer.ends, buyer.ttl_s = self.clock.after(seconds), seconds
        elif buyer.paid:
            assert isinstance(result, Refused) is (act == "failed")
        else:
            assert result is True or act != "paid"
            buyer.paid = act == "paid"
            again = buyer.due or self.clock.after(buyer.ttl_s)
            buyer.ends = again if act == "failed" else None
            buyer.due = None if act == "paid" else buyer.due

    def end(self, shop: Shop, key: str) -> None:
        if f"hold {key}" in shop.books.buyers:
            close(shop.books, f"hold {key}")
        else:
            shop.books.dead_keys.add(key)

    def expire_holds(self, shop: Shop) -> None:
        """Ask every hold whether it has run out: those that have, end."""
        owners = [owner for owner, buyer in shop.books.buyers.items() if buyer.is_hold and buyer.is_open]
        self.gather(shop, len(owners))
        for owner in owners:
            key = owner.removeprefix("hold ")
            self.act(shop, EndHold(key, only_expired=True), partial(self.ran_out, shop, key))

    def ran_out(self, shop: Shop, key: str, result: Any) -> None:
        buyer = shop.books.buyers[f"hold {key}"]
        has_run_out = buyer.is_open and buyer.ends is not None and buyer.ends <= self.clock.now
        assert result is has_run_out, (key, buyer)
        if has_run_out:
            self.end(shop, key)

    @happens(1, which=ANY, per=st.sampled_from([Per.ORDER, Per.CUSTOMER, Per.DAY]), units=st.integers(2, 12))
    def limit(self, which: int, per: Per, units: int) -> None:
        """Holds of mugs are limited from now on; orders are counted and never refused."""
        shop = self.shop(which)
        self.finish(shop)
        with self.database.begin(shop.world.merchant_id, actor="test") as tx:
            limit_rules.put(tx, per, units, item_id=shop.items["mug"].item_id)
        shop.limits[per] = units
