"""A route in sentences: who sends what and when it arrives, what waits, and why it is so. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.dispatch.model import Leg, Reason, Route, Verdict, Wait, Why
from core.money import write_money
from core.stock import GOOD, Stocked
from core.words import counted


@dataclass(frozen=True, slots=True)
class Names:
    """What people call warehouses and items, by id, and the currency of all rates."""

    warehouses: Mapping[int, str]
    skus: Mapping[int, str]
    currency: str = ""

    def warehouse(self, warehouse_id: int) -> str:
        return self.warehouses.get(warehouse_id, f"warehouse {warehouse_id}")

    def thing(self, stocked: Stocked) -> str:
        sku = self.skus.get(stocked.item_id, f"item {stocked.item_id}")
        return sku if stocked.grade == GOOD else f"{sku} ({stocked.grade})"


def tell_leg(leg: Leg, names: Names) -> str:
    """``MAIN sends 2 MUG, 1 CUP by DHL for 4.90 EUR: leaves 2026-11-24, arrives 2026-11-25 to 2026-11-27.``"""
    goods = ", ".join(f"{pick.units} {names.thing(pick.stocked)}" for pick in leg.picks)
    price = f" by {leg.carrier} for {write_money(leg.cost, leg.currency)}" if leg.cost is not None else ""
    if leg.cost is None and names.currency:
        price = f" (no rate for {_kg(leg.weight_g)}: `holdfast route rates add CARRIER GRAMS PRICE`)"
    when = leg.estimate
    arrives = ", arrives " + (
        "on a day that no transit time tells"
        if when.earliest is None or when.latest is None
        else f"{when.earliest}"
        if when.earliest == when.latest
        else f"{when.earliest} to {when.latest}"
    )
    return f"{names.warehouse(leg.warehouse_id)} sends {goods}{price}: leaves {when.leaves}{arrives}."


def _kg(weight_g: int) -> str:
    """``10.5 kg``"""
    return f"{weight_g // 1000:,}.{weight_g % 1000:03}".rstrip("0").rstrip(".") + " kg"


_WAITS = {
    Why.PRESALE: "sold in a presale, the goods are not there yet",
    Why.OWED: "owed: nothing is there for them yet",
    Why.NOWHERE: "no warehouse that may serve has them",
    Why.REST_OF_BUNDLE: "another component of the bundle is missing",
}


def tell_wait(wait: Wait, names: Names) -> str:
    return f"{wait.units} {names.thing(wait.stocked)} {'waits' if wait.units == 1 else 'wait'}: {_WAITS[wait.why]}."


_REFUSED = {
    Why.PAUSED: "it is paused",
    Why.FULL: "it has the {detail} parcels that it can send on that day",
    Why.REJECTED: "it rejected the order",
    Why.SHORT: "the goods were not found there",
    Why.OUT_OF_REGION: "it sends to other regions only",
    Why.DENIED: "rule {detail} denies it",
    Why.NOT_ALLOWED: "rules allow others only",
    Why.EMPTY: "it has none of what is asked for",
}
_FIGURES = {
    "priority": "priority {value}",
    "km": "{value:,} km away",
    "has_units": "has {value} of the units",
    "stock_permille": "has {value} thousandths of the stock",
}
_SAID_BY_SOMEBODY = {Why.REJECTED, Why.SHORT, Why.PAUSED}


def tell_reason(reason: Reason, names: Names) -> str:
    """One sentence; of a later attempt it says which, and by which strategy."""
    who = names.warehouse(reason.warehouse_id)
    if reason.why is not None:
        what = f" for {names.thing(reason.stocked)}" if reason.stocked else ""
        told = _REFUSED[reason.why].format(detail=reason.detail)
        note = f" ({reason.detail})" if reason.detail and reason.why in _SAID_BY_SOMEBODY else ""
        said = f"{who} was refused{what}: {told}{note}."
    else:
        figure = _figure(reason, names)
        said = (
            f"{who} was chosen for {counted(reason.units, 'unit')}"
            if reason.verdict is Verdict.CHOSEN
            else f"{who} was not needed"
        ) + (f": {figure}." if figure else ".")
    return said if reason.attempt == 1 else f"Attempt {reason.attempt}, {reason.strategy}: {said}"


def _figure(reason: Reason, names: Names) -> str:
    if reason.value is None:
        return "no rate is known for its parcel" if reason.strategy == "cheapest" else ""
    if reason.figure == "cost":
        return f"{write_money(reason.value, names.currency)} for one parcel with all that it has"
    # a strategy of somebody's own may go by a figure that has no words here
    return _FIGURES.get(reason.figure, f"{reason.figure} {{value}}".lstrip()).format(value=reason.value)


_MOST_TOLD = 6


def tell_in_one(route: Route, names: Names) -> str:
    """Whom the last attempt chose and refused and what waits, in one sentence; the rest is only counted."""
    last = [one._replace(attempt=1) for one in route.reasons if one.attempt == route.attempt]
    said = [tell_reason(one, names) for one in last if one.verdict is not Verdict.NOT_NEEDED]
    said += [tell_wait(wait, names) for wait in route.waits]
    told = [sentence.removesuffix(".") for sentence in said[:_MOST_TOLD]]
    if more := len(said) - len(told):
        told.append(f"and {more} more")
    if spare := sum(one.verdict is Verdict.NOT_NEEDED for one in last):
        told.append(f"{spare} {'was' if spare == 1 else 'were'} not needed")
    to = f" to {route.destination}" if route.destination.country else ""
    return f"Decided by {route.strategy}{to}: {'; '.join(told) or 'nothing is to be sent'}."


def tell(route: Route, names: Names) -> list[str]:
    """The whole route, legs first, reasons in the order in which they arose."""
    return [
        *(tell_leg(leg, names) for leg in route.legs),
        *(tell_wait(wait, names) for wait in route.waits),
        *(tell_reason(reason, names) for reason in route.reasons),
    ]
