"""What may happen when goods of a pure lock go to an order that is paid: its warehouse sends them."""

from typing import Any

from core.errors import Refused
from core.fulfilment.consuming import ConsumeFor
from core.rows import StoreKey
from tests.property.all_commands.fulfilling import FulfilmentRules
from tests.property.all_commands.locking import LockRules
from tests.property.all_commands.machine import ANY, FEW, happens
from tests.property.all_commands.plain_model import OPEN_LOCK


class ConsumeRules(LockRules, FulfilmentRules):
    @happens(2, which=ANY, nth=ANY, order=ANY, units=FEW)
    def a_lock_serves_an_order(self, which: int, nth: int, order: int, units: int) -> None:
        shop = self.shop(which)
        self.finish(shop)
        books = shop.books
        pure = [key for key, lock in books.locks.items() if lock.is_pure and lock.status == OPEN_LOCK]
        locked = {books.locks[key].kind for key in pure}
        # Nearly always one that wants what some lock has.
        wanting = [key for key, claim in books.claims.items() if claim.owed and books.buyers[key[0]].paid]
        fitting = [key for key in wanting if key[0].startswith("order ") and key[2] in locked]
        if not fitting:
            return
        owner, _, kind = fitting[order % len(fitting)]
        (*_, key) = [key for key in pure if books.locks[key].kind == kind]
        store_id, number = owner.removeprefix("order ").split("/", 1)
        command = ConsumeFor(key, StoreKey(int(store_id), number), units, str(next(self.numbers)))

        def note(result: Any) -> None:
            lock = books.locks[key]
            if isinstance(result, Refused):
                return
            assert not self.is_over(lock)
            assert units <= books.seen.stand(lock.pool_id, kind).free
            assert units <= sum(
                claim.owed for (whose, _, of), claim in books.claims.items() if (whose, of) == (owner, kind)
            )
            lock.units -= units
            self.step.told = self.step.moves = True

        self.act(shop, command, note)
