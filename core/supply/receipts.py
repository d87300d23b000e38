"""Goods come for a purchase order: in full, in part, too many, damaged, or in the other grade.

What was on sale before it was here only changes its place; the rest is free to sell, once who waited has been served.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from core import flows
from core.books import Books, key_hash
from core.command import Short
from core.errors import KeyReused, NotFound, Refused
from core.goods.receiving import keys_at, refuse_bundles, refuse_frozen
from core.stock import BalanceKey, DocumentKind, Home, Movement, Spot, Stocked
from core.supply import acting, costs, owed
from core.supply.acting import Acted, OnPurchase, Receipt, require_lines
from core.supply.lines import Came, PurchaseLine, Split, split
from core.supply.owed import Owed
from core.supply.purchases import MOST_UNITS, Purchase
from core.transaction import Database, Transaction


@dataclass(frozen=True, slots=True)
class ReceivePurchase(OnPurchase):
    """Units came for lines, by line id, and were put into a bin."""

    came: Mapping[int, Came] = field(hash=False)
    spot: Spot
    reason: str
    asked: object  # what the caller said: repeated with the same key, it must be the same

    def concerned(self) -> Collection[PurchaseLine]:
        return [line for line in self.purchase.lines if line.id in self.came]

    def stocked(self, _books: Books) -> Collection[Stocked]:
        lines = self.concerned()
        other = {line.other_grade for line in lines if self.came[line.id].regraded}
        return {line.stocked for line in lines} | other

    def balance_keys(self, books: Books) -> set[BalanceKey]:
        home = books.home.at(self.spot)
        # Named in full, since ``super()`` finds no way in a dataclass with slots.
        keys = OnPurchase.balance_keys(self, books)
        return keys.union(key for one in self.stocked(books) for key in keys_at(home, one))

    def _split(self, line: PurchaseLine) -> Split:
        return split(line, self.came[line.id])

    def short(self, books: Books) -> Short:
        if key_hash(self.effect_key) in books.known_effects:
            return {}
        return owed.short(books, {line.stocked: self._split(line).broken for line in self.concerned()})

    def decide(self, books: Books) -> Acted:
        """Raises: Refused for an order that was never placed; KeyReused; Widen."""
        row = self.purchase.row
        if earlier := self.earlier(books, self.asked):
            return earlier
        self._require(books)
        lines = self.concerned()
        shortage = Owed(books, False, f"units of {row.number} came that cannot be sold as what they were sold as")
        home, moves = books.home.at(self.spot), list[Movement]()
        for line in lines:
            parts = self._split(line)
            moves += arrived(home, row.warehouse_id, line, parts)
            moves += shortage.of(line.stocked, parts.broken)
        why = f"{row.number}: {self.reason}" if self.reason else row.number
        document_id = books.post(
            DocumentKind.RECEIPT, self.effect_key, moves, content=self.asked, order_id=row.id, reason=why
        )
        receipts = [Receipt(document_id, line.id, *self.came[line.id], self.spot.bin_id, books.now) for line in lines]
        return Acted([document_id], [self._after(line) for line in lines], receipts, shortage.losses)

    def _after(self, line: PurchaseLine) -> PurchaseLine:
        came, parts = self.came[line.id], self._split(line)
        return line._replace(came=line.came + came.units, counted=line.counted - parts.counted)

    def _require(self, books: Books) -> None:
        number, state = self.purchase.row.number, self.purchase.state
        if self.purchase.row.placed_at is None:
            cure = (
                "its units were never on their way" if state == "cancelled" else f"`holdfast purchase place {number}`"
            )
            raise Refused(f"{number} is {state}, so nothing of it can come; {cure}")
        if not self.concerned():
            raise Refused(f"nothing of {number} is still to come; say what came, like MUG-RED=5")
        require_lines(self.purchase, self.came)
        for came in self.came.values():
            if not 1 <= came.units <= MOST_UNITS or min(came) < 0:
                raise Refused(f"say how many units came, 1 to {MOST_UNITS:,}, and how many of them are not as ordered")
        refuse_bundles(books, self.stocked(books))
        refuse_frozen(books, self.spot.bin_id)


def arrived(home: Home, sent_to: int, line: PurchaseLine, parts: Split) -> list[Movement]:
    """All movements of one line but those of who has to make room."""
    stocked, other = line.stocked, line.other_grade
    moves = flows.arrive(home, sent_to, stocked, parts.good.counted, counted=True)
    moves += flows.arrive(home, sent_to, stocked, parts.good.uncounted, counted=False)
    moves += flows.come_in(home, stocked, parts.good.more) if parts.good.more else []
    moves += flows.arrive_damaged(home, sent_to, stocked, parts.damaged.uncounted, counted=False)
    moves += flows.arrive_damaged(home, sent_to, stocked, parts.damaged.counted, counted=True)
    moves += flows.come_in_unsellable(home, stocked, parts.damaged.more) if parts.damaged.more else []
    moves += flows.come_no_more(sent_to, stocked, parts.regraded.uncounted, counted=False)
    moves += flows.come_no_more(sent_to, stocked, parts.regraded.counted, counted=True)
    regraded = sum(parts.regraded)
    return moves + (flows.come_in(home, other, regraded) if regraded else [])


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came, and the bin that it was put in.

    ``came``: by line id; None: all that is still to come, or what a ``notice`` announced. ``apart``: of all that, what
    came damaged or in the other grade.
    """

    spot: Spot
    came: Mapping[int, Came] | None = None
    apart: Mapping[int, Came] = field(default_factory=dict)
    reason: str = ""
    notice: str = ""

    def units(self, purchase: Purchase) -> Mapping[int, Came]:
        """By line id, of an order as it stands. Raises: NotFound for a notice that announced nothing."""
        if self.came is not None:
            return self.came
        if self.notice:
            expected = announced(purchase, self.notice)
        else:
            expected = {line.id: line.open for line in purchase.lines if line.open}
        found = dict(self.apart)
        for line_id in {*expected, *self.apart}:
            bad = found.get(line_id, Came())
            found[line_id] = bad._replace(good=expected.get(line_id, 0) - bad.units)
        return found

    @property
    def said(self) -> object:
        """What the caller said: repeated with the same key, it must be the same."""
        told = self.apart if self.came is None else self.came
        of = ["notice", self.notice] if self.notice else ["all" if self.came is None else "these"]
        return [*of, sorted((line_id, *came) for line_id, came in told.items()), self.spot]


def announced(purchase: Purchase, notice: str) -> Mapping[int, int]:
    """Units by line that a notice announced. Raises: NotFound."""
    told = (one for some in purchase.notices.values() for one in some)
    found = {one.line_id: one.units for one in told if one.number == notice.strip() and one.units}
    if not found:
        number = purchase.row.number
        raise NotFound(f"no notice {notice} says what comes of {number}; `holdfast purchase show {number}` lists them")
    return found


def receive(
    db: Database, merchant_id: int, number: str, delivery: Delivery, key: str, *, actor: str, dry_run: bool = False
) -> Acted:
    """Book in what came for a purchase order; once per ``key``, and what a notice announced once whatever the key.

    Raises: Refused; KeyReused; NotFound.
    """

    def build(tx: Transaction, purchase: Purchase) -> ReceivePurchase:
        once = _key_of_notice(tx, purchase, delivery.notice) if delivery.notice else key
        effect_key, units = f"{_receipts_of(purchase)}{once}", delivery.units(purchase)
        return ReceivePurchase(effect_key, purchase, units, delivery.spot, delivery.reason, delivery.said)

    try:
        return acting.act(db, merchant_id, number, build, actor=actor, dry_run=dry_run, then=costs.landed)
    except KeyReused as reused:
        if not delivery.notice:
            raise
        raise Refused(
            f"what {delivery.notice} announced was booked in otherwise before; `holdfast purchase undo {number}` takes "
            f"that back, and more that came is named, like MUG-RED=2"
        ) from reused


def _receipts_of(purchase: Purchase) -> str:
    """How the effect keys of its receipts begin."""
    return f"purchase/{purchase.row.id}/receipt/"


def _key_of_notice(tx: Transaction, purchase: Purchase, notice: str) -> str:
    """Another one once its receipt was taken back: then its goods may come in again."""
    key = f"notice/{notice.strip()}/"
    taken_back = tx.run(
        """SELECT count(DISTINCT r.document_id) FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT document_id, taken_back_by FROM purchase_receipt
               WHERE merchant_id = :merchant_id AND line_id = k.id AND taken_back_by IS NOT NULL OFFSET 0) r
           CROSS JOIN LATERAL (SELECT effect_key FROM document
               WHERE merchant_id = :merchant_id AND id = r.document_id OFFSET 0) d
           WHERE starts_with(d.effect_key, :prefix)""",
        ids=[line.id for line in purchase.lines],
        prefix=_receipts_of(purchase) + key,
    ).scalar_one()
    return f"{key}{taken_back}"
