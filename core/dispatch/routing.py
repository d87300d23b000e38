"""Which warehouse sends what of an order, decided from what is there, what is laid down, and a strategy. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import count

from core.dispatch.destinations import Destination
from core.dispatch.estimate import estimate, leaves_on
from core.dispatch.filling import Plan, Task, due, merged
from core.dispatch.model import Exclusion, Leg, Line, Pick, Reason, Route, Supply, Verdict, Why
from core.dispatch.serving import Refusal, offers
from core.dispatch.strategies import Figure, Strategy
from core.dispatch.terms import Outlook, Terms
from core.errors import Broken
from core.stock import Stocked
from core.warehouse.warehouses import Warehouse


def decide(
    lines: Sequence[Line], destination: Destination, warehouses: Sequence[Warehouse], supply: Supply, terms: Terms,
    strategy: Strategy, now: datetime, *, excluded: Sequence[Exclusion] = (), earlier: Route | None = None,
) -> Route:  # fmt: skip
    """Route one order; ``supply`` is not changed (see ``Supply.take``).

    Args: excluded: warehouses that must not be asked, because they were short, rejected or paused it. earlier: the
          decision that this one takes the place of; its reasons stay, and so does whom it found short or rejecting.
    """
    shut = _excluded(excluded, earlier)
    outlook = terms.towards(destination)
    ordered = sorted(warehouses, key=lambda one: (-one.priority, one.code))
    offered, refusals = offers(lines, ordered, supply, outlook, shut, now)
    task, waits = due(lines, offered, outlook)
    plan = strategy.plan(task)
    if plan.left:
        raise Broken(f"the strategy {strategy.name} leaves {plan.left} units out that could go")
    attempt = earlier.attempt + 1 if earlier else 1
    told = _Told(attempt, strategy.name, strategy.figures(task))
    reasons = [*(earlier.reasons if earlier else ()), *told.offered(task, plan), *told.refused(refusals)]
    legs = _legs(plan, task, terms, now)
    return Route(strategy.name, attempt, now, destination, lines, legs, waits, reasons, shut)


def day_of(warehouse: Warehouse, terms: Terms, now: datetime) -> date:
    """The day on which a warehouse sends what it is told of now."""
    week = terms.week_of(warehouse.id)
    return leaves_on(now, warehouse.time_zone, warehouse.cut_off, warehouse.handling_days, week)


def before_day(warehouse: Warehouse, terms: Terms, now: datetime) -> datetime:
    """An instant when what a warehouse was told left on an earlier day than what it is told now, by at most a day."""
    day = day_of(warehouse, terms, now)
    earlier = (now - timedelta(days=days) for days in count(1))
    return next(at for at in earlier if day_of(warehouse, terms, at) != day)


def _excluded(new: Sequence[Exclusion], earlier: Route | None) -> list[Exclusion]:
    before = [one for one in earlier.excluded if one.why is not Why.PAUSED] if earlier else []
    return list(dict.fromkeys([*before, *new]))


def _legs(plan: Plan, task: Task, terms: Terms, now: datetime) -> list[Leg]:
    """In the order of the warehouses' priority."""
    weights = {want.stocked: want.weight_g for wants in (*task.bundles, task.plain) for want in wants}
    return [
        _leg(task.offers[place].warehouse, merged(plan.picks[place]), weights, terms, task.outlook, now)
        for place in task.offers
        if place in plan.picks
    ]


def _leg(
    warehouse: Warehouse, picks: Sequence[Pick], weights: Mapping[Stocked, int], terms: Terms, outlook: Outlook,
    now: datetime,
) -> Leg:  # fmt: skip
    weight = sum(pick.units * weights[pick.stocked] for pick in picks)
    price = outlook.price(warehouse.id, weight)
    leaves = day_of(warehouse, terms, now)
    return Leg(
        warehouse.id,
        picks,
        weight,
        all(weights[pick.stocked] for pick in picks),
        price.cost if price else None,
        price.carrier if price else "",
        price.currency if price else "",
        estimate(leaves, outlook.transit(warehouse.id), terms.week_of(None)),
    )


class _Told:
    """Makes the reasons of one attempt."""

    def __init__(self, attempt: int, strategy: str, figures: Mapping[int, Figure]) -> None:
        self._attempt, self._strategy, self._figures = attempt, strategy, figures

    def refused(self, refusals: Sequence[Refusal]) -> list[Reason]:
        """Those that have nothing stand last."""
        return [
            Reason(self._attempt, self._strategy, place, Verdict.REFUSED, why, stocked, detail)
            for place, why, stocked, detail in sorted(refusals, key=lambda one: one.why is Why.EMPTY)
        ]

    def offered(self, task: Task, plan: Plan) -> list[Reason]:
        return [self._one(place, sum(pick.units for pick in plan.picks.get(place, ()))) for place in task.offers]

    def _one(self, place: int, units: int) -> Reason:
        figure = self._figures.get(place)
        return Reason(
            self._attempt,
            self._strategy,
            place,
            Verdict.CHOSEN if units else Verdict.NOT_NEEDED,
            figure=figure.name if figure else "",
            value=figure.value if figure else None,
            units=units,
        )
