"""The grammar of the ledger: layers, buckets, kinds of document, and movements between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from core.errors import Broken


class Layer(StrEnum):
    WAREHOUSE = "warehouse"
    DISPATCH = "dispatch"
    SALES = "sales"


class Bucket(StrEnum):
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


GOOD = "good"
MINOR_DEFECT = "minor_defect"
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


@dataclass(frozen=True, slots=True)
class Movement:
    """``quantity`` (> 0) sale units go from one end to the other, both in the same layer."""

    stocked: Stocked
    layer: Layer
    from_: At
    to: At
    quantity: int
    order_line_id: int | None = None

    def __post_init__(self) -> None:
        if self.quantity <= 0 or self.from_ == self.to:
            raise Broken(f"a movement needs a quantity above 0 and two different ends: {self}")
        for end in (self.from_, self.to):
            if end != WORLD and (end.place_id is None or end.bucket not in BUCKETS[self.layer]):
                raise Broken(f"{end} is no place in the {self.layer} layer")


@dataclass(frozen=True, slots=True)
class Home:
    """Where a merchant's goods are when nobody says otherwise: one default bin in one warehouse, one shared pool."""

    bin_id: int
    warehouse_id: int
    shared_pool_id: int

    def bin(self, bucket: Bucket) -> At:
        return At(self.bin_id, bucket)

    def warehouse(self, bucket: Bucket) -> At:
        return At(self.warehouse_id, bucket)

    def shared(self, bucket: Bucket) -> At:
        return At(self.shared_pool_id, bucket)

    def key(self, layer: Layer, stocked: Stocked) -> BalanceKey:
        place = {
            Layer.WAREHOUSE: self.bin_id,
            Layer.DISPATCH: self.warehouse_id,
            Layer.SALES: self.shared_pool_id,
        }[layer]
        return BalanceKey(layer, *stocked, place)
