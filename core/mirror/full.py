"""Full batches: all numbers of a source at one version or time. Beyond the source's bounds a person decides first."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.books import content_hash
from core.errors import Broken, Refused
from core.mirror import batches, difference, known, messages, naming, posting, refusals, sources
from core.mirror.batches import ACCEPTED, DONE, HELD, REJECTED, BatchRow, ItemRow
from core.mirror.difference import Counted, Difference, Looked
from core.mirror.known import Known, Outcome
from core.mirror.messages import BadRows, Problem, Stamp
from core.mirror.naming import Told
from core.mirror.shelf import EFFECTS, Mirror, Since, bins_of, broken
from core.mirror.sources import Source
from core.transaction import Database, Transaction

_LISTED = 20  # items named in a refusal


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch after it was told, approved or tried out.

    ``difference``: what it changes, by the shelf as it stood; None where it was told before. ``left_out``: rows that
    could not be used. ``waits``: promised units that wait again because of what was booked now.
    """

    row: BatchRow
    difference: Difference | None = None
    left_out: Sequence[Problem] = ()
    waits: int = 0
    repeated: bool = False
    looked: Sequence[Looked] = ()


def tell(
    db: Database,
    merchant_id: int,
    name: str,
    said: Mapping[str, object],
    rows: Sequence[tuple[int, object]],
    *,
    actor: str,
    best_effort: bool = False,
    dry_run: bool = False,
) -> Batch:
    """Book a full batch, or keep it for a person if it would change more than its source may.

    Args: said: version or time, as_of and id of the batch. rows: as for ``telling.tell``. best_effort: leave out rows
          that cannot be used; else they are all told, and nothing is booked.
    Raises: BadRows; Refused when the same key or version came with other content; NotFound for the source.
    """
    stamp, told, problems = _read(db, merchant_id, name, said, rows, actor=actor)
    try:
        if not told:
            problems = problems or [Problem(0, "", "a full batch names the items that there are; this one names none")]
        stops = problems and not (best_effort and told and _may_be_left_out(db, merchant_id, name, problems))
        if wrong := [*(problems if stops else ()), *naming.twice(told)]:
            raise BadRows(sorted(wrong))
        with db.begin(merchant_id, actor=actor) as tx:
            batch = _take(tx, sources.find(tx, name, row_lock="FOR UPDATE"), stamp, told, problems)
            if dry_run:
                tx.connection.rollback()
    except Refused as refusal:
        if not dry_run:
            with db.begin(merchant_id, actor=actor) as tx:
                refusals.note(tx, sources.find(tx, name), {f"batch {_key(stamp)}": str(refusal)})
        raise
    return batch if dry_run else _finished(db, batch, merchant_id, actor=actor)


def approve(db: Database, merchant_id: int, batch_id: int, why: str, *, actor: str) -> Batch:
    """Book a batch that waits, as the shelf stands now. Raises: NotFound; Refused when it does not wait any more."""
    with db.begin(merchant_id, actor=actor) as tx:
        source, row = _waiting(tx, batch_id)
        _require_young(tx, row)
        counted = [Counted(one.cell, one.units) for one in batches.items(tx, row.id) if one.named]
        row = row._replace(why=why or row.why, decided_at=tx.now, decided_by=tx.actor)
        looked = _look(tx, source, row, counted)
        batch = _accept(tx, source, row, looked)
    return _finished(db, batch, merchant_id, actor=actor)


def reject(db: Database, merchant_id: int, batch_id: int, why: str, *, actor: str) -> BatchRow:
    """Never book a batch that waits; its report is kept. Raises: as ``approve``."""
    with db.begin(merchant_id, actor=actor) as tx:
        _, row = _waiting(tx, batch_id)
        row = row._replace(state=REJECTED, why=why or row.why, decided_at=tx.now, decided_by=tx.actor, ended_at=tx.now)
        batches.write(tx, row)
        batches.forget_same(tx, row.id)
    return row


def resume(db: Database, merchant_id: int, batch_id: int, *, actor: str) -> Batch:
    """Book what is left of a batch whose booking was cut short. Raises: NotFound."""
    with db.begin(merchant_id, actor=actor) as tx:
        row = batches.find(tx, batch_id)
    return _finished(db, Batch(row, repeated=True), merchant_id, actor=actor)


# ---- taking a batch in


def _read(
    db: Database, merchant_id: int, name: str, said: Mapping[str, object], rows: Sequence[tuple[int, object]], *,
    actor: str,
) -> tuple[Stamp, list[Told], list[Problem]]:  # fmt: skip
    if len(rows) > messages.MOST_ROWS:
        raise Refused(f"{len(rows):,} rows are too many; a batch names up to {messages.MOST_ROWS:,}")
    with db.begin(merchant_id, actor=actor) as tx:
        source = sources.find(tx, name)
        try:
            stamp = messages.read_stamp(said, tx.now, by_time=source.by_time)
        except Refused as refusal:
            raise BadRows([Problem(0, "", str(refusal))]) from refusal
        read = (messages.read_line(row, one, tx.now, by_time=source.by_time, stamped=False) for row, one in rows)
        lines, problems = messages.sort_out(read)
        told, more = naming.resolve(tx, source, lines)
    return stamp, told, sorted([*problems, *more])


def _may_be_left_out(db: Database, merchant_id: int, name: str, problems: Sequence[Problem]) -> bool:
    """Where what is not named counts as 0, only rows of what is no item of ours may be left out."""
    with db.begin(merchant_id, actor="mirror") as tx:
        zeroes = sources.find(tx, name).zero_missing
    return not zeroes or all(problem.why == naming.UNKNOWN for problem in problems)


def _key(stamp: Stamp) -> str:
    return f"id/{stamp.key}" if stamp.key else f"at/{stamp.version}"


def _take(tx: Transaction, source: Source, stamp: Stamp, told: Sequence[Told], problems: Sequence[Problem]) -> Batch:
    """Raises: Refused when its key, or its version, came with other content."""
    counted = sorted(Counted(one.cell, one.line.units) for one in told)
    hashed = content_hash([stamp.version, [(*one.cell, one.units) for one in counted]])
    earlier = batches.by_key(tx, source, _key(stamp))
    if earlier is not None:
        if earlier.content_hash != hashed:
            name = f"id {stamp.key}" if stamp.key else f"version {source.told(stamp.version)}"
            raise Refused(f"a batch with {name} came before with other content; a corrected one needs a newer one")
        return Batch(earlier, left_out=problems, repeated=True)
    row = BatchRow(
        tx.new_id(), source.id, _key(stamp), hashed, stamp.version, stamp.as_of or tx.now, source.zero_missing, tx.now,
        tx.actor, ACCEPTED, "", None, None, None, 0, 0, 0,
    )  # fmt: skip
    _require_young(tx, row)
    looked = _look(tx, source, row, counted)
    _require_order(tx, source, row, looked)
    found = difference.summed(looked)
    if why := difference.too_much(source, found) or _leaves_nothing(tx, source, row, looked):
        row = row._replace(state=HELD, why=why, named=found.named, unnamed=found.unnamed, same=found.same)
        batches.write(tx, row)
        batches.put_items(tx, row.id, looked)
        return Batch(row, found, problems, looked=looked)
    batch = _accept(tx, source, row, looked)
    return Batch(batch.row, found, problems, looked=looked)


def _look(tx: Transaction, source: Source, row: BatchRow, counted: Sequence[Counted]) -> list[Looked]:
    bins = [spot.bin_id for spot in bins_of(tx, source.warehouse_id)]
    zeros = difference.unnamed(tx, source, bins, (one.cell for one in counted)) if row.zero_missing else []
    return difference.look(tx, source, bins, (row.version, row.as_of), [*counted, *sorted(zeros)])


def _leaves_nothing(tx: Transaction, source: Source, row: BatchRow, looked: Sequence[Looked]) -> str:
    """Why a person looks at a batch first that leaves nothing in the warehouse, however few units stand there.

    Empty when it leaves some, when one item that nobody was promised runs out, and where the shares are not asked.
    """
    gone = difference.emptied(looked) if row.zero_missing and source.most_percent is not None else ()
    items = {one.cell.item_id for one in gone}
    if len(items) < 2 and not (items and _are_promised(tx, items)):
        return ""
    units = sum(one.shelf for one in gone)
    return f"it takes all that stands in the warehouse: units {units:,}, items {len(items):,}"


def _are_promised(tx: Transaction, item_ids: Collection[int]) -> bool:
    """Was anybody promised units of these that are there?"""
    return bool(
        tx.run(
            """SELECT EXISTS (SELECT FROM unnest(CAST(:ids AS bigint[])) k (id)
                   CROSS JOIN LATERAL (SELECT pool_id FROM sales_balance WHERE merchant_id = :merchant_id
                       AND item_id = k.id AND reserved + sold > 0 OFFSET 0) b
                   JOIN pool p ON p.merchant_id = :merchant_id AND p.id = b.pool_id AND p.kind <> 'presale')""",
            ids=sorted(item_ids),
        ).scalar_one()
    )


def _require_young(tx: Transaction, row: BatchRow) -> None:
    """Raises: Refused for what was counted too long ago."""
    if why := messages.too_old(row.as_of, tx.now):
        raise Refused(f"a batch cannot be booked any more: {why}")


def _require_order(tx: Transaction, source: Source, row: BatchRow, looked: Sequence[Looked]) -> None:
    """Raises: Refused when another number was told of an item under the same version."""
    wrong = [one.cell for one in looked if one.outcome is Outcome.REFUSED]
    if wrong:
        rows = tx.run(
            "SELECT sku FROM item WHERE merchant_id = :merchant_id AND id = ANY (CAST(:ids AS bigint[])) ORDER BY sku",
            ids=[cell.item_id for cell in wrong[:_LISTED]],
        )
        more = f" and {len(wrong) - _LISTED} more" if len(wrong) > _LISTED else ""
        order = "time" if source.by_time else "version"
        raise Refused(
            f"other numbers were told of {', '.join(rows.scalars())}{more} under {order} {source.told(row.version)} "
            f"before; a corrected batch needs a newer {order}"
        )


def _accept(tx: Transaction, source: Source, row: BatchRow, looked: Sequence[Looked]) -> Batch:
    """From now on these are the newest numbers, also of what is booked in a moment; older ones are late."""
    found = difference.summed(looked)
    newest = {
        one.cell: (Known(row.version, one.units), row.as_of)
        for one in looked
        if one.outcome in (Outcome.OPEN, Outcome.SAME)
    }
    known.write(tx, source, newest)
    if row.zero_missing:
        tx.run(
            """UPDATE mirror_source SET covered = :version WHERE merchant_id = :merchant_id AND id = :id
               AND (covered IS NULL OR covered < :version)""",
            id=source.id, version=row.version,
        )  # fmt: skip
    row = row._replace(state=ACCEPTED, named=found.named, unnamed=found.unnamed, same=found.same)
    batches.write(tx, row)
    batches.put_items(tx, row.id, [one for one in looked if one.outcome is not Outcome.SAME])
    return Batch(row, found, looked=looked)


def _waiting(tx: Transaction, batch_id: int) -> tuple[Source, BatchRow]:
    """The row of its source is locked before its own. Raises: NotFound; Refused when nobody has to decide on it."""
    source = sources.by_id(tx, batches.find(tx, batch_id).source_id, row_lock="FOR UPDATE")
    row = batches.find(tx, batch_id, row_lock="FOR UPDATE")
    if row.state != HELD:
        raise Refused(f"batch {batch_id} is {row.state}; `holdfast mirror review {batch_id}` tells what became of it")
    return source, row


# ---- booking it


def _finished(db: Database, batch: Batch, merchant_id: int, *, actor: str) -> Batch:
    """Book what is open of a batch, part by part; who is cut short goes on where it was."""
    row, waits = batch.row, 0
    while row.state == ACCEPTED:
        part = _Part(row.id)
        waits += posting.post(db, merchant_id, part.build, part.end, actor=actor)
        if part.row is None:
            raise Broken(f"batch {row.id} was not read")
        row = part.row
    return Batch(row, batch.difference, batch.left_out, waits, batch.repeated, batch.looked)


@dataclass(slots=True)
class _Part:
    """Some hundred items of one batch."""

    batch_id: int
    row: BatchRow | None = None
    _items: list[ItemRow] = field(default_factory=list)
    _late: list[ItemRow] = field(default_factory=list)

    def build(self, tx: Transaction) -> list[Mirror]:
        row = self.row = batches.find(tx, self.batch_id, row_lock="FOR UPDATE")
        if row.state != ACCEPTED:
            return []
        source = sources.by_id(tx, row.source_id)
        rows = batches.items(tx, row.id, outcome=Outcome.OPEN, most=posting.AT_ONCE)
        if not rows:
            self.row = row._replace(state=DONE, ended_at=tx.now)
        newest = known.lock(tx, source, [one.cell for one in rows]) if rows else {}
        self._items = [one for one in rows if newest[one.cell].version == row.version]
        self._late = [one for one in rows if newest[one.cell].version != row.version]
        since = Since(bins_of(tx, source.warehouse_id))
        return [_mirror(source, row, one, since) for one in self._items]

    def end(self, tx: Transaction, done: Sequence[Any]) -> int:
        """Returns: promised units that wait again."""
        if self.row is None:
            raise Broken(f"batch {self.batch_id} was booked before it was read")
        if self.row.state == DONE:
            batches.write(tx, self.row)
        late = [one._replace(outcome=Outcome.LATE) for one in self._late]
        booked = [_booked(one, result) for one, result in zip(self._items, done, strict=True)]
        batches.write_items(tx, [*late, *booked])
        if refused := [str(result) for result in done if isinstance(result, Refused)]:
            why = f"{len(refused)} of its items: {refused[0]}"
            refusals.note(tx, sources.by_id(tx, self.row.source_id), {f"batch {self.row.key}": why})
        return broken(result for result in done if not isinstance(result, Refused))


def _mirror(source: Source, row: BatchRow, item: ItemRow, since: Since) -> Mirror:
    spot = next((one for one in since.bins if one.bin_id == item.bin_id), since.bins[0])
    order = "batch at" if source.by_time else "batch"
    reason = f"{source.name} counted {item.units}, {order} {source.told(row.version)}"
    key = f"{EFFECTS}{source.id}/batch/{row.id}/{item.item_id}/{item.grade}/{item.bin_id}"
    return Mirror(key, item.cell, item.units, row.as_of, spot, since, reason)


def _booked(item: ItemRow, result: Any) -> ItemRow:
    if isinstance(result, Refused):
        return item._replace(outcome=Outcome.REFUSED, change=0)
    outcome = Outcome.BOOKED if result.change else Outcome.SAME
    return item._replace(outcome=outcome, change=result.change, document_id=result.document_id)
