"""The approval of a second person, where more varies than the merchant lets pass."""

from dataclasses import dataclass

from core.access.actors import Actor, ActorKind
from core.errors import Refused
from core.stocktake import papers
from core.stocktake.papers import Limit, StocktakeRow
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Variance:
    """Sale units of lines whose count stands, and of uncounted ones that are taken as gone.

    ``book``: what the books held when each was counted.
    """

    lines: int
    varying: int
    found: int
    missing: int
    book: int

    @property
    def units(self) -> int:
        return self.found + self.missing


def variance(tx: Transaction, row: StocktakeRow) -> Variance:
    """Of a stocktake as it is counted now."""
    found = tx.run(
        """SELECT count(*) AS lines, count(*) FILTER (WHERE n <> 0) AS varying,
               coalesce(sum(greatest(n, 0)), 0) AS found, coalesce(sum(greatest(-n, 0)), 0) AS missing,
               coalesce(sum(book), 0) AS book
           FROM (SELECT CASE WHEN state = 'counted' THEN counted - book ELSE -opened END AS n,
                   CASE WHEN state = 'counted' THEN book ELSE opened END AS book
               FROM stocktake_line WHERE merchant_id = :merchant_id AND stocktake_id = :id
                 AND (state = 'counted' OR state = 'uncounted' AND :is_zero)) l""",
        id=row.id, is_zero=row.uncounted_is_zero and row.posting_at is None,
    ).one()  # fmt: skip
    return Variance(*map(int, found))


def needed(tx: Transaction, row: StocktakeRow) -> Limit | None:
    """The limit that the stocktake goes beyond; None when nobody has to approve."""
    limit, varies = papers.limit(tx), variance(tx, row)
    return limit if limit.exceeded(varies.units, varies.book) else None


def require(tx: Transaction, row: StocktakeRow) -> None:
    """Raises: Refused when a second person has to approve first."""
    if row.approved_at is not None or needed(tx, row) is None:
        return
    varies = variance(tx, row)
    by = "" if row.blind else f" by {varies.units} units ({varies.found} found, {varies.missing} missing)"
    raise Refused(
        f"stocktake {row.number} varies{by} more than may be booked without approval; somebody who counted nothing of "
        f"it says `holdfast count approve {row.number}`"
    )


def approve(tx: Transaction, number: str, actor: Actor, revision: int | None = None) -> Variance:
    """Let it be booked as it is counted now; a count that is entered later takes that back.

    Args: revision: what the approver has seen; None: whatever it is.
    Raises: NotFound; Refused for who counted something of it, and for who has no name.
    """
    row = papers.locked_open(tx, number)
    if actor.kind is ActorKind.CLI:
        raise Refused("an approval has a name: say whose with --as EMAIL")
    counted = tx.run(
        """SELECT EXISTS (SELECT FROM stocktake_count
               WHERE merchant_id = :merchant_id AND stocktake_id = :id AND entered_by = :actor)""",
        id=row.id, actor=str(actor),
    ).scalar_one()  # fmt: skip
    if counted:
        raise Refused(f"{actor.name} counted some of stocktake {number}; somebody else approves it")
    if revision is not None and revision != row.revision:
        raise Refused(
            f"counts were entered since: it is at revision {row.revision}, not {revision}; look again with `holdfast "
            f"count variance {number}`"
        )
    varies = variance(tx, row)
    if not row.revision:
        raise Refused(f"nothing of stocktake {number} was counted yet")
    tx.run(
        """UPDATE stocktake SET approved_at = :now, approved_by = :actor
           WHERE merchant_id = :merchant_id AND id = :id""",
        id=row.id, actor=str(actor),
    )  # fmt: skip
    return varies
