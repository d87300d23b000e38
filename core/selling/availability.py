"""What a channel may sell: one list of named steps, walked once to get the number and to explain it. Pure.

Nobody else adds quantities up. ``docs/availability.md`` tells the steps to a merchant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from core.model import Sharing
from core.selling.rulebook import NO_RULES, WHOLE, Backorder, Rules

VERSION = 4
# Deep enough for every store to show all of it: each could sell its largest order twice before the others hear of one.
_ORDERS_PER_STORE = 2


class Reach(StrEnum):
    """Who may draw on a pool, as one store sees it."""

    EVERY = "every"  # this store and the others
    OWN = "own"  # this store alone
    OTHER = "other"  # not this store


@dataclass(frozen=True, slots=True)
class Source:
    """``units`` (>= 0) that nobody has been promised, in a pool beside the shared one; ``kind``: that of the pool."""

    pool: str
    kind: str
    units: int
    reach: Reach

    @property
    def is_presale(self) -> bool:
        return self.kind == "presale"


@dataclass(frozen=True, slots=True)
class Part:
    """A component of a bundle: ``quantity`` (>= 1) units of it go into one."""

    sku: str
    quantity: int
    facts: "Facts"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that one listing's number depends on; units >= 0.

    ``free``          units of the shared pool that nobody has been promised.
    ``pack_size``     units of the item that one unit of the listing takes (>= 1).
    ``hidden``        sale units of the listing that the store keeps from its shoppers but still has in its number.
    ``rules``         those that hold for the listing.
    ``sharing``       how the merchant's stores share the units.
    ``share_below``   with fewer free units than this they are dealt out in any case; 0: the orders seen decide.
    ``sharers``       listings, this one included, that live stores sell these units by (>= 1).
    ``place``         this listing's place among them, from 0.
    ``largest``       units of the item in the largest of its newest order lines; 0 when it was never ordered.
    ``waiting``       units of the item that are owed to orders.
    ``sources``       pools beside the shared one.
    ``alone``         keys of this store's locks, where none of them lets their orders take what everybody shares.
    ``own_sharers``, ``own_place``  the same as above, among the listings of this store alone.
    ``elsewhere``     units that other stores may show at this moment, those of their own pools aside; and other
                      listings of this store, while it has no pools of its own.
    ``beside``        of a store with pools of its own: units that its other listings may show beyond their part of
                      these pools.
    ``parts``         of a bundle: its components, each with facts of its own; None: no bundle. The bundle itself has no
                      units, so of its own facts only ``pack_size``, ``hidden`` and the cap count.
    """

    free: int
    pack_size: int = 1
    hidden: int = 0
    rules: Rules = NO_RULES
    sharing: Sharing = Sharing.ADAPTIVE
    share_below: int = 0
    sharers: int = 1
    place: int = 0
    largest: int = 0
    waiting: int = 0
    sources: tuple[Source, ...] = ()
    alone: tuple[str, ...] = ()
    own_sharers: int = 1
    own_place: int = 0
    elsewhere: int = 0
    beside: int = 0
    parts: tuple[Part, ...] | None = None

    def units(self, reach: Reach, *, presale: bool = False) -> int:
        """Units of the pools of that reach; the shared pool is every store's whose locks do not keep it out."""
        shared = self.free if reach is Reach.EVERY and not presale and not self.alone else 0
        if not self.sources:
            return shared
        return shared + sum(one.units for one in self.sources if one.reach is reach and one.is_presale is presale)

    @property
    def may_wait(self) -> int:
        """Units that may still be ordered without being there; 0 where no bound is set, too."""
        if self.alone or self.rules.backorder is Backorder.NO or self.rules.backorder_limit is None:
            return 0
        return max(self.rules.backorder_limit - self.waiting, 0)

    @property
    def deep(self) -> bool:
        """True when several stores may show the same units: orders of the time that news takes cannot use them up.

        What is there, a presale, or what may wait: where one of these is enough, whatever the others show is covered.
        """
        if self.parts is not None:
            return all(part.facts.deep for part in self.parts)
        common = (self.units(Reach.EVERY), self.units(Reach.EVERY, presale=True), self.may_wait)
        return any(self.is_deep(units) for units in common)

    def is_deep(self, units: int, sharers: int | None = None) -> bool:
        """The same for some of the units, and some of the listings that sell them."""
        among = self.sharers if sharers is None else sharers
        if among <= 1 or self.sharing is Sharing.MIRROR:
            return True
        orders = _ORDERS_PER_STORE * among * max(self.largest, 1)
        return self.sharing is Sharing.ADAPTIVE and units >= max(orders, self.share_below)

    def part_of(self, units: int, *, own: bool = False) -> int:
        """This listing's part of units that are shared; when they are dealt out, the parts add up to them."""
        sharers, place = (self.own_sharers, self.own_place) if own else (self.sharers, self.place)
        return units if self.is_deep(units, sharers) else units // sharers + (place < units % sharers)


class Step(NamedTuple):
    """One step of the sum: its name, the number after it, by how much it changed it, and what did so.

    ``cause`` holds JSON values. ``parts``: of a bundle, how many each component is enough for.
    """

    name: str
    number: int
    delta: int
    cause: Mapping[str, object]
    parts: tuple["PartSteps", ...] = ()


@dataclass(frozen=True, slots=True)
class PartSteps:
    """``makes``: bundles that the component is enough for."""

    sku: str
    quantity: int
    makes: int
    steps: Sequence[Step]


class _Walk:
    """Steps so far, and the number after the last."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.number = 0

    def to(self, name: str, number: int, parts: tuple[PartSteps, ...] = (), **cause: object) -> None:
        self.steps.append(Step(name, number, number - self.number, cause, parts))
        self.number = number


def steps(facts: Facts, *, at_once: bool = False) -> list[Step]:
    """Every step to the number written to the store; each starts from the number of the one before, the first from 0.

    With ``at_once`` what other stores may still show is left to them until they show less.
    """
    walk = _Walk()
    if facts.parts is None:
        _take_units(walk, facts, at_once)
    else:
        _take_bundles(walk, facts.parts, at_once)
    if facts.pack_size > 1:
        walk.to("pack", walk.number // facts.pack_size, pack_size=facts.pack_size)
    if facts.rules.cap is not None:
        walk.to("cap", min(walk.number, facts.rules.cap), units=facts.rules.cap, set_by=_setter(facts, "cap"))
    walk.to("sellable", walk.number)
    if facts.hidden:
        walk.to("platform", walk.number + facts.hidden, hidden=facts.hidden)
    return walk.steps


def _take_units(walk: _Walk, facts: Facts, at_once: bool) -> None:
    """What this listing may show of one item: of what all stores may draw on, and of what is set apart for its own."""
    rules = facts.rules
    every, own = facts.units(Reach.EVERY), facts.units(Reach.OWN)
    common, apart = every + (facts.free if facts.alone else 0), own
    walk.to("free", common + apart, shared=facts.free, pools=_pools(facts, presale=False))
    if kept := rules.safety_stock:
        common, apart = max(common - kept, 0), max(apart - max(kept - common, 0), 0)
        walk.to("safety_stock", common + apart, units=kept, set_by=_setter(facts, "safety_stock"))
    if facts.alone:
        # After the safety stock, which shared units cover for the store, too.
        common = min(common, every)
        walk.to("overflow", common + apart, locks=list(facts.alone))
    if rules.buffer:
        # Nobody else sells what is set apart, so no news of a sale there can be late.
        common = max(common - rules.buffer, 0)
        walk.to("buffer", common + apart, units=rules.buffer, set_by=_setter(facts, "buffer"))
    if rules.share < WHOLE:
        common = common * rules.share // WHOLE
        walk.to("share", common + apart, percent=rules.share, set_by=_setter(facts, "share"))
    is_dealt, own_is_dealt = not facts.is_deep(every), own > 0 and not facts.is_deep(own, facts.own_sharers)
    if is_dealt or own_is_dealt:
        part = facts.part_of(every)
        common, apart = min(common, part), min(apart, facts.part_of(own, own=True))
        walk.to(
            "deal",
            common + apart,
            sharers=facts.sharers if is_dealt else 0,
            part=part,
            own_sharers=facts.own_sharers if own_is_dealt else 0,
        )
    if presale := _pools(facts, presale=True):
        apart += facts.part_of(facts.units(Reach.OWN, presale=True), own=True)
        walk.to("presale", common + apart + facts.part_of(facts.units(Reach.EVERY, presale=True)), pools=presale)
    if rules.backorder is not Backorder.NO and not facts.alone:
        _let_wait(walk, facts)
    if at_once and not facts.deep:
        left = max(every + facts.units(Reach.EVERY, presale=True) + facts.may_wait - facts.elsewhere, 0)
        left = max(apart + left - facts.beside, 0)
        walk.to("wait", min(walk.number, left), elsewhere=facts.elsewhere + facts.beside, left=left)


def _let_wait(walk: _Walk, facts: Facts) -> None:
    rules = facts.rules
    walk.to(
        "backorder",
        walk.number + facts.part_of(facts.may_wait),
        policy=rules.backorder,
        limit=rules.backorder_limit,
        waiting=facts.waiting,
        set_by=_setter(facts, "backorder"),
    )


def _take_bundles(walk: _Walk, parts: Sequence[Part], at_once: bool) -> None:
    """As many bundles as the scarcest component is enough for; a bundle of nothing sells nothing."""
    enough = []
    for part in parts:
        taken = _Walk()
        _take_units(taken, part.facts, at_once)
        enough.append(PartSteps(part.sku, part.quantity, taken.number // part.quantity, taken.steps))
    makes = min((one.makes for one in enough), default=0)
    scarcest = [one.sku for one in enough if one.makes == makes]
    walk.to("bundle", makes, tuple(enough), scarcest=scarcest)


def _pools(facts: Facts, *, presale: bool) -> list[dict[str, object]]:
    return [
        {"pool": one.pool, "kind": str(one.kind), "units": one.units, "own": one.reach is Reach.OWN}
        for one in facts.sources
        if one.is_presale is presale and one.reach is not Reach.OTHER
    ]


def _setter(facts: Facts, rule: str) -> str:
    return str(facts.rules.set_by.get(rule, ""))


def number_to_write(facts: Facts) -> int:
    """The number the store's field should hold."""
    return steps(facts)[-1].number


def units_to_show(facts: Facts) -> int:
    """Units of one item that a listing may show, before bundles, packs and caps; ``facts`` are of no bundle."""
    walk = _Walk()
    _take_units(walk, facts, at_once=False)
    return walk.number


def affordable(facts: Facts, target: int, believed: int | None) -> int:
    """As much of a rise to ``target`` as other stores leave, so that all of them together never show what is not there.

    Only units that are dealt out are counted; a fall is always affordable.

    Args: believed: what the store is believed to show now; None when that is not known.
    """
    shown = believed or 0
    if facts.deep or target <= shown:
        return target
    return max(min(target, steps(facts, at_once=True)[-1].number), shown)
