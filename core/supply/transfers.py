"""Transfers between our own warehouses: what is asked for, sent, on its way, and here.

Units on their way stay on sale: who bought them gets them from wherever they are. What is asked for is kept in the
first warehouse as far as it is there, and goods move when they are sent. Whoever changes a transfer holds its row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from core import bulk, numbered, tables
from core.errors import NotFound, Refused
from core.stock import GOOD, GRADES, Stocked
from core.supply import keeping
from core.supply.keeping import Keep
from core.transaction import Transaction

ROW_LOCK = "FOR NO KEY UPDATE"
MOST_UNITS = 1_000_000_000
_LONGEST = 60


class TransferRow(NamedTuple):
    """``from_id``, ``to_id``: warehouses."""

    id: int
    number: str
    from_id: int
    to_id: int
    expected_on: date | None
    note: str
    created_at: datetime
    created_by: str


class TransferLine(NamedTuple):
    """Sale units. ``asked``: without what was closed, see ``keeping.closed``. ``came``: whatever their state, and more
    than were sent, if more came; once more is sent, these count as sent, too.
    """

    id: int
    transfer_id: int
    nth: int
    item_id: int
    grade: str
    asked: int
    sent: int = 0
    came: int = 0
    lost: int = 0

    @property
    def stocked(self) -> Stocked:
        return Stocked(self.item_id, self.grade)

    @property
    def unsent(self) -> int:
        return max(self.asked - self.sent, 0)

    @property
    def on_its_way(self) -> int:
        return max(self.sent - self.came - self.lost, 0)


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer with its lines, in their order; ``skus``: what their items are called, by id."""

    row: TransferRow
    lines: Sequence[TransferLine]
    skus: Mapping[int, str]

    @property
    def state(self) -> str:
        return state_of(self.lines)

    def name(self, line: TransferLine) -> str:
        """What people call the goods of a line."""
        return self.skus[line.item_id] + ("" if line.grade == GOOD else f" ({line.grade})")


def state_of(lines: Iterable[TransferLine]) -> str:
    """asked (nothing was sent), sent (something is on its way), waiting (what was sent is here, more is to be sent),
    done, or cancelled (closed before anything was sent). Pure.
    """
    known = list(lines)
    if any(line.on_its_way for line in known):
        return "sent"
    unsent = any(line.unsent for line in known)
    if not any(line.sent for line in known):
        return "asked" if unsent else "cancelled"
    return "waiting" if unsent else "done"


def ask(
    tx: Transaction,
    number: str,
    warehouses: tuple[int, int],
    wanted: Mapping[Stocked, int],
    *,
    expected_on: date | None = None,
    note: str = "",
) -> int:
    """A new transfer to another warehouse; the first keeps what is there of it. Returns: its id. Raises: Refused."""
    number, (from_id, to_id) = number.strip(), warehouses
    if not number or len(number) > _LONGEST or not number.isprintable():
        raise Refused(f"a transfer's number is one line of at most {_LONGEST} letters, like T-7")
    if from_id == to_id:
        raise Refused("goods are there already; within a warehouse `holdfast bin move` puts them elsewhere")
    if not wanted or any(not 1 <= units <= MOST_UNITS for units in wanted.values()):
        raise Refused(f"say what is to be sent, 1 to {MOST_UNITS:,} units of each item, like MUG-RED=5")
    if any(one.grade not in GRADES for one in wanted):
        raise Refused(f"a grade is {' or '.join(GRADES)}")
    transfer_id = tx.new_id()
    row = TransferRow(transfer_id, number, from_id, to_id, expected_on, note, tx.now, tx.actor)
    bulk.insert_missing(tx, tables.transfer, TransferRow._fields, [row], ["number"])
    known = tx.run("SELECT id FROM transfer WHERE merchant_id = :merchant_id AND number = :number", number=number)
    if known.scalar_one() != transfer_id:
        raise Refused(f"there is a transfer {number} already; `holdfast transfer show {number}` tells of it")
    lines = [
        TransferLine(tx.new_id(), transfer_id, nth, *stocked, units)
        for nth, (stocked, units) in enumerate(wanted.items(), start=1)
    ]
    bulk.insert(tx, tables.transfer_line, TransferLine._fields, lines)
    keeping.keep(tx, Keep(transfer_id, number, from_id, {line.id: (line.stocked, line.asked) for line in lines}))
    return transfer_id


def close(tx: Transaction, number: str) -> bool:
    """Nothing more is to be sent; what is on its way still arrives.

    Returns: False when that was so. Raises: NotFound.
    """
    transfer = locked(tx, number)
    unsent, row = [line for line in transfer.lines if line.unsent], transfer.row
    given = {line.id: (line.stocked, -line.unsent) for line in unsent}
    keeping.keep(tx, Keep(row.id, row.number, row.from_id, given, {line.id: line.unsent for line in unsent}))
    write_lines(tx, [line._replace(asked=line.sent) for line in unsent])
    return bool(unsent)


def find(tx: Transaction, number: str) -> Transfer:
    """As it stands, for who only looks. Raises: NotFound, naming some that are there."""
    return _read(tx, number, "")


def locked(tx: Transaction, number: str) -> Transfer:
    """The same, and nobody else changes it until our transaction ends. Raises: NotFound."""
    return _read(tx, number, ROW_LOCK)


def every(tx: Transaction, *, all_of_them: bool = False) -> list[Transfer]:
    """Transfers that are not done, or all, the newest first."""
    # Two indexes hold only what is under way, so what is done costs nothing.
    under_way = """AND id IN (SELECT transfer_id FROM transfer_line WHERE merchant_id = :merchant_id AND asked > sent
        UNION SELECT transfer_id FROM transfer_line WHERE merchant_id = :merchant_id AND sent > came + lost)"""
    rows = tx.run(
        f"""SELECT {_ROW} FROM transfer WHERE merchant_id = :merchant_id {"" if all_of_them else under_way}
            ORDER BY created_at DESC, id DESC"""
    ).all()
    return _with_lines(tx, [TransferRow(*row) for row in rows])


def write_lines(tx: Transaction, lines: Iterable[TransferLine]) -> None:
    """Lines of a transfer that this transaction has locked."""
    bulk.put(tx, tables.transfer_line, TransferLine._fields, lines, ["id"])


def line_of(transfer: Transfer, stocked: Stocked, name: str) -> TransferLine:
    """Args: name: what the caller calls it. Raises: NotFound."""
    for line in transfer.lines:
        if line.stocked == stocked:
            return line
    number = transfer.row.number
    raise NotFound(f"transfer {number} has no {name}; `holdfast transfer show {number}` tells what it has")


_ROW = ", ".join(TransferRow._fields)
_LINE = ", ".join(f"l.{name}" for name in TransferLine._fields)


def _read(tx: Transaction, number: str, row_lock: str) -> Transfer:
    first = "`holdfast transfer ask` makes one"
    row = numbered.row_of(tx, "transfer", TransferRow._fields, number, row_lock, first)
    (transfer,) = _with_lines(tx, [TransferRow(*row)])
    return transfer


def _with_lines(tx: Transaction, found: Sequence[TransferRow]) -> list[Transfer]:
    rows = tx.run(
        f"""SELECT {_LINE}, i.sku FROM unnest(CAST(:ids AS bigint[])) k (id)
            CROSS JOIN LATERAL (SELECT * FROM transfer_line
                WHERE merchant_id = :merchant_id AND transfer_id = k.id OFFSET 0) l
            CROSS JOIN LATERAL (SELECT sku FROM item WHERE merchant_id = :merchant_id AND id = l.item_id OFFSET 0) i
            ORDER BY l.transfer_id, l.nth""",
        ids=[row.id for row in found],
    )
    lines: dict[int, list[TransferLine]] = {row.id: [] for row in found}
    skus: dict[int, str] = {}
    for *row, sku in rows:
        line = TransferLine(*row)
        lines[line.transfer_id].append(line)
        skus[line.item_id] = sku
    return [Transfer(row, lines[row.id], skus) for row in found]
