"""Why a store shows a number: each step, what was last told and read back, what is on its way, and what moved it."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from core import reading
from core.model import StoreMode
from core.selling import facts, rules
from core.selling.availability import VERSION, Facts, Step, steps
from core.selling.rulebook import Scope
from core.selling.rules import RuleChange
from core.selling.what_if import Ways, what_would_make
from core.selling.wording import explain, sentence
from core.transaction import Transaction

_RULE_CHANGES = 3
# Movements looked at for each document that is told: some are of another grade, or only between pools.
_LOOK_AT = 8


@dataclass(frozen=True, slots=True)
class Pushed:
    """The newest push: what the store was to show, what it showed afterwards by its own answer, and how it ended."""

    at: datetime
    status: str
    wanted: int
    shown: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class OnItsWay:
    """What is not settled yet.

    ``stale_since``   since when the store is owed another look; None: it is owed nothing.
    ``waits_until``   it is not tried before; ``tries`` have failed so far.
    ``pushing``       a job is at it now.
    ``may_raise_to``  a write without an answer may have raised it so far.
    ``at_once``       the number that may be told now, while others still show units that are to fall to this store.
    """

    stale_since: datetime | None
    waits_until: datetime | None
    tries: int
    pushing: bool
    may_raise_to: int | None
    at_once: int


@dataclass(frozen=True, slots=True)
class Mover:
    """A document that changed how many units of a grade are free; ``free`` by how many in the pools that the listing's
    store draws on (0: between those, or in others). ``reason`` is what was said, and the hold whose document it is.

    ``is_told``  the newest push to the store was computed after it.
    """

    id: int
    recorded_at: datetime
    kind: str
    actor: str
    reason: str
    order: str
    store: str
    sku: str
    grade: str
    free: int
    is_told: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """One listing's number, ``steps`` to it, and all around it.

    ``parked``        why it is not pushed at all; empty when it is.
    ``published``     the last number that the store confirmed; ``observed``: the last that was read back.
    ``proven_at``     when it was last seen to show what it should.
    ``ways``          what would make it the number that was asked about.
    """

    store: str
    mode: StoreMode
    paused: bool
    external_id: str
    sku: str
    title: str
    grade: str
    parked: str
    number: int
    sentence: str
    version: int
    steps: Sequence[Step]
    pushed: Pushed | None
    published: int | None
    published_at: datetime | None
    observed: int | None
    observed_at: datetime | None
    proven_at: datetime | None
    on_its_way: OnItsWay
    movers: Sequence[Mover]
    rule_changes: Sequence[RuleChange]
    ways: Ways | None


def explanations(
    tx: Transaction, item_id: int, *, store_id: int | None = None, make: int | None = None, movers: int = 5
) -> list[Explanation]:
    """Every listing of an item, or that of one store.

    Args: make: a number to look for ways to (>= 0). movers: how many documents to name, at most.
    """
    source = """SELECT l.*, s.name, s.mode, s.paused, i.sku AS item_sku, due.stale_since, due.not_before,
            coalesce(due.tries, 0) AS tries, last.settled_at, last.claimed_at, last.status, last.wanted, last.shown,
            last.reason, EXISTS (SELECT FROM work w WHERE w.merchant_id = :merchant_id AND w.topic = 'push'
                AND w.store_id = l.store_id AND w.leased_until > :now) AS leased
        FROM listing l JOIN store s ON s.merchant_id = :merchant_id AND s.id = l.store_id
        JOIN item i ON i.merchant_id = :merchant_id AND i.id = l.item_id
        LEFT JOIN LATERAL (SELECT stale_since, not_before, tries FROM push_due WHERE merchant_id = :merchant_id
            AND store_id = l.store_id AND listing_id = l.id) due ON true
        LEFT JOIN LATERAL (SELECT settled_at, claimed_at, status, wanted, shown, reason FROM push
            WHERE merchant_id = :merchant_id AND listing_id = l.id ORDER BY settled_at DESC LIMIT 1) last ON true
        WHERE l.merchant_id = :merchant_id AND l.item_id = :item_id
          AND (CAST(:store_id AS bigint) IS NULL OR l.store_id = :store_id)"""
    found = sorted(
        facts.read(tx, source, item_id=item_id, store_id=store_id), key=lambda one: (one[0].store_id, one[0].id)
    )
    items = _counted_items(tx, item_id)
    moved = _movers(tx, items, look_at=_LOOK_AT * movers)
    changes = rules.newest(tx, {subject for row, _ in found for subject in _subjects(row, items)}, each=_RULE_CHANGES)
    return [
        _explanation(
            row,
            told,
            [one for one in moved if one.grade == row.grade][:movers],
            [one for subject in _subjects(row, items) for one in changes.get(subject, ())],
            make,
        )
        for row, told in found
    ]


def _subjects(row: Any, items: Sequence[int]) -> list[tuple[Scope, int]]:
    """Whose rules may hold for the listing."""
    return [(Scope.LISTING, row.id), *((Scope.ITEM, item) for item in items), (Scope.STORE, row.store_id)]


def _explanation(
    row: Any, told: Facts, moved: Sequence[Any], changes: Sequence[RuleChange], make: int | None
) -> Explanation:
    walked = steps(told)
    pushed = None
    if row.settled_at is not None:
        pushed = Pushed(row.settled_at, row.status, row.wanted, row.shown, row.reason)
    return Explanation(
        store=row.name,
        mode=StoreMode(row.mode),
        paused=row.paused,
        external_id=row.external_id,
        sku=row.item_sku,
        title=row.title,
        grade=row.grade,
        parked=row.untracked_reason or row.quarantine_reason,
        number=walked[-1].number,
        sentence=explain(told),
        version=VERSION,
        steps=walked,
        pushed=pushed,
        published=row.published,
        published_at=row.published_at,
        observed=row.observed,
        observed_at=row.observed_at,
        proven_at=row.proven_equal_at,
        on_its_way=_on_its_way(row, told),
        movers=[_mover(one, row.store_id, row.claimed_at) for one in moved],
        rule_changes=sorted(changes, key=lambda change: change.changed_at, reverse=True)[:_RULE_CHANGES],
        ways=None if make is None else what_would_make(told, make),
    )


def _on_its_way(row: Any, told: Facts) -> OnItsWay:
    return OnItsWay(
        stale_since=row.stale_since,
        waits_until=row.not_before,
        tries=row.tries,
        pushing=row.leased and row.stale_since is not None,
        may_raise_to=row.asked,
        at_once=steps(told, at_once=True)[-1].number,
    )


def _counted_items(tx: Transaction, item_id: int) -> list[int]:
    """The item, and of a bundle what it is made of."""
    ids: list[int] = tx.run(
        """WITH RECURSIVE part AS (
               SELECT CAST(:item_id AS bigint) AS id
               UNION SELECT c.item_id FROM part p JOIN component c ON c.merchant_id = :merchant_id
                   AND c.bundle_item_id = p.id
               WHERE (SELECT kind FROM item WHERE merchant_id = :merchant_id AND id = p.id) = 'bundle')
           SELECT id FROM part""",
        item_id=item_id,
    ).scalars().all()  # fmt: skip
    return ids


def _movers(tx: Transaction, item_ids: Collection[int], *, look_at: int) -> Sequence[Any]:
    """What documents did to free or waiting units, newest first, a row for each item and grade.

    ``moves`` of a row: the store whose pool it is (None: every store's), and the units that came into it or left.

    Args: look_at: the newest movements of each item that are looked at.
    """
    rows: Sequence[Any] = tx.run(
        f"""WITH newest AS (
               SELECT DISTINCT m.recorded_at, m.document_id, k.id AS item_id, m.grade
               FROM unnest(CAST(:ids AS bigint[])) k (id) CROSS JOIN LATERAL (
                   SELECT document_id, recorded_at, grade FROM movement
                   WHERE merchant_id = :merchant_id AND item_id = k.id AND layer = 'sales'
                     AND ('free' IN (from_bucket, to_bucket) OR 'backordered' IN (from_bucket, to_bucket))
                   ORDER BY recorded_at DESC, document_id DESC LIMIT :look_at) m
           )
           SELECT d.id, d.recorded_at, d.kind, d.actor, coalesce(o.number, '') AS order,
               {reading.REASON},
               coalesce(s.name, '') AS store, i.sku, n.grade,
               (SELECT coalesce(jsonb_agg(jsonb_build_array(e.store_id, e.units)), '[]') FROM (
                   SELECT p.store_id, e.units FROM movement m
                   CROSS JOIN LATERAL (VALUES (m.to_place, m.to_bucket, m.quantity),
                       (m.from_place, m.from_bucket, -m.quantity)) e (pool_id, bucket, units)
                   JOIN pool p ON p.merchant_id = :merchant_id AND p.id = e.pool_id
                   WHERE m.merchant_id = :merchant_id AND m.document_id = d.id AND m.recorded_at = d.recorded_at
                     AND m.item_id = n.item_id AND m.grade = n.grade AND m.layer = 'sales' AND e.bucket = 'free'
                     AND NOT p.pure AND (p.kind <> 'lock' OR p.store_id IS NOT NULL)) e) AS moves
           FROM newest n
           JOIN document d ON d.merchant_id = :merchant_id AND d.id = n.document_id AND d.recorded_at = n.recorded_at
           JOIN item i ON i.merchant_id = :merchant_id AND i.id = n.item_id
           LEFT JOIN store_order o ON o.merchant_id = :merchant_id AND o.id = d.order_id
           LEFT JOIN store s ON s.merchant_id = :merchant_id AND s.id = o.store_id
           ORDER BY d.recorded_at DESC, d.id DESC, i.sku""",
        ids=list(item_ids),
        look_at=look_at,
    ).all()
    return rows


def _mover(row: Any, store_id: int, pushed_from: datetime | None) -> Mover:
    told = dict(row._mapping)
    free = sum(units for whose, units in told.pop("moves") if whose in (None, store_id))
    return Mover(**told, free=free, is_told=pushed_from is not None and row.recorded_at <= pushed_from)


def as_data(one: Explanation) -> dict[str, Any]:
    """The explanation in plain values, times aside, for machines."""
    plain = {name: getattr(one, name) for name in _AS_THEY_ARE}
    return {
        **plain,
        "steps": [_step(step) for step in one.steps],
        "pushed": one.pushed and asdict(one.pushed),
        "on_its_way": asdict(one.on_its_way),
        "movers": [asdict(mover) for mover in one.movers],
        "rule_changes": [asdict(change) for change in one.rule_changes],
        "ways": one.ways and _ways(one.ways),
    }


_AS_THEY_ARE = (
    "store", "mode", "paused", "external_id", "sku", "title", "grade", "parked", "number", "sentence", "version",
    "published", "published_at", "observed", "observed_at", "proven_at",
)  # fmt: skip


def _step(step: Step) -> dict[str, Any]:
    parts = [
        {"sku": part.sku, "quantity": part.quantity, "makes": part.makes, "steps": [_step(one) for one in part.steps]}
        for part in step.parts
    ]
    told = {
        "name": step.name,
        "number": step.number,
        "delta": step.delta,
        "why": sentence(step),
        "cause": dict(step.cause),
    }
    return {**told, "parts": parts} if parts else told


def _ways(ways: Ways) -> dict[str, Any]:
    changes = [
        {"what": change.what, "was": change.was, "becomes": change.becomes, "words": change.words}
        for change in ways.changes
    ]
    return {"changes": changes, "reason": ways.reason}
