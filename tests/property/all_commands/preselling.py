"""What may happen to presales that wait for a purchase order: they sell what it is to bring, and no more."""

from typing import Any

from core import stock
from core.sales import presale
from core.sales.pools import OpenPool
from core.stock import PoolKind
from tests.property.all_commands.machine import ANY, FEW, happens
from tests.property.all_commands.plain_model import Pool
from tests.property.all_commands.pooling import PoolRules
from tests.property.all_commands.supplying import SupplyRules


class PresaleRules(PoolRules, SupplyRules):
    @happens(3, which=ANY, nth=ANY, line=ANY, units=FEW)
    def sell_ordered_goods(self, which: int, nth: int, line: int, units: int) -> None:
        """Of one line, for everybody, at once and for ever."""
        shop = self.shop(which)
        number = self.some_purchase(shop, nth)
        if number is None or not shop.books.purchases[number].is_expected:
            return
        lines = shop.books.purchases[number].lines
        kind = list(lines)[line % len(lines)]
        what = shop.stocked(kind)
        named = self.write_down(shop, presale.supply_for, number, [what])
        pool = Pool(shop.new_id(), "presale", supply={kind: number})
        made = stock.Pool(pool.id, PoolKind.PRESALE, f"pool-{next(self.numbers)}")

        def note(result: Any) -> None:
            if not self.is_refused(result, units > shop.books.room(number, kind)):
                shop.books.pools[pool.id] = pool
                pool.units[kind] = units

        self.act(shop, OpenPool(made, {what: units}, named), note, number)
