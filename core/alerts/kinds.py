"""What can be warned of, and when a number has crossed its level. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from core.stock import Stocked

_MOST_UNITS, _MOST_DAYS = 1_000_000_000, 3_650
NO_PLACE = EVERY_ITEM = 0
DEFAULT_WINDOW_DAYS, LONGEST_WINDOW_DAYS = 28, 90


class AlertKind(StrEnum):
    """The most urgent first."""

    OVERSELL = "oversell"  # a promise that cannot be kept as made
    STORE_REFUSES = "store_refuses"  # a store whose credentials do not work
    STORE_SILENT = "store_silent"  # a store whose orders could not be read for long, whatever keeps us from it
    UNSENT = "unsent"  # paid units of an order that could be sent, and no warehouse is told to
    LOW_STOCK = "low_stock"  # few units: free ones of an item, available ones of a warehouse, what a store may sell
    LOW_COVER = "low_cover"  # what is free lasts few days at the pace at which it sells
    BACKORDER_FILLED = "backorder_filled"  # an event: it is over when it is told
    BACKORDER_WAITS = "backorder_waits"
    NOT_PRELOADED = "not_preloaded"  # an activity that lacks the units it is to begin with
    GOODS_LATE = "goods_late"  # goods on their way that were on sale and have not come by their day
    MIRROR_WAITS = "mirror_waits"  # a batch of an outside system that a person is to look at
    MIRROR_SILENT = "mirror_silent"  # an outside system that has told nothing for longer than it may
    LOCK_EXPIRING = "lock_expiring"
    LOCK_USED_UP = "lock_used_up"
    LOCK_IDLE = "lock_idle"  # units that nobody has drawn on for long


EVENTS = frozenset({AlertKind.BACKORDER_FILLED})
# Recorded in any case; that they are off means that nobody gets a mail.
ALWAYS_NOTED = frozenset(
    {
        AlertKind.OVERSELL, AlertKind.BACKORDER_WAITS, AlertKind.BACKORDER_FILLED, AlertKind.NOT_PRELOADED,
        AlertKind.GOODS_LATE, AlertKind.MIRROR_WAITS, AlertKind.MIRROR_SILENT, AlertKind.STORE_REFUSES,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class KindOfRule:
    """What a rule of one kind says.

    ``counts``   what its level counts; empty: there is none, only whether to warn.
    ``unset``    the level where no rule is set; None: no warning then.
    ``meaning``  ends the sentence "warns when ...".
    ``of``       what each of its alerts is about, where a rule cannot name an item.
    """

    counts: str
    unset: int | None
    meaning: str
    most: int = _MOST_DAYS
    of: str = "item"


KINDS: Mapping[AlertKind, KindOfRule] = MappingProxyType(
    {
        AlertKind.OVERSELL: KindOfRule("", None, "units were promised that are not there"),
        AlertKind.STORE_REFUSES: KindOfRule("", None, "the credentials of a store do not work", of="store"),
        AlertKind.STORE_SILENT: KindOfRule("hours", 1, "the orders of a store cannot be read for so long", of="store"),
        AlertKind.UNSENT: KindOfRule(
            "hours", 24, "paid units could be sent for so long, and no warehouse is told to", of="order"
        ),
        AlertKind.LOW_STOCK: KindOfRule("units", None, "units fall to the level", most=_MOST_UNITS),
        AlertKind.LOW_COVER: KindOfRule("days", None, "free units last so many days, at the pace of the last days"),
        AlertKind.BACKORDER_FILLED: KindOfRule("", None, "an order that waited has its units"),
        AlertKind.BACKORDER_WAITS: KindOfRule("", None, "an order has to wait for units"),
        AlertKind.NOT_PRELOADED: KindOfRule("", None, "an activity cannot get the units that it is to begin with"),
        AlertKind.GOODS_LATE: KindOfRule("", None, "goods that were sold while on their way are late"),
        AlertKind.MIRROR_WAITS: KindOfRule("", None, "a batch of an outside system waits for a person"),
        AlertKind.MIRROR_SILENT: KindOfRule("", None, "an outside system has told nothing for too long"),
        AlertKind.LOCK_EXPIRING: KindOfRule("days", 3, "a lock ends in so many days"),
        AlertKind.LOCK_USED_UP: KindOfRule("", None, "all units of a lock are drawn"),
        AlertKind.LOCK_IDLE: KindOfRule("days", 14, "nobody drew on a lock for so many days, and units are left"),
    }
)


def recovers_at(threshold: int) -> int:
    """Where a low number is low no more: a fifth above its level, so that one sale does not ring twice."""
    return threshold + max(1, threshold // 5)


class Watch(NamedTuple):
    """A low-stock rule: warn when units of an item (0: of every item without a rule of its own) fall to ``level``.

    ``warehouse_id`` 0: free units of the shared pool; else units available in that warehouse. ``level`` None: never.
    """

    item_id: int
    warehouse_id: int
    grade: str
    level: int | None


class Spot(NamedTuple):
    """Where a number is watched; ``warehouse_id`` as in ``Watch``."""

    stocked: Stocked
    warehouse_id: int

    @property
    def subject(self) -> str:
        """What the alert is about: one open alert of a kind has it."""
        place = f"/warehouse/{self.warehouse_id}" if self.warehouse_id else ""
        return f"{self.stocked.item_id}/{self.stocked.grade}{place}"


class Crossing(NamedTuple):
    """A number fell to ``level``, or (``is_low`` False) is no longer low; ``level`` is None where no rule holds."""

    spot: Spot
    is_low: bool
    units: int
    level: int | None


class Levels:
    """The level that holds at each spot: that of the item itself, else that of every item."""

    def __init__(self, watches: Iterable[Watch]) -> None:
        self._levels = {(one.item_id, one.warehouse_id, one.grade): one.level for one in watches}

    def at(self, spot: Spot) -> int | None:
        """None: nobody wants to be warned."""
        (item_id, grade), place = spot
        own = (item_id, place, grade)
        return self._levels[own] if own in self._levels else self._levels.get((EVERY_ITEM, place, grade))


def crossings(watches: Sequence[Watch], changes: Iterable[tuple[Spot, int, int]]) -> list[Crossing]:
    """Which changes (units before and after) crossed a level downwards, or upwards the point where it recovers."""
    levels, found = Levels(watches), []
    for spot, before, after in changes:
        level = levels.at(spot)
        if level is None:
            continue
        if before > level >= after:
            found.append(Crossing(spot, True, after, level))
        elif before < recovers_at(level) <= after:
            found.append(Crossing(spot, False, after, level))
    return found


def standing(levels: Levels, spot: Spot, units: int, *, is_open: bool) -> Crossing | None:
    """What should be said of a number as it stands, whether or not somebody saw it cross; None: nothing.

    Args: is_open: there is an open alert on it.
    """
    level = levels.at(spot)
    if not is_open:
        return Crossing(spot, True, units, level) if level is not None and units <= level else None
    if level is None or units >= recovers_at(level):
        return Crossing(spot, False, units, level)
    return None
