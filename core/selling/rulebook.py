"""The rules of what a store may sell: what each means, who may have it, and which value holds. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from core.errors import Refused
from core.stock import GRADES

# A value, as it stands in its column; None: nothing is said here, so that the next in line says it.
Value = int | str | None
_MOST = 1_000_000_000
WHOLE = 100  # percent


class Scope(StrEnum):
    """Who has a rule. A listing's own value beats its item's, and that of the item beats the store's."""

    LISTING = "listing"
    ITEM = "item"
    STORE = "store"


_A = {Scope.LISTING: "a listing", Scope.ITEM: "an item", Scope.STORE: "a store"}


class Backorder(StrEnum):
    """May customers order what is not there?"""

    NO = "no"
    YES = "yes"
    NOTIFY = "notify"  # yes, and they are told that they will wait


class Deduct(StrEnum):
    """When a store's orders take their units for good."""

    RESERVE_THEN_DEDUCT = "reserve_then_deduct"  # held when ordered, deducted when paid
    AT_ORDER = "at_order"  # deducted when ordered, rolled back when it stays unpaid
    AT_PAYMENT = "at_payment"  # nothing is held before the payment


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, which is a column of each table that ``scopes`` name.

    ``meaning``  ends the sentence "it says ...".
    ``least``, ``most``  of a number; ``words``: what may be said instead of a number.
    ``unset``    what holds where nobody says anything.
    ``clears``   False for a fact of a listing that always has a value.
    """

    name: str
    scopes: tuple[Scope, ...]
    meaning: str
    unset: Value = None
    least: int = 0
    most: int = _MOST
    words: tuple[str, ...] = ()
    clears: bool = True
    changes_numbers: bool = True

    def read(self, text: str) -> int | str:
        """The value that ``text`` says. Raises: Refused, naming what may be said."""
        said = text.strip().lower()
        if self.words:
            if said in self.words:
                return said
        elif said.isascii() and said.isdigit() and self.least <= int(said[:12]) <= self.most:
            return int(said)
        raise Refused(f"{self.name} cannot be {text!r}; say {self.accepts}")

    @property
    def of(self) -> str:
        return " or ".join(_A[scope] for scope in self.scopes)

    @property
    def accepts(self) -> str:
        return ", ".join(self.words) if self.words else f"a whole number from {self.least:,} to {self.most:,}"


_ALL = (Scope.LISTING, Scope.ITEM, Scope.STORE)
_SHELF = (Scope.LISTING, Scope.STORE)
_RULES = (
    Rule("safety_stock", _ALL, "how many units are never shown, against doubt in what is there", unset=0),
    Rule("buffer", _SHELF, "how many units are held back because news between stores takes time", unset=0),
    Rule("share", _SHELF, "which percent of the free units may be shown", unset=WHOLE, least=1, most=WHOLE),
    Rule("cap", _SHELF, "how many the store shows at most"),
    Rule("backorder", _ALL, "whether what is not there may be ordered", unset="no", words=tuple(Backorder)),
    Rule("backorder_limit", _ALL, "how many units of an item may wait at most"),
    Rule(
        "deduct", (Scope.STORE,), "when its orders take their units for good", unset="reserve_then_deduct",
        words=tuple(Deduct), changes_numbers=False,
    ),
    Rule("pack_size", (Scope.LISTING,), "how many units one sale takes", unset=1, least=1, clears=False),
    Rule("grade", (Scope.LISTING,), "which grade it sells", unset=GRADES[0], words=GRADES, clears=False),
)  # fmt: skip
RULES: Mapping[str, Rule] = MappingProxyType({rule.name: rule for rule in _RULES})
INHERITED = ("safety_stock", "buffer", "share", "cap", "backorder", "backorder_limit")


def rule_named(name: str, scope: Scope | None = None) -> Rule:
    """The rule of that name, which ``scope`` may have. Raises: Refused, naming the cure."""
    key = name.strip().lower().replace("-", "_")
    if key == "floor":
        raise Refused("a floor is no rule but a lock for the store: `holdfast lock floor STORE SKU N` sets it")
    rule = RULES.get(key)
    if rule is None:
        raise Refused(f"there is no rule {name!r}; there are: {', '.join(RULES)}")
    if scope is not None and scope not in rule.scopes:
        raise Refused(f"{rule.name} is a rule of {rule.of}, not of {_A[scope]}")
    return rule


@dataclass(frozen=True, slots=True)
class Rules:
    """The values that hold for one listing; units >= 0.

    ``cap``              sale units of the listing; None: no bound.
    ``share``            percent, 1 to 100.
    ``backorder_limit``  units of the item that may wait; None: no bound.
    ``set_by``           who says so, for each rule that somebody has set.
    """

    safety_stock: int = 0
    buffer: int = 0
    share: int = WHOLE
    cap: int | None = None
    backorder: Backorder = Backorder.NO
    backorder_limit: int | None = None
    set_by: Mapping[str, Scope] = field(default_factory=dict, hash=False)


NO_RULES = Rules()
# Counted in units of an item; of a bundle, in bundles.
UNIT_RULES = frozenset({"safety_stock", "buffer", "backorder_limit"})


@dataclass(frozen=True, slots=True)
class Told:
    """What one scope says. ``times``: units that one unit of its own stands for (a bundle's values count bundles)."""

    scope: Scope
    values: Mapping[str, Value]
    times: int = 1


def resolve(nearest_first: Sequence[Told]) -> Rules:
    """Of each rule the nearest value that somebody has set.

    A store always says how much safety stock it keeps; 0 counts as nothing said.
    """
    found: dict[str, Any] = {}
    set_by: dict[str, Scope] = {}
    for name in INHERITED:
        for told in nearest_first:
            value = told.values.get(name)
            if value is None or (told.scope is Scope.STORE and value == 0 and name == "safety_stock"):
                continue
            found[name] = value * told.times if isinstance(value, int) and name in UNIT_RULES else value
            set_by[name] = told.scope
            break
    if not found:
        return NO_RULES
    if "backorder" in found:
        found["backorder"] = Backorder(found["backorder"])
    return Rules(**found, set_by=set_by)
