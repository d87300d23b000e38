"""What a channel may sell: one list of named steps, walked once to get the number and to explain it. Pure.

Nobody else adds quantities up.
"""

from dataclasses import dataclass

VERSION = 1


@dataclass(frozen=True, slots=True)
class Facts:
    """All that one listing's number depends on; units >= 0.

    ``free``          units of the shared pool that nobody has been promised.
    ``safety_stock``  units this store never shows.
    ``pack_size``     units of the item that one unit of the listing takes (>= 1).
    ``hidden``        sale units of the listing that the store keeps from its shoppers but still has in its number.
    """

    free: int
    safety_stock: int
    pack_size: int
    hidden: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the sum: its name, the number after it, and why, as a sentence for a merchant."""

    name: str
    number: int
    why: str


def steps(facts: Facts) -> list[Step]:
    """Every step from the free units to the number written to the store."""
    walked = [Step("free", facts.free, f"{facts.free} units are free in the shared pool")]
    number = max(facts.free - facts.safety_stock, 0)
    if facts.safety_stock:
        walked.append(Step("safety_stock", number, f"{facts.safety_stock} are kept back as safety stock of this store"))
    if facts.pack_size > 1:
        number //= facts.pack_size
        walked.append(Step("pack", number, f"one listing takes {facts.pack_size} units"))
    walked.append(Step("sellable", number, f"so this store may sell {number}"))
    if facts.hidden:
        number += facts.hidden
        walked.append(
            Step(
                "platform",
                number,
                f"its unpaid orders hold {facts.hidden} that it still counts and hides from shoppers",
            )
        )
    return walked


def number_to_write(facts: Facts) -> int:
    """The number the store's field should hold."""
    return steps(facts)[-1].number


def explain(facts: Facts) -> str:
    """The sum as one sentence."""
    return "; ".join(step.why for step in steps(facts)) + "."
