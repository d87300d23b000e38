"""Plays a plan against the sandbox's shops at the plan's pace, and keeps count of what became of it."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from core.errors import Broken
from drills.orders_book import OrdersBook, Sold, Takeback
from drills.plan import Checkout, Fulfil, Pay, Plan, Step, Undo, Wanted
from drills.storefronts import Control, ShopRefused


@dataclass(slots=True)
class Tally:
    """What became of the plan so far. Lists hold sentences that name what did not go as the plan has it."""

    orders: int = 0
    order_lines: int = 0
    units: int = 0
    orders_refused: int = 0
    units_refused: int = 0
    cancellations: int = 0
    cancellations_unmatched: int = 0
    units_back: int = 0
    paid_later: int = 0
    shipped: int = 0
    late_s: float = 0.0
    unmatched: list[str] = field(default_factory=list)
    unplayed: list[str] = field(default_factory=list)


class Shoppers:
    """A thread that plays ``plan`` once; one act at a time, in order.

    A step that is late follows at once and is never left out; ``tally.late_s`` is the longest delay. What the sandbox
    fails to do ends the play, and ``join`` raises it.
    """

    def __init__(self, plan: Plan, control_url: str) -> None:
        self.tally = Tally()
        self._plan = plan
        self._book = OrdersBook()
        self._control = Control(control_url)
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="shoppers", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def playing(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """Leave the rest of the plan unplayed."""
        self._stop.set()
        self._thread.join()

    def join(self) -> None:
        """Wait for the end of the plan; raises what ended it before."""
        self._thread.join()
        if self._failure:
            raise self._failure

    def _run(self) -> None:
        try:
            self._play(self._plan.steps)
        except BaseException as error:  # noqa: BLE001  ``join`` raises it in the thread that waits
            self._failure = error
        finally:
            self._control.close()

    def _play(self, steps: Sequence[Step]) -> None:
        began = time.monotonic()
        for step in steps:
            early_s = began + step.at_s - time.monotonic()
            if self._stop.wait(max(early_s, 0)):
                return
            self.tally.late_s = max(self.tally.late_s, -early_s)
            self._do(step)

    def _do(self, step: Step) -> None:
        match step.act:
            case Checkout() as act:
                self._check_out(act)
            case Undo() as act:
                self._undo(act)
            case Pay(reference):
                self._pay(reference)
            case Fulfil(reference):
                self._fulfil(reference)

    def _check_out(self, act: Checkout) -> None:
        tally = self.tally
        receipt = self._control.checkout(act.shop, act.reference, act.lines, paid=act.paid)
        tally.units_refused += receipt.refused_units
        if receipt.order_id is None:
            tally.orders_refused += 1
            return
        tally.orders += 1
        tally.order_lines += len(receipt.sold)
        tally.units += sum(line.quantity for line in receipt.sold)
        units: dict[str, int] = {}
        for line in receipt.sold:
            units[line.sku] = units.get(line.sku, 0) + line.quantity
        self._book.add(Sold(act.reference, act.shop, receipt.order_id, units), refundable=act.paid)

    def _undo(self, act: Undo) -> None:
        found, unmatched = self._book.match(act.lines)
        for takeback in found:
            self._take_back(act, takeback)
        self.tally.cancellations += bool(found)
        self.tally.cancellations_unmatched += not found
        if unmatched:
            self.tally.unmatched.append(f"{act.reference}: no earlier order holds {_units(unmatched)}")

    def _take_back(self, act: Undo, takeback: Takeback) -> None:
        order, wanted = takeback.order, sum(takeback.units.values())
        if takeback.whole:
            self._control.cancel(order.shop, order.order_id)
        else:
            back = self._control.refund(order.shop, order.order_id, takeback.units)
            if back != wanted:
                raise Broken(f"{act.reference}: {order.shop} took back {back} of {wanted} units it had sold")
        self.tally.units_back += wanted
        self._book.take(order, takeback.units)

    def _pay(self, reference: str) -> None:
        """Pay an order; one that the shop cannot serve any more is cancelled, as its shopper would."""
        order = self._book.find(reference)
        if order is None:
            self.tally.unplayed.append(f"{reference}: not paid, nothing was sold")
            return
        try:
            self._control.pay(order.shop, order.order_id)
        except ShopRefused as refusal:
            self.tally.unplayed.append(f"{reference}: not paid but cancelled: {refusal}")
            self._control.cancel(order.shop, order.order_id)
            return
        self._book.refundable(order)
        self.tally.paid_later += 1

    def _fulfil(self, reference: str) -> None:
        order = self._book.find(reference)
        if order is None or not order.left:
            self.tally.unplayed.append(f"{reference}: not shipped, nothing was sold or all of it came back")
            return
        self._control.fulfil(order.shop, order.order_id)
        self._book.close(order)
        self.tally.shipped += 1


def _units(lines: Sequence[Wanted]) -> str:
    return ", ".join(f"{line.quantity} x {line.sku}" for line in lines)
