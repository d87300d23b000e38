"""What became of numbers that an outside system told, as JSON and in words; the same by HTTP and by command."""

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


def answers_as_json(name: str, answers: "Sequence[Answer]", *, dry_run: bool) -> dict[str, Any]:
    """How many messages became what, and each by itself."""
    counts = Counter(answer.outcome.value for answer in answers)
    return {
        "source": name, "dry_run": dry_run, "messages": len(answers),
        **{outcome: counts[outcome] for outcome in ("booked", "same", "late", "refused")},
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


def problems_as_json(problems: "Sequence[Problem]") -> list[Mapping[str, object]]:
    """Rows that could not be used."""
    return [one._asdict() for one in problems]
