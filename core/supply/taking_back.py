"""A receipt of a purchase order that was entered by mistake is taken back: its units are on their way again."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from core.books import Books
from core.errors import InsufficientStock, NotFound, Refused
from core.goods.receiving import keys_at, refuse_frozen
from core.reversing import Posted, read_document
from core.stock import BalanceKey, Bucket, DocumentKind, Layer, Movement, Spot, Stocked
from core.supply import acting, costs
from core.supply.acting import Acted, OnPurchase, Receipt
from core.supply.lines import PurchaseLine, Split, Taken
from core.supply.purchases import Purchase
from core.supply.receipts import arrived
from core.transaction import Database, Transaction


def split_back(line: PurchaseLine, receipt: Receipt, early: int) -> Split:
    """Where units that did not come after all belong: on their way, as far as the order still awaits them. Pure.

    Args: early: sellable units of the receipt that were on sale before it.
    """
    before = line._replace(came=line.came - receipt.came.units)
    awaited = before.open - line.open
    early = min(early, awaited)
    parts = []
    for n, units in enumerate(receipt.came):
        counted = early if n == 0 else 0
        late = min(units - counted, awaited - counted)
        awaited -= counted + late
        parts.append(Taken(counted, late, units - counted - late))
    return Split(*parts)


@dataclass(frozen=True, slots=True)
class TakeBack(OnPurchase):
    """The opposite of a receipt, where its goods still stand as it put them."""

    document: Posted = field(hash=False)
    receipts: Mapping[int, Receipt] = field(hash=False)  # by line id
    spot: Spot
    reason: str

    def concerned(self) -> Collection[PurchaseLine]:
        return [line for line in self.purchase.lines if line.id in self.receipts]

    def stocked(self, _books: Books) -> Collection[Stocked]:
        return self.document.stocked

    def balance_keys(self, books: Books) -> set[BalanceKey]:
        home = books.home.at(self.spot)
        keys = OnPurchase.balance_keys(self, books)
        return keys.union(key for one in self.stocked(books) for key in keys_at(home, one))

    def decide(self, books: Books) -> Acted:
        """Raises: Refused where somebody has its units, or for one without a reason."""
        if earlier := self.earlier(books, {"document": self.document.id}):
            return earlier
        if not self.reason.strip():
            raise Refused("say why: a change of stock without a reason helps nobody later")
        refuse_frozen(books, self.spot.bin_id)
        row, home = self.purchase.row, books.home.at(self.spot)
        moves: list[Movement] = []
        after: list[PurchaseLine] = []
        for line in self.concerned():
            receipt = self.receipts[line.id]
            parts = split_back(line, receipt, self._early(line.stocked))
            moves += _opposite(arrived(home, row.warehouse_id, line, parts))
            came = line.came - receipt.came.units
            after.append(line._replace(came=came, counted=line.counted + parts.good.counted))
        document_id = self._post(books, moves)
        gone = [one._replace(taken_back_by=document_id) for one in self.receipts.values()]
        return Acted([document_id], after, gone)

    def _early(self, stocked: Stocked) -> int:
        """Sellable units that were on sale before the receipt."""
        return sum(
            move.quantity
            for move in self.document.movements
            if move.layer is Layer.DISPATCH and move.stocked == stocked
            and (move.from_.bucket, move.to.bucket) == (Bucket.INCOMING_SELLABLE, Bucket.AVAILABLE)
        )  # fmt: skip

    def _post(self, books: Books, moves: list[Movement]) -> int:
        row, document = self.purchase.row, self.document
        try:
            return books.post(
                DocumentKind.REVERSAL, self.effect_key, moves, content={"document": document.id}, order_id=row.id,
                reason=f"{row.number}: {self.reason}", corrects_id=document.id,
            )  # fmt: skip
        except InsufficientStock as short:
            raise Refused(
                f"document {document.id} cannot be taken back: of its units, {sum(short.missing.values())} or more "
                "were promised, put elsewhere or left since; `holdfast stock missing` books what is not there, and "
                "makes room for it"
            ) from short


def _opposite(moves: Sequence[Movement]) -> list[Movement]:
    return [move._replace(from_=move.to, to=move.from_) for move in reversed(moves)]


def take_back(
    db: Database, merchant_id: int, number: str, document_id: int, *, actor: str, reason: str, dry_run: bool = False
) -> Acted:
    """Take a receipt of a purchase order back, once. Raises: Refused; NotFound when it has no such receipt."""

    def build(tx: Transaction, purchase: Purchase) -> TakeBack:
        lines = [line.id for line in purchase.lines]
        found = tx.run(
            f"""SELECT {", ".join(f"r.{name}" for name in Receipt._fields)} FROM unnest(CAST(:ids AS bigint[])) k (id)
                CROSS JOIN LATERAL (SELECT * FROM purchase_receipt WHERE merchant_id = :merchant_id
                    AND line_id = k.id AND document_id = :document_id OFFSET 0) r""",
            ids=lines,
            document_id=document_id,
        )
        receipts = {row.line_id: Receipt(*row) for row in found}
        if not receipts:
            raise NotFound(f"document {document_id} is no receipt of {number}; `holdfast purchase show {number}` lists "
                           "them")  # fmt: skip
        spot = _spot(tx, next(iter(receipts.values())).bin_id)
        return TakeBack(f"reversal/{document_id}", purchase, read_document(tx, document_id), receipts, spot, reason)

    return acting.act(db, merchant_id, number, build, actor=actor, dry_run=dry_run, then=costs.taken_back)


def _spot(tx: Transaction, bin_id: int) -> Spot:
    warehouse_id = tx.run(
        "SELECT warehouse_id FROM bin WHERE merchant_id = :merchant_id AND id = :id", id=bin_id
    ).scalar_one()
    return Spot(warehouse_id, bin_id)
