"""Alerts as words that a merchant understands. Pure.

Facts that a kind does not name are told under their own names, so nothing that somebody notes is lost.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from core.alerts.kinds import AlertKind

Facts = Mapping[str, object]
_CAUSES = {
    "sold_before_told": "the store sold while it still showed an older, higher number",
    "sold_after_told": "the store sold although it had confirmed the lower number before",
    "never_told": "who sold them had never been told a number",
    "broken": "the units were promised, and then they were gone",
}
# In the order in which they are told.
_LABELS = {
    "title": "Item", "free": "Free units now", "sellable": "May be sold now", "threshold": "Warning level",
    "days_left": "Days of cover", "sold": "Units sold", "days": "Days counted", "units": "Units", "order": "Order",
    "store": "Store", "warehouse": "Warehouse", "grade": "Grade", "lock": "Lock", "pool": "Pool",
    "purchase": "Purchase order", "trouble": "Trouble", "mirror": "Outside system",
    "batches": "Batches", "quantity": "Locked units",
    "since_at": "Since", "read_at": "Orders last read", "expires_at": "Ends", "moved_at": "Last moved",
    "orders": "Orders and holds", "oldest_at": "Oldest since", "filled": "Filled so far",
    "still_waiting": "Still waiting", "cause": "Cause",
}  # fmt: skip
_WITH_NUMBERS_THAT_MOVE = frozenset({AlertKind.LOW_STOCK, AlertKind.LOW_COVER, AlertKind.LOCK_IDLE})
_IN_HEADLINE = ("sku", "listing", "timeline")


@dataclass(frozen=True, slots=True)
class Told:
    """``headline``: one line. ``facts``: labels and values. ``timeline``: when, and what happened then."""

    headline: str
    facts: Sequence[tuple[str, str]]
    timeline: Sequence[tuple[str, str]]
    advice: str


def tell(kind: str, facts: Facts, zone: ZoneInfo) -> Told:
    """All that an alert says; times are those of ``zone``."""
    names = [*(name for name in _LABELS if name in facts), *(name for name in facts if name not in _LABELS)]
    rows = [
        (_LABELS.get(name, name.replace("_", " ").capitalize()), _value(name, facts[name], zone))
        for name in names
        if name not in _IN_HEADLINE and facts[name] not in (None, "") and facts[name] != facts.get("sku")
    ]
    return Told(headline(kind, facts, zone), rows, _timeline(facts, zone), advice(kind, facts))


def headline(kind: str, facts: Facts, zone: ZoneInfo) -> str:
    """What is the matter, in one line, whatever a store calls its things."""
    say = _HEADLINES.get(kind)
    said = f"{kind.replace('_', ' ').capitalize()}: {_named(facts)}" if say is None else say(facts, zone)
    return " ".join(said.split())


def headline_later(kind: str, facts: Facts, zone: ZoneInfo) -> str:
    """The same of an alert that was opened a while ago: numbers that move since are those of then."""
    said = headline(kind, facts, zone)
    return f"{said}, when it rang" if kind in _WITH_NUMBERS_THAT_MOVE else said


def advice(kind: str, facts: Facts) -> str:
    """What to do about it."""
    if kind == AlertKind.LOW_STOCK:
        return f"order or receive more, or change the level: holdfast {_level_of(facts)}"
    store = shlex.quote(str(facts.get("store", "NAME")))
    return _ADVICE.get(kind, "").format(sku=facts.get("sku", "SKU"), store=store)


def _level_of(facts: Facts) -> str:
    sku = facts.get("sku")
    for place in ("warehouse", "store"):
        if facts.get(place):
            return f"alert rule set low_stock NUMBER --item {sku} --{place} {facts[place]}"
    return f"stock warn {sku} NUMBER"


def told_cause(cause: str) -> str:
    """Why units were oversold, for people."""
    return _CAUSES.get(cause, cause.replace("_", " "))


def moment(at: datetime | str, zone: ZoneInfo) -> str:
    """An instant, or its ISO form, on the wall clock of ``zone``."""
    when = datetime.fromisoformat(at) if isinstance(at, str) else at
    return when.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")


def _value(name: str, value: object, zone: ZoneInfo) -> str:
    if name == "cause":
        return told_cause(str(value))
    if name.endswith("_at") and isinstance(value, str):
        return moment(value, zone)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _timeline(facts: Facts, zone: ZoneInfo) -> list[tuple[str, str]]:
    events = facts.get("timeline")
    return [(moment(one["at"], zone), one["what"]) for one in events] if isinstance(events, list) else []


def _named(facts: Facts) -> str:
    """The item, with its grade where it is not good."""
    sku = str(facts.get("sku") or facts.get("lock") or "something")
    return f"{sku} ({str(facts['grade']).replace('_', ' ')})" if facts.get("grade") else sku


def _units(facts: Facts, name: str = "units") -> str:
    count = facts.get(name, 0)
    return f"{count} unit" if count == 1 else f"{count} units"


def _order(facts: Facts) -> str:
    """The order that is concerned, after a comma; empty where there is none."""
    if not facts.get("order"):
        return ""
    store = f" of {facts['store']}" if facts.get("store") else ""
    return f", order {facts['order']}{store}"


def _low_stock(facts: Facts, _zone: ZoneInfo) -> str:
    if "sellable" in facts:
        return f"Low stock in {facts.get('store')}: {facts['sellable']} of {_named(facts)} may be sold"
    if facts.get("warehouse"):
        return f"Low stock in {facts['warehouse']}: {_named(facts)} has {facts['free']} left"
    return f"Low stock: {_named(facts)} has {facts['free']} left"


def _low_cover(facts: Facts, _zone: ZoneInfo) -> str:
    days = facts["days_left"]
    lasts = "less than a day" if days == 0 else "1 day" if days == 1 else f"{days} days"
    return f"Low cover: {_named(facts)} lasts {lasts}"


def _lock_expiring(facts: Facts, zone: ZoneInfo) -> str:
    return f"Lock {facts['lock']} of {_named(facts)} ends {moment(str(facts['expires_at']), zone)}"


def _lock_idle(facts: Facts, _zone: ZoneInfo) -> str:
    return f"Lock {facts['lock']} is idle: {_units(facts, 'free')} of {_named(facts)} lie in it"


def _lock_used_up(facts: Facts, _zone: ZoneInfo) -> str:
    return f"Lock {facts['lock']} is used up: drawn are {_units(facts, 'quantity')} of {_named(facts)}"


def _not_preloaded(facts: Facts, _zone: ZoneInfo) -> str:
    return f"Activity {facts['pool']} has not got its units"


def _goods_late(facts: Facts, _zone: ZoneInfo) -> str:
    return f"Late: {_units(facts)} of {_named(facts)} that were on sale, purchase order {facts['purchase']}"


def _mirror_waits(facts: Facts, _zone: ZoneInfo) -> str:
    return f"A batch of {facts['mirror']} waits for a person"


def _mirror_silent(facts: Facts, _zone: ZoneInfo) -> str:
    return f"Nothing was heard of {facts['mirror']} for too long"


def _store_refuses(facts: Facts, _zone: ZoneInfo) -> str:
    return f"The credentials of {facts['store']} do not work"


def _store_silent(facts: Facts, zone: ZoneInfo) -> str:
    return f"Orders of {facts['store']} have not been read since {moment(str(facts['read_at']), zone)}"


def _oversell(facts: Facts, _zone: ZoneInfo) -> str:
    return f"Oversold: {_units(facts)} of {_named(facts)}{_order(facts)}"


def _unsent(facts: Facts, _zone: ZoneInfo) -> str:
    return f"Not sent: {_units(facts)}{_order(facts)}; no warehouse is told to"


def _backorder_waits(facts: Facts, _zone: ZoneInfo) -> str:
    return f"Backorder: {_units(facts)} of {_named(facts)} wait{_order(facts)}"


def _backorder_filled(facts: Facts, _zone: ZoneInfo) -> str:
    return f"Backorder filled: {_units(facts)} of {_named(facts)}{_order(facts)}"


_HEADLINES: Mapping[str, Callable[[Facts, ZoneInfo], str]] = {
    AlertKind.LOW_STOCK: _low_stock,
    AlertKind.LOW_COVER: _low_cover,
    AlertKind.NOT_PRELOADED: _not_preloaded,
    AlertKind.GOODS_LATE: _goods_late,
    AlertKind.MIRROR_WAITS: _mirror_waits,
    AlertKind.MIRROR_SILENT: _mirror_silent,
    AlertKind.LOCK_EXPIRING: _lock_expiring,
    AlertKind.LOCK_IDLE: _lock_idle,
    AlertKind.LOCK_USED_UP: _lock_used_up,
    AlertKind.OVERSELL: _oversell,
    AlertKind.STORE_REFUSES: _store_refuses,
    AlertKind.STORE_SILENT: _store_silent,
    AlertKind.UNSENT: _unsent,
    AlertKind.BACKORDER_WAITS: _backorder_waits,
    AlertKind.BACKORDER_FILLED: _backorder_filled,
}
_ADVICE: Mapping[str, str] = {
    AlertKind.LOW_COVER: "order more, or change the days: holdfast alert rule set low_cover DAYS --item {sku}",
    AlertKind.NOT_PRELOADED: "make room for it, or deal what there is; it is tried again by itself",
    AlertKind.GOODS_LATE: "ask the supplier, and say when they come: holdfast purchase date",
    AlertKind.MIRROR_WAITS: "see what it would change: holdfast mirror list",
    AlertKind.MIRROR_SILENT: "see that it runs; its warehouse's numbers grow old: holdfast mirror list",
    AlertKind.LOCK_EXPIRING: "let it end, and its units go back to everybody, or give it longer",
    AlertKind.LOCK_IDLE: "release what nobody needs, and everybody may sell it",
    AlertKind.LOCK_USED_UP: "close it, or ask for another one",
    AlertKind.OVERSELL: "receive units (holdfast stock receive {sku} NUMBER), or cancel the order in its store",
    AlertKind.STORE_REFUSES: "give new ones: holdfast store renew {store}; what it sells meanwhile is read then",
    AlertKind.STORE_SILENT: "see that it runs: holdfast store test {store}; what it sold is read once it answers",
    AlertKind.UNSENT: "holdfast fulfil allocate NUMBER tells a warehouse to, or says what keeps them from it",
    AlertKind.BACKORDER_WAITS: "order or receive more; what waits is served by itself",
    AlertKind.BACKORDER_FILLED: "it can be shipped",
}
