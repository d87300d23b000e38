"""Writing numbers on a shop that has no compare-and-set: read, decide, write at once, and check the answer.

A sale between our reading and our writing is erased from the shop's number, so the two stand close together: a group of
rows is read by one call and written at once, by the thread that has read it. Groups of different products go side by
side; no product is ever in two calls at a time. A write is never repeated by itself: after a failure the group is read
and decided anew.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from connectors.evidence import decide_write
from connectors.http import safely
from core.errors import ConnectorError, Rejected, Throttled, Unauthorized
from core.model import PushIntent, PushOutcome, PushStatus

from .crew import Crew
from .rows import BatchItem, BatchReply, parse
from .shop import Shop
from .stock import PAGE, Reading, StockReader, chunks
from .translate import is_external_id, split_external_id, whole_number, whole_stock

# Groups side by side keep the crew at work; more would let what sells out meanwhile wait for the next round.
PUSH_LIMIT = 240
# What a shop reads by one call, which is also the most that it takes in one batch.
_GROUP = PAGE
# Each has a write of its own after the reading they share, so more of them would let the reading grow old.
_PARENTS_PER_GROUP = 3
_GONE = "The shop no longer has this product; map the listing again or remove it."
_FOREIGN = "This is no id of a WooCommerce product; import the catalogue again."
_IGNORED = "The shop took the number and ignored it: its stock management is off, for all products or for this one."
_NOT_THERE = frozenset({"woocommerce_rest_product_invalid_id", "woocommerce_rest_product_variation_invalid_id"})

Group = Sequence[PushIntent]
Lane = Sequence[Group]


def push(crew: Crew, intents: Sequence[PushIntent]) -> Sequence[PushOutcome]:
    """One outcome per intent, same order. Raises only when no group taught us anything.

    The crew's lines must not repeat calls on their own: the group as a whole is what gets repeated.
    """
    foreign = {one.listing_id: _refused(one, _FOREIGN) for one in intents if not is_external_id(one.external_id)}
    a_round = _Round()
    crew.each(a_round.run, lanes(one for one in intents if one.listing_id not in foreign))
    outcomes = foreign | a_round.outcomes()
    return [outcomes[one.listing_id] for one in intents]


def lanes(intents: Iterable[PushIntent]) -> Sequence[Lane]:
    """What may go side by side, as no product is in two lanes; a lane's groups go one after another.

    Simple products by the batch; variations by a few products, as each product has its own route. Those come first:
    they take more calls, so the others fill up the time after them.
    """
    of_product: dict[int, list[PushIntent]] = defaultdict(list)
    parents: set[int] = set()
    for intent in intents:
        product, variation = split_external_id(intent.external_id)
        of_product[product].append(intent)
        if variation:
            parents.add(product)
    simple = [intent for product, rows in of_product.items() if product not in parents for intent in rows]
    varied = [rows for product, rows in of_product.items() if product in parents]
    found: list[Lane] = []
    for some in chunks(varied, _PARENTS_PER_GROUP):
        found.append(list(chunks([intent for rows in some for intent in rows], _GROUP)))
    return found + [[group] for group in chunks(simple, _GROUP)]


class _Round:
    """What the lanes of one push have come to. Each adds the rows of its own groups, so none waits for another."""

    def __init__(self) -> None:
        self._learnt: dict[int, PushOutcome] = {}
        self._unlearnt: dict[int, PushOutcome] = {}
        self._faults: list[ConnectorError] = []

    def run(self, shop: Shop, reader: StockReader, lane: Lane) -> None:
        """A group's fault is its own; those not begun wait for another push where it speaks for the whole shop."""
        for group in lane:
            fault = self._halt()
            if fault is None:
                try:
                    self._learnt |= _GroupPush(shop, reader, group).run()
                    continue
                except ConnectorError as met:
                    fault = met
                    self._faults.append(met)
            self._unlearnt |= {one.listing_id: _retry(one, str(fault)) for one in group}

    def outcomes(self) -> dict[int, PushOutcome]:
        """By listing. Raises the first fault when there is nothing else to tell."""
        if self._faults and not self._learnt:
            raise self._faults[0]
        return self._learnt | self._unlearnt

    def _halt(self) -> ConnectorError | None:
        """Why no further group is begun: the shop slows us down, refuses us, or has never answered."""
        for fault in self._faults:
            if isinstance(fault, Throttled | Unauthorized) or not self._learnt:
                return fault
        return None


def _retry(intent: PushIntent, reason: str) -> PushOutcome:
    return PushOutcome(intent.listing_id, PushStatus.RETRY, reason=reason)


def _refused(intent: PushIntent, reason: str) -> PushOutcome:
    return PushOutcome(intent.listing_id, PushStatus.REFUSED, reason=reason)


class _GroupPush:
    """One group's way through read, decide, write.

    ``_sent`` are outcomes of writes whose answer was lost: finding such a number on the shop is no news of a sale.
    """

    def __init__(self, shop: Shop, reader: StockReader, intents: Sequence[PushIntent]) -> None:
        self._shop = shop
        self._reader = reader
        self._intents = intents
        self._sent: dict[int, PushOutcome] = {}
        self._done: dict[int, PushOutcome] = {}

    def run(self) -> Mapping[int, PushOutcome]:
        """Outcomes by listing; raises only when not one row has any."""
        try:
            try:
                self._try()
            except Rejected as fault:
                self._split(fault)
        except ConnectorError as fault:
            if not self._done:
                raise
            return self._done | {one.listing_id: _retry(one, str(fault)) for one in self._open()}
        return self._done

    def _split(self, fault: Rejected) -> None:
        """Halve what the shop refuses as a whole until the row that it refuses stands alone."""
        rest = self._open()
        if fault.status < 400 or fault.code == "rest_no_route":
            raise fault
        if len(rest) == 1:
            self._done[rest[0].listing_id] = _refused(rest[0], str(fault))
            return
        for some in (rest[: len(rest) // 2], rest[len(rest) // 2 :]):
            self._done |= _GroupPush(self._shop, self._reader, some).run()

    def _open(self) -> list[PushIntent]:
        return [one for one in self._intents if one.listing_id not in self._done]

    @safely
    def _try(self) -> None:
        """Repeated as a whole for the rows that have no outcome yet."""
        reading = self._reader.read([one.external_id for one in self._open()])
        writes: dict[str, dict[int, tuple[int, PushOutcome]]] = defaultdict(dict)
        for intent in self._open():
            outcome, target = decide(intent, reading, self._sent.get(intent.listing_id))
            if target is None:
                self._done[intent.listing_id] = outcome
            else:
                product, variation = split_external_id(intent.external_id)
                route = f"products/{product}/variations/batch" if variation else "products/batch"
                writes[route][variation or product] = (intent.listing_id, outcome)
        for route, rows in writes.items():
            self._write(route, rows)

    def _write(self, route: str, rows: Mapping[int, tuple[int, PushOutcome]]) -> None:
        """``rows``: by the shop's id, the listing and the outcome to be, whose ``shown`` is the number to write."""
        self._sent |= dict(rows.values())
        update = [
            {"id": number, "manage_stock": True, "stock_quantity": outcome.shown}
            for number, (_, outcome) in rows.items()
        ]
        reply = parse(BatchReply, self._shop.send("POST", route, {"update": update}).content)
        answers = {item.id: item for item in reply.update}
        for number, (listing_id, outcome) in rows.items():
            self._done[listing_id] = check_reply(outcome, answers.get(number))


def decide(intent: PushIntent, reading: Reading, sent: PushOutcome | None) -> tuple[PushOutcome, int | None]:
    """The outcome as it stands if the write succeeds, and the number to write, if any.

    ``sent`` is the outcome of an unanswered write of ours; a shop that shows its number has taken it.
    """
    row = reading.rows.get(intent.external_id)
    if row is None:
        return _refused(intent, _GONE), None
    observed, untracked = whole_stock(row)
    if observed is None:
        return _refused(intent, untracked), None
    if sent is not None and sent.shown == observed:
        return sent, None
    decision = decide_write(intent, observed)
    if not decision.settled:
        status = PushStatus.STALE
    else:
        status = PushStatus.EQUAL if decision.target is None else PushStatus.APPLIED
    shown = observed if decision.target is None else decision.target
    outcome = PushOutcome(intent.listing_id, status, shown, observed, reading.read_at, not decision.settled)
    return outcome, decision.target


def check_reply(decided: PushOutcome, item: BatchItem | None) -> PushOutcome:
    """Compare what the shop says it now shows with what was sent."""
    if item is None:
        return replace(decided, status=PushStatus.RETRY, shown=None, reason="The shop left this row out of its answer.")
    if item.error is not None:
        code, status = item.error.code, item.error.status
        if status == 429 or status >= 500:
            return replace(
                decided, status=PushStatus.RETRY, shown=None, reason=f"The shop failed at this row ({code})."
            )
        reason = _GONE if code in _NOT_THERE else f"The shop refuses this row ({code})."
        return replace(decided, status=PushStatus.REFUSED, shown=None, reason=reason)
    shown = whole_number(item.stock_quantity)
    if item.manage_stock is not True or shown is None:
        return replace(decided, status=PushStatus.REFUSED, shown=None, reason=_IGNORED)
    if shown != decided.shown:
        return replace(decided, status=PushStatus.STALE, shown=shown, pull_orders=True)
    return decided
