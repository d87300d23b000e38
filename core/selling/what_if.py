"""What would make a listing's number another one: single changes, each tried by walking the steps again. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from core.model import Sharing
from core.selling.availability import Facts, Part, Reach, Source, number_to_write, units_to_show
from core.selling.rulebook import UNIT_RULES, WHOLE, Backorder, Rules, Scope, Value
from core.selling.wording import listed
from core.words import counted

_FAR = 1_000_000_000  # no search looks further


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that alone leads to the number.

    ``what``    receive, release (units of a pool that this store may not draw on), sharing, or a rule's name: the
                listing itself would have that value.
    ``was``, ``becomes``  its value before and after; for units: 0 and how many, where there is one number.
    ``words``   the same for a merchant.
    ``facts``   what holds after it.
    """

    what: str
    was: Value
    becomes: Value
    words: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class Ways:
    """``changes`` each lead to the number by themselves; when there is none, ``reason`` says why."""

    changes: tuple[Change, ...]
    reason: str = ""


def what_would_make(facts: Facts, number: int) -> Ways:
    """All that alone makes the number to write ``number`` (>= 0)."""
    now = number_to_write(facts)
    if number == now:
        return Ways((), f"it is {number:,} already")
    if number > _FAR:
        return Ways((), f"nothing is looked for beyond {_FAR:,}")
    if number < facts.hidden:
        return Ways((), f"unpaid orders of the store itself hold {facts.hidden:,}, which it still counts")
    tried = _rises(facts, number) if number > now else _falls(facts, number)
    changes = tuple(change for change in tried if number_to_write(change.facts) == number)
    return Ways(changes, "" if changes else _why_nothing(facts, number))


def _rises(facts: Facts, number: int) -> Iterator[Change]:
    yield from _receipts(facts, number)
    yield from _releases(facts, number)
    for name in ("safety_stock", "buffer"):
        yield from _nearest(facts, number, name, _value(facts, name), 0)
    yield from _nearest(facts, number, "share", _value(facts, "share"), WHOLE)
    if (cap := facts.rules.cap) is not None:
        yield from _nearest(facts, number, "cap", cap, _FAR)
    yield from _nearest(facts, number, "backorder_limit", _limit(facts), _FAR)
    yield from _overflows(facts)
    if not facts.deep:
        mirrored = _everywhere(facts, lambda one: replace(one, sharing=Sharing.MIRROR))
        words = "show all units in every store instead of dealing them out; the last ones may then be sold twice"
        yield Change("sharing", facts.sharing, Sharing.MIRROR, words, mirrored)


def _overflows(facts: Facts) -> Iterator[Change]:
    keeping = [facts] if facts.parts is None else [part.facts for part in facts.parts]
    if keys := list(dict.fromkeys(key for one in keeping for key in one.alone)):
        words = f"let orders of {listed([f'lock {key}' for key in keys])} take what everybody shares (overflow yes)"
        yield Change("overflow", "no", "yes", words, _everywhere(facts, lambda one: replace(one, alone=())))


def _falls(facts: Facts, number: int) -> Iterator[Change]:
    cap = facts.rules.cap
    yield from _nearest(facts, number, "cap", _FAR if cap is None else cap, 0)
    for name in ("safety_stock", "buffer"):
        yield from _nearest(facts, number, name, _value(facts, name), _FAR)
    yield from _nearest(facts, number, "share", _value(facts, "share"), 1)
    yield from _nearest(facts, number, "backorder_limit", _limit(facts), 0)


def _nearest(facts: Facts, number: int, rule: str, now: int, bound: int) -> Iterator[Change]:
    """The rule's value nearest to what it is with which the number is reached, between what it is and ``bound``."""
    step = 1 if bound > now else -1
    rises = number > number_to_write(facts)

    def reaches(distance: int) -> bool:
        made = number_to_write(with_rule(facts, rule, now + step * distance))
        return made >= number if rises else made <= number

    found = _first(reaches, abs(bound - now))
    if found is not None:
        value = now + step * found
        was = None if now == _FAR else now
        yield Change(rule, was, value, _told(rule, was, value), with_rule(facts, rule, value))


def _first(reaches: Callable[[int], bool], most: int) -> int | None:
    """The smallest distance from 1 to ``most`` that reaches, where a larger one reaches, too."""
    if most < 1 or not reaches(most):
        return None
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle + 1, high)
    return low


def with_rule(facts: Facts, rule: str, value: int) -> Facts:
    """The facts as they would be if the listing itself had this value. ``backorder_limit`` lets orders wait, too."""

    def said(rules: Rules, times: int) -> Rules:
        told: dict[str, Any] = {rule: value * times if rule in UNIT_RULES else value}
        if rule == "backorder_limit" and rules.backorder is Backorder.NO:
            told["backorder"] = Backorder.YES
        return replace(rules, **told, set_by={**rules.set_by, **dict.fromkeys(told, Scope.LISTING)})

    changed = replace(facts, rules=said(facts.rules, 1))
    if changed.parts is None:
        return changed
    parts = [_with(part, replace(part.facts, rules=said(part.facts.rules, part.quantity))) for part in changed.parts]
    return replace(changed, parts=tuple(parts))


def _with(part: Part, facts: Facts) -> Part:
    return replace(part, facts=facts)


def _everywhere(facts: Facts, change: Callable[[Facts], Facts]) -> Facts:
    if facts.parts is None:
        return change(facts)
    return replace(facts, parts=tuple(_with(part, change(part.facts)) for part in facts.parts))


def _value(facts: Facts, rule: str) -> int:
    """What holds for the listing; of a bundle the most of its components, so that a search meets all of them."""
    if facts.parts is None:
        return int(getattr(facts.rules, rule))
    said = [_per_unit(getattr(part.facts.rules, rule), part.quantity, rule) for part in facts.parts]
    return max(said, default=0) if rule in UNIT_RULES else min(said, default=WHOLE)


def _per_unit(value: int, quantity: int, rule: str) -> int:
    return -(-value // quantity) if rule in UNIT_RULES else value


def _limit(facts: Facts) -> int:
    """How many may wait as it is; where no bound is set none are shown, which is what the number knows."""
    if facts.parts is None:
        rules = facts.rules
        return 0 if rules.backorder is Backorder.NO else rules.backorder_limit or 0
    return min((_limit(part.facts) // part.quantity for part in facts.parts), default=0)


def _told(rule: str, was: int | None, value: int) -> str:
    name = rule.replace("_", " ")
    if rule == "backorder_limit":
        return f"let up to {counted(value, 'unit')} wait (backorder yes, limit {value:,})"
    if was is None:
        return f"set a {name} of {value:,}"
    unit = " %" if rule == "share" else ""
    return f"{'raise' if value > was else 'lower'} the {name} from {was:,}{unit} to {value:,}{unit}"


def _receipts(facts: Facts, number: int) -> Iterator[Change]:
    """Units that come in: of a bundle, as many of each component as are missing."""
    if facts.parts is None:
        more = _first(lambda units: number_to_write(received(facts, units)) >= number, _FAR)
        if more is not None:
            yield Change("receive", 0, more, f"receive {counted(more, 'unit')}", received(facts, more))
        return
    # What comes after the bundles: packs, the cap, and what the store hides.
    missing = [_missing(part, (number - facts.hidden) * facts.pack_size) for part in facts.parts]
    parts = [_with(part, received(part.facts, more)) for part, more in zip(facts.parts, missing, strict=True)]
    told = [f"{more:,} of {part.sku}" for part, more in zip(facts.parts, missing, strict=True) if more]
    units = sum(missing) if len(told) == 1 else None
    yield Change("receive", 0, units, f"receive {listed(told)}", replace(facts, parts=tuple(parts)))


def _missing(part: Part, bundles: int) -> int:
    """Units more of a component, so that it is enough for so many bundles."""

    def reaches(units: int) -> bool:
        return units_to_show(received(part.facts, units)) >= bundles * part.quantity

    # Among few listings, and of a share of a percent, many must come for one to be shown.
    return 0 if reaches(0) else _first(reaches, _FAR * _FAR) or 0


def received(facts: Facts, units: int) -> Facts:
    """What holds when ``units`` (>= 0) of the item come free: they serve what waits, and the rest is free."""
    served = min(units, facts.waiting)
    return replace(facts, free=facts.free + units - served, waiting=facts.waiting - served)


def _releases(facts: Facts, number: int) -> Iterator[Change]:
    """Units of pools that other stores, or nobody, may draw on: given back, they are everybody's."""
    for nth, part in enumerate((None,) if facts.parts is None else facts.parts):
        of = facts if part is None else part.facts
        for source in of.sources:
            if source.reach is Reach.OTHER and not source.is_presale:
                yield from _release(facts, number, nth, source)


def _release(facts: Facts, number: int, nth: int, source: Source) -> Iterator[Change]:
    def after(units: int) -> Facts:
        if facts.parts is None:
            return _given_back(facts, source, units)
        changed = _with(facts.parts[nth], _given_back(facts.parts[nth].facts, source, units))
        return replace(facts, parts=(*facts.parts[:nth], changed, *facts.parts[nth + 1 :]))

    units = _first(lambda units: number_to_write(after(units)) >= number, source.units)
    if units is not None:
        words = f"release {counted(units, 'unit')} of {source.kind} {source.pool}"
        yield Change("release", 0, units, words, after(units))


def _given_back(facts: Facts, source: Source, units: int) -> Facts:
    left = replace(source, units=source.units - units)
    return received(replace(facts, sources=tuple(left if one is source else one for one in facts.sources)), units)


def _why_nothing(facts: Facts, number: int) -> str:
    if facts.parts == ():
        return "it is a bundle without components; say what it is made of first"
    cap = facts.rules.cap
    if cap is not None and cap + facts.hidden < number:
        there_are = number_to_write(replace(facts, rules=replace(facts.rules, cap=None)))
        if there_are < number:
            return (
                f"more than one thing stands in the way: the cap of {cap:,}, and without it there are only "
                f"{there_are:,}"
            )
    return f"where units are dealt out or packed, the number moves in steps, and {number:,} is none of them"
