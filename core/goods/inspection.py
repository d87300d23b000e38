"""Goods that are set apart are looked at: what they are decides whether they are sold, kept apart or thrown away."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from core import flows, single
from core.books import Books
from core.command import Command
from core.errors import Broken, NotFound, Refused
from core.goods.receiving import Receive, keys_at, keys_of_goods, refuse_bundles, refuse_frozen
from core.goods.set_apart import Apart
from core.rows import ApartWish
from core.stock import GRADES, BalanceKey, DocumentKind, Home, Movement, Spot, Stocked
from core.transaction import Database, Transaction


@dataclass(frozen=True, slots=True)
class ReturnToInspect(Receive):
    """Goods came back, and nobody knows yet what they are: all of them (``damaged``) wait as unavailable."""

    def decide(self, books: Books) -> int | None:
        """Raises: as ``Receive``."""
        document_id = Receive.decide(self, books)
        if document_id is not None:
            books.apart[document_id] = ApartWish(inspect=True)
        return document_id


class Findings(NamedTuple):
    """Units (>= 0) by what they turned out to be: sellable in a grade, not to be sold, or to be thrown away."""

    good: int = 0
    minor_defect: int = 0
    unavailable: int = 0
    scrap: int = 0


class Inspected(NamedTuple):
    """``left``: units of the record that nobody has looked at yet. ``repeated``: its key was used before."""

    document_id: int | None
    left: int = 0
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Inspect(Command):
    """Units of one record were looked at, once per ``effect_key``. Alone in its batch: see ``core.goods.set_apart``."""

    effect_key: str
    record: Apart = field(hash=False)
    spot: Spot
    findings: Findings
    reason: str

    def effect_keys(self) -> Iterable[str]:
        return (self.effect_key,)

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return {self.record.stocked, *(self.record.stocked._replace(grade=grade) for grade in GRADES)}

    def brings_flawed(self) -> bool:
        return True

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        home, stocked = self._home(books), self.stocked(books)
        return keys_of_goods(books, stocked).union(key for one in stocked for key in keys_at(home, one))

    def decide(self, books: Books) -> Inspected:
        """Raises: KeyReused; Refused when the record has fewer units left."""
        record, found = self.record, self.findings
        content = [record.id, *found]
        if effect := books.effect(self.effect_key, content):
            return Inspected(effect.document_id, repeated=True)
        home, looked_at = self._home(books), sum(found)
        if looked_at < 1 or min(found) < 0:
            raise Refused("say how many units are good, of minor defect, unavailable or scrap; 1 or more in all")
        if looked_at > record.units_left:
            raise Refused(f"only {record.units_left} units of record {record.id} still lie there, not {looked_at}")
        if not self.reason.strip():
            raise Refused("say why: a change of stock without a reason helps nobody later")
        refuse_bundles(books, self.stocked(books))
        refuse_frozen(books, home.bin_id)
        moves: list[Movement] = []
        for grade, units in zip(GRADES, (found.good, found.minor_defect), strict=True):
            moves += flows.release_apart(home, record.stocked, record.stocked._replace(grade=grade), units)
        moves += flows.scrap(home, record.stocked, found.scrap) if found.scrap else []
        document_id = books.post(DocumentKind.INSPECTION, self.effect_key, moves, content=content, reason=self.reason)
        leaves = looked_at - found.unavailable
        takes, stays = ({record.id: n} if n else {} for n in (leaves, found.unavailable))
        books.apart[document_id] = ApartWish(takes, stays, (record.lying,))
        return Inspected(document_id, record.units_left - looked_at)

    def _home(self, books: Books) -> Home:
        return books.home.at(self.spot)


def inspect(
    db: Database, merchant_id: int, record_id: int, findings: Findings, key: str, *, actor: str, reason: str,
    dry_run: bool = False,
) -> Inspected:  # fmt: skip
    """Say what units of a record turned out to be, once per ``key``. Raises: NotFound; KeyReused; Refused."""

    def build(tx: Transaction) -> Command:
        record, spot = find(tx, record_id)
        return Inspect(f"inspection/{record_id}/{key}", record, spot, findings, reason)

    def end(_tx: Transaction, answer: object) -> Inspected:
        if not isinstance(answer, Inspected):
            raise Broken(f"an inspection answered {answer!r}")
        return answer

    return single.do(db, merchant_id, build, end, actor=actor, dry_run=dry_run)


def find(tx: Transaction, record_id: int) -> tuple[Apart, Spot]:
    """A record and where its units lie. Raises: NotFound."""
    row = tx.run(
        f"""SELECT b.warehouse_id, {", ".join(f"a.{name}" for name in Apart._fields)} FROM set_apart a
            JOIN bin b ON b.merchant_id = a.merchant_id AND b.id = a.bin_id
            WHERE a.merchant_id = :merchant_id AND a.id = :id""",
        id=record_id,
    ).one_or_none()
    if row is None:
        raise NotFound(f"nothing was set apart as record {record_id}; `holdfast apart list` shows the records")
    warehouse_id, *values = row
    record = Apart(*values)
    return record, Spot(warehouse_id, record.bin_id)


def returns_wait(tx: Transaction) -> bool:
    """Do goods that come back wait until somebody has looked at them?"""
    return bool(
        tx.run("SELECT inspect_returns FROM inspection_rule WHERE merchant_id = :merchant_id").scalar_one_or_none()
    )


def set_returns_wait(tx: Transaction, wait: bool) -> None:
    tx.run(
        """INSERT INTO inspection_rule VALUES (:merchant_id, :wait)
           ON CONFLICT (merchant_id) DO UPDATE SET inspect_returns = :wait""",
        wait=wait,
    )
