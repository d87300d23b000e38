"""Purchase orders are placed, and lose units that will not come: cut, cancelled, closed short, or lost on the way."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from core import flows
from core.books import Books, key_hash
from core.command import Short
from core.errors import Refused
from core.goods.receiving import refuse_bundles
from core.stock import BalanceKey, DocumentKind, Layer, Movement, Stocked
from core.supply import acting, owed, purchases
from core.supply.acting import Acted, OnPurchase, require_lines
from core.supply.lines import PurchaseLine
from core.supply.owed import Owed
from core.supply.purchases import Purchase
from core.transaction import Database, Transaction


@dataclass(frozen=True, slots=True)
class Place(OnPurchase):
    """The supplier has the order: from now on its units are on their way. Once for all.

    ``by_lead``: by line, the days that follow from lead days alone.
    """

    by_lead: Mapping[int, date] = field(default_factory=dict, hash=False)

    def balance_keys(self, _books: Books) -> set[BalanceKey]:
        place = self.purchase.row.warehouse_id
        return {BalanceKey(Layer.DISPATCH, *line.stocked, place) for line in self.purchase.lines}

    def decide(self, books: Books) -> Acted:
        """Raises: Refused for an order that is no draft, or has no lines."""
        row, lines = self.purchase.row, self.purchase.lines
        if earlier := self.earlier(books, "place"):
            return earlier
        if row.cancelled_at is not None:
            raise Refused(f"{row.number} was cancelled; `holdfast purchase new` makes another order")
        if not lines:
            raise Refused(f"{row.number} orders nothing; `holdfast purchase add-line {row.number} SKU N` adds a line")
        refuse_bundles(books, [line.stocked for line in lines])
        moves = [move for line in lines for move in flows.order_in(row.warehouse_id, line.stocked, line.open)]
        document_id = books.post(
            DocumentKind.PURCHASE, self.effect_key, moves, content="place", order_id=row.id, reason=row.number
        )
        if self.by_lead:
            books.note_result(json.dumps({line_id: day.isoformat() for line_id, day in self.by_lead.items()}))
        return Acted([document_id], lines)


def place(db: Database, merchant_id: int, number: str, *, actor: str, dry_run: bool = False) -> Acted:
    """Place a draft; lines without a day get the one of the supplier's lead days. Raises: Refused; NotFound."""

    def build(tx: Transaction, purchase: Purchase) -> Place:
        days = purchases.lead_days(tx, purchase) if purchase.row.placed_at is None else {}
        lines = [line._replace(expected_on=days.get(line.id, line.expected_on)) for line in purchase.lines]
        return Place(purchases.placing_key(purchase.row.id), replace(purchase, lines=lines), days)

    def then(tx: Transaction, purchase: Purchase, _acted: Acted) -> None:
        tx.run("UPDATE purchase SET placed_at = :now WHERE merchant_id = :merchant_id AND id = :id", id=purchase.row.id)

    return acting.act(db, merchant_id, number, build, actor=actor, dry_run=dry_run, then=then)


@dataclass(frozen=True, slots=True)
class Cut(OnPurchase):
    """Units of lines, by line id, will not come: cut from the order (PURCHASE_CUT), or lost on their way (LOST).

    What nobody can buy yet goes first. Units that were on sale already make room by the shortage rule.
    """

    units: Mapping[int, int] = field(hash=False)
    kind: DocumentKind
    reason: str
    asked: object  # what the caller said: repeated with the same key, it must be the same

    def concerned(self) -> Collection[PurchaseLine]:
        return [line for line in self.purchase.lines if self.units.get(line.id)]

    def _gone(self) -> Mapping[Stocked, int]:
        """Counted units that do not come."""
        gone = {line.stocked: self.units[line.id] - line.uncounted for line in self.concerned()}
        return {stocked: n for stocked, n in gone.items() if n > 0}

    def short(self, books: Books) -> Short:
        return {} if key_hash(self.effect_key) in books.known_effects else owed.short(books, self._gone())

    def decide(self, books: Books) -> Acted:
        """Raises: Refused for units that are not to come any more, or without a reason; KeyReused; Widen."""
        row, lines = self.purchase.row, self.concerned()
        if earlier := self.earlier(books, self.asked):
            return earlier
        self._require(lines)
        if not lines:
            return Acted()
        total = sum(self.units[line.id] for line in lines)
        shortage = Owed(books, False, f"{total} units of {row.number} will not come ({self.reason})")
        moves: list[Movement] = []
        after: list[PurchaseLine] = []
        for line in lines:
            units = self.units[line.id]
            early = max(units - line.uncounted, 0)
            moves += flows.come_no_more(row.warehouse_id, line.stocked, units - early, counted=False)
            moves += flows.come_no_more(row.warehouse_id, line.stocked, early, counted=True)
            moves += shortage.of(line.stocked, early)
            after.append(line._replace(cut=line.cut + units, counted=line.counted - early))
        document_id = books.post(
            self.kind,
            self.effect_key,
            moves,
            content=self.asked,
            order_id=row.id,
            reason=f"{row.number}: {self.reason}",
        )
        return Acted([document_id], after, losses=shortage.losses)

    def _require(self, lines: Collection[PurchaseLine]) -> None:
        number, state = self.purchase.row.number, self.purchase.state
        if state != "placed":
            raise Refused(f"{number} is {state}: nothing of it is still to come")
        require_lines(self.purchase, self.units)
        if any(not 1 <= n <= purchases.MOST_UNITS for n in self.units.values()):
            raise Refused("say how many units do not come, 1 or more")
        if not self.reason.strip():
            raise Refused("say why: goods that do not come without a reason help nobody later")
        for line in lines:
            if self.units[line.id] > line.open:
                raise Refused(f"only {line.open} units of line {line.nth} of {number} are still to come; cut no more")


def cut(
    db: Database, merchant_id: int, number: str, units: Mapping[int, int], key: str, *, actor: str, reason: str,
    lost: bool = False, dry_run: bool = False,
) -> Acted:  # fmt: skip
    """Units (>= 1) by line id will not come, or were lost on their way; once per ``key``. Raises: Refused; NotFound."""
    kind = DocumentKind.LOST if lost else DocumentKind.PURCHASE_CUT
    asked = [kind, sorted(units.items())]

    def build(_tx: Transaction, purchase: Purchase) -> Cut:
        return Cut(f"purchase/{purchase.row.id}/{kind}/{key}", purchase, units, kind, reason, asked)

    return acting.act(db, merchant_id, number, build, actor=actor, dry_run=dry_run)


def end(
    db: Database, merchant_id: int, number: str, *, actor: str, reason: str, cancel: bool, dry_run: bool = False
) -> Acted:
    """Nothing more comes: ``cancel`` an order of which nothing came, or close one short. Twice changes nothing more.

    Raises: Refused when something came of an order to cancel, and for a draft to close; NotFound.
    """

    def build(tx: Transaction, purchase: Purchase) -> OnPurchase:
        came = any(line.came for line in purchase.lines)
        if cancel and came:
            raise Refused(f"units of {number} came already; `holdfast purchase close {number}` ends the rest of it")
        if purchase.state == "draft":
            if not cancel:
                raise Refused(f"{number} is a draft; `holdfast purchase cancel {number}` drops it")
            purchases.drop(tx, purchase)
        name = "cancel" if cancel else "close"
        if purchase.state != "placed":
            return _Ended(f"purchase/{purchase.row.id}/{name}", purchase)
        units = {line.id: line.open for line in purchase.lines if line.open}
        key = f"purchase/{purchase.row.id}/{name}/{tx.new_id()}"
        return Cut(key, purchase, units, DocumentKind.PURCHASE_CUT, reason, name)

    return acting.act(db, merchant_id, number, build, actor=actor, dry_run=dry_run)


@dataclass(frozen=True, slots=True)
class _Ended(OnPurchase):
    """Nothing of the order is on its way, so there is nothing to move."""

    def concerned(self) -> Collection[PurchaseLine]:
        return ()

    def decide(self, _books: Books) -> Acted:
        return Acted()
