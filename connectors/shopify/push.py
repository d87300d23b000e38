"""Writing ``available`` by compare-and-set: shopify.dev/docs/apps/build/orders-fulfillment/inventory-management-apps.

Shopify takes or refuses a call as a whole. So one stale or impossible row is found by the ``field`` of its error, taken
out, and the others go again under a new idempotency key; where no field names it, the batch is halved until it stands
alone. ``available`` is what Shopify itself takes each order off, at once and unpaid too.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from connectors.evidence import decide_write
from connectors.http import safely
from connectors.shopify.caller import ShopifyCaller
from connectors.shopify.documents import SET_AVAILABLE
from connectors.shopify.levels import ReadLevel, read_levels
from connectors.shopify.translate import Node, gid, number_of, reading
from core.errors import ConnectorError, Malformed, Throttled, Unreachable
from core.model import PushIntent, PushOutcome, PushStatus

PUSH_LIMIT = 250

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


def push(caller: ShopifyCaller, location_id: str, intents: Sequence[PushIntent]) -> Sequence[PushOutcome]:
    """One outcome per intent, same order. Raises ConnectorError only while not a single outcome is known."""
    run = _Push(caller, location_id)
    try:
        run.go(intents)
    except ConnectorError as fault:
        if not run.outcomes:
            raise
        return [run.outcomes.get(intent.listing_id) or _retry(intent, str(fault)) for intent in intents]
    return [run.outcomes[intent.listing_id] for intent in intents]


class _Push:
    def __init__(self, caller: ShopifyCaller, location_id: str) -> None:
        self.outcomes: dict[int, PushOutcome] = {}
        self._caller = caller
        self._location_id = location_id
        self._calls = 0
        self._burnt_keys = 0

    def go(self, intents: Sequence[PushIntent]) -> None:
        unread: list[_Row] = []
        held: list[_Row] = []
        for intent in intents:
            if intent.believed is None:
                unread.append(_Row(intent, 0, 0))
            else:
                held.append(_Row(intent, expected=intent.believed, target=max(intent.wanted, 0)))
        waiting = _batches(held)
        held = []
        while waiting or unread or held:
            if waiting:
                stale, rest, halves = self._write(waiting.pop(0))
                unread, held, waiting = unread + stale, held + rest, waiting + halves
            else:
                held += self._read(unread) if unread else []
                waiting, unread, held = _batches(held), [], []

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
        if seen.reads > _READS_PER_ROW:
            self._end(seen, PushStatus.RETRY, observed, "it keeps selling while we write", pull_orders=True)
            return None
        decision = decide_write(replace(intent, wanted=max(intent.wanted, 0)), observed)
        if decision.target is not None:
            return replace(seen, expected=observed, target=decision.target, settled=decision.settled)
        if decision.settled:
            self._end(seen, PushStatus.EQUAL, observed)
        else:
            self._end(seen, PushStatus.STALE, observed, pull_orders=True)
        return None

    def _write(self, rows: Sequence[_Row]) -> tuple[list[_Row], list[_Row], list[list[_Row]]]:
        """Write a batch.

        Returns: rows to read again; rows to write again together with those; and batches to write again apart.
        """
        shown, refusals = self._set_available(rows)
        if not refusals:
            for row in rows:
                self._written(row, shown.get(row.intent.external_id, row.target))
            return [], [], []
        if any(refusal.code == "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED" for refusal in refusals):
            self._burnt_keys += 1
            if self._burnt_keys > _BURNT_KEYS_BORNE:
                raise Unreachable("Shopify says again and again that an earlier attempt of this write failed")
            return [], list(rows), []
        named = {refusal.row: refusal.code for refusal in refusals if refusal.row is not None}
        if not named and len(rows) == 1:
            named = {0: refusals[0].code}
        if not named:
            half = len(rows) // 2
            return [], [], [list(rows[:half]), list(rows[half:])]
        stale = [rows[index] for index, code in named.items() if code in _STALE]
        for index, code in named.items():
            if code not in _STALE:
                self._end(rows[index], PushStatus.REFUSED, shown=None, reason=_cure(code))
        return stale, [row for index, row in enumerate(rows) if index not in named], []

    def _set_available(self, rows: Sequence[_Row]) -> tuple[Mapping[str, int], Sequence[_Refusal]]:
        """One call: what each changed item shows now, or why nothing at all was written."""
        self._calls += 1
        body = _body(rows, self._location_id)
        variables = {"input": body, "key": _key(rows, body, self._calls)}
        with reading("a stock write"):
            answer = _ask(self._caller, variables)
            refusals = [_refusal(error, len(rows)) for error in answer["userErrors"]]
            return ({} if refusals else _shown(answer)), refusals

    def _written(self, row: _Row, shown: int) -> None:
        if not row.settled:
            self._end(row, PushStatus.STALE, shown, pull_orders=True)
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


def _batches(rows: Sequence[_Row]) -> list[list[_Row]]:
    return [list(rows[start : start + PUSH_LIMIT]) for start in range(0, len(rows), PUSH_LIMIT)]


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
