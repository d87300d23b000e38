"""Numbers of single items, each with a place of its own in the sender's order: booked once, or known to be late."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from core import bulk, tables
from core.errors import Broken, Refused
from core.mirror import known, messages, naming, posting, refusals, sources
from core.mirror.known import Known, Outcome
from core.mirror.messages import BadRows, Line, Problem, Stamp
from core.mirror.naming import Told
from core.mirror.shelf import EFFECTS, Cell, Mirror, Since, bins_of, broken
from core.mirror.sources import Source
from core.transaction import Database, Transaction


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one message.

    ``change``: units that the shelf has more or fewer. ``waits``: promised units among them that wait again.
    ``repeated``: it was told before, and nothing was done again. ``why``: of what was refused.
    """

    row: int
    sku: str
    outcome: Outcome
    change: int = 0
    document_id: int | None = None
    waits: int = 0
    repeated: bool = False
    why: str = ""


def tell(
    db: Database,
    merchant_id: int,
    name: str,
    rows: Sequence[tuple[int, object]],
    *,
    actor: str,
    best_effort: bool = False,
    dry_run: bool = False,
) -> list[Answer]:
    """Book numbers of items, or with ``dry_run`` find out what would come of each by itself.

    Args: rows: with their numbers; fields by name, as in ``messages.FIELDS``. best_effort: book what can be booked, and
          answer for the others; else rows that cannot be used are all told, and nothing is booked.
    Raises: BadRows; NotFound for the source.
    """
    told, problems = _read(db, merchant_id, name, rows, actor=actor)
    if problems and not dry_run:
        with db.begin(merchant_id, actor=actor) as tx:
            named = {one.subject or f"row {one.row}": one.why for one in problems[: refusals.MOST_KEPT]}
            refusals.note(tx, sources.find(tx, name), named)
    if problems and not best_effort:
        raise BadRows(problems)
    answers = [Answer(one.row, one.subject, Outcome.REFUSED, why=one.why) for one in problems]
    for part in _parts(told):
        one = _Part(name, part)
        answers += posting.post(db, merchant_id, one.build, one.end, actor=actor, dry_run=dry_run)
    return sorted(answers, key=lambda answer: answer.row)


def _read(
    db: Database, merchant_id: int, name: str, rows: Sequence[tuple[int, object]], *, actor: str
) -> tuple[list[Told], list[Problem]]:
    if len(rows) > messages.MOST_ROWS:
        raise Refused(f"{len(rows):,} rows are too many; send up to {messages.MOST_ROWS:,} at a time")
    with db.begin(merchant_id, actor=actor) as tx:
        source = sources.find(tx, name)
        read = (messages.read_line(row, said, tx.now, by_time=source.by_time, stamped=True) for row, said in rows)
        lines, problems = messages.sort_out(read)
        told, more = naming.resolve(tx, source, lines)
    return told, [*problems, *more]


def _parts(told: Iterable[Told]) -> Iterator[list[Told]]:
    """Parts that name no cell and no message twice; what is named again stands in a later one."""
    turns: list[list[Told]] = []
    seen: dict[object, int] = {}
    for one in told:
        names = (one.cell, _key(one.line, one.cell))
        turn = max(seen.get(name, 0) for name in names)
        seen.update(dict.fromkeys(names, turn + 1))
        if turn == len(turns):
            turns.append([])
        turns[turn].append(one)
    for same in turns:
        yield from (same[n : n + posting.AT_ONCE] for n in range(0, len(same), posting.AT_ONCE))


def _key(line: Line, cell: Cell) -> str:
    """What a message is known by: its own id, or its place in the order with what it is about."""
    stamp = _stamp(line)
    return f"id/{stamp.key}" if stamp.key else f"at/{stamp.version}/{cell.item_id}/{cell.grade}/{cell.bin_id}"


def _stamp(line: Line) -> Stamp:
    if line.stamp is None:
        raise Broken(f"row {line.row} was read without its place in the order")
    return line.stamp


class _Message(NamedTuple):
    """A row of its table."""

    source_id: int
    key: str
    item_id: int
    grade: str
    bin_id: int
    version: int
    units: int
    received_at: datetime
    actor: str
    outcome: str
    change: int
    document_id: int | None

    @property
    def content(self) -> tuple[object, ...]:
        return (self.item_id, self.grade, self.bin_id, self.version, self.units)


@dataclass(slots=True)
class _Part:
    """Messages of one transaction; what it knows of them is found anew with each try."""

    name: str
    told: Sequence[Told]
    _source: Source | None = None
    _mine: dict[str, tuple[Told, _Message]] = field(default_factory=dict)  # not told before, by key
    _open: list[str] = field(default_factory=list)  # keys of those that are to be booked
    _answers: dict[str, Answer] = field(default_factory=dict)

    def build(self, tx: Transaction) -> list[Mirror]:
        source = self._source = sources.find(tx, self.name, row_lock="FOR SHARE")
        rows = self._claim(tx, source)
        self._mine, self._answers, self._open = {}, {}, []
        for one in self.told:
            key = _key(one.line, one.cell)
            row = _new(tx, source, one)
            if (earlier := rows[key]).outcome:
                self._answers[key] = _again(one, row, earlier, source)
            else:
                self._mine[key] = (one, row)
        cells = known.lock(tx, source, [one.cell for one, _ in self._mine.values()])
        since = Since(bins_of(tx, source.warehouse_id))
        return [mirror for key in self._mine if (mirror := self._judge(tx, source, key, cells, since))]

    def _judge(
        self, tx: Transaction, source: Source, key: str, cells: Mapping[Cell, Known], since: Since
    ) -> Mirror | None:
        """The command that books the message; None when there is nothing to book."""
        (line, cell), row = self._mine[key]
        outcome = known.judge(row.version, row.units, cells[cell], source.covered)
        as_of = _stamp(line).as_of or tx.now
        why = _told_otherwise(source, row.version) if outcome is Outcome.REFUSED else ""
        if outcome is Outcome.OPEN and (why := messages.too_old(as_of, tx.now)):
            outcome = Outcome.REFUSED
        # The message's own row says that it was not booked before; its source may have used its key in an older order.
        if outcome is Outcome.OPEN:
            self._open.append(key)
            spot = next((one for one in since.bins if one.bin_id == cell.bin_id), since.bins[0])
            reason = f"{source.name} counted {row.units}, {'at' if source.by_time else 'version'} "
            return Mirror(
                f"{EFFECTS}{source.id}/item/{tx.new_id()}/{key}", cell, row.units, as_of, spot, since,
                reason + source.told(row.version),
            )  # fmt: skip
        self._answers[key] = Answer(line.row, line.sku, outcome, repeated=outcome is Outcome.SAME, why=why)
        return None

    def end(self, tx: Transaction, done: Sequence[Any]) -> list[Answer]:
        source = self._source
        if source is None:
            raise Broken("messages were booked before they were read")
        newest: dict[Cell, tuple[Known, datetime]] = {}
        for key, result in zip(self._open, done, strict=True):
            (line, cell), row = self._mine[key]
            if isinstance(result, Refused):
                self._answers[key] = Answer(line.row, line.sku, Outcome.REFUSED, why=str(result))
                continue
            outcome = Outcome.BOOKED if result.change else Outcome.SAME
            waits = broken([result])
            self._answers[key] = Answer(line.row, line.sku, outcome, result.change, result.document_id, waits)
            newest[cell] = (Known(row.version, row.units), _stamp(line).as_of or tx.now)
        known.write(tx, source, newest)
        self._keep(tx, source)
        return list(self._answers.values())

    def _claim(self, tx: Transaction, source: Source) -> dict[str, _Message]:
        """Rows of all messages by key; ours are new and have no outcome yet. Who sends the same waits for us here."""
        new = sorted((_new(tx, source, one) for one in self.told), key=lambda row: row.key)
        bulk.insert_missing(tx, tables.mirror_message, _Message._fields, new, ["source_id", "key"])
        rows = tx.run(
            f"""SELECT {", ".join(f"m.{name}" for name in _Message._fields)} FROM unnest(CAST(:keys AS text[])) k (key)
                CROSS JOIN LATERAL (SELECT * FROM mirror_message WHERE merchant_id = :merchant_id
                    AND source_id = :source_id AND key = k.key OFFSET 0) m""",
            source_id=source.id, keys=[row.key for row in new],
        )  # fmt: skip
        return {row.key: _Message(*row) for row in rows}

    def _keep(self, tx: Transaction, source: Source) -> None:
        """Messages with what became of them. What was refused may come again when its cause is mended."""
        kept = [
            row._replace(outcome=answer.outcome, change=answer.change, document_id=answer.document_id)
            for key, (_, row) in self._mine.items()
            if (answer := self._answers[key]).outcome is not Outcome.REFUSED
        ]
        bulk.put(tx, tables.mirror_message, _Message._fields, sorted(kept), ["source_id", "key"])
        if unkept := sorted(self._mine.keys() - {row.key for row in kept}):
            tx.run(
                """DELETE FROM mirror_message WHERE merchant_id = :merchant_id AND source_id = :source_id
                   AND key = ANY (CAST(:keys AS text[])) AND outcome = ''""",
                source_id=source.id, keys=unkept,
            )  # fmt: skip
        refused = [answer for answer in self._answers.values() if answer.outcome is Outcome.REFUSED]
        refusals.note(tx, source, {answer.sku: answer.why for answer in refused})
        refusals.mended(tx, source, (self._mine[row.key][0].line.sku for row in kept))


def _new(tx: Transaction, source: Source, one: Told) -> _Message:
    (line, cell), stamp = one, _stamp(one.line)
    return _Message(
        source.id, _key(line, cell), *cell, stamp.version, line.units, tx.now, tx.actor, "", 0, None
    )  # fmt: skip


def _again(one: Told, row: _Message, earlier: _Message, source: Source) -> Answer:
    """What a message that was told before is answered."""
    if earlier.content == row.content:
        return Answer(
            one.line.row, one.line.sku, Outcome(earlier.outcome), earlier.change, earlier.document_id, repeated=True
        )
    stamp = _stamp(one.line)
    reused = f"a message {stamp.key} came before with other content; give this one an id of its own"
    why = reused if stamp.key else _told_otherwise(source, row.version)
    return Answer(one.line.row, one.line.sku, Outcome.REFUSED, why=why)


def _told_otherwise(source: Source, version: int) -> str:
    order = "time" if source.by_time else "version"
    told = f"{order} {source.told(version)}"
    return f"another number was told under {told} before; a corrected count needs a newer {order}"
