"""The nouns that cross borders between the core, the connectors and the jobs: frozen dataclasses without behaviour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Platform(StrEnum):
    SHOPIFY = "shopify"
    WOOCOMMERCE = "woocommerce"
    BIGCOMMERCE = "bigcommerce"


class StoreMode(StrEnum):
    """What Holdfast may do with a store: nothing; read only; read and plan; read and write."""

    OFF = "off"
    OBSERVE = "observe"
    DRY_RUN = "dry_run"
    LIVE = "live"


class Deduct(StrEnum):
    """When a channel deducts what was ordered."""

    RESERVE_THEN_DEDUCT = "reserve_then_deduct"  # held at order, final when paid
    AT_ORDER = "at_order"  # final at once; given back when the order ends unpaid
    AT_PAYMENT = "at_payment"  # nothing is held before it is paid: two buyers may pay for one unit


class HintKind(StrEnum):
    ORDER = "order"
    CATALOGUE = "catalogue"
    STOCK = "stock"
    STORE = "store"


@dataclass(frozen=True, slots=True)
class Hint:
    """ "Look at this again": all that is kept of a webhook.

    ``external_id`` is the store's own id of the thing; ``dedupe_key`` is equal for repeats of one delivery.
    """

    kind: HintKind
    external_id: str
    dedupe_key: str


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """All a connector needs to talk to one connected store. ``repr`` never shows the credentials.

    ``url`` is the store's base URL. ``credentials`` are the platform's own names (see each connector's ``client``).
    ``settings`` are facts read from the store at connect time, such as its default location.
    """

    merchant_id: int
    store_id: int
    platform: Platform
    url: str
    credentials: Mapping[str, str] = field(repr=False)
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoreProfile:
    """What a probe of a store says of itself.

    ``clock`` is the store's own time, ``settings`` go into ``StoreAccess.settings``, and ``warnings`` are sentences for
    the merchant, each naming its cure.
    """

    name: str
    clock: datetime
    settings: Mapping[str, str]
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class StoreListing:
    """One sellable thing of a store's catalogue.

    ``external_id`` is opaque outside its connector and equal wherever the same thing is meant (orders, levels, pushes).
    ``quantity`` is the number in the field we write, in sale units, or None when the store does not count this thing;
    ``untracked_reason`` then says why in a sentence.
    """

    external_id: str
    sku: str
    title: str
    quantity: int | None
    untracked_reason: str = ""


@dataclass(frozen=True, slots=True)
class ListingPage:
    """A page of the catalogue; ``cursor`` is None on the last."""

    listings: Sequence[StoreListing]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class StoreOrderLine:
    """One line of a store's order as it stands now. All counts are sale units of the listing, >= 0.

    ``quantity``      units the customer wanted, as the order reads now, before anything below is taken off.
    ``cancelled``     of them: never to be delivered, back on the shelf (cancelled, refunded with restock, unshipped).
    ``written_off``   of them: never to be delivered, not to be sold again (refunded without restock, unshipped).
    ``shipped``       of them: left the warehouse.
    ``returned``      of the shipped: came back and went back into stock.
    ``returned_minor_defect``  of the returned: came back with a flaw, and is sold as such.
    ``counted``       units this store's own counter has lost for the line, net of what it has put back.
    ``hidden``        units the store keeps from its shoppers but still has in its number (WooCommerce pending orders).

    cancelled + written_off + shipped <= quantity and returned <= shipped.
    ``external_id`` is the listing's, or None when the store no longer knows it (deleted product, custom line).
    """

    line_id: str
    external_id: str | None
    sku: str
    title: str
    quantity: int
    cancelled: int = 0
    written_off: int = 0
    shipped: int = 0
    returned: int = 0
    counted: int = 0
    hidden: int = 0
    returned_minor_defect: int = 0


@dataclass(frozen=True, slots=True)
class StoreOrder:
    """The newest state of one order of a store, nothing personal in it.

    ``number``        the order number a person sees.
    ``holds``         False for what is no order yet or never was one (drafts, incomplete checkouts): it holds no units.
    ``paid``          the store counts it as paid: what it holds is deducted.
    ``state``         the platform's own word for its state, for people to read.
    ``placed_at``     by the store's clock.
    ``version``       of this state, as in ``OrderChange``.
    ``look_again_at`` the state is known to change by itself then (a pending order's hold runs out).
    ``destination``   COUNTRY-SUBDIVISION-POSTAL, of the postal code the first three characters; empty: not told.
    """

    external_id: str
    number: str
    state: str
    placed_at: datetime
    version: str
    holds: bool
    paid: bool
    lines: Sequence[StoreOrderLine]
    look_again_at: datetime | None = None
    destination: str = ""


@dataclass(frozen=True, slots=True)
class FetchedOrders:
    """Orders as the store has them now; ``missing`` are ids that it does not know (any more)."""

    orders: Sequence[StoreOrder]
    missing: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class OrderChange:
    """An order of a store and the version of its state, as a list of orders shows it.

    ``version`` is opaque and equal as long as nothing we use has changed: the store's stamp of the last change is too
    coarse by itself (a second, or worse), so what else the list tells of the state is part of it.
    """

    external_id: str
    version: str


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Orders changed since a watermark.

    ``read_at`` is the store's own clock when it answered. All changes up to then are in this run of pages.
    ``cursor`` is None on the last page.
    """

    changes: Sequence[OrderChange]
    read_at: datetime
    cursor: str | None


@dataclass(frozen=True, slots=True)
class ListingRef:
    listing_id: int
    external_id: str


@dataclass(frozen=True, slots=True)
class ObservedLevel:
    """The number read back from a store; None when the store does not count the thing or no longer has it."""

    listing_id: int
    quantity: int | None
    read_at: datetime


@dataclass(frozen=True, slots=True)
class PushIntent:
    """Show ``wanted``; we believe the store shows ``believed`` (None: never read).

    ``idempotency_key`` is new for each attempt. ``last_observed`` (with the store's time of that read) and
    ``orders_known_until`` (the store's time up to which all its orders are applied) are the evidence for a rise.
    All quantities are in the field the platform has us write, >= 0.
    """

    listing_id: int
    external_id: str
    believed: int | None
    wanted: int
    idempotency_key: str
    last_observed: int | None = None
    last_observed_at: datetime | None = None
    orders_known_until: datetime | None = None


class Sharing(StrEnum):
    """How stores that cannot share a transaction show the same units."""

    MIRROR = "mirror"  # every store shows all of them: most sales, and the last units may be sold twice
    ADAPTIVE = "adaptive"  # all of them while there are plenty, each its part when there are few
    ESCROW = "escrow"  # each its part always: what they show never adds up to more than there is


class PushStatus(StrEnum):
    APPLIED = "applied"  # written, and the store's answer agrees
    EQUAL = "equal"  # the store already shows the wanted number; nothing was written
    STALE = "stale"  # the store shows something we cannot explain yet; the number was lowered at most
    PLANNED = "planned"  # a dry run: nothing was sent
    RETRY = "retry"  # no usable answer for this one; try again later
    REFUSED = "refused"  # the store will never take it as it is; ``reason`` says why and what to do


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """What became of one intent.

    ``observed`` is what the store showed before the write at ``observed_at`` (store's clock), where it was read.
    ``shown`` is what it shows afterwards by its own answer; None when it did not say. ``pull_orders``
    asks to fetch the store's orders now: it sold something that we have not heard of, or a rise waits for evidence.
    """

    listing_id: int
    status: PushStatus
    shown: int | None = None
    observed: int | None = None
    observed_at: datetime | None = None
    pull_orders: bool = False
    reason: str = ""
