"""Connectors to the model storefronts: what all have in common, and the three ways in which a number can be written."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connectors.evidence import Decision, decide_write
from connectors.port import Abilities
from core.errors import ConnectorError, Malformed, Throttled, Unreachable
from core.model import (
    FetchedOrders,
    Hint,
    HintKind,
    ListingPage,
    ListingRef,
    ObservedLevel,
    OrderChange,
    OrderPage,
    PushIntent,
    PushOutcome,
    PushStatus,
    StoreListing,
    StoreOrder,
    StoreOrderLine,
    StoreProfile,
)
from drills.simulate.shop import Line, Order, Shop
from drills.simulate.wire import Place, Wire

_PAGE = 4
_LISTING = "listing-"
_TRIES = 2


def listing_of(sku: str) -> str:
    """The id under which a shop lists a SKU."""
    return _LISTING + sku


class ModelConnector(ABC):
    """One process's connection to one model storefront; satisfies ``connectors.port.Connector``."""

    abilities = Abilities(compare_and_set=False, push_limit=3, fetch_limit=50)

    def __init__(self, shop: Shop, wire: Wire, place: Place) -> None:
        self.shop, self.wire, self.place = shop, wire, place

    def probe(self) -> StoreProfile:
        return StoreProfile(self.shop.name, self.shop.clock(), {})

    def list_listings(self, cursor: str | None) -> ListingPage:
        return self.wire.call(self.place, lambda: self._list(int(cursor or 0)))

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[Hint]:
        try:
            told = json.loads(body)
            return [Hint(HintKind(told["kind"]), told["id"], headers["delivery"])]
        except (ValueError, KeyError) as error:
            raise Malformed("no hint of a model storefront") from error

    def fetch_orders(self, order_ids: Sequence[str]) -> FetchedOrders:
        return self.wire.call(self.place, lambda: self._fetch(order_ids))

    def orders_changed_since(self, watermark: datetime, cursor: str | None) -> OrderPage:
        return self.wire.call(self.place, lambda: self._changed_since(watermark, cursor))

    def read_levels(self, listings: Sequence[ListingRef]) -> Sequence[ObservedLevel]:
        numbers, at = self._read([listing.external_id for listing in listings])
        return [ObservedLevel(one.listing_id, numbers[one.external_id], at) for one in listings]

    @abstractmethod
    def push(self, intents: Sequence[PushIntent]) -> Sequence[PushOutcome]: ...

    def ensure_webhooks(self, _delivery_url: str) -> Sequence[str]:
        return ()

    def close(self) -> None:
        """Nothing is held open."""
        return

    def _list(self, start: int) -> ListingPage:
        skus = sorted(self.shop.products)
        listings = [
            StoreListing(listing_of(sku), sku, sku, self.shop.products[sku].number) for sku in skus[start:][:_PAGE]
        ]
        return ListingPage(listings, str(start + _PAGE) if start + _PAGE < len(skus) else None)

    def _fetch(self, order_ids: Sequence[str]) -> FetchedOrders:
        known = {i: order for i in order_ids if (order := self.shop.orders.get(i)) and not order.is_deleted}
        told = [_told(self.shop, order) for order in known.values()]
        return FetchedOrders(told, [i for i in order_ids if i not in known])

    def _changed_since(self, watermark: datetime, cursor: str | None) -> OrderPage:
        """Deleted orders are listed too. What changes while pages are read comes on a later one, perhaps again."""
        read_at, last = cursor.split("|") if cursor else (self.shop.clock().isoformat(), "")
        changed = sorted((o.changed_at.isoformat(), o.number, o) for o in self.shop.orders.values())
        rows = [row for row in changed if row[2].changed_at >= watermark and f"{row[0]}/{row[1]}" > last]
        page = rows[:_PAGE]
        more = f"{read_at}|{page[-1][0]}/{page[-1][1]}" if len(rows) > _PAGE else None
        changes = [OrderChange(number, self.shop.version_of(order)) for _, number, order in page]
        return OrderPage(changes, datetime.fromisoformat(read_at), more)

    def _read(self, listings: Sequence[str]) -> tuple[dict[str, int], datetime]:
        def read() -> tuple[dict[str, int], datetime]:
            numbers = {one: self.shop.products[one.removeprefix(_LISTING)].number for one in listings}
            return numbers, self.shop.clock()

        return self.wire.call(self.place, read)

    def _set(self, numbers: Mapping[str, int]) -> None:
        for listing, number in numbers.items():
            self.shop.write(listing.removeprefix(_LISTING), number)


def _told(shop: Shop, order: Order) -> StoreOrder:
    return StoreOrder(
        order.number, f"#{order.number}", "paid" if order.paid else "open", order.placed_at, shop.version_of(order),
        holds=True, paid=order.paid, lines=[_line(line) for line in order.lines],
    )  # fmt: skip


def _line(line: Line) -> StoreOrderLine:
    return StoreOrderLine(
        line.line_id, listing_of(line.sku), line.sku, line.sku, line.quantity, line.cancelled, line.written_off,
        line.shipped, line.returned, line.taken, line.hidden,
    )  # fmt: skip


def _outcome(intent: PushIntent, observed: int, at: datetime, decision: Decision) -> PushOutcome:
    """What becomes of an intent if what was decided is written."""
    status = PushStatus.APPLIED if decision.settled else PushStatus.STALE
    if decision.settled and decision.target is None:
        status = PushStatus.EQUAL
    shown = observed if decision.target is None else decision.target
    return PushOutcome(intent.listing_id, status, shown, observed, at, pull_orders=not decision.settled)


@dataclass(frozen=True, slots=True)
class _Row:
    """Write ``target`` if the shop still shows ``expected``; ``outcome`` is then told."""

    intent: PushIntent
    expected: int
    target: int
    outcome: PushOutcome


class CompareAndSet(ModelConnector):
    """A write names the number that it expects to find; a call is taken or refused as a whole."""

    abilities = Abilities(compare_and_set=True, push_limit=3, fetch_limit=50)

    def push(self, intents: Sequence[PushIntent]) -> Sequence[PushOutcome]:
        done: dict[int, PushOutcome] = {}
        known = [one for one in intents if one.believed is not None]
        rows = [
            _Row(one, one.believed or 0, one.wanted, PushOutcome(one.listing_id, PushStatus.APPLIED, one.wanted))
            for one in known
        ]
        try:
            rows += self._again([one for one in intents if one.believed is None], done)
            for _ in range(_TRIES):
                stale = self._write(rows, done)
                if not stale:
                    break
                rows = self._again([row.intent for row in rows], done)
        except ConnectorError:
            if not done:
                raise
        retry = PushStatus.RETRY
        return [done.get(i.listing_id, PushOutcome(i.listing_id, retry, pull_orders=True)) for i in intents]

    def _write(self, rows: Sequence[_Row], done: dict[int, PushOutcome]) -> bool:
        """True when the shop refused, as it shows something else by now. A lost answer is asked for again."""
        if not rows:
            return False
        refused = True

        def write() -> bool:
            nonlocal refused
            if refused and all(self._shows(row.intent.external_id) == row.expected for row in rows):
                self._set({row.intent.external_id: row.target for row in rows})
                refused = False
            return refused

        try:
            self.wire.call(self.place, write)
        except Unreachable:
            self.wire.call(self.place, write)
        if not refused:
            done |= {row.intent.listing_id: row.outcome for row in rows}
        return refused

    def _again(self, intents: Sequence[PushIntent], done: dict[int, PushOutcome]) -> list[_Row]:
        """Read and decide anew; returns what still wants a write."""
        if not intents:
            return []
        numbers, at = self._read([one.external_id for one in intents])
        rows = []
        for intent in intents:
            observed = numbers[intent.external_id]
            decision = decide_write(intent, observed)
            outcome = _outcome(intent, observed, at, decision)
            if decision.target is None:
                done[intent.listing_id] = outcome
            else:
                rows.append(_Row(intent, observed, decision.target, outcome))
        return rows

    def _shows(self, listing: str) -> int:
        return self.shop.products[listing.removeprefix(_LISTING)].number


class ReadThenSet(ModelConnector):
    """Read, compare, write at once: a sale between reading and writing is erased from the shop's number."""

    def push(self, intents: Sequence[PushIntent]) -> Sequence[PushOutcome]:
        done: dict[int, PushOutcome] = {}
        sent: dict[int, PushOutcome] = {}
        for again in (True, False):
            open_ = [one for one in intents if one.listing_id not in done]
            try:
                self._try(open_, sent, done)
                break
            except ConnectorError:
                if not (again or done):
                    raise
        return [done.get(i.listing_id, PushOutcome(i.listing_id, PushStatus.RETRY)) for i in intents]

    def _try(self, intents: Sequence[PushIntent], sent: dict[int, PushOutcome], done: dict[int, PushOutcome]) -> None:
        numbers, at = self._read([one.external_id for one in intents])
        writes: dict[str, int] = {}
        planned: dict[int, PushOutcome] = {}
        for intent in intents:
            observed = numbers[intent.external_id]
            unanswered = sent.get(intent.listing_id)
            if unanswered is not None and unanswered.shown == observed:
                done[intent.listing_id] = unanswered
                continue
            decision = decide_write(intent, observed)
            outcome = _outcome(intent, observed, at, decision)
            if decision.target is None:
                done[intent.listing_id] = outcome
            else:
                writes[intent.external_id] = decision.target
                planned[intent.listing_id] = outcome
        if writes:
            sent |= planned
            self.wire.call(self.place, lambda: self._set(writes))
            done |= planned


@dataclass(frozen=True, slots=True)
class _Unseen:
    """A write that was sent and has not shown: until ``until`` it may make the number ``target``."""

    target: int
    is_settled: bool
    until: datetime


class WriteLater(ModelConnector):
    """An absolute write is answered before it is done; whether it is done can only be seen."""

    waits_s = (0.06, 0.12, 0.25, 0.4, 0.5, 0.7)
    may_still_land = timedelta(seconds=15)

    def __init__(self, shop: Shop, wire: Wire, place: Place) -> None:
        super().__init__(shop, wire, place)
        self._unseen: dict[str, _Unseen] = {}

    def push(self, intents: Sequence[PushIntent]) -> Sequence[PushOutcome]:
        numbers, at = self._read([one.external_id for one in intents])
        done: dict[int, PushOutcome] = {}
        writes: dict[PushIntent, PushOutcome] = {}
        for intent in intents:
            observed = numbers[intent.external_id]
            decision = self._decide(intent, observed)
            outcome = _outcome(intent, observed, at, decision)
            if decision.target is None:
                done[intent.listing_id] = outcome
            else:
                writes[intent] = outcome
        if writes:
            self._write(writes, done)
        return [done[one.listing_id] for one in intents]

    def _decide(self, intent: PushIntent, observed: int) -> Decision:
        unseen = self._unseen.get(intent.external_id)
        if unseen is None:
            return decide_write(intent, observed)
        if observed == unseen.target:
            del self._unseen[intent.external_id]
            return decide_write(replace(intent, believed=observed) if unseen.is_settled else intent, observed)
        decision = decide_write(intent, observed)
        if self.wire.now() > unseen.until:
            del self._unseen[intent.external_id]
            return decision
        lower = decision.target is not None and decision.target < min(observed, unseen.target)
        return Decision(decision.target if lower else None, settled=False)

    def _write(self, writes: Mapping[PushIntent, PushOutcome], done: dict[int, PushOutcome]) -> None:
        numbers = {intent.external_id: outcome.shown or 0 for intent, outcome in writes.items()}
        fault = self._send(numbers)
        if not isinstance(fault, Throttled):
            until = self.wire.now() + self.may_still_land
            for intent, outcome in writes.items():
                settled = outcome.status is PushStatus.APPLIED
                self._unseen[intent.external_id] = _Unseen(numbers[intent.external_id], settled, until)
        if fault is None:
            self._read_back(dict(writes), done)
            return
        for intent, outcome in writes.items():
            done[intent.listing_id] = replace(
                outcome, status=PushStatus.RETRY, shown=None, pull_orders=False, reason=str(fault)
            )

    def _send(self, numbers: Mapping[str, int]) -> ConnectorError | None:
        try:
            self.wire.call(self.place, lambda: self._take(numbers))
        except ConnectorError as fault:
            return fault
        return None

    def _take(self, numbers: Mapping[str, int]) -> None:
        """The shop has the numbers now, and sets them when it comes to it."""
        late = self.wire.random.random() < self.wire.weather.write_late
        wait_s = self.wire.random.uniform(2.0, 12.0) if late else self.wire.random.uniform(0.02, 0.8)
        self.shop.later(wait_s, lambda: self._set(numbers))

    def _read_back(self, waiting: dict[PushIntent, PushOutcome], done: dict[int, PushOutcome]) -> None:
        last: dict[PushIntent, int] = {}
        for wait_s in self.waits_s:
            if not waiting:
                return
            self.place.pause(wait_s)
            try:
                numbers, _ = self._read([intent.external_id for intent in waiting])
            except ConnectorError:
                break
            for intent, outcome in list(waiting.items()):
                last[intent] = number = numbers[intent.external_id]
                before, target = outcome.observed or 0, outcome.shown or 0
                if number == target or before < number < target:
                    del waiting[intent]
                    self._unseen.pop(intent.external_id, None)
                    sold = number != target
                    done[intent.listing_id] = replace(outcome, pull_orders=sold or outcome.pull_orders)
        for intent, outcome in waiting.items():
            moved = last.get(intent, outcome.observed) != outcome.observed
            done[intent.listing_id] = replace(outcome, status=PushStatus.STALE, shown=None, pull_orders=moved)
