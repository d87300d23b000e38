"""What happens from outside, as the seed draws it: shoppers, staff, trouble, and what happens at our own interface."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random

from drills.simulate.caller import Kinds
from drills.simulate.hub import MERCHANT, Hub
from drills.simulate.shop import Line, Order, OwnShop, Shop, Unpaid
from drills.simulate.wire import Wire

_FAR = 0.1
_LONGER_THAN_A_LEASE_S = 200.0


@dataclass(frozen=True, slots=True)
class Street:
    """All storefronts with their wires, by name, and the merchant's own shop."""

    shops: Mapping[str, Shop]
    wires: Mapping[str, Wire]
    own: OwnShop


class Happenings:
    """Draws one thing after another and does it."""

    def __init__(self, hub: Hub, street: Street, beside: Kinds) -> None:
        """``beside``: what else happens."""
        self._hub, self._street = hub, street
        self._number = 0
        self._kinds: Kinds = {
            self._checkout: 30, self._pay: 10, self._fulfil: 10, self._cancel: 3, self._edit: 7, self._drop: 4,
            self._write_off: 2, self._mend: 1, self._take_back: 4, self._reopen: 2, self._unpay: 1, self._delete: 2,
            self._foreign_edit: 3, self._outage: 1, self._throttle: 1, self._set_our_clock: 1, self._kill: 1,
            self._lose_messages: 1, **beside,
        }  # fmt: skip

    @property
    def _random(self) -> Random:
        return self._hub.scheduler.random

    def happen(self) -> None:
        """The next thing; a sale where what was drawn cannot be."""
        self._number += 1
        (kind,) = self._random.choices(list(self._kinds), list(self._kinds.values()))
        what = kind() or self._checkout() or "nobody buys"
        self._hub.journal.write(self._hub.scheduler.now, f"event {self._number}", what)

    # ---- shoppers and staff

    def _checkout(self) -> str | None:
        shop = self._shop()
        wishes = [
            (self._random.choice(sorted(shop.products)), self._random.randint(1, 3))
            for _ in range(self._random.choice((1, 1, 1, 2, 3)))
        ]
        order = shop.checkout(wishes, paid=self._random.random() < 0.6)
        return f"{shop.name} sells order {order.number}: {wishes}, paid: {order.paid}" if order else None

    def _pay(self) -> str | None:
        shop, order = self._some(lambda _, o: not o.paid)
        if order is None:
            return None
        return f"{shop.name} order {order.number} is paid: {shop.pay(order)}"

    def _unpay(self) -> str | None:
        shop, order = self._some(lambda s, o: s.unpaid is Unpaid.TAKEN and o.paid and o.is_untouched)
        if order is None:
            return None
        shop.unpay(order)
        return f"{shop.name} order {order.number} is unpaid"

    def _fulfil(self) -> str | None:
        shop, order, line = self._some_line(
            lambda s, o, x: x.open > 0 and not o.is_ours and (o.paid or s.unpaid is Unpaid.TAKEN)
        )
        if order is None or line is None:
            return None
        units = self._random.randint(1, line.open)
        shop.fulfil(order, line, units)
        return f"{shop.name} order {order.number} ships {units} of line {line.line_id}"

    def _cancel(self) -> str | None:
        shop, order = self._some(lambda _, o: o.is_untouched and any(line.open for line in o.lines))
        if order is None:
            return None
        shop.cancel(order)
        return f"{shop.name} order {order.number} is cancelled"

    def _edit(self) -> str | None:
        shop, order, line = self._some_line(lambda _, __, x: x.open > 0)
        if order is None or line is None:
            return None
        if self._random.random() < 0.5:
            added = shop.add_units(order, line, 1)
            return f"{shop.name} order {order.number} line {line.line_id} wants one more: {added}"
        units = self._random.randint(1, line.open)
        shop.drop_units(order, line, units, edited=True)
        return f"{shop.name} order {order.number} line {line.line_id} wants {units} less"

    def _drop(self) -> str | None:
        shop, order, line = self._some_line(lambda _, __, x: x.open > 0)
        if order is None or line is None:
            return None
        units = self._random.randint(1, line.open)
        shop.drop_units(order, line, units, edited=False)
        return f"{shop.name} order {order.number} line {line.line_id}: {units} cancelled"

    def _write_off(self) -> str | None:
        shop, order, line = self._some_line(lambda _, o, x: o.paid and x.open > 0)
        if order is None or line is None:
            return None
        shop.write_off(order, line, 1)
        return f"{shop.name} order {order.number} line {line.line_id}: one refunded and not put back"

    def _mend(self) -> str | None:
        shop, order, line = self._some_line(lambda _, __, x: x.written_off > 0)
        if order is None or line is None:
            return None
        shop.mend(order, line)
        return f"{shop.name} order {order.number} line {line.line_id}: put back after all"

    def _take_back(self) -> str | None:
        shop, order, line = self._some_line(lambda _, __, x: x.shipped > x.returned)
        if order is None or line is None:
            return None
        units = self._random.randint(1, line.shipped - line.returned)
        shop.take_back(order, line, units)
        return f"{shop.name} order {order.number} line {line.line_id}: {units} came back"

    def _reopen(self) -> str | None:
        shop, order, line = self._some_line(lambda _, __, x: x.cancelled > 0)
        if order is None or line is None:
            return None
        return f"{shop.name} order {order.number} line {line.line_id} is reopened: {shop.reopen(order, line)}"

    def _delete(self) -> str | None:
        shop, order = self._some(lambda _, o: o.is_untouched)
        if order is None:
            return None
        shop.delete(order)
        return f"{shop.name} order {order.number} is deleted"

    def _foreign_edit(self) -> str | None:
        shop = self._shop()
        sku, number = self._random.choice(sorted(shop.products)), self._random.randint(0, 12)
        shop.write(sku, number)
        return f"somebody sets {sku} of {shop.name} to {number}"

    # ---- trouble

    def _outage(self) -> str | None:
        name, wire = self._random.choice(sorted(self._street.wires.items()))
        seconds = self._random.uniform(1.0, 12.0)
        wire.away_until = self._hub.scheduler.now + timedelta(seconds=seconds)
        return f"{name} is away for {seconds:.1f} s"

    def _throttle(self) -> str | None:
        name, wire = self._random.choice(sorted(self._street.wires.items()))
        seconds = self._random.uniform(1.0, 8.0)
        wire.throttled_until = self._hub.scheduler.now + timedelta(seconds=seconds)
        return f"{name} wants to be left alone for {seconds:.1f} s"

    def _set_our_clock(self) -> str | None:
        far = self._random.random() < _FAR
        seconds = _LONGER_THAN_A_LEASE_S if far else self._random.choice((-90.0, -20.0, -1.5, 0.0, 1.5, 20.0, 90.0))
        self._hub.our_clock_s = seconds
        return f"our clock is {seconds} s wrong"

    def _kill(self) -> str | None:
        process = self._random.choice(self._hub.processes)
        process.die()
        return f"{process.name} is killed"

    def _lose_messages(self) -> str | None:
        lost = len(self._hub.broker.waiting)
        self._hub.broker.waiting.clear()
        return f"the broker loses the {lost} messages it has"

    # ---- drawing

    def _shop(self) -> Shop:
        return self._random.choice(list(self._street.shops.values()))

    def _shop_or_own(self) -> Shop:
        return self._random.choice([*self._street.shops.values(), self._street.own])

    def _some(self, fits: Callable[[Shop, Order], bool]) -> tuple[Shop, Order | None]:
        shop = self._shop_or_own()
        found = [order for order in shop.living() if fits(shop, order)]
        return shop, self._random.choice(found) if found else None

    def _some_line(self, fits: Callable[[Shop, Order, Line], bool]) -> tuple[Shop, Order | None, Line | None]:
        shop = self._shop_or_own()
        found = [(order, line) for order in shop.living() for line in order.lines if fits(shop, order, line)]
        return (shop, *self._random.choice(found)) if found else (shop, None, None)


def post_hint(hub: Hub, store_id: int, shop: str, number: str, *, is_retried: bool) -> None:
    """A shop tells of an order: lost, doubled, late and overtaken, as the weather is."""
    weather, random = hub.weather, hub.scheduler.random
    if random.random() < weather.hint_lost:
        return
    for _ in range(1 + (random.random() < weather.hint_doubled)):
        late = random.random() < weather.hint_late
        wait_s = random.uniform(2.0, weather.hint_latest_s) if late else random.uniform(0.01, 0.4)
        hub.scheduler.after(wait_s, partial(_deliver, hub, store_id, shop, number, 4 if is_retried else 0))


def _deliver(hub: Hub, store_id: int, shop: str, number: str, tries: int) -> None:
    body = json.dumps({"kind": "order", "id": number}).encode()
    headers = {"delivery": f"{shop}/{number}"}

    def again() -> None:
        if tries:
            hub.scheduler.after(
                hub.scheduler.random.uniform(1.0, 6.0), partial(_deliver, hub, store_id, shop, number, tries - 1)
            )

    def done(came_to_its_end: bool) -> None:
        if not came_to_its_end:
            again()

    if not hub.edge.is_up:
        again()
        return
    hub.edge.run("webhook", lambda: _received(hub, hub.edge.receiver.receive(MERCHANT, store_id, headers, body)), done)


def _received(hub: Hub, answer: Sequence[object]) -> None:
    if answer[0] != 200:
        hub.found(f"the receiver answered {answer}")
