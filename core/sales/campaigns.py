"""What activities and presales do by the clock: preload, begin, end. ``jobs.pools`` does it."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from core import marks, single, work
from core.access import acts
from core.access.actors import Actor
from core.books import effect_key_of_hold, key_hash
from core.errors import NotFound, Refused
from core.opaque import key_of
from core.sales import presale
from core.sales.held import end_of_hold
from core.sales.pools import OpenPool
from core.transaction import Database, Transaction
from core.zones import zone_of

TOPIC = "pools"


@dataclass(frozen=True, slots=True)
class Campaign:
    """Of one pool: ``preload_at`` None means when it starts, ``best_effort`` to deal what there is then.

    ``balance_due_at`` is for a presale with deposits. ``trouble``: why it could not be preloaded, and the cure.
    """

    pool_id: int
    preload_at: datetime | None = None
    best_effort: bool = False
    balance_due_at: datetime | None = None
    preloaded_at: datetime | None = None
    trouble: str = ""


def find(tx: Transaction, code: str) -> int:
    """The id of a pool by its code. Raises: NotFound, naming some that are open."""
    pool_id = tx.run(
        """SELECT id FROM pool WHERE merchant_id = :merchant_id AND code = :code
             AND kind IN ('channel', 'activity', 'presale')""",
        code=code.strip(),
    ).scalar_one_or_none()
    if pool_id is not None:
        return int(pool_id)
    known = tx.run(
        """SELECT p.code FROM (SELECT DISTINCT pool_id FROM pool_item WHERE merchant_id = :merchant_id AND is_open) i
           JOIN pool p ON p.merchant_id = :merchant_id AND p.id = i.pool_id
           WHERE p.kind IN ('channel', 'activity', 'presale') ORDER BY p.id DESC LIMIT 5"""
    ).scalars()
    names = ", ".join(known)
    raise NotFound(
        f"there is no pool {code}; "
        + (f"there are: {names}" if names else "`holdfast pool --help` says how to make one")
    )


def is_presale(tx: Transaction, pool_id: int) -> bool:
    """Does a pool sell what is not there yet?"""
    kind = tx.run("SELECT kind FROM pool WHERE merchant_id = :merchant_id AND id = :id", id=pool_id).scalar_one()
    return bool(kind == "presale")


def new_code(tx: Transaction, code: str) -> str:
    """The code of a pool to come. Raises: Refused when it is none, or any pool has it, those of locks among them.

    People take codes for each other that differ by case alone, so none is made.
    """
    said = key_of(code, "code of a pool")
    taken = tx.run(
        "SELECT code, kind FROM pool WHERE merchant_id = :merchant_id AND lower(code) = lower(:code) LIMIT 1", code=said
    ).one_or_none()
    if taken is not None:
        raise Refused(f"there is a pool {taken.code} (kind {taken.kind}) already; a code is used once, choose another")
    return said


def plan(tx: Transaction, campaign: Campaign) -> None:
    """Note what a pool that was just made is to do by the clock, and wake the job that does it."""
    tx.run(
        """INSERT INTO campaign (merchant_id, id, preload_at, best_effort, balance_due_at, trouble, made_at, made_by)
           VALUES (:merchant_id, :id, :preload_at, :best_effort, :balance_due_at, '', :now, :actor)
           ON CONFLICT (merchant_id, id) DO UPDATE SET preload_at = EXCLUDED.preload_at,
               best_effort = EXCLUDED.best_effort, balance_due_at = EXCLUDED.balance_due_at""",
        id=campaign.pool_id,
        preload_at=campaign.preload_at,
        best_effort=campaign.best_effort,
        balance_due_at=campaign.balance_due_at,
        actor=tx.actor,
    )
    wake(tx)


class Opening(NamedTuple):
    """A pool that is to be made with what it does by the clock; ``per_customer``: units of each item of a presale that
    one customer may have (None: as many as there are).
    """

    command: OpenPool
    campaign: Campaign
    per_customer: int | None = None


def begin(
    db: Database, merchant_id: int, build: Callable[[Transaction], Opening], actor: Actor, *, dry_run: bool = False
) -> Opening:
    """Make an activity or a presale at once with its limits and its terms, or find out whether that could be.

    Nobody sees it without them, and where anything breaks off, nothing of it is there.

    Args: build: reads what it is to be, in the transaction that makes it.
    Raises: Refused; what ``build`` raises.
    """
    built: list[Opening] = []

    def command(tx: Transaction) -> OpenPool:
        built[:] = [build(tx)]
        return built[0].command

    def end(tx: Transaction, _answer: object) -> Opening:
        (opening,) = built
        pool, quantities = opening.command.pool, opening.command.quantities
        if opening.per_customer is not None:
            presale.limit_per_customer(tx, pool.id, quantities, opening.per_customer)
        plan(tx, opening.campaign)
        acts.note(tx, actor, "pool.make", f"pool:{pool.code}", kind=pool.kind, units=sum(quantities.values()))
        return opening

    return single.do(db, merchant_id, command, end, actor=str(actor), dry_run=dry_run)


def of_pool(tx: Transaction, pool_id: int) -> Campaign:
    row = tx.run(
        """SELECT id AS pool_id, preload_at, best_effort, balance_due_at, preloaded_at, trouble FROM campaign
           WHERE merchant_id = :merchant_id AND id = :id""",
        id=pool_id,
    ).one_or_none()
    return Campaign(pool_id) if row is None else Campaign(**row._mapping)


@dataclass(frozen=True, slots=True)
class Due:
    """Ids of pools, by what their time has come for. ``preload`` also says whether to deal what there is."""

    preload: Sequence[tuple[int, bool]]
    begin: Sequence[int]
    end: Sequence[int]

    def __bool__(self) -> bool:
        return bool(self.preload or self.begin or self.end)


# Starts from items that are open, so that what ended long ago costs nothing. A presale that ended keeps those open that
# are still to be handed over.
_OPEN = """
    SELECT p.id, p.kind, p.starts_at, p.ends_at, p.closed_at, c.preloaded_at, c.shown_at,
        coalesce(c.best_effort, false) AS best_effort,
        CASE WHEN p.kind = 'activity' THEN least(c.preload_at, p.starts_at) END AS preload_at,
        p.closed_at IS NOT NULL AND EXISTS (SELECT FROM pool_item i WHERE i.merchant_id = :merchant_id
            AND i.pool_id = p.id AND i.is_open AND NOT EXISTS (SELECT FROM sales_balance b
                WHERE b.merchant_id = :merchant_id AND b.item_id = i.item_id AND b.grade = i.grade
                  AND b.pool_id = p.id AND b.reserved + b.sold > 0)) AS is_settled
    FROM (SELECT DISTINCT pool_id FROM pool_item WHERE merchant_id = :merchant_id AND is_open) alive
    CROSS JOIN LATERAL (SELECT * FROM pool WHERE merchant_id = :merchant_id AND id = alive.pool_id
        AND kind IN ('activity', 'presale') OFFSET 0) p
    LEFT JOIN campaign c ON c.merchant_id = :merchant_id AND c.id = p.id
"""


def due(tx: Transaction) -> Due:
    """What is to be done now."""
    rows = tx.run(f"SELECT * FROM ({_OPEN}) o ORDER BY id").all()
    running = [row for row in rows if row.closed_at is None and (row.ends_at is None or row.ends_at > tx.now)]
    return Due(
        [
            (row.id, row.best_effort)
            for row in running
            if row.preload_at is not None and row.preload_at <= tx.now and row.preloaded_at is None
        ],
        [
            row.id
            for row in running
            if row.starts_at is not None
            and row.starts_at <= tx.now
            and (row.shown_at is None or row.shown_at < row.starts_at)
        ],
        [row.id for row in rows if row.is_settled or (row.closed_at is None and row not in running)],
    )


def preloaded(tx: Transaction, pool_ids: Collection[int]) -> None:
    """The units of these activities are set apart, as far as their terms ask for."""
    tx.run(
        """INSERT INTO campaign AS c (merchant_id, id, best_effort, preloaded_at, trouble, made_at, made_by)
           SELECT :merchant_id, k.id, false, :now, '', :now, :actor FROM unnest(CAST(:ids AS bigint[])) k (id)
           ON CONFLICT (merchant_id, id) DO UPDATE SET preloaded_at = coalesce(c.preloaded_at, :now), trouble = ''""",
        ids=sorted(pool_ids),
        actor=tx.actor,
    )


def not_preloaded(tx: Transaction, pool_id: int, trouble: str) -> None:
    """An activity could not be preloaded, and why; the job goes on trying."""
    tx.run(
        """INSERT INTO campaign (merchant_id, id, best_effort, trouble, made_at, made_by)
           VALUES (:merchant_id, :id, false, :trouble, :now, :actor)
           ON CONFLICT (merchant_id, id) DO UPDATE SET trouble = EXCLUDED.trouble""",
        id=pool_id,
        trouble=trouble,
        actor=tx.actor,
    )


def begun(tx: Transaction, pool_ids: Iterable[int]) -> None:
    """Stores may sell what these pools have from now on: their numbers are computed again, once."""
    ids = sorted(pool_ids)
    items = tx.run(
        """SELECT DISTINCT i.item_id FROM unnest(CAST(:ids AS bigint[])) k (id)
           CROSS JOIN LATERAL (SELECT item_id FROM pool_item WHERE merchant_id = :merchant_id AND pool_id = k.id
               AND is_open) i""",
        ids=ids,
    ).scalars()
    marks.stale(tx, items, (), ())
    tx.run(
        """INSERT INTO campaign (merchant_id, id, best_effort, shown_at, trouble, made_at, made_by)
           SELECT :merchant_id, k.id, false, :now, '', :now, :actor FROM unnest(CAST(:ids AS bigint[])) k (id)
           ON CONFLICT (merchant_id, id) DO UPDATE SET shown_at = EXCLUDED.shown_at""",
        ids=ids,
        actor=tx.actor,
    )


def wake(tx: Transaction) -> None:
    """See that the job looks at the pools now, which also makes it look again when the next thing is due."""
    work.want(tx, [work.Want(TOPIC, 0, "")])


def wake_later(tx: Transaction) -> None:
    """See that the job looks when the next thing is due."""
    later = tx.run(
        f"""SELECT min(at) FROM ({_OPEN}) o
            CROSS JOIN LATERAL (VALUES (o.preload_at), (o.starts_at), (o.ends_at)) t (at) WHERE at > :now"""
    ).scalar_one()
    if later is not None:
        work.want(tx, [work.Want(TOPIC, 0, "", later)])


def balance_due_of(tx: Transaction, key: str) -> datetime:
    """When the rest of a presale hold is owed, as its presale says.

    Raises: Refused for a hold that has ended, or that is none, and when no presale says it.
    """
    _require_live(tx, key)
    due: datetime | None = tx.run(
        """SELECT min(c.balance_due_at) FROM effect e
           JOIN promise p ON p.merchant_id = e.merchant_id AND p.order_id = e.document_id AND p.presale_id IS NOT NULL
           JOIN campaign c ON c.merchant_id = p.merchant_id AND c.id = p.presale_id
           WHERE e.merchant_id = :merchant_id AND e.key_hash = :hash""",
        hash=key_hash(effect_key_of_hold(key)),
    ).scalar_one()
    if due is None:
        raise Refused(f"no presale says when the rest of hold {key} is owed; say it with --balance-due")
    return due


def _require_live(tx: Transaction, key: str) -> None:
    """Does a hold still hold units? Raises: Refused, saying when and why it ended."""
    live: bool | None = tx.run(
        """SELECT bool_or(p.live + p.waiting > 0) FROM effect e
           JOIN promise p ON p.merchant_id = e.merchant_id AND p.order_id = e.document_id
           WHERE e.merchant_id = :merchant_id AND e.key_hash = :hash""",
        hash=key_hash(effect_key_of_hold(key)),
    ).scalar_one()
    if live is None:
        raise Refused(f"there is no hold {key}; `holdfast reserve list` shows those that hold units")
    if not live:
        raise Refused(f"hold {key} has ended{_how_it_ended(tx, key)}: make a new one, then note its deposit")


def _how_it_ended(tx: Transaction, key: str) -> str:
    row = tx.run(
        """SELECT d.recorded_at, d.kind, d.reason FROM effect e
           CROSS JOIN LATERAL (SELECT * FROM document WHERE merchant_id = :merchant_id AND id = e.document_id
               OFFSET 0) d
           WHERE e.merchant_id = :merchant_id AND e.key_hash = :hash""",
        hash=key_hash(end_of_hold(key)),
    ).one_or_none()
    if row is None:
        return ", since its units went to an order"
    why = row.reason or ("it ran out" if row.kind == "expiry" else "it was released")
    return f" on {row.recorded_at.astimezone(zone_of(tx)):%Y-%m-%d %H:%M} ({why})"
