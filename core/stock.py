"""The grammar of the ledger: layers, buckets, kinds of document, and movements between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple, Self

from core.errors import Broken


class Layer(StrEnum):
    __hash__ = str.__hash__  # the enum's own is many times slower, and these are parts of every key

    WAREHOUSE = "warehouse"
    DISPATCH = "dispatch"
    SALES = "sales"


class Bucket(StrEnum):
    __hash__ = str.__hash__

    WORLD = "world"  # the outside of each layer: unbounded, not stored
    AVAILABLE = "available"
    PICKING = "picking"
    UNAVAILABLE = "unavailable"
    ALLOCATED = "allocated"
    LOCKED = "locked"
    INCOMING = "incoming"
    INCOMING_SELLABLE = "incoming_sellable"
    FREE = "free"
    RESERVED = "reserved"
    SOLD = "sold"
    BACKORDERED = "backordered"


class DocumentKind(StrEnum):
    OPENING = "opening"
    RECEIPT = "receipt"
    RESERVATION = "reservation"
    DEDUCTION = "deduction"
    RELEASE = "release"
    EXPIRY = "expiry"
    FILL = "fill"
    SHIPMENT = "shipment"
    RETURN = "return"
    DAMAGE = "damage"
    MEND = "mend"
    FOUND = "found"
    MISSING = "missing"
    SCRAP = "scrap"
    SET_APART = "set_apart"
    INSPECTION = "inspection"
    VENDOR_RETURN = "vendor_return"
    REGRADE = "regrade"
    ASSEMBLY = "assembly"
    LOCK = "lock"
    UNLOCK = "unlock"
    MIGRATION = "migration"
    DEAL = "deal"
    COLLECT = "collect"
    PRESALE = "presale"
    PRESALE_END = "presale_end"
    REVERSAL = "reversal"
    PUT_AWAY = "put_away"
    TRANSFER = "transfer"
    PURCHASE = "purchase"
    PURCHASE_CUT = "purchase_cut"
    LOST = "lost"
    COUNT_INCOMING = "count_incoming"
    UNCOUNT_INCOMING = "uncount_incoming"
    MERGE = "merge"
    SPLIT = "split"
    ALLOCATION = "allocation"
    DEALLOCATION = "deallocation"
    HAND_OVER = "hand_over"
    PUT_BACK = "put_back"


class PoolKind(StrEnum):
    SHARED = "shared"
    LOCK = "lock"
    CHANNEL = "channel"
    ACTIVITY = "activity"
    PRESALE = "presale"


GOOD: Final = "good"
MINOR_DEFECT: Final = "minor_defect"
GRADES = (GOOD, MINOR_DEFECT)

BUCKETS: Mapping[Layer, tuple[Bucket, ...]] = {
    Layer.WAREHOUSE: (Bucket.AVAILABLE, Bucket.PICKING, Bucket.UNAVAILABLE),
    Layer.DISPATCH: (
        Bucket.AVAILABLE,
        Bucket.ALLOCATED,
        Bucket.LOCKED,
        Bucket.UNAVAILABLE,
        Bucket.INCOMING,
        Bucket.INCOMING_SELLABLE,
    ),
    Layer.SALES: (Bucket.FREE, Bucket.RESERVED, Bucket.SOLD, Bucket.BACKORDERED),
}


class Stocked(NamedTuple):
    """What is counted: an item in one grade."""

    item_id: int
    grade: str = GOOD


class At(NamedTuple):
    """One end of a movement: a bucket at a place (bin, warehouse or pool); the world has no place."""

    place_id: int | None
    bucket: Bucket


WORLD = At(None, Bucket.WORLD)


class BalanceKey(NamedTuple):
    """One balance row; rows are locked in the order of these keys."""

    layer: Layer
    item_id: int
    grade: str
    place_id: int


class _Movement(NamedTuple):
    stocked: Stocked
    layer: Layer
    from_: At
    to: At
    quantity: int
    order_line_id: int | None


class Movement(_Movement):
    """``quantity`` (> 0) sale units go from one end to the other, both in the same layer."""

    __slots__ = ()

    def __new__(
        cls, stocked: Stocked, layer: Layer, from_: At, to: At, quantity: int, order_line_id: int | None = None
    ) -> Self:
        if quantity <= 0 or from_ == to:
            raise Broken(
                f"a movement needs a quantity above 0 and two different ends, not {quantity} from {from_} to {to}"
            )
        if from_[1] not in _STANDS[layer, from_[0] is None]:
            raise Broken(f"{from_} is no place in the {layer} layer")
        if to[1] not in _STANDS[layer, to[0] is None]:
            raise Broken(f"{to} is no place in the {layer} layer")
        return tuple.__new__(cls, (stocked, layer, from_, to, quantity, order_line_id))


# Which buckets an end may have, by layer and by whether it has no place.
_STANDS: Mapping[tuple[Layer, bool], frozenset[Bucket]] = {
    (layer, nowhere): frozenset((Bucket.WORLD,) if nowhere else BUCKETS[layer])
    for layer in Layer
    for nowhere in (True, False)
}
# Reading a member from its enum takes longer than making a key; these are read for every unit that moves.
_WAREHOUSE, _SALES = Layer.WAREHOUSE, Layer.SALES


class Pool(NamedTuple):
    """A named set of units in the sales layer.

    ``store_id``      the only channel that may draw on it (0: our own interface); None: every channel.
    ``warehouse_id``  where a physical lock's goods stand; None for all others.
    ``pure``          no channel draws on it: its goods leave only by the lock itself.
    """

    id: int
    kind: PoolKind
    code: str = ""
    store_id: int | None = None
    warehouse_id: int | None = None
    pure: bool = False
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    closed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    def at(self, bucket: Bucket) -> At:
        return _at(self[0], bucket)

    def key(self, stocked: Stocked) -> BalanceKey:
        return BalanceKey(_SALES, stocked[0], stocked[1], self[0])

    def runs(self, now: datetime) -> bool:
        """True inside its window; a pool without one always runs."""
        return (self.starts_at is None or self.starts_at <= now) and (self.ends_at is None or now < self.ends_at)


class Spot(NamedTuple):
    """Where goods stand: a bin of a warehouse."""

    warehouse_id: int
    bin_id: int


@dataclass(frozen=True, slots=True)
class Home:
    """Where a merchant's goods are when nobody says otherwise: one default bin in one warehouse, one shared pool."""

    bin_id: int
    warehouse_id: int
    shared_pool_id: int

    @property
    def spot(self) -> Spot:
        return Spot(self.warehouse_id, self.bin_id)

    def at(self, spot: Spot) -> "Home":
        """The same merchant, with its goods in another place."""
        return Home(spot.bin_id, spot.warehouse_id, self.shared_pool_id)

    @property
    def shared_pool(self) -> Pool:
        return _shared_pool(self.shared_pool_id)

    def bin(self, bucket: Bucket) -> At:
        return _at(self.bin_id, bucket)

    def warehouse(self, bucket: Bucket) -> At:
        return _at(self.warehouse_id, bucket)

    def shared(self, bucket: Bucket) -> At:
        return _at(self.shared_pool_id, bucket)

    def key(self, layer: Layer, stocked: Stocked) -> BalanceKey:
        return BalanceKey(layer, stocked[0], stocked[1], self.place(layer))

    def place(self, layer: Layer) -> int:
        if layer is _SALES:
            return self.shared_pool_id
        return self.bin_id if layer is _WAREHOUSE else self.warehouse_id


_at = lru_cache(maxsize=4096)(At)


@lru_cache(maxsize=1024)
def _shared_pool(pool_id: int) -> Pool:
    return Pool(pool_id, PoolKind.SHARED)
