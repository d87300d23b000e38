"""What became of numbers that an outside system told, and how it stands, as JSON: the same by HTTP and by command."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.mirror.batches import BatchRow
    from core.mirror.full import Batch
    from core.mirror.messages import Problem
    from core.mirror.sources import Source
    from core.mirror.telling import Answer
    from core.mirror.views import Status
    from core.transaction import Transaction


def answers_as_json(name: str, answers: "Sequence[Answer]", *, dry_run: bool) -> dict[str, Any]:
    """How many messages became what, and each by itself. What came before, ``repeated``, is told as it was then."""
    counts = Counter(answer.outcome.value for answer in answers)
    return {
        "source": name, "dry_run": dry_run, "messages": len(answers),
        **{outcome: counts[outcome] for outcome in ("booked", "same", "late", "refused")},
        "repeated": sum(answer.repeated for answer in answers),
        "results": [{**dataclasses.asdict(answer), "outcome": answer.outcome.value} for answer in answers],
    }  # fmt: skip


def row_as_json(source: "Source", row: "BatchRow") -> dict[str, Any]:
    """A batch as it is kept."""
    return {
        "batch": row.id, "source": source.name, "state": row.state, "why": row.why,
        "time" if source.by_time else "version": source.told(row.version),
        "as_of": row.as_of, "received_at": row.received_at, "from": row.actor, "decided_at": row.decided_at,
        "decided_by": row.decided_by, "ended_at": row.ended_at, "named": row.named, "unnamed": row.unnamed,
        "same": row.same,
    }  # fmt: skip


def batch_as_json(source: "Source", batch: "Batch", *, dry_run: bool = False) -> dict[str, Any]:
    """A batch that was just told, approved or tried out; what waits says how it is decided on."""
    told = row_as_json(source, batch.row)
    difference = batch.difference and dataclasses.asdict(batch.difference)
    cure = f"holdfast mirror review {batch.row.id}" if batch.row.state == "held" and not dry_run else None
    return {**told, "dry_run": dry_run, "repeated": batch.repeated, "difference": difference, "waits": batch.waits,
            "left_out": problems_as_json(batch.left_out), "next": cure}  # fmt: skip


def status_as_json(one: "Status") -> dict[str, Any]:
    """How a source stands; ``newest``: the newest version or time that it told of anything."""
    source = one.source
    last = one.last_batch and row_as_json(source, one.last_batch)
    return {
        **dataclasses.asdict(source), "items": one.items, "as_of": one.as_of,
        "newest": None if one.newest is None else source.told(one.newest), "last_message_at": one.last_message_at,
        "last_batch": last, "late": one.late, "refused": one.refused, "silent": one.silent,
        "waiting": [row_as_json(source, row) for row in one.waiting],
    }  # fmt: skip


def shown(tx: "Transaction", source: "Source") -> dict[str, Any]:
    """A source with its last batches, what those that wait change, and what came late or was refused."""
    from core.mirror import batches, views

    status = views.status(tx, source)
    tallies = batches.tallies(tx, [row.id for row in status.waiting])
    waiting = [
        {**row_as_json(source, row), "difference": dataclasses.asdict(tallies[row.id])} for row in status.waiting
    ]
    parts: dict[str, Sequence[Any]] = {
        "late_messages": views.late(tx, source),
        "refusals": views.refused(tx, source),
    }
    told = {name: [dataclasses.asdict(one) for one in rows] for name, rows in parts.items()}
    last = [row_as_json(source, row) for row in batches.newest(tx, source, 10)]
    return {**status_as_json(status), "waiting": waiting, "batches": last, **told}


def problems_as_json(problems: "Sequence[Problem]") -> list[Mapping[str, object]]:
    """Rows that could not be used."""
    return [one._asdict() for one in problems]
