"""Decisions on record: one in force for each order, and those before it, which it superseded."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core import bulk, tables
from core.dispatch import recorded
from core.dispatch.destinations import Destination
from core.dispatch.model import Route
from core.dispatch.reading import weights_of
from core.errors import Refused
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Decision:
    """A route on record. ``superseded_by``: the decision that took its place; None: it is in force."""

    id: int
    order_id: int
    route: Route
    superseded_by: int | None


@dataclass(frozen=True, slots=True)
class New:
    """A route to be recorded. ``replaces``: the decision in force that it was made from; None: there was none."""

    order_id: int
    route: Route
    replaces: int | None = None


_COLUMNS = (
    "id", "order_id", "attempt", "strategy", "decided_at", "country", "subdivision", "postal", "lines", "legs",
    "waits", "reasons", "excluded", "superseded_by",
)  # fmt: skip


def record(tx: Transaction, decisions: Sequence[New], ids: Sequence[int] | None = None) -> list[int]:
    """Put decisions in force, each in the place of the one it replaces; returns their ids.

    Args: ids: where the caller has taken them already.
    Raises: Refused when somebody else decided about one of the orders meanwhile, for all of them.
    """
    ids = tx.new_ids(len(decisions)) if ids is None else list(ids)
    _supersede(tx, {new.replaces: id_ for new, id_ in zip(decisions, ids, strict=True) if new.replaces is not None})
    rows = [_row(id_, new) for id_, new in zip(ids, decisions, strict=True)]
    _insert(tx, rows)
    bulk.insert(
        tx,
        tables.route_parcel,
        ("warehouse_id", "leaves_on", "decision_id"),
        [
            (leg.warehouse_id, leg.estimate.leaves, id_)
            for id_, new in zip(ids, decisions, strict=True)
            for leg in new.route.legs
        ],
    )
    return ids


def _supersede(tx: Transaction, by: Mapping[int, int]) -> None:
    """In the order of their ids, so that two who decide again wait for each other in turn."""
    if not by:
        return
    known = sorted(by)
    ended = tx.run(
        """WITH old AS MATERIALIZED (
               SELECT d.id, k.becomes FROM unnest(CAST(:ids AS bigint[]), CAST(:by AS bigint[])) k (id, becomes)
               CROSS JOIN LATERAL (SELECT id FROM route_decision WHERE merchant_id = :merchant_id AND id = k.id
                   AND superseded_by IS NULL FOR UPDATE) d)
           UPDATE route_decision d SET superseded_by = old.becomes FROM old
           WHERE d.merchant_id = :merchant_id AND d.id = old.id""",
        ids=known,
        by=[by[id_] for id_ in known],
    ).rowcount
    if ended != len(known):
        raise _decided_meanwhile()
    # What a warehouse was told by then, and is still to send or has sent, goes as it was told.
    tx.run(
        """DELETE FROM route_parcel p USING unnest(CAST(:ids AS bigint[])) k (id)
           WHERE p.merchant_id = :merchant_id AND p.decision_id = k.id AND NOT EXISTS (
               SELECT FROM route_decision d JOIN fulfilment_order f ON f.merchant_id = d.merchant_id
                   AND f.order_id = d.order_id AND f.decision_id = d.id AND f.warehouse_id = p.warehouse_id
               JOIN fulfilment_line l ON l.merchant_id = d.merchant_id AND l.order_id = d.order_id
                   AND l.fulfilment_id = f.id AND l.units + l.shipped > 0
               WHERE d.merchant_id = p.merchant_id AND d.id = k.id)""",
        ids=known,
    )


def _decided_meanwhile() -> Refused:
    return Refused("somebody else decided about this order meanwhile; look at that decision, and decide again from it")


def _row(id_: int, new: New) -> tuple[Any, ...]:
    route = new.route
    told = (
        recorded.lines_out(route.lines),
        recorded.legs_out(route.legs),
        recorded.waits_out(route.waits),
        recorded.reasons_out(route.reasons),
        recorded.excluded_out(route.excluded),
    )
    return (
        id_, new.order_id, route.attempt, route.strategy, route.decided_at, *route.destination,
        *(json.dumps(one, separators=(",", ":"), ensure_ascii=False) for one in told), None,
    )  # fmt: skip


def _insert(tx: Transaction, rows: Sequence[tuple[Any, ...]]) -> None:
    columns = list(zip(*rows, strict=True))
    if not columns:
        return
    written = tx.run(
        f"""INSERT INTO route_decision (merchant_id, {", ".join(_COLUMNS)})
            SELECT :merchant_id, r.* FROM unnest(CAST(:id AS bigint[]), CAST(:order_id AS bigint[]),
                CAST(:attempt AS integer[]), CAST(:strategy AS text[]), CAST(:decided_at AS timestamptz[]),
                CAST(:country AS text[]), CAST(:subdivision AS text[]), CAST(:postal AS text[]),
                CAST(:lines AS jsonb[]), CAST(:legs AS jsonb[]), CAST(:waits AS jsonb[]), CAST(:reasons AS jsonb[]),
                CAST(:excluded AS jsonb[]), CAST(:superseded_by AS bigint[])) r
            ON CONFLICT (merchant_id, order_id) WHERE superseded_by IS NULL DO NOTHING""",
        **{name: list(column) for name, column in zip(_COLUMNS, columns, strict=True)},
    ).rowcount
    if written != len(rows):
        raise _decided_meanwhile()


_SELECTED = f"d.{', d.'.join(_COLUMNS)}"


def in_force(tx: Transaction, order_ids: Collection[int]) -> dict[int, Decision]:
    """By order; those about which nothing is decided are left out."""
    rows = tx.run(
        f"""SELECT {_SELECTED} FROM unnest(CAST(:ids AS bigint[])) k (id)
            CROSS JOIN LATERAL (SELECT * FROM route_decision WHERE merchant_id = :merchant_id AND order_id = k.id
                AND superseded_by IS NULL OFFSET 0) d""",
        ids=sorted(order_ids),
    ).all()
    return {one.order_id: one for one in _read(tx, rows)}


def of_order(tx: Transaction, order_id: int) -> list[Decision]:
    """All about one order, the first one first."""
    rows = tx.run(
        f"""SELECT {_SELECTED} FROM route_decision d WHERE merchant_id = :merchant_id AND order_id = :id
            ORDER BY attempt, id""",
        id=order_id,
    ).all()
    return _read(tx, rows)


def since(tx: Transaction, at: datetime, limit: int) -> list[Decision]:
    """Those in force, decided at this time or later: the newest so many, newest first."""
    rows = tx.run(
        f"""SELECT {_SELECTED} FROM route_decision d WHERE merchant_id = :merchant_id AND decided_at >= :at
            AND superseded_by IS NULL ORDER BY decided_at DESC, id DESC LIMIT :limit""",
        at=at,
        limit=limit,
    ).all()
    return _read(tx, rows)


def _read(tx: Transaction, rows: Sequence[Any]) -> list[Decision]:
    items = {part["item"] for row in rows for line in row.lines for part in line["parts"]}
    weights = weights_of(tx, items)
    return [Decision(row.id, row.order_id, _route(row, weights), row.superseded_by) for row in rows]


def _route(row: Any, weights: Mapping[int, int]) -> Route:
    return Route(
        row.strategy,
        row.attempt,
        row.decided_at,
        Destination(row.country, row.subdivision, row.postal),
        recorded.lines_in(row.lines, weights),
        recorded.legs_in(row.legs),
        recorded.waits_in(row.waits),
        recorded.reasons_in(row.reasons),
        recorded.excluded_in(row.excluded),
    )
