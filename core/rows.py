"""Rows as a batch holds them in memory: one named tuple for each table that the ledger reads and writes."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from core.stock import GOOD, DocumentKind, Stocked

_NO_LIMIT = 2**62


class StoreKey(NamedTuple):
    """Something of a store by the store's own id: an order, or a listing."""

    store_id: int
    external_id: str


class OrderRow(NamedTuple):
    id: int
    store_id: int
    external_id: str
    number: str
    state: str
    holds: bool
    paid: bool
    placed_at: datetime | None
    version: str
    fetch_seq: int
    applied_at: datetime | None
    destination: str = ""


class LineRow(NamedTuple):
    id: int
    order_id: int
    external_line_id: str
    external_id: str | None
    sku: str
    title: str
    listing_id: int | None
    item_id: int | None
    ordered: int
    cancelled: int
    written_off: int
    returned: int
    counted: int
    hidden: int
    deducted: bool
    paid: bool
    held_reason: str
    grade: str = GOOD
    returned_minor_defect: int = 0


class PromiseRow(NamedTuple):
    """wanted = waiting + live + shipped + released; what waits, waits in the shared pool.

    The promises of a hold have no line, and its document's id as ``order_id``. A hold with ``ttl_s`` that does not
    expire is being paid. ``per_unit``: units of the item for one unit of the line. ``presale_id``: the presale that
    sold it, also when its goods have arrived. ``balance_due_at``: its deposit is paid, and the rest is owed by then.
    ``allocated``: of the live units, those that a warehouse is to send.
    """

    id: int
    order_line_id: int | None
    order_id: int
    item_id: int
    grade: str
    pool_id: int
    wanted: int
    waiting: int
    live: int
    shipped: int
    released: int
    deducted: bool
    promised_at: datetime
    expires_at: datetime | None = None
    paid: bool = False
    per_unit: int = 1
    damaged: int = 0
    backorder: bool = False
    broken: bool = False
    priority: int = 0
    holder: str = ""
    ttl_s: int | None = None
    presale: bool = False
    presale_id: int | None = None
    balance_due_at: datetime | None = None
    allocated: int = 0

    @property
    def stocked(self) -> Stocked:
        return Stocked(self.item_id, self.grade)

    @property
    def to_allocate(self) -> int:
        """Units that some warehouse should send and none is told to."""
        if self.order_line_id is None or self.presale or not (self.paid and self.deducted):
            return 0
        return self.live - self.allocated

    @property
    def owner_id(self) -> int:
        """Its line, or the document of its hold."""
        return self.order_id if self.order_line_id is None else self.order_line_id


class ListingRow(NamedTuple):
    """``backorder``: "no", "yes" or "notify": may its demand wait; ``backorder_limit``: how many units of an item."""

    id: int
    item_id: int | None
    pack_size: int
    grade: str = GOOD
    backorder: str = "no"
    backorder_limit: int | None = None

    @property
    def may_wait(self) -> int:
        """Units of its item that may wait at a time."""
        if self.backorder == "no":
            return 0
        return _NO_LIMIT if self.backorder_limit is None else self.backorder_limit


class LockRow(NamedTuple):
    """A lock and its request; it has the id of its pool. ``waiting`` (<= ``quantity``): units it still wants.

    ``status``: requested, refused, approved (its time has not come), active, closed or expired. ``account``: the holder
    whose orders may draw on it. ``overflow``: may its orders draw on the shared pool: yes, no or ask. ``standing``: a
    floor, kept at ``quantity`` free units as its store sells them.
    """

    id: int
    key: str
    type: str
    status: str
    item_id: int
    grade: str
    quantity: int
    waiting: int
    priority: int
    owner: str
    account: str
    store_id: int | None
    warehouse_id: int | None
    pure: bool
    overflow: str
    starts_at: datetime | None
    expires_at: datetime | None
    requested_by: str
    requested_at: datetime
    decided_by: str = ""
    decided_at: datetime | None = None
    reason: str = ""
    migrated_from: int | None = None
    moved_at: datetime | None = None
    standing: bool = False

    @property
    def stocked(self) -> Stocked:
        return Stocked(self.item_id, self.grade)


class PoolItemRow(NamedTuple):
    """An item that a pool has, or may have, units of. ``cap``: the most it may promise; None: no limit.

    ``expected_id``: of a presale, the supply that it waits for.
    """

    item_id: int
    grade: str
    pool_id: int
    is_open: bool
    cap: int | None = None
    expected_id: int | None = None


class SupplyRow(NamedTuple):
    """Supply that a presale waits for. ``open``: units (>= 0) that it still brings. ``sku`` is for people."""

    id: int
    item_id: int
    grade: str
    sku: str
    reference: str
    open: int

    @property
    def stocked(self) -> Stocked:
        return Stocked(self.item_id, self.grade)


class LimitRow(NamedTuple):
    """At most ``units`` (>= 1) of an item (None: of all items together) for one order, one customer, one customer's
    day, or one customer in one pool, as ``per`` says: "order", "customer", "day" or "activity".

    ``sku`` and ``pool`` are for people.
    """

    id: int
    per: str
    item_id: int | None
    pool_id: int | None
    units: int
    sku: str
    pool: str


class FulfilmentRow(NamedTuple):
    """What one warehouse was told to send of an order, for the ``nth`` time (>= 1) that any was told.

    ``leaves_on``, ``earliest``, ``latest``: as the decision promised. ``why``: the warehouse rejected it.
    """

    id: int
    order_id: int
    nth: int
    warehouse_id: int
    decision_id: int | None
    leaves_on: date | None
    earliest: date | None
    latest: date | None
    made_at: datetime
    made_by: str
    rejected_at: datetime | None = None
    why: str = ""


class FulfilmentLineRow(NamedTuple):
    """Units of a promise that a warehouse is to send: those handed over out of one bin, or (``bin_id`` None) those that
    were not yet.

    ``units`` are allocated now, ``shipped`` have left, ``back`` were given back. ``moved_at``: when units last
    came to it.
    """

    id: int
    fulfilment_id: int
    order_id: int
    order_line_id: int
    promise_id: int
    warehouse_id: int
    item_id: int
    grade: str
    bin_id: int | None
    units: int
    shipped: int
    back: int
    moved_at: datetime

    @property
    def stocked(self) -> Stocked:
        return Stocked(self.item_id, self.grade)


class KeptRow(NamedTuple):
    """A line of a transfer, asked for ``asked_at``, and the units that its first warehouse keeps for it."""

    id: int
    transfer_id: int
    warehouse_id: int
    item_id: int
    grade: str
    allocated: int
    asked_at: datetime

    @property
    def stocked(self) -> Stocked:
        return Stocked(self.item_id, self.grade)


class Part(NamedTuple):
    """What one unit of a line or a bundle takes: ``per_unit`` (>= 1) units."""

    stocked: Stocked
    per_unit: int


class DocumentRow(NamedTuple):
    id: int
    kind: DocumentKind
    effect_key: str
    happened_at: datetime
    order_id: int | None
    reason: str
    corrects_id: int | None = None


class ApartWish(NamedTuple):
    """What a document says of the records of units that are set apart (see ``core.goods.set_apart``).

    ``takes``: units by record that it moves. ``stays``: units by record that were looked at and stay where they lie.
    ``at``: item, grade and bin of these records. ``inspect``: what it sets apart is still to be looked at.
    """

    takes: Mapping[int, int] = {}
    stays: Mapping[int, int] = {}
    at: Sequence[tuple[int, str, int]] = ()
    inspect: bool = False


class CostWish(NamedTuple):
    """What a document says of the costs that are noted (see ``core.goods.costing``).

    ``brought``: by item, units on hand that it brought; below 0: that it took away. ``came``: item, units, what one of
    them cost in the smallest unit of a currency, and the currency. ``takes_back``: a document that it corrects.
    """

    brought: Mapping[int, int]
    came: Sequence[tuple[int, int, int, str]] = ()
    takes_back: int | None = None


class EffectRow(NamedTuple):
    """``result``: JSON of what was answered, where the document alone does not tell."""

    key_hash: bytes
    content_hash: bytes
    document_id: int | None
    result: str | None = None


class IncidentRow(NamedTuple):
    """A promise that cannot be kept as made; ``order_line_id`` points at it: of a hold, it is the hold's document.

    ``cause`` and ``told`` (a sentence) are given where they are known; else they are looked for when it is recorded.
    """

    id: int
    kind: str
    store_id: int | None
    order_id: int
    order_line_id: int
    item_id: int
    quantity: int
    cause: str = ""
    told: str = ""
