"""Writing ``available`` by compare-and-set: shopify.dev/docs/apps/build/orders-fulfillment/inventory-management-apps.

Shopify takes or refuses a call as a whole. So one stale or impossible row is found by the ``field`` of its error, read
again or taken out, and the others go again under a new idempotency key; where no field names it, the batch is halved
until it stands alone. Batches are as small as the shop is busy and go side by side. ``available`` is what Shopify
itself takes each order off, at once and unpaid too.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import Any

from connectors.crew import Crew
from connectors.evidence import decide_write
from connectors.http import safely
from connectors.shopify.batches import BatchSize, cut, share
from connectors.shopify.caller import ShopifyCaller
from connectors.shopify.documents import SET_AVAILABLE
from connectors.shopify.levels import ReadLevel, read_levels
from connectors.shopify.translate import Node, gid, number_of, reading
from core.errors import ConnectorError, Malformed, Throttled, Unauthorized, Unreachable
from core.model import PushIntent, PushOutcome, PushStatus

# About as many as the lanes carry in small batches.
PUSH_LIMIT = 240
# Shopify limits points, not calls under way; small batches side by side seldom meet a sale of its own.
LANES = 12

# A hot item can sell between our read and our write again and again; after this many reads the next job tries.
_READS_PER_ROW = 2
_BURNT_KEYS_BORNE = 3
_BUSY_WAIT_S = 0.5

_STALE = frozenset({"CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE"})
_CURES: Mapping[str, str] = {
    "INVALID_INVENTORY_ITEM": "Shopify no longer has this item; import the catalogue again",
    "INVALID_LOCATION": "the location is closed or gone; test the store again to choose another",
    "NON_MUTABLE_INVENTORY_ITEM": "it is a bundle, whose number Shopify derives from its components; map those",
    "INVALID_QUANTITY_TOO_HIGH": "the number is larger than Shopify can hold; check the item's stock",
    "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR": "two listings write this item; remove one of them",
}


@dataclass(frozen=True, slots=True)
class _Row:
    """An intent on its way: write ``target`` if Shopify still shows ``expected``; ``settled`` as in evidence."""

    intent: PushIntent
    expected: int
    target: int
    settled: bool = True
    observed: int | None = None
    observed_at: datetime | None = None
    reads: int = 0


@dataclass(frozen=True, slots=True)
class _Refusal:
    code: str
    row: int | None


@dataclass(slots=True)
class Lanes:
    """What the pushes of one connector share: its threads, and what they have learnt of the size of a batch."""

    crew: Crew
    size: BatchSize


def push(lanes: Lanes, caller: ShopifyCaller, location_id: str, intents: Sequence[PushIntent]) -> Sequence[PushOutcome]:
    """One outcome per intent, same order. Raises ConnectorError only while not a single outcome is known."""
    run = _Push(caller, location_id, lanes.size)
    batches: list[list[_Row]] = []
    for unread in (False, True):
        rows = [_row(intent) for intent in intents if (intent.believed is None) is unread]
        batches += share(rows, lanes.size.rows, LANES)
    lanes.crew.each(run.lane, batches)
    if run.faults and not run.outcomes:
        raise run.faults[0]
    reason = str(run.faults[0]) if run.faults else ""
    return [run.outcomes.get(intent.listing_id) or _retry(intent, reason) for intent in intents]


class _Push:
    """What the batches of one push have come to. Each thread adds the outcomes of its own rows, so none waits."""

    def __init__(self, caller: ShopifyCaller, location_id: str, size: BatchSize) -> None:
        self.outcomes: dict[int, PushOutcome] = {}
        self.faults: list[ConnectorError] = []
        self._caller = caller
        self._location_id = location_id
        self._size = size
        self._calls = count(1)

    def lane(self, rows: Sequence[_Row]) -> None:
        """One batch to its end. Its fault is its own; none is begun after one that speaks for the whole shop."""
        if any(isinstance(fault, Throttled | Unauthorized) or not self.outcomes for fault in self.faults):
            return
        try:
            self._go(rows)
        except ConnectorError as fault:
            self.faults.append(fault)

    def _go(self, rows: Sequence[_Row]) -> None:
        """Ends, as every refusal costs the rows in it a read, their place, or half of their company."""
        waiting = [self._read(rows) if rows[0].intent.believed is None else list(rows)]
        burnt_keys = 0
        while waiting:
            batch = waiting.pop(0)
            shown, refusals = self._set_available(batch) if batch else ({}, [])
            if any(refusal.code == "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED" for refusal in refusals):
                burnt_keys += 1
                if burnt_keys > _BURNT_KEYS_BORNE:
                    raise Unreachable("Shopify says again and again that an earlier attempt of this write failed")
                waiting.append(batch)
            elif refusals:
                waiting += self._mend(batch, refusals)
            elif batch:
                self._size.was_written(len(batch))
                for row in batch:
                    self._written(row, shown.get(row.intent.external_id, row.target))

    def _mend(self, rows: Sequence[_Row], refusals: Sequence[_Refusal]) -> list[list[_Row]]:
        """After a refusal: the batches to write next, without the rows that are to blame."""
        named = {refusal.row: refusal.code for refusal in refusals if refusal.row is not None}
        if not named and len(rows) == 1:
            named = {0: refusals[0].code}
        if not named:
            return cut(rows, -(-len(rows) // 2))
        stale = {index for index, code in named.items() if code in _STALE}
        for index, code in named.items():
            if code not in _STALE:
                self._end(rows[index], PushStatus.REFUSED, shown=None, reason=_cure(code))
            elif rows[index].reads == _READS_PER_ROW:
                self._end(rows[index], PushStatus.RETRY, None, "it keeps selling while we write", pull_orders=True)
        left = [
            row
            for index, row in enumerate(rows)
            if index not in named or (index in stale and row.reads < _READS_PER_ROW)
        ]
        if not stale:
            return [left]
        self._size.was_stale(len(rows))
        return cut(self._refreshed(left), self._size.rows)

    def _refreshed(self, rows: Sequence[_Row]) -> list[_Row]:
        """Read all rows that may be read again, not just the stale ones: the others are as old by now."""
        readable = [row for row in rows if row.reads < _READS_PER_ROW]
        read_up = [row for row in rows if row.reads == _READS_PER_ROW]
        return read_up + (self._read(readable) if readable else [])

    def _read(self, rows: Sequence[_Row]) -> list[_Row]:
        """Read the levels of rows and decide anew; returns those that still want a write."""
        levels = read_levels(self._caller, self._location_id, [row.intent.external_id for row in rows])
        decided = [self._decide(row, levels[row.intent.external_id]) for row in rows]
        return [row for row in decided if row]

    def _decide(self, row: _Row, read: ReadLevel) -> _Row | None:
        intent, observed = row.intent, read.level.quantity
        if observed is None:
            self._end(row, PushStatus.REFUSED, shown=None, reason=read.level.untracked_reason)
            return None
        seen = replace(row, observed=observed, observed_at=read.read_at, reads=row.reads + 1)
        decision = decide_write(replace(intent, wanted=max(intent.wanted, 0)), observed)
        if decision.target is not None:
            return replace(seen, expected=observed, target=decision.target, settled=decision.settled)
        if decision.settled:
            self._end(seen, PushStatus.EQUAL, observed)
        else:
            self._end(seen, PushStatus.STALE, observed, pull_orders=True)
        return None

    def _set_available(self, rows: Sequence[_Row]) -> tuple[Mapping[str, int], Sequence[_Refusal]]:
        """One call: what each changed item shows now, or why nothing at all was written."""
        body = _body(rows, self._location_id)
        variables = {"input": body, "key": _key(rows, body, next(self._calls))}
        with reading("a stock write"):
            answer = _ask(self._caller, variables)
            refusals = [_refusal(error, len(rows)) for error in answer["userErrors"]]
            return ({} if refusals else _shown(answer)), refusals

    def _written(self, row: _Row, shown: int) -> None:
        if not row.settled:
            # A repeated call is answered with what the item shows by then; that our write lowered it must stay visible.
            self._end(row, PushStatus.STALE, min(shown, row.target), pull_orders=True)
        elif row.expected == row.target == shown:
            self._end(row, PushStatus.EQUAL, shown)
        else:
            self._end(row, PushStatus.APPLIED, shown)

    def _end(
        self, row: _Row, status: PushStatus, shown: int | None, reason: str = "", pull_orders: bool = False
    ) -> None:
        self.outcomes[row.intent.listing_id] = PushOutcome(
            listing_id=row.intent.listing_id,
            status=status,
            shown=shown,
            observed=row.observed,
            observed_at=row.observed_at,
            pull_orders=pull_orders,
            reason=reason,
        )


@safely
def _ask(caller: ShopifyCaller, variables: Mapping[str, Any]) -> Node:
    """Send the mutation; the same key goes again while Shopify still works on it or gave no usable answer."""
    answer: Node | None = caller.ask_once(SET_AVAILABLE, variables).data["inventorySetQuantities"]
    if answer is None:
        raise Malformed("Shopify answers a stock write with nothing")
    if any(error["code"] == "IDEMPOTENCY_CONCURRENT_REQUEST" for error in answer["userErrors"]):
        raise Throttled(_BUSY_WAIT_S, "an earlier attempt of this write is still running")
    return answer


def _row(intent: PushIntent) -> _Row:
    return _Row(intent, expected=intent.believed or 0, target=max(intent.wanted, 0))


def _body(rows: Sequence[_Row], location_id: str) -> Mapping[str, Any]:
    return {
        "name": "available",
        "reason": "correction",
        "quantities": [
            {
                "inventoryItemId": gid("InventoryItem", row.intent.external_id),
                "locationId": gid("Location", location_id),
                "quantity": row.target,
                "changeFromQuantity": row.expected,
            }
            for row in rows
        ],
    }


def _key(rows: Sequence[_Row], body: Mapping[str, Any], call: int) -> str:
    """New for every call and body, so that a key never comes back with other content."""
    content = json.dumps([call, [row.intent.idempotency_key for row in rows], body], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _refusal(error: Node, rows: int) -> _Refusal:
    """``field`` reads like ["input", "quantities", "3", "changeFromQuantity"] where it names a row."""
    numbers = [int(part) for part in error["field"] or () if str(part).isdecimal()]
    row = numbers[0] if numbers and numbers[0] < rows else None
    return _Refusal(error["code"] or "", row)


def _shown(answer: Node) -> Mapping[str, int]:
    """What each item shows after the write, as far as Shopify says; an item whose number stayed is not named."""
    group = answer["inventoryAdjustmentGroup"]
    changes = [change for change in (group["changes"] if group else ()) if change["item"]]
    return {
        number_of(change["item"]["id"]): change["quantityAfterChange"]
        for change in changes
        if change["quantityAfterChange"] is not None
    }


def _cure(code: str) -> str:
    return _CURES.get(code, f"Shopify refuses the number ({code or 'no code'})")


def _retry(intent: PushIntent, reason: str) -> PushOutcome:
    return PushOutcome(intent.listing_id, PushStatus.RETRY, reason=reason)
