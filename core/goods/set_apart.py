"""Why units are unavailable: a record for each act that set some apart, kept in step with the bucket by the ledger.

What leaves a bin's unavailable units leaves the records that it names, else those set apart first. A record knows how
many of its units still lie there, and each exit from it is kept with its document. Whoever changes records holds the
balance row of their bin.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from core import bulk, tables
from core.books import Books
from core.errors import Refused
from core.pipe import Runner
from core.rows import ApartWish
from core.stock import Bucket, DocumentKind, Layer, Movement, Stocked

_UNAVAILABLE, _WAREHOUSE = Bucket.UNAVAILABLE, Layer.WAREHOUSE


class Lying(NamedTuple):
    """Where units lie: one item in one grade in one bin."""

    item_id: int
    grade: str
    bin_id: int


class Apart(NamedTuple):
    """``units`` that were set apart together, of which ``units_left`` still lie there.

    ``cause``: the kind of document that set them apart first, also when they were moved to another bin since.
    ``to_inspect``: they came back, and nobody has looked at them yet. ``since``: when they were set apart first.
    """

    id: int
    bin_id: int
    item_id: int
    grade: str
    units: int
    units_left: int
    cause: str
    to_inspect: bool
    reason: str
    since: datetime
    document_id: int | None

    @property
    def stocked(self) -> Stocked:
        return Stocked(self.item_id, self.grade)

    @property
    def lying(self) -> Lying:
        return Lying(self.item_id, self.grade, self.bin_id)


class Told(NamedTuple):
    """A document as records need to know it."""

    id: int
    kind: DocumentKind
    reason: str
    corrects_id: int | None = None


@dataclass(slots=True)
class Records:
    """The records of some bins, changed in memory.

    ``left_with``: by document that is corrected, the records that its units left, and how many. ``exits``: units by
    record and document.
    """

    rows: dict[int, Apart]
    now: datetime
    new_id: Callable[[], int]
    left_with: Mapping[int, Sequence[tuple[Apart, int]]] = field(default_factory=dict)
    exits: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))

    def take(self, document: Told, lying: Lying, units: int, named: Mapping[int, int]) -> list[tuple[Apart, int]]:
        """Take units out of named records of this place, then out of those made by what the document corrects, the rest
        out of those set apart first. Returns: from which.
        """
        there = sorted(
            (row for row in self.rows.values() if row.lying == lying and row.units_left),
            key=lambda row: (
                row.id not in named,
                document.corrects_id is None or row.document_id != document.corrects_id,
                row.since,
                row.id,
            ),
        )
        taken: list[tuple[Apart, int]] = []
        for row in there:
            n = min(units, row.units_left, named.get(row.id, units))
            if n:
                taken.append((row, n))
                self._leave(document, row, n)
                units -= n
        return taken

    def require(self, wish: ApartWish) -> None:
        """Raises: Refused when a record that a document names has fewer units left by now."""
        for record_id in {**wish.takes, **wish.stays}:
            wanted = wish.takes.get(record_id, 0) + wish.stays.get(record_id, 0)
            left = self.rows[record_id].units_left if record_id in self.rows else 0
            if wanted > left:
                raise Refused(
                    f"only {left} units of record {record_id} still lie there, not {wanted}; `holdfast apart "
                    "list` tells what does"
                )

    def _leave(self, document: Told, row: Apart, units: int) -> None:
        self.rows[row.id] = row._replace(units_left=row.units_left - units)
        self.exits[row.id, document.id] += units

    def add(self, document: Told, lying: Lying, units: int, *, to_inspect: bool) -> None:
        """Units are set apart by this document."""
        record_id = self.new_id()
        self.rows[record_id] = Apart(
            record_id, lying.bin_id, lying.item_id, lying.grade, units, units, str(document.kind), to_inspect,
            document.reason, self.now, document.id,
        )  # fmt: skip

    def come_back(self, document: Told, lying: Lying, units: int) -> int:
        """Units that left with the document that this one corrects lie there again, for their old reasons.

        Returns: how many.
        """
        back: list[tuple[Apart, int]] = []
        for row, left in self.left_with.get(document.corrects_id or 0, ()):
            n = min(units - sum(n for _, n in back), left)
            if row.lying == lying and n:
                back.append((row, n))
        self.move(document, lying, back)
        return sum(n for _, n in back)

    def move(self, document: Told, to: Lying, parts: Iterable[tuple[Apart, int]]) -> None:
        """The same units lie elsewhere now, for the same reason."""
        for row, units in parts:
            record_id = self.new_id()
            self.rows[record_id] = row._replace(
                id=record_id, bin_id=to.bin_id, item_id=to.item_id, grade=to.grade, units=units, units_left=units,
                document_id=document.id,
            )  # fmt: skip

    def stay(self, document: Told, record_id: int, units: int) -> None:
        """Units were looked at, and stay where they lie."""
        row = self.rows[record_id]
        self._leave(document, row, units)
        new_id = self.new_id()
        self.rows[new_id] = row._replace(
            id=new_id, units=units, units_left=units, to_inspect=False, reason=document.reason or row.reason,
            document_id=document.id,
        )  # fmt: skip


def concerned(movements: Iterable[tuple[int, int, Movement]]) -> list[tuple[int, Movement]]:
    """Movements that set units apart in a bin or take such away, each with its document's id."""
    return [
        (document_id, move)
        for document_id, _, move in movements
        if (move[2][1] is _UNAVAILABLE or move[3][1] is _UNAVAILABLE) and move[1] is _WAREHOUSE
    ]


def change(
    records: Records,
    documents: Mapping[int, Told],
    moves: Sequence[tuple[int, Movement]],
    wishes: Mapping[int, ApartWish],
) -> None:
    """Bring records in step with movements, document by document."""
    by_document: dict[int, list[Movement]] = defaultdict(list)
    for document_id, move in moves:
        by_document[document_id].append(move)
    for document_id in dict.fromkeys([*by_document, *wishes]):
        if document_id not in documents:
            continue  # the command that wished it was refused
        document, wish = documents[document_id], wishes.get(document_id, ApartWish())
        records.require(wish)
        turned: _Turned = {}
        for move in by_document[document_id]:
            _follow(records, document, move, wish, turned)
        for record_id, units in wish.stays.items():
            records.stay(document, record_id, units)


# What a merge took out of one item, by grade and bin: it brings the same units into the other there.
_Turned = dict[tuple[str, int], list[tuple[Apart, int]]]


def _follow(records: Records, document: Told, move: Movement, wish: ApartWish, turned: _Turned) -> None:
    from_, to = (
        Lying(*move.stocked, end.place_id) if end.bucket is _UNAVAILABLE and end.place_id is not None else None
        for end in (move.from_, move.to)
    )
    taken = records.take(document, from_, move.quantity, wish.takes) if from_ is not None else []
    if to is None:
        if from_ is not None and document.kind is DocumentKind.MERGE:
            turned[from_.grade, from_.bin_id] = taken
        return
    if from_ is None and document.kind is DocumentKind.MERGE:
        taken, from_ = turned.pop((to.grade, to.bin_id)), to
    if from_ is not None:
        records.move(document, to, taken)
        return
    back = records.come_back(document, to, move.quantity)
    if move.quantity > back:
        records.add(document, to, move.quantity - back, to_inspect=wish.inspect)


def keep(sent: Runner, books: Books) -> None:
    """Bring the records in step with what a batch has posted and not written yet; for ``core.writing`` alone.

    Raises: Refused when a record that a command names has fewer units left: it must be alone in its batch.
    """
    moves = concerned(books.movements)
    if not moves and not books.apart:
        return
    documents = {row.id: Told(row.id, row.kind, row.reason, row.corrects_id) for row in books.documents}
    ends = [(move.stocked, end) for _, move in moves for end in (move.from_, move.to)]
    places = {Lying(*one, end.place_id) for one, end in ends if end.place_id is not None}
    places.update(Lying(*at) for wish in books.apart.values() for at in wish.at)
    before = {row.id: row for row in read(sent, places)}
    corrected = {document.corrects_id for document_id, _ in moves if (document := documents[document_id]).corrects_id}
    records = Records(dict(before), books.now, books.new_id, _left_with(sent, corrected) if corrected else {})
    change(records, documents, moves, books.apart)
    _write(sent, records, before)
    books.apart.clear()


def read(sent: Runner, places: Iterable[Lying]) -> list[Apart]:
    """Records with units left in these places."""
    known = sorted(set(places))
    rows = sent.run(
        f"""SELECT {", ".join(f"a.{name}" for name in Apart._fields)}
            FROM unnest(CAST(:items AS bigint[]), CAST(:grades AS text[]), CAST(:bins AS bigint[]))
                k (item_id, grade, bin_id)
            CROSS JOIN LATERAL (SELECT * FROM set_apart WHERE merchant_id = :merchant_id AND item_id = k.item_id
                AND grade = k.grade AND bin_id = k.bin_id AND units_left > 0 OFFSET 0) a""",
        items=[one.item_id for one in known],
        grades=[one.grade for one in known],
        bins=[one.bin_id for one in known],
    ).fetchall()
    return [Apart(*row) for row in rows]


def _left_with(sent: Runner, document_ids: Iterable[int | None]) -> dict[int, list[tuple[Apart, int]]]:
    """Which records units of these documents left, and how many."""
    rows = sent.run(
        f"""SELECT e.document_id, e.units, {", ".join(f"a.{name}" for name in Apart._fields)}
            FROM unnest(CAST(:ids AS bigint[])) k (id)
            CROSS JOIN LATERAL (SELECT * FROM set_apart_exit
                WHERE merchant_id = :merchant_id AND document_id = k.id OFFSET 0) e
            CROSS JOIN LATERAL (SELECT * FROM set_apart
                WHERE merchant_id = :merchant_id AND id = e.set_apart_id OFFSET 0) a
            ORDER BY a.since, a.id""",
        ids=list(document_ids),
    ).fetchall()
    found: dict[int, list[tuple[Apart, int]]] = defaultdict(list)
    for document_id, units, *row in rows:
        found[document_id].append((Apart(*row), units))
    return found


def _write(sent: Runner, records: Records, before: Mapping[int, Apart]) -> None:
    """Records that are new or not as they were, and the exits from them."""
    changed = [row for row in records.rows.values() if before.get(row.id) != row]
    bulk.put(sent, tables.set_apart, Apart._fields, changed, ["id"])
    bulk.insert(
        sent, tables.set_apart_exit, ("set_apart_id", "document_id", "units"),
        [(*key, units) for key, units in records.exits.items()],
    )  # fmt: skip
