"""Outside systems that count a warehouse for us: who they are, how they order what they say, and their bounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core import tables
from core.errors import ConfigError, NotFound, Refused
from core.transaction import Transaction
from core.warehouse import warehouses

# A batch beyond these waits for a person, unless the source says otherwise.
BOUNDS: Mapping[str, int | None] = {"most_percent": 20, "most_zeroed": 20, "most_units": 5_000}
# A share of few items says little: so many may change whatever share they are.
ALWAYS_ALLOWED = 10
# Nor does a share of few units: so many may go whatever share they are.
FEW_UNITS = 20
TERMS = ("zero_missing", *BOUNDS, "silent_after_s")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Source:
    """An outside system.

    ``by_time``       its messages are ordered by a time, else by a number that rises.
    ``by_bin``        it counts bins, else the whole warehouse.
    ``zero_missing``  a batch says 0 of the items that it does not name.
    ``most_*``        a batch waits for a person if it changes more than this share of items (percent), takes the last
                      unit of more items, or moves more units; None: no bound.
    ``covered``       version of the newest batch that said 0 of every item that it did not name.
    """

    id: int
    name: str
    warehouse_id: int
    warehouse: str
    by_time: bool
    by_bin: bool
    zero_missing: bool
    most_percent: int | None
    most_zeroed: int | None
    most_units: int | None
    silent_after_s: int | None
    covered: int | None
    created_at: datetime

    def told(self, version: int) -> str:
        """A version as people read it."""
        return at_of(version).isoformat() if self.by_time else str(version)


def version_at(at: datetime) -> int:
    """The version of a message that is ordered by its time."""
    return (at - _EPOCH) // _TICK


def at_of(version: int) -> datetime:
    """The time that a version is of."""
    return _EPOCH + version * _TICK


def add(
    tx: Transaction, name: str, warehouse: str, terms: Mapping[str, object], *, by_time: bool = False,
    by_bin: bool = False,
) -> int:  # fmt: skip
    """Name the system that counts a warehouse. Returns: its id.

    Args: terms: by the names in ``TERMS``; what is not said is as in ``BOUNDS``.
    Raises: Refused for a name that is taken or none, or a warehouse that another one counts; NotFound; ConfigError.
    """
    name = _tidy(name)
    warehouse_id = warehouses.id_of(tx, warehouse)
    said = {"zero_missing": False, **BOUNDS, "silent_after_s": None, **terms}
    _require(said)
    for other in every(tx):
        if other.name == name:
            raise Refused(f"there is a source {name} already; `holdfast mirror set {name}` changes it")
        if other.warehouse_id == warehouse_id:
            raise Refused(f"{other.name} counts {other.warehouse} already; one system is the truth for a warehouse")
    source_id = tx.new_id()
    made = tx.run(
        f"""INSERT INTO {tables.mirror_source.name} (merchant_id, id, name, warehouse_id, by_time, by_bin, created_at,
                created_by, {", ".join(TERMS)})
            VALUES (:merchant_id, :id, :name, :warehouse_id, :by_time, :by_bin, :now, :actor,
                {", ".join(f":{term}" for term in TERMS)}) ON CONFLICT DO NOTHING""",
        id=source_id, name=name, warehouse_id=warehouse_id, by_time=by_time, by_bin=by_bin, actor=tx.actor, **said,
    )  # fmt: skip
    if not made.rowcount:
        raise Refused(f"somebody made {name}, or another source for {warehouse}, just now; `holdfast mirror list`")
    return source_id


def change(tx: Transaction, name: str, terms: Mapping[str, object]) -> bool:
    """Say something else of a source; returns False when all of it was so. Raises: NotFound; ConfigError."""
    _require(terms)
    source = find(tx, name)
    if not terms:
        return False
    names, values = ", ".join(terms), ", ".join(f":{term}" for term in terms)
    changed = tx.run(
        f"""UPDATE mirror_source SET ({names}) = ROW ({values}) WHERE merchant_id = :merchant_id AND id = :id
            AND ROW ({names}) IS DISTINCT FROM ROW ({values})""",
        id=source.id, **terms,
    )  # fmt: skip
    return bool(changed.rowcount)


def restart(tx: Transaction, name: str) -> int:
    """Forget how far the source had counted, and its messages, for one that counts anew; stock stays.

    Batches that wait are rejected: they are of the old order. Returns: how many items are told anew. Raises: NotFound.
    """
    source = find(tx, name, row_lock="FOR UPDATE")
    tx.run("UPDATE mirror_source SET covered = NULL WHERE merchant_id = :merchant_id AND id = :id", id=source.id)
    tx.run(
        """UPDATE mirror_batch SET key = 'before ' || CAST(:now AS timestamptz) || '/' || id || '/' || key,
               state = CASE state WHEN 'held' THEN 'rejected' ELSE state END,
               why = CASE state WHEN 'held' THEN 'its source counts anew' ELSE why END,
               ended_at = coalesce(ended_at, CASE state WHEN 'held' THEN CAST(:now AS timestamptz) END)
           WHERE merchant_id = :merchant_id AND source_id = :id""",
        id=source.id,
    )
    tx.run("DELETE FROM mirror_message WHERE merchant_id = :merchant_id AND source_id = :id", id=source.id)
    gone = tx.run("DELETE FROM mirror_item WHERE merchant_id = :merchant_id AND source_id = :id", id=source.id)
    return int(gone.rowcount)


def remove(tx: Transaction, name: str) -> None:
    """End a source, and forget what it said; stock and documents stay. Raises: NotFound."""
    source = find(tx, name, row_lock="FOR UPDATE")
    tx.run(
        """DELETE FROM mirror_batch_item i USING mirror_batch b WHERE i.merchant_id = :merchant_id
           AND b.merchant_id = i.merchant_id AND b.id = i.batch_id AND b.source_id = :id""",
        id=source.id,
    )
    for table in ("mirror_batch", "mirror_message", "mirror_item", "mirror_refusal"):
        tx.run(f"DELETE FROM {table} WHERE merchant_id = :merchant_id AND source_id = :id", id=source.id)
    tx.run("DELETE FROM mirror_source WHERE merchant_id = :merchant_id AND id = :id", id=source.id)


def every(tx: Transaction) -> list[Source]:
    """All sources, by name."""
    rows = tx.run(f"{_READ} WHERE s.merchant_id = :merchant_id ORDER BY s.name")
    return [Source(*row) for row in rows]


def find(tx: Transaction, name: str, *, row_lock: str = "") -> Source:
    """Args: row_lock: as a statement says it, like FOR SHARE. Raises: NotFound, naming those that there are."""
    words, name = f"{row_lock} OF s" if row_lock else "", name.strip()
    found = None
    if name.isprintable():  # it may come out of an address, and a zero byte is no text to the database
        rows = tx.run(f"{_READ} WHERE s.merchant_id = :merchant_id AND s.name = :name {words}", name=name)
        found = rows.one_or_none()
    if found is None:
        known = ", ".join(one.name for one in every(tx))
        cure = f"there are {known}" if known else "`holdfast mirror add NAME --warehouse MAIN` names one"
        raise NotFound(f"there is no mirror source {name[:_LONGEST_NAME]}; {cure}")
    return Source(*found)


def by_id(tx: Transaction, source_id: int, *, row_lock: str = "") -> Source:
    """The same for who knows its id. Raises: NotFound when it was removed."""
    for one in every(tx):
        if one.id == source_id:
            return find(tx, one.name, row_lock=row_lock)
    raise NotFound("its mirror source was removed; `holdfast mirror list` shows those that there are")


_READ = """
    SELECT s.id, s.name, s.warehouse_id, w.code, s.by_time, s.by_bin, s.zero_missing, s.most_percent, s.most_zeroed,
        s.most_units, s.silent_after_s, s.covered, s.created_at
    FROM mirror_source s JOIN warehouse w ON w.merchant_id = s.merchant_id AND w.id = s.warehouse_id
"""


def _tidy(name: str) -> str:
    name = name.strip()
    good = name.isascii() and all(letter.isalnum() or letter in "-_." for letter in name)
    if not name or not good or len(name) > _LONGEST_NAME or name.strip(".") == "":
        raise Refused(
            f"a source is named by 1 to {_LONGEST_NAME} letters, digits, - and _, like wms; it is in its address"
        )
    return name


def _require(terms: Mapping[str, object]) -> None:
    """Raises: ConfigError for a term that cannot be."""
    unknown = terms.keys() - set(TERMS)
    if unknown:
        raise ConfigError(f"a source has no {', '.join(sorted(unknown))}")
    for name in (*BOUNDS, "silent_after_s"):
        value = terms.get(name)
        if isinstance(value, int) and (value < 0 or (name == "most_percent" and value > 100)):
            raise ConfigError("a share is 0 to 100 percent, and no bound is below 0")
