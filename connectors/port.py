"""The one port behind which every platform stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from core.model import (
    FetchedOrders,
    Hint,
    ListingPage,
    ListingRef,
    ObservedLevel,
    OrderPage,
    PushIntent,
    PushOutcome,
    StoreProfile,
)


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a platform can do, as far as the jobs have to know.

    ``push_limit`` and ``fetch_limit`` are the most intents and order ids worth handing over in one call.
    ``compare_and_set`` is true where a write can name the number it expects to find.
    """

    compare_and_set: bool
    push_limit: int
    fetch_limit: int


class Connector(Protocol):
    """One connected store, in our words. Raises only ConnectorError. Safe to use from one thread at a time."""

    abilities: Abilities

    def probe(self) -> StoreProfile:
        """Check credentials, rights and clock with as few calls as possible.

        Raises: Unauthorized with the cause and cure; Unreachable; Malformed (not that platform's API).
        """

    def list_listings(self, cursor: str | None) -> ListingPage:
        """One page of the catalogue with current numbers; start with None."""

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[Hint]:
        """Verify over the raw bytes first, in constant time; then say what to look at again.

        ``headers`` keys are lower case. An empty answer: a kind we do not use, or a platform's unsigned ping.
        Makes no network call. Raises: BadSignature; Malformed (well signed, unreadable).
        """

    def fetch_orders(self, order_ids: Sequence[str]) -> FetchedOrders:
        """The newest state of each order, all lines, in as few calls as the platform allows."""

    def orders_changed_since(self, watermark: datetime, cursor: str | None) -> OrderPage:
        """Ids of orders changed at or after ``watermark`` (store's clock); start with cursor None.

        May repeat ids and include some older ones; never leaves one out.
        """

    def read_levels(self, listings: Sequence[ListingRef]) -> Sequence[ObservedLevel]:
        """The numbers the store shows now, same order as asked."""

    def push(self, intents: Sequence[PushIntent]) -> Sequence[PushOutcome]:
        """Set numbers the safest way the platform has (see ``evidence``); one outcome each, same order.

        One bad row never fails its neighbours. Raises only when nothing at all was learnt (Unreachable, Throttled,
        Unauthorized before the first write).
        """

    def ensure_webhooks(self, delivery_url: str) -> Sequence[str]:
        """Make or mend our subscriptions so that they deliver to ``delivery_url``.

        Returns: one sentence for each thing that was created or mended; empty when all stood.
        """

    def close(self) -> None:
        """Give back sockets."""
