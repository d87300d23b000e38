"""What must be true of one merchant's units after each act: plain sums, and no code of the core.

Several outcomes are often lawful: which pool serves, whose promise breaks. So the model does not foretell all numbers.
It keeps what is certain (units in each bin, what is on its way to which warehouse, what each order and hold is owed,
what locks and pools are for) and looks at the books before and after each step: what changed has to be something that
the step allows.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tests.property.all_commands.kinds import Heap, Kind
from tests.property.all_commands.plain_supply import Purchase, Transfer

Owner = str  # "order STORE/NUMBER" or "hold KEY"
ClaimKey = tuple[Owner, str, Kind]  # whose, on which line (empty for holds), of what

OWN = 0
OPEN_LOCK, LOCKS_TO_COME = "active", ("requested", "approved")
OVERFLOWS = ("no", "ask", "yes")


# ---- what the books say


@dataclass(frozen=True, slots=True)
class Stand:
    """What a pool has of something."""

    free: int = 0
    reserved: int = 0
    sold: int = 0
    backordered: int = 0

    @property
    def units(self) -> int:
        return self.free + self.reserved + self.sold


@dataclass(slots=True)
class SeenClaim:
    """Units of one line or hold, over all its promises; ``live`` by the pool that they stand in."""

    wanted: int = 0
    waiting: int = 0
    shipped: int = 0
    released: int = 0
    damaged: int = 0
    live: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Stood:
    """What a warehouse has of something, and what is on its way there; ``counted`` may be sold already."""

    available: int = 0
    allocated: int = 0
    locked: int = 0
    unavailable: int = 0
    incoming: int = 0
    counted: int = 0

    @property
    def there(self) -> int:
        return self.available + self.allocated + self.locked


@dataclass(frozen=True, slots=True)
class SeenSending:
    """Units of a claim that a warehouse is to send; ``bin_id``: out of which they were handed over, if they were.

    ``pool_id``: where the promise stands.
    """

    fulfilment_id: int
    key: ClaimKey
    pool_id: int
    warehouse_id: int
    bin_id: int | None
    units: int


@dataclass(frozen=True, slots=True)
class SeenLock:
    pool_id: int
    kind: Kind
    status: str
    quantity: int
    waiting: int


@dataclass(slots=True)
class Seen:
    """One merchant's books at one moment. ``pools``: their kinds by id; ``stood``: by warehouse.

    ``bought``, ``sent``: the numbers that lines of purchase orders and transfers have. ``presold``: lines of purchase
    orders that presales wait for.
    """

    shelf: Counter[Heap] = field(default_factory=Counter)
    picking: Counter[Heap] = field(default_factory=Counter)
    apart: Counter[Heap] = field(default_factory=Counter)
    stood: dict[tuple[int, Kind], Stood] = field(default_factory=dict)
    bought: dict[tuple[str, Kind], tuple[int, ...]] = field(default_factory=dict)
    presold: set[tuple[str, Kind]] = field(default_factory=set)
    sent: dict[tuple[str, Kind], tuple[int, ...]] = field(default_factory=dict)
    pools: dict[int, str] = field(default_factory=dict)
    stands: dict[tuple[int, Kind], Stand] = field(default_factory=dict)
    claims: dict[ClaimKey, SeenClaim] = field(default_factory=dict)
    locks: dict[str, SeenLock] = field(default_factory=dict)
    sending: list[SeenSending] = field(default_factory=list)

    @property
    def shared(self) -> int:
        return next((pool_id for pool_id, kind in self.pools.items() if kind == "shared"), 0)

    def stand(self, pool_id: int, kind: Kind) -> Stand:
        return self.stands.get((pool_id, kind), Stand())

    def free(self, kind: Kind) -> int:
        """Free units that everybody shares."""
        return self.stand(self.shared, kind).free

    def claim(self, key: ClaimKey) -> SeenClaim:
        return self.claims.get(key, SeenClaim())

    def at(self, warehouse_id: int, kind: Kind) -> Stood:
        return self.stood.get((warehouse_id, kind), Stood())

    def loose(self, bin_id: int, units: Mapping[Kind, int]) -> bool:
        """Does a bin have so many that were not handed to anybody?"""
        return all(self.shelf[bin_id, kind] - self.picking[bin_id, kind] >= n for kind, n in units.items())

    def counted(self, kind: Kind) -> int:
        """Units on their way that may be sold, to whichever warehouse."""
        return sum(one.counted for (_, of), one in self.stood.items() if of == kind)

    def there(self, key: ClaimKey) -> int:
        """Live units of a claim that exist: those of presales are to come."""
        return sum(n for pool_id, n in self.claim(key).live.items() if self.pools[pool_id] != "presale")


# ---- what has to be


@dataclass(slots=True)
class Claim:
    """Units that are owed (waiting or live), that have left, and at most were broken at the store's word."""

    owed: int = 0
    shipped: int = 0
    broken_at_most: int = 0


@dataclass(slots=True)
class Line:
    """``parts``: what one unit of it takes, as it was when units were first wanted. The rest in units of the line."""

    parts: Mapping[Kind, int]
    is_fixed: bool = False
    returned: int = 0
    flawed: int = 0


@dataclass(slots=True)
class Buyer:
    """Who holds or orders. ``named``: the pool that a hold asked for."""

    store: int = OWN
    holder: str = ""
    named: int | None = None
    ends: datetime | None = None
    ttl_s: int = 0
    paid: bool = False
    due: datetime | None = None
    is_hold: bool = False
    is_open: bool = True
    lines: dict[str, Line] = field(default_factory=dict)

    @property
    def may_give_way(self) -> bool:
        return self.is_hold and self.is_open and not self.paid and self.due is None and self.ends is not None


@dataclass(slots=True)
class Lock:
    """``size``: units that it is for; ``units``: those it has or waits for, sold ones among them."""

    pool_id: int
    kind: Kind
    size: int
    status: str = "requested"
    units: int = 0
    type: str = "business"
    store: int | None = None
    account: str = ""
    warehouse: int | None = None
    is_pure: bool = False
    is_floor: bool = False
    overflow: str = "yes"
    starts: datetime | None = None
    ends: datetime | None = None

    @property
    def is_physical(self) -> bool:
        return self.warehouse is not None


@dataclass(slots=True)
class Pool:
    """A pool that a planner made; ``units`` of each kind that it has, promised ones among them.

    ``supply``: of a presale, the numbers of the purchase orders that it waits for.
    """

    id: int
    type: str
    store: int | None = None
    starts: datetime | None = None
    ends: datetime | None = None
    is_open: bool = True
    units: Counter[Kind] = field(default_factory=Counter)
    supply: dict[Kind, str] = field(default_factory=dict)


@dataclass(slots=True)
class Step:
    """What the acts of one step allow. ``alone``: it is one act, so what it did can be told from the books before.

    ``left``      units of which pools may have lost so many: shipped, lost or broken.
    ``shipped``   units that have left, out of whichever bins.
    ``found``     units that may have been found, as they left although nobody knew of them.
    ``turned``    units of which so many at most turned out to have a flaw, in whichever bins.
    ``counts``    what a person counted, so frozen bins may have changed.
    ``holders``   whose holds may have given way.
    ``taken``     pools whose units an order took over with holds.
    ``ended``     pools that ended in it.
    ``told``      warehouses were told to send more, or less, or others.
    ``moves``     promises may have changed their pools.
    ``waits``     units that have to wait in the end, of those that did not: at least, and at most.
    """

    alone: bool
    now: datetime
    left: Counter[Kind] = field(default_factory=Counter)
    shipped: Counter[Kind] = field(default_factory=Counter)
    found: Counter[Kind] = field(default_factory=Counter)
    turned: Counter[Kind] = field(default_factory=Counter)
    counts: bool = False
    holders: set[str] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)
    ended: set[int] = field(default_factory=set)
    orders: set[Owner] = field(default_factory=set)
    told: bool = False
    moves: bool = False
    waits: dict[Kind, tuple[int, int]] = field(default_factory=dict)

    @property
    def picks_bins(self) -> bool:
        """Orders acted: the books chose bins, and what is certain is how many units there are in all."""
        return any(owner.startswith("order ") for owner in self.orders)


def total(heaps: Mapping[Heap, int], kind: Kind) -> int:
    """Units in all bins."""
    return sum(units for (_, of), units in heaps.items() if of == kind)


def runs(starts: datetime | None, ends: datetime | None, now: datetime) -> bool:
    return (starts is None or starts <= now) and (ends is None or now < ends)


@dataclass(slots=True)
class Books:
    """All that is certain of one merchant, and the books as they were seen last.

    ``warehouses``: by bin; ``home``: the bin where goods are that nobody names a place for. ``counted``: units that a
    bin had more, or fewer, than its books when it was counted for the ``stocktake`` that is not booked yet.
    """

    home: int = 0
    warehouses: dict[int, int] = field(default_factory=dict)
    frozen: set[int] = field(default_factory=set)
    shelf: Counter[Heap] = field(default_factory=Counter)
    apart: Counter[Heap] = field(default_factory=Counter)
    purchases: dict[str, Purchase] = field(default_factory=dict)
    transfers: dict[str, Transfer] = field(default_factory=dict)
    stocktake: str = ""
    counted: dict[Heap, int] = field(default_factory=dict)
    claims: dict[ClaimKey, Claim] = field(default_factory=dict)
    buyers: dict[Owner, Buyer] = field(default_factory=dict)
    locks: dict[str, Lock] = field(default_factory=dict)
    pools: dict[int, Pool] = field(default_factory=dict)
    dead_keys: set[str] = field(default_factory=set)
    seen: Seen = field(default_factory=Seen)

    def claims_of(self, owner: Owner) -> Iterator[tuple[ClaimKey, Claim]]:
        return ((key, claim) for key, claim in self.claims.items() if key[0] == owner)

    def presales_of(self, number: str, kind: Kind) -> list[Stand]:
        """What stands in presales that wait for a line of a purchase order."""
        waiting = [pool.id for pool in self.pools.values() if pool.supply.get(kind) == number]
        return [self.seen.stand(pool_id, kind) for pool_id in waiting]

    def room(self, number: str, kind: Kind) -> int:
        """Units of a line that presales may sell besides what they do: below 0 once fewer come than were sold."""
        line = self.purchases[number].lines[kind]
        return line.open - line.counted - sum(stand.units for stand in self.presales_of(number, kind))

    def lock_of_pool(self, pool_id: int) -> Lock | None:
        return next((lock for lock in self.locks.values() if lock.pool_id == pool_id), None)

    def physical_pools(self, warehouse_id: int | None = None) -> set[int]:
        """Of the locks at one warehouse, or of all physical locks."""
        locks = [lock for lock in self.locks.values() if lock.is_physical]
        return {lock.pool_id for lock in locks if warehouse_id in (None, lock.warehouse)}

    def has(self, kind: Kind) -> int:
        """Units on the shelves, in all bins together."""
        return total(self.shelf, kind)

    def enter(self, bin_id: int, units: Mapping[Kind, int], *, apart: bool = False) -> None:
        """Units are there, or with numbers below 0 gone."""
        for kind, n in units.items():
            (self.apart if apart else self.shelf)[bin_id, kind] += n

    def holds(self, bin_id: int, units: Mapping[Kind, int], *, apart: bool = False) -> bool:
        """Does a bin have so many?"""
        heaps = self.apart if apart else self.shelf
        return all(heaps[bin_id, kind] >= n for kind, n in units.items())

    # ---- who may draw on what

    def may_draw(self, buyer: Buyer, pool_id: int, now: datetime) -> bool:
        """May a buyer take units from a pool now?"""
        if self.seen.pools.get(pool_id) == "shared":
            return True
        pool = self.pools.get(pool_id)
        if pool is not None:
            return pool.is_open and runs(pool.starts, pool.ends, now) and pool.store in (None, buyer.store)
        lock = self.lock_of_pool(pool_id)
        if lock is None or lock.status != OPEN_LOCK or lock.is_pure or not runs(lock.starts, lock.ends, now):
            return False
        if buyer.named == pool_id:
            return (
                lock.store in (None, buyer.store)
                and lock.account in ("", buyer.holder)
                and (lock.type != "internal" or buyer.store == OWN)
            )
        return lock.store == buyer.store or (lock.account != "" and lock.account == buyer.holder)

    def pools_for(self, buyer: Buyer, kind: Kind, now: datetime, *, overflow: bool) -> set[int]:
        """Pools that a hold of something has its units from: a lock's orders take shared units if it lets them."""
        unnamed = Buyer(buyer.store, buyer.holder)
        others = {pool_id for pool_id in self.seen.pools if self.may_draw(unnamed, pool_id, now)}
        if buyer.named is None:
            return others if self._overflows(others, kind, overflow) else others - {self.seen.shared}
        if not self.may_draw(buyer, buyer.named, now):
            return set()
        lock = self.lock_of_pool(buyer.named)
        if lock is not None:
            if overflow and lock.overflow == "no":
                return set()
            overflow = lock.overflow == "yes" or (overflow and lock.overflow == "ask")
        return {buyer.named} | (others if overflow else set())

    def _overflows(self, pools: set[int], kind: Kind, overflow: bool) -> bool:
        locks = [lock for lock in self.locks.values() if lock.pool_id in pools and lock.kind == kind]
        widest = max((OVERFLOWS.index(lock.overflow) for lock in locks), default=2)
        return widest == 2 or (widest == 1 and overflow)
