"""What is to be ordered again: for any number of items, the numbers and the plan that follows from them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from core.demand import days, flows
from core.demand.velocity import Daily, Demand, Moved, daily, demand
from core.replenish import settings
from core.replenish.accuracy import Scores, all_together, compare
from core.replenish.decide import Method, Plan, Position, Terms, plan
from core.replenish.forecast import Forecast, forecast
from core.replenish.settings import Defaults
from core.replenish.sources import Source, choose, terms_of
from core.replenish.views import facts
from core.replenish.views.facts import Item
from core.stock import Stocked
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Line:
    """One item: what is known, and what follows. ``source``: who is asked for it; None: nobody brings it.

    ``forecast``: None where its pace tells what will sell, by its method or because its days are too few.
    """

    item: Item
    window_days: int
    sells: Demand
    position: Position
    terms: Terms
    plan: Plan
    source: Source | None
    forecast: Forecast | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """What one supplier is to be asked for; ``supplier`` "": what nobody brings.

    ``cost_minor``: of all, in the smallest unit of ``currency``; None: of some nobody said what it costs.
    """

    supplier: str
    currency: str
    expected_on: date
    lines: Sequence[Line]
    cost_minor: int | None

    @property
    def units(self) -> int:
        return sum(line.plan.order for line in self.lines)


def lines(tx: Transaction, of: Collection[Item]) -> list[Line]:
    """The plans of these items, in their order. Raises: Refused for a forecast whose library is not installed."""
    merchant = settings.defaults(tx)
    over, known = flows.window(tx, merchant.window_days), flows.pools(tx)
    ids = [item.id for item in of]
    moved = days.moved(tx, over, known, ids)
    positions = facts.positions(tx, known.shared_id, known.aside, ids)
    sources, said = facts.sources(tx, ids), facts.said(tx)
    found = []
    for item in of:
        of_days = daily(moved.get(Stocked(item.id), Moved(0)), over.days)
        own = said.get(item.id, settings.ItemTerms())
        source = choose(sources.get(item.id, ()), own.supplier_id)
        terms = terms_of(own, source, merchant)
        sells, has = demand(of_days), positions[item.id]
        expects = expected(of_days, terms)
        found.append(Line(item, over.days, sells, has, terms, plan(sells, has, terms, expects), source, expects))
    return found


def expected(of: Daily, terms: Terms) -> Forecast | None:
    """What the library expects, where the method asks for it; None: the pace goes on. Raises: Refused."""
    if terms.method is Method.PACE:
        return None
    found = forecast(of, terms.lead_days)
    if terms.method is Method.BETTER and found and compare(of).better is not Method.FORECAST:
        return None
    return found


def suggest(tx: Transaction, supplier_id: int | None = None) -> list[Group]:
    """What to order now, grouped by who is asked; what nobody brings comes last."""
    found = lines(tx, facts.items(tx, supplier_id))
    wanted = [
        line
        for line in found
        if line.plan.order and (supplier_id is None or (line.source and line.source.supplier_id == supplier_id))
    ]
    return grouped(wanted, flows.window(tx, 1).today)


def grouped(wanted: Iterable[Line], today: date) -> list[Group]:
    """By supplier; inside it, who runs out first. Pure."""
    groups: dict[str, list[Line]] = {}
    for line in wanted:
        groups.setdefault(line.source.code if line.source else "", []).append(line)
    return [_group(code, groups[code], today) for code in sorted(groups, key=lambda code: (not code, code))]


def _group(code: str, members: Sequence[Line], today: date) -> Group:
    costs = [line.source.cost_minor if line.source else None for line in members]
    known = [line.plan.order * cost for line, cost in zip(members, costs, strict=True) if cost is not None]
    latest = max(line.terms.lead_days for line in members)
    return Group(
        code,
        next((line.source.currency for line in members if line.source), ""),
        today + timedelta(days=latest),
        sorted(members, key=_urgency),
        sum(known) if len(known) == len(members) else None,
    )


def _urgency(line: Line) -> tuple[bool, bool, int, str]:
    left = line.plan.lasts_days
    return not line.position.owed, left is None, left or 0, line.item.sku


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How good forecasts would have been; ``items`` by SKU, those alone that sold in the weeks looked at."""

    window_days: int
    over_all: Scores
    items: Mapping[str, Scores]


def accuracy(tx: Transaction, of: Collection[Item]) -> Accuracy:
    """Forecasts of the newer half of the window, each made from what was known before it."""
    over, known = flows.window(tx, settings.defaults(tx).window_days), flows.pools(tx)
    moved = days.moved(tx, over, known, [item.id for item in of])
    scores = {item.sku: compare(daily(moved[Stocked(item.id)], over.days)) for item in of if Stocked(item.id) in moved}
    sold = {sku: score for sku, score in scores.items() if score.pace.actual > 0}
    return Accuracy(over.days, all_together(scores.values()), sold)


@dataclass(frozen=True, slots=True)
class OneItem:
    """An item with all that its plan follows from. ``channels``: units sold by store name, less those given back."""

    line: Line
    merchant: Defaults
    days: Daily
    first: date
    channels: Mapping[str, int]
    scores: Scores
    sources: Sequence[Source]


def one_item(tx: Transaction, item: Item) -> OneItem:
    """All about one item."""
    (line,) = lines(tx, [item])
    merchant = settings.defaults(tx)
    over, known = flows.window(tx, merchant.window_days), flows.pools(tx)
    stocked = Stocked(item.id)
    of_days = daily(days.moved(tx, over, known, [item.id]).get(stocked, Moved(0)), over.days)
    sold = days.by_channel(tx, over, known, [item.id]).get(stocked, {})
    names = {row.id: row.name for row in tx.run("SELECT id, name FROM store WHERE merchant_id = :merchant_id")}
    by_name = {names.get(store, "our own interface"): units for store, units in sold.items()}
    sources = facts.sources(tx, [item.id]).get(item.id, [])
    return OneItem(line, merchant, of_days, over.first, by_name, compare(of_days), sources)
