"""Setting numbers on BigCommerce: read, decide on evidence, write absolutely, read back.

An absolute adjustment is answered before it is done and nothing can be asked about its transaction, so an answer 200
proves nothing. What we wrote is read back for about two seconds:

- the number shows, or a rise shows less than written but more than before: APPLIED with the number written; in the
  second case the store sold meanwhile, and its orders are pulled;
- it does not show within that time: STALE, nothing claimed. It may still land, so until then (at most 15 s) that
  listing is not raised and not called equal; only a lower number is written. Once it is seen, it is believed. The same
  holds for a write whose answer was lost (RETRY).

Claiming an unseen write would let a later read, which then explains itself, raise a number over a sale.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from connectors.bigcommerce.api import READ_CHUNK, Api, Snapshot
from connectors.bigcommerce.translate import Level, split_id
from connectors.evidence import Decision, decide_write
from core.errors import ConnectorError, Malformed, Rejected, Throttled, Unauthorized
from core.model import PushIntent, PushOutcome, PushStatus

# Small enough that what sells out meanwhile need not wait long for the next round.
PUSH_LIMIT = 240
# A write that is not seen by then is looked for again in a later round: what sells out meanwhile must not wait for it.
_READ_BACK_S = 0.8
_READ_BACK_WAITS_S = (0.06, 0.12, 0.25, 0.4)
_MAY_STILL_LAND_S = 15.0
_NAMED = re.compile(r"\b(variant_id|product_id)\W{0,3}(\d+)")
_GONE = "BigCommerce does not count this (deleted, or its inventory tracking is off); import the catalogue again."
_UNSEEN = "written, but the store does not show it yet"


@dataclass(frozen=True, slots=True)
class _Write:
    intent: PushIntent
    product_id: int
    variant_id: int
    before: Level
    read_at: datetime
    target: int
    settled: bool

    @property
    def on_hand(self) -> int:
        return self.target + self.before.safety_stock

    def row(self, location_id: int) -> dict[str, int]:
        identity = {"product_id": self.product_id} if self.before.product_tracked else {"variant_id": self.variant_id}
        return {"location_id": location_id, **identity, "quantity": self.on_hand}

    def named_by(self, names: Sequence[tuple[str, str]]) -> bool:
        return ("variant_id", str(self.variant_id)) in names or ("product_id", str(self.product_id)) in names

    def shows_in(self, level: Level) -> bool:
        """True when only this write explains the number: sales alone never raise one."""
        return level.on_hand == self.on_hand or self.before.quantity < level.quantity < self.target

    def seen(self, *, sold_meanwhile: bool) -> PushOutcome:
        status = PushStatus.APPLIED if self.settled else PushStatus.STALE
        return self.outcome(status, shown=self.target, pull_orders=sold_meanwhile or not self.settled)

    def outcome(
        self, status: PushStatus, *, shown: int | None = None, pull_orders: bool = False, reason: str = ""
    ) -> PushOutcome:
        return PushOutcome(
            self.intent.listing_id, status, shown, self.before.quantity, self.read_at, pull_orders, reason
        )


@dataclass(frozen=True, slots=True)
class _Unseen:
    """A write that was sent but has not shown: until ``until`` (monotonic) it may make the number ``target``.

    ``settled``: it was computed from a number that we could explain, so once it shows we can explain that one too.
    """

    target: int
    settled: bool
    until: float


@dataclass(slots=True)
class _Answers:
    accepted: list[_Write] = field(default_factory=list)
    refused: list[tuple[_Write, str]] = field(default_factory=list)
    lost: list[tuple[_Write, str]] = field(default_factory=list)  # may have been done
    undone: list[tuple[_Write, str]] = field(default_factory=list)  # certainly not done, but may be later


class Pusher:
    """Pushes of one store, one at a time. Remembers writes that have not shown yet."""

    def __init__(self, api: Api, location_id: int) -> None:
        self._api = api
        self._location_id = location_id
        self._unseen: dict[str, _Unseen] = {}

    def push(self, intents: Sequence[PushIntent]) -> list[PushOutcome]:
        """One outcome per intent, same order; raises only before the first chunk has been read."""
        done: list[PushOutcome] = []
        for start in range(0, len(intents), READ_CHUNK):
            try:
                done += self._push_chunk(intents[start : start + READ_CHUNK])
            except ConnectorError as fault:
                if not done:
                    raise
                return done + [_outcome(i, PushStatus.RETRY, reason=str(fault)) for i in intents[start:]]
        return done

    def _push_chunk(self, intents: Sequence[PushIntent]) -> list[PushOutcome]:
        outcomes: list[PushOutcome] = []
        wanted: list[tuple[PushIntent, int, int]] = []
        for intent in intents:
            try:
                wanted.append((intent, *split_id(intent.external_id)))
            except Malformed as fault:
                outcomes.append(_outcome(intent, PushStatus.REFUSED, reason=str(fault)))
        writes: list[_Write] = []
        if wanted:
            read = self._api.levels([variant_id for _, _, variant_id in wanted], self._location_id)
            for intent, product_id, variant_id in wanted:
                planned = self._plan(intent, product_id, variant_id, read)
                if isinstance(planned, _Write):
                    writes.append(planned)
                else:
                    outcomes.append(planned)
        outcomes += self._write_and_see(writes)
        by_listing = {outcome.listing_id: outcome for outcome in outcomes}
        return [by_listing[intent.listing_id] for intent in intents]

    def _plan(self, intent: PushIntent, product_id: int, variant_id: int, read: Snapshot) -> _Write | PushOutcome:
        level = read.levels.get(variant_id)
        if level is None:
            self._unseen.pop(intent.external_id, None)
            return _outcome(intent, PushStatus.REFUSED, reason=_GONE)
        decision = self._decide(intent, level.quantity)
        if decision.target is not None:
            return _Write(intent, product_id, variant_id, level, read.read_at, decision.target, decision.settled)
        return PushOutcome(
            intent.listing_id,
            PushStatus.EQUAL if decision.settled else PushStatus.STALE,
            shown=level.quantity,
            observed=level.quantity,
            observed_at=read.read_at,
            pull_orders=not decision.settled,
        )

    def _decide(self, intent: PushIntent, observed: int) -> Decision:
        unseen = self._unseen.get(intent.external_id)
        if unseen is None:
            return decide_write(intent, observed)
        if observed == unseen.target:
            del self._unseen[intent.external_id]
            return decide_write(replace(intent, believed=observed) if unseen.settled else intent, observed)
        decision = decide_write(intent, observed)
        if time.monotonic() > unseen.until:
            del self._unseen[intent.external_id]
            return decision
        lower = decision.target is not None and decision.target < min(observed, unseen.target)
        return Decision(decision.target if lower else None, settled=False)

    def _write_and_see(self, writes: Sequence[_Write]) -> list[PushOutcome]:
        answers = _Answers()
        if writes:
            self._send(writes, answers)
        until = time.monotonic() + _MAY_STILL_LAND_S
        for write in [*answers.accepted, *(write for write, _ in answers.lost)]:
            self._unseen[write.intent.external_id] = _Unseen(write.target, write.settled, until)
        outcomes = [write.outcome(PushStatus.REFUSED, reason=reason) for write, reason in answers.refused]
        outcomes += [
            write.outcome(PushStatus.RETRY, reason=reason) for write, reason in [*answers.lost, *answers.undone]
        ]
        return outcomes + self._read_back(answers.accepted)

    def _send(self, writes: Sequence[_Write], answers: _Answers) -> None:
        """One absolute adjustment; when it is refused, again without the offenders it names, or in halves."""
        content = {"reason": "Holdfast", "items": [write.row(self._location_id) for write in writes]}
        try:
            self._api.write("PUT", "/v3/inventory/adjustments/absolute", content)
        except Rejected as refusal:
            if refusal.status != 422:
                answers.undone += [(write, str(refusal)) for write in writes]
                return
            for part in _without_offenders(writes, str(refusal), answers):
                self._send(part, answers)
        except (Throttled, Unauthorized) as refusal:
            answers.undone += [(write, str(refusal)) for write in writes]
        except ConnectorError as fault:
            answers.lost += [(write, str(fault)) for write in writes]
        else:
            answers.accepted += writes

    def _read_back(self, writes: Sequence[_Write]) -> list[PushOutcome]:
        outcomes: list[PushOutcome] = []
        waiting = {write.variant_id: write for write in writes}
        last: dict[int, int] = {}
        give_up_at = time.monotonic() + _READ_BACK_S
        for wait_s in _READ_BACK_WAITS_S:
            if not waiting or time.monotonic() > give_up_at:
                break
            time.sleep(wait_s)
            try:
                read = self._api.levels(list(waiting), self._location_id)
            except ConnectorError as fault:
                return outcomes + [write.outcome(PushStatus.STALE, reason=str(fault)) for write in waiting.values()]
            for variant_id, write in list(waiting.items()):
                level = read.levels.get(variant_id)
                if level is None:
                    continue
                last[variant_id] = level.quantity
                if write.shows_in(level):
                    del waiting[variant_id]
                    self._unseen.pop(write.intent.external_id, None)
                    outcomes.append(write.seen(sold_meanwhile=level.quantity != write.target))
        return outcomes + [
            write.outcome(PushStatus.STALE, pull_orders=last.get(variant_id) != write.before.quantity, reason=_UNSEEN)
            for variant_id, write in waiting.items()
        ]


def _without_offenders(writes: Sequence[_Write], title: str, answers: _Answers) -> list[Sequence[_Write]]:
    """What to send again after a refusal with this title; the offenders go to ``answers.refused``."""
    names = _NAMED.findall(title)
    offenders = writes if len(writes) == 1 else [write for write in writes if write.named_by(names)]
    if offenders:
        answers.refused += [(write, f"BigCommerce refuses it: {title}") for write in offenders]
        rest = [write for write in writes if write not in offenders]
        return [rest] if rest else []
    middle = len(writes) // 2
    return [writes[:middle], writes[middle:]]


def _outcome(intent: PushIntent, status: PushStatus, *, reason: str) -> PushOutcome:
    return PushOutcome(intent.listing_id, status, reason=reason)
