"""Goods that go back to their supplier: what left, from where, and with which purchase order it had come."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from core import bulk, flows, single, tables
from core.books import Books
from core.command import Command
from core.errors import Broken, Refused
from core.goods import costing, inspection
from core.goods.receiving import keys_at, keys_of_goods, refuse_frozen
from core.goods.set_apart import Apart, Lying
from core.rows import ApartWish
from core.stock import At, BalanceKey, Bucket, DocumentKind, Layer, Movement, Spot, Stocked
from core.supply import costs, purchases, suppliers
from core.supply.purchases import Purchase
from core.transaction import Database, Transaction


class VendorReturn(NamedTuple):
    """``purchase_id``: the order that the goods came with, where that is known."""

    id: int
    number: str
    supplier_id: int
    purchase_id: int | None
    reason: str
    document_id: int
    sent_at: datetime
    sent_by: str


class Line(NamedTuple):
    """Units of one item in one grade that left one bin."""

    vendor_return_id: int
    nth: int
    item_id: int
    grade: str
    bin_id: int
    units: int


@dataclass(frozen=True, slots=True)
class GoingBack:
    """``units`` (>= 1) of goods that are set apart in a bin: those of one ``record``, or those set apart first."""

    spot: Spot
    stocked: Stocked
    units: int
    record: Apart | None = None


class WentBack(NamedTuple):
    """``document_id``: of the goods that left; ``repeated``: its number was used before for the same."""

    document_id: int
    units: int
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class SendBack(Command):
    """Unavailable units leave for their supplier. Alone in its batch: see ``core.goods.set_apart``."""

    effect_key: str
    content: object = field(hash=False)
    goods: Sequence[GoingBack] = field(hash=False)
    reason: str

    def effect_keys(self) -> Iterable[str]:
        return (self.effect_key,)

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return {one.stocked for one in self.goods}

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        keys = keys_of_goods(books, self.stocked(books))
        keys |= costing.keys(books, {one.stocked.item_id for one in self.goods})
        return keys.union(key for one in self.goods for key in keys_at(books.home.at(one.spot), one.stocked))

    def decide(self, books: Books) -> WentBack:
        """Raises: KeyReused; Refused when fewer units are unavailable there."""
        units = sum(one.units for one in self.goods)
        effect = books.effect(self.effect_key, self.content)
        if effect is not None and effect.document_id is not None:
            return WentBack(effect.document_id, units, repeated=True)
        refuse_frozen(books, *(one.spot.bin_id for one in self.goods))
        moves: list[Movement] = []
        wanted: Counter[tuple[Spot, Stocked]] = Counter()
        takes: Counter[int] = Counter()
        for one in self.goods:
            wanted[one.spot, one.stocked] += one.units
            if one.record is not None:
                takes[one.record.id] += one.units
        for (spot, stocked), n in wanted.items():
            there = books.units(Layer.WAREHOUSE, stocked, At(spot.bin_id, Bucket.UNAVAILABLE))
            if n > there:
                raise Refused(
                    f"only {there} of {n} units are set apart there; `holdfast apart list` tells what lies where"
                )
            moves += flows.scrap(books.home.at(spot), stocked, n)
        document_id = books.post(
            DocumentKind.VENDOR_RETURN, self.effect_key, moves, content=self.content, reason=self.reason
        )
        at = tuple(Lying(*one.stocked, one.spot.bin_id) for one in self.goods)
        books.apart[document_id] = ApartWish(takes, {}, at)
        return WentBack(document_id, units)


def send_back(
    db: Database, merchant_id: int, number: str, supplier: str, goods: Sequence[GoingBack], *, actor: str,
    reason: str, purchase: str = "", dry_run: bool = False,
) -> WentBack:  # fmt: skip
    """Goods that are set apart leave for their supplier, once per ``number``.

    Args: purchase: the number of the order that they came with, if that is known: no more go back than came.
    Raises: NotFound; KeyReused; Refused.
    """
    number = number.strip()
    _require(number, goods, reason)

    def build(tx: Transaction) -> Command:
        supplier_id = suppliers.find(tx, supplier).id
        order = purchases.locked(tx, purchase) if purchase else None
        content = [
            supplier_id, order.row.id if order else None,
            sorted((*one.spot, *one.stocked, one.units, one.record.id if one.record else 0) for one in goods),
        ]  # fmt: skip
        if order is not None:
            _require_came(tx, number, supplier_id, order, goods)
        return SendBack(f"vendor_return/{number}", content, goods, f"{number}: {reason}")

    def end(tx: Transaction, answer: object) -> WentBack:
        if not isinstance(answer, WentBack):
            raise Broken(f"goods going back answered {answer!r}")
        if not answer.repeated:
            order = purchases.find(tx, purchase) if purchase else None
            order_id = order.row.id if order else None
            _write(tx, number, suppliers.find(tx, supplier).id, order_id, reason, goods, answer.document_id)
            if order is not None:
                costs.gone_back(tx, order, answer.document_id, _by_item(goods))
        return answer

    return single.do(db, merchant_id, build, end, actor=actor, dry_run=dry_run)


def _require(number: str, goods: Sequence[GoingBack], reason: str) -> None:
    if not number:
        raise Refused("a return to a supplier needs a number, like VR-7")
    if not reason.strip():
        raise Refused("say why the goods go back")
    if not goods or any(not 1 <= one.units <= purchases.MOST_UNITS for one in goods):
        raise Refused(f"say what goes back, 1 to {purchases.MOST_UNITS:,} units of each item, like MUG-RED=2")


def _require_came(tx: Transaction, number: str, supplier_id: int, order: Purchase, goods: Sequence[GoingBack]) -> None:
    """Raises: Refused when the order is another supplier's, or fewer units came with it than go back in all."""
    if order.row.supplier_id != supplier_id:
        owner = suppliers.get(tx, order.row.supplier_id).code
        raise Refused(f"order {order.row.number} is of supplier {owner}; name that one")
    came: Counter[int] = Counter()
    for line in order.lines:
        came[line.item_id] += line.came
    rows = tx.run(
        """SELECT l.item_id, sum(l.units) FROM (SELECT id FROM vendor_return v
               WHERE merchant_id = :merchant_id AND purchase_id = :id AND number <> :number AND NOT EXISTS (
                   SELECT FROM effect WHERE merchant_id = :merchant_id AND key_hash =
                       substring(sha256(convert_to('reversal/' || v.document_id, 'UTF8')) FOR 16)) OFFSET 0) r
           CROSS JOIN LATERAL (SELECT item_id, units FROM vendor_return_line
               WHERE merchant_id = :merchant_id AND vendor_return_id = r.id OFFSET 0) l GROUP BY 1""",
        id=order.row.id, number=number,
    )  # fmt: skip
    before: Mapping[int, int] = {item_id: int(units) for item_id, units in rows}
    for item_id, units in _by_item(goods).items():
        left = came[item_id] - before.get(item_id, 0)
        if units > left:
            raise Refused(
                f"{came[item_id]} units of that came with order {order.row.number} and {before.get(item_id, 0)} went "
                f"back before, so {units} more cannot; leave out --order if they came with another"
            )


def _by_item(goods: Sequence[GoingBack]) -> Mapping[int, int]:
    units: Counter[int] = Counter()
    for one in goods:
        units[one.stocked.item_id] += one.units
    return units


def _write(
    tx: Transaction, number: str, supplier_id: int, purchase_id: int | None, reason: str,
    goods: Sequence[GoingBack], document_id: int,
) -> None:  # fmt: skip
    row = VendorReturn(tx.new_id(), number, supplier_id, purchase_id, reason, document_id, tx.now, tx.actor)
    bulk.insert(tx, tables.vendor_return, VendorReturn._fields, [row])
    lines = [Line(row.id, nth, *one.stocked, one.spot.bin_id, one.units) for nth, one in enumerate(goods, start=1)]
    bulk.insert(tx, tables.vendor_return_line, Line._fields, lines)


def of_record(tx: Transaction, record_id: int, units: int) -> GoingBack:
    """Units of one record. Raises: NotFound."""
    record, spot = inspection.find(tx, record_id)
    return GoingBack(spot, record.stocked, units, record)
