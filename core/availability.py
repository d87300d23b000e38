"""What a channel may sell: one list of named steps, walked once to get the number and to explain it. Pure.

Nobody else adds quantities up.
"""

from dataclasses import dataclass

from core.model import Sharing

VERSION = 2
# Deep enough for every store to show all of it: each could sell its largest order twice before the others hear of one.
_ORDERS_PER_STORE = 2


@dataclass(frozen=True, slots=True)
class Facts:
    """All that one listing's number depends on; units >= 0.

    ``free``          units of the shared pool that nobody has been promised.
    ``safety_stock``  units this store never shows.
    ``pack_size``     units of the item that one unit of the listing takes (>= 1).
    ``hidden``        sale units of the listing that the store keeps from its shoppers but still has in its number.
    ``sharing``       how the merchant's stores share the units.
    ``share_below``   with fewer free units than this they are dealt out in any case; 0: the orders seen decide.
    ``sharers``       listings, this one included, that live stores sell these units by (>= 1).
    ``place``         this listing's place among them, from 0.
    ``largest``       units of the item in the largest of its newest order lines; 0 when it was never ordered.
    """

    free: int
    safety_stock: int
    pack_size: int
    hidden: int
    sharing: Sharing = Sharing.ADAPTIVE
    share_below: int = 0
    sharers: int = 1
    place: int = 0
    largest: int = 0

    @property
    def deep(self) -> bool:
        """True when several stores may show the same units: orders of the time that news takes cannot use them up."""
        if self.sharers <= 1 or self.sharing is Sharing.MIRROR:
            return True
        orders = _ORDERS_PER_STORE * self.sharers * max(self.largest, 1)
        return self.sharing is Sharing.ADAPTIVE and self.free >= max(orders, self.share_below)

    @property
    def share(self) -> int:
        """This listing's part of the free units; the parts of all sharers add up to them."""
        return self.free // self.sharers + (self.place < self.free % self.sharers)


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
    if not facts.deep:
        number = min(number, facts.share)
        why = f"so few are dealt out among the {facts.sharers} listings that sell them; {facts.share} fall to this one"
        walked.append(Step("share", number, why))
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


def affordable(facts: Facts, target: int, believed: int | None, elsewhere: int) -> int:
    """As much of a rise to ``target`` as other stores leave, so that all of them together never show what is not there.

    Only units that are dealt out are counted; a fall is always affordable.

    Args: believed: what the store is believed to show now; None when that is not known. elsewhere: units of the item
          (>= 0) that the other stores may show.
    """
    if facts.deep or target <= (believed or 0):
        return target
    left = max(facts.free - elsewhere, 0) // facts.pack_size + facts.hidden
    return max(min(target, left), believed or 0)
