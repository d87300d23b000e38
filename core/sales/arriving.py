"""Goods come that were expected: booked in, and expected no more, at once."""

from dataclasses import dataclass

from core import single
from core.access import acts
from core.access.actors import Actor
from core.errors import Broken
from core.goods.receiving import Receive
from core.sales import expected, promise_dates
from core.stock import DocumentKind, Stocked
from core.transaction import Database, Transaction


@dataclass(frozen=True, slots=True)
class Arrived:
    """``units`` (>= 1) of a supply that is no purchase order came, once per ``effect_key``."""

    effect_key: str
    stocked: Stocked
    units: int
    reference: str


def arrive(db: Database, merchant_id: int, came: Arrived, actor: Actor) -> tuple[int, bool, int]:
    """Book it in. In one transaction, so that its units are never in the shared pool and to come for presales, too.

    Returns: the document; False when it was booked in before; units that the supply is still to bring.
    Raises: NotFound when no such supply is expected; Refused; KeyReused.
    """

    def build(tx: Transaction) -> Receive:
        expected.refuse_purchase(tx, came.reference)
        expected.require(tx, [came.stocked], came.reference)
        return Receive(came.effect_key, DocumentKind.RECEIPT, {came.stocked: came.units}, came.reference)

    def end(tx: Transaction, document_id: object) -> tuple[int, bool, int]:
        if not isinstance(document_id, int):
            raise Broken(f"a receipt answered {document_id!r}")
        is_new = expected.arrived(tx, came.stocked, came.units, came.reference, document_id)
        promise_dates.recompute(tx, [came.stocked])
        if is_new:
            subject = f"item:{came.stocked.item_id}"
            acts.note(tx, actor, "backorder.arrived", subject, units=came.units, ref=came.reference)
        return document_id, is_new, expected.require(tx, [came.stocked], came.reference)[came.stocked].open

    return single.do(db, merchant_id, build, end, actor=str(actor))
