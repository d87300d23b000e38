"""Goods leave one of our warehouses for another, arrive there, or are lost on the way."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from core import flows, single
from core.books import Books, key_hash
from core.command import Command, Short
from core.errors import Broken, Refused
from core.goods.receiving import keys_at, keys_of_goods, refuse_frozen
from core.sales.shortage import Loss
from core.stock import At, BalanceKey, Bucket, DocumentKind, Layer, Movement, Spot, Stocked
from core.supply import owed, transfers
from core.supply.owed import Owed
from core.supply.transfers import MOST_UNITS, Transfer, TransferLine
from core.transaction import Database, Transaction


class Arrived(NamedTuple):
    """Units (>= 0) that came: to be sold, and not to be sold."""

    good: int = 0
    damaged: int = 0

    @property
    def units(self) -> int:
        return sum(self)


def among(units: int, damaged: int) -> Arrived:
    """``units`` came, and ``damaged`` ones of these are not to be sold; more than came are refused in their turn."""
    return Arrived(units - damaged, damaged)


@dataclass(frozen=True, slots=True)
class Rest:
    """All that is on its way has come; ``damaged``: so many of it are not to be sold, by line id."""

    damaged: Mapping[int, int] = field(default_factory=dict)

    def of(self, transfer: Transfer) -> Mapping[int, Arrived]:
        """By line id."""
        return {
            line.id: among(line.on_its_way, self.damaged.get(line.id, 0))
            for line in transfer.lines
            if line.on_its_way or line.id in self.damaged
        }

    def said(self) -> object:
        """What the caller said, for who says it twice."""
        return ["all", *sorted(self.damaged.items())] if self.damaged else "all"


@dataclass(frozen=True, slots=True)
class Moved:
    """``document_id``: None when nothing was to be done. ``lines``: those that changed, as they are now.

    ``losses``: who gave units up that do not come. ``extra``: units that came beyond those on their way.
    ``repeated``: its key was used before, and nothing was done again.
    """

    document_id: int | None
    lines: Sequence[TransferLine] = ()
    losses: Sequence[Loss] = ()
    extra: int = 0
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class _OnTransfer(Command):
    """A command on a transfer that nobody else changes meanwhile; once per ``effect_key``.

    ``asked``: what the caller said: repeated with the same key, it must be the same.
    """

    over: ClassVar[str]  # what nothing of it is, when nothing is left to do

    effect_key: str
    transfer: Transfer = field(hash=False)
    asked: object = field(hash=False)

    def effect_keys(self) -> Iterable[str]:
        return (self.effect_key,)

    def moving(self) -> Mapping[int, int]:
        """Units by line."""
        return {}

    def concerned(self) -> Collection[TransferLine]:
        moving = self.moving()
        return [line for line in self.transfer.lines if line.id in moving]

    def stocked(self, _books: Books) -> Collection[Stocked]:
        return {line.stocked for line in self.concerned()}

    def balance_keys(self, books: Books) -> set[BalanceKey]:
        stocked, row = self.stocked(books), self.transfer.row
        ends = {BalanceKey(Layer.DISPATCH, *one, place) for one in stocked for place in (row.from_id, row.to_id)}
        return keys_of_goods(books, stocked) | ends

    def earlier(self, books: Books) -> Moved | None:
        """What this key did before. Raises: KeyReused; Refused when nothing, or too much, is said."""
        if effect := books.effect(self.effect_key, self.asked):
            return Moved(effect.document_id, repeated=True)
        units = self.moving().values()
        if not units:
            number = self.transfer.row.number
            raise Refused(
                f"nothing of transfer {number} {self.over}; `holdfast transfer show {number}` tells what became of it"
            )
        if any(not 1 <= n <= MOST_UNITS for n in units):
            raise Refused(f"say how many units of each item, 1 to {MOST_UNITS:,}")
        return None

    def post(self, books: Books, kind: DocumentKind, moves: list[Movement], reason: str) -> int:
        why = f"{self.transfer.row.number}: {reason}" if reason else self.transfer.row.number
        row_id = self.transfer.row.id
        return books.post(kind, self.effect_key, moves, content=self.asked, order_id=row_id, reason=why)


@dataclass(frozen=True, slots=True)
class SendTransfer(_OnTransfer):
    """Units of lines leave a bin of the first warehouse; they stay on sale while they are on their way."""

    over: ClassVar[str] = "is still to be sent"

    units: Mapping[int, int] = field(hash=False)
    spot: Spot
    reason: str = ""

    def transfer_ids(self) -> Iterable[int]:
        return (self.transfer.row.id,)

    def moving(self) -> Mapping[int, int]:
        return self.units

    def balance_keys(self, books: Books) -> set[BalanceKey]:
        home = books.home.at(self.spot)
        keys = _OnTransfer.balance_keys(self, books)
        return keys.union(key for one in self.stocked(books) for key in keys_at(home, one))

    def decide(self, books: Books) -> Moved:
        """Raises: KeyReused; Refused when fewer stand there, or are locked there; Widen."""
        if earlier := self.earlier(books):
            return earlier
        row, moves, lines = self.transfer.row, list[Movement](), list[TransferLine]()
        if self.spot.warehouse_id != row.from_id:
            raise Refused(f"transfer {row.number} starts in another warehouse; name a bin of that one with --from")
        refuse_frozen(books, self.spot.bin_id)
        for line in self.concerned():
            units = self.units[line.id]
            if units > line.unsent:
                raise Refused(
                    f"{line.unsent} {self.transfer.name(line)} are still to be sent, not {units}; ask for more with "
                    "another transfer"
                )
            # What came beyond what was sent, or was lost and came after all, is here: these units are on their way.
            after = line._replace(sent=max(line.sent, line.came + line.lost) + units)
            moves += self._taken(books, line, units, after.unsent)
            moves += flows.send(self.spot, row.to_id, line.stocked, units)
            lines.append(after)
        return Moved(self.post(books, DocumentKind.TRANSFER, moves, self.reason), lines)

    def _taken(self, books: Books, line: TransferLine, units: int, unsent: int) -> list[Movement]:
        """What was kept for the units leaves with them; of the rest no more is kept than is still ``unsent``."""
        kept = books.kept[line.id]
        stays = min(max(kept.allocated - units, 0), unsent)
        self._require(books, line, units, kept.allocated - stays)
        books.put(books.kept, line.id, kept._replace(allocated=stays))
        return flows.let_go(self.spot.warehouse_id, line.stocked, kept.allocated - stays)

    def _require(self, books: Books, line: TransferLine, units: int, kept: int) -> None:
        in_bin = books.units(Layer.WAREHOUSE, line.stocked, At(self.spot.bin_id, Bucket.AVAILABLE))
        available = kept + books.units(Layer.DISPATCH, line.stocked, At(self.spot.warehouse_id, Bucket.AVAILABLE))
        if units > in_bin:
            raise Refused(
                f"only {in_bin} {self.transfer.name(line)} stand in that bin, not {units}; `holdfast bin list` tells "
                "what stands where, and --from names another bin"
            )
        if units > available:
            raise Refused(
                f"only {available} {self.transfer.name(line)} may leave that warehouse, not {units}; the others are "
                "locked or to be sent there: `holdfast lock list` and `holdfast fulfil list` show for whom"
            )


@dataclass(frozen=True, slots=True)
class ReceiveTransfer(_OnTransfer):
    """Units of lines are in the second warehouse; what came damaged and was promised makes its buyers wait."""

    over: ClassVar[str] = "is on its way"

    came: Mapping[int, Arrived] = field(hash=False)
    spot: Spot
    reason: str = ""

    def moving(self) -> Mapping[int, int]:
        return {line_id: one.units for line_id, one in self.came.items()}

    def balance_keys(self, books: Books) -> set[BalanceKey]:
        home = books.home.at(self.spot)
        keys = _OnTransfer.balance_keys(self, books)
        return keys.union(key for one in self.stocked(books) for key in keys_at(home, one))

    def short(self, books: Books) -> Short:
        if key_hash(self.effect_key) in books.known_effects:
            return {}
        return owed.short(books, {line.stocked: self._broken(line) for line in self.concerned()})

    def _on_time(self, line: TransferLine) -> int:
        """Good units that were on their way."""
        return min(self.came[line.id].good, line.on_its_way)

    def _broken(self, line: TransferLine) -> int:
        """Damaged units that were on their way."""
        return min(self.came[line.id].damaged, line.on_its_way - self._on_time(line))

    def decide(self, books: Books) -> Moved:
        """Raises: KeyReused; Refused; Widen."""
        if earlier := self.earlier(books):
            return earlier
        row, home, moves = self.transfer.row, books.home.at(self.spot), list[Movement]()
        if not any(line.sent for line in self.transfer.lines):
            raise Refused(f"nothing of transfer {row.number} was sent; `holdfast transfer send {row.number}` does that")
        for one in self.came.values():
            if one.good < 0:
                raise Refused(
                    f"{one.damaged} of {one.units} units cannot be damaged; count them among the units that came"
                )
        refuse_frozen(books, home.bin_id)
        shortage = Owed(books, False, f"units of transfer {row.number} came damaged")
        for line in self.concerned():
            came, good, broken = self.came[line.id], self._on_time(line), self._broken(line)
            moves += flows.arrive(home, row.to_id, line.stocked, good, counted=True)
            moves += flows.arrive_damaged(home, row.to_id, line.stocked, broken, counted=True)
            moves += flows.come_in(home, line.stocked, came.good - good) if came.good > good else []
            more = came.damaged - broken
            moves += flows.come_in_unsellable(home, line.stocked, more) if more else []
            moves += shortage.of(line.stocked, broken)
        document_id = self.post(books, DocumentKind.RECEIPT, moves, self.reason)
        lines = [line._replace(came=line.came + self.came[line.id].units) for line in self.concerned()]
        extra = sum(max(self.came[line.id].units - line.on_its_way, 0) for line in self.concerned())
        return Moved(document_id, lines, shortage.losses, extra)


@dataclass(frozen=True, slots=True)
class LoseTransfer(_OnTransfer):
    """Units of lines never arrive: who was promised them waits again, the newest first."""

    over: ClassVar[str] = "is on its way"

    units: Mapping[int, int] = field(hash=False)
    reason: str

    def moving(self) -> Mapping[int, int]:
        return self.units

    def short(self, books: Books) -> Short:
        if key_hash(self.effect_key) in books.known_effects:
            return {}
        return owed.short(books, {line.stocked: self.units[line.id] for line in self.concerned()})

    def decide(self, books: Books) -> Moved:
        """Raises: KeyReused; Refused for more than are on their way; Widen."""
        if earlier := self.earlier(books):
            return earlier
        if not self.reason.strip():
            raise Refused("say why: goods that are lost without a reason help nobody later")
        row, moves = self.transfer.row, list[Movement]()
        shortage = Owed(books, False, f"units of transfer {row.number} were lost on their way ({self.reason})")
        for line in self.concerned():
            units = self.units[line.id]
            if units > line.on_its_way:
                raise Refused(
                    f"{line.on_its_way} {self.transfer.name(line)} are on their way, so {units} cannot be lost; say as "
                    "many or fewer"
                )
            moves += flows.come_no_more(row.to_id, line.stocked, units, counted=True)
            moves += shortage.of(line.stocked, units)
        document_id = self.post(books, DocumentKind.LOST, moves, self.reason)
        lines = [line._replace(lost=line.lost + self.units[line.id]) for line in self.concerned()]
        return Moved(document_id, lines, shortage.losses)


def send(
    db: Database, merchant_id: int, number: str, units: Mapping[int, int] | None, spot: Spot, key: str, *, actor: str,
    reason: str = "", dry_run: bool = False,
) -> Moved:  # fmt: skip
    """Send units by line id, or with None all that is still to be sent; once per ``key``.

    Raises: Refused; KeyReused; NotFound.
    """

    def build(transfer: Transfer) -> _OnTransfer:
        sent = {line.id: line.unsent for line in transfer.lines if line.unsent} if units is None else units
        return SendTransfer(
            f"transfer/{transfer.row.id}/send/{key}", transfer, [_said(units), spot], sent, spot, reason
        )

    return _act(db, merchant_id, number, build, actor=actor, dry_run=dry_run)


def receive(
    db: Database, merchant_id: int, number: str, came: Mapping[int, Arrived] | Rest | None, spot: Spot, key: str, *,
    actor: str, reason: str = "", dry_run: bool = False,
) -> Moved:  # fmt: skip
    """Book in units by line id, or (None: none of it damaged) all that is on its way; once per ``key``.

    Raises: as ``send``.
    """
    what = Rest() if came is None else came

    def build(transfer: Transfer) -> _OnTransfer:
        arrived = what.of(transfer) if isinstance(what, Rest) else what
        said = what.said() if isinstance(what, Rest) else sorted((line_id, *one) for line_id, one in what.items())
        effect_key = f"transfer/{transfer.row.id}/receipt/{key}"
        return ReceiveTransfer(effect_key, transfer, [said, spot], arrived, spot, reason)

    return _act(db, merchant_id, number, build, actor=actor, dry_run=dry_run)


def lose(
    db: Database, merchant_id: int, number: str, units: Mapping[int, int] | None, key: str, *, actor: str, reason: str,
    dry_run: bool = False,
) -> Moved:  # fmt: skip
    """Give up units by line id, or with None all that is on its way; once per ``key``. Raises: as ``send``."""

    def build(transfer: Transfer) -> _OnTransfer:
        lost = {line.id: line.on_its_way for line in transfer.lines if line.on_its_way} if units is None else units
        return LoseTransfer(f"transfer/{transfer.row.id}/lost/{key}", transfer, [_said(units)], lost, reason)

    return _act(db, merchant_id, number, build, actor=actor, dry_run=dry_run)


def _said(units: Mapping[int, int] | None) -> object:
    return "all" if units is None else sorted(units.items())


def _act(
    db: Database, merchant_id: int, number: str, build: Callable[[Transfer], Command], *, actor: str, dry_run: bool
) -> Moved:
    def made(tx: Transaction) -> Command:
        return build(transfers.locked(tx, number))

    def end(tx: Transaction, answer: object) -> Moved:
        if not isinstance(answer, Moved):
            raise Broken(f"an act on a transfer answered {answer!r}")
        transfers.write_lines(tx, answer.lines)
        return answer

    return single.do(db, merchant_id, made, end, actor=actor, dry_run=dry_run)
