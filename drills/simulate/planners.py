"""Who decides how much is kept free for a storefront, and who of those that wait is served first."""

from functools import partial

from core.books import effect_key_of_hold
from core.sales.lock_floors import SetFloor
from core.sales.waiting import HoldPriority, OrderPriority
from drills.simulate.caller import Kinds
from drills.simulate.hub import MERCHANT, Process
from drills.simulate.people import ACTOR, People, World

_WAITING_ORDERS = """
    SELECT DISTINCT o.store_id, o.external_id FROM promise p JOIN store_order o ON o.id = p.order_id
    WHERE p.order_line_id IS NOT NULL AND (p.waiting > 0 OR p.presale AND p.live > 0) ORDER BY 1, 2"""
_WAITING_HOLDS = """
    SELECT DISTINCT d.effect_key FROM promise p JOIN document d ON d.id = p.order_id
    WHERE p.order_line_id IS NULL AND (p.waiting > 0 OR p.presale AND p.live > 0) ORDER BY 1"""


class Planners(People):
    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.kinds: Kinds = {self._set_floor: 3, self._hurry: 6}

    def _set_floor(self) -> str | None:
        """A storefront may count on so many units, whatever the others sell; sometimes no longer."""
        store, store_id = self._random.choice(sorted(self._goods.store_ids.items()))
        sku, units, name = self._item(), self._random.randint(0, 3), self._name("floor")

        def act(edge: Process) -> object:
            with edge.app.db.begin(MERCHANT, actor=ACTOR) as tx:
                lock_id = tx.new_id()
            return self._caller.do(edge, SetFloor(lock_id, store_id, self._goods.items[sku], units))

        self._caller.have(name, act, partial(self._is_a_fact, name))
        return f"{name}: {units} of {sku} for {store}"

    def _hurry(self) -> str | None:
        """Somebody who waits is to be served before others, or after them."""
        orders, holds = self._see(_WAITING_ORDERS), self._see(_WAITING_HOLDS)
        if not orders and not holds:
            return None
        priority = self._random.randint(-1, 3)
        if holds and (not orders or self._random.random() < 0.55):
            name, key = self._name("hurry-hold"), self._random.choice(holds)[0].removeprefix(effect_key_of_hold(""))
            self._caller.ask(name, HoldPriority(key, priority))
            return f"{name}: {key}"
        name, (store_id, number) = self._name("hurry-order"), self._random.choice(orders)
        self._caller.ask(name, OrderPriority(store_id, number, priority))
        return f"{name}: order {number} of {store_id}"
