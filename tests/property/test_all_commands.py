"""Random histories of everything that moves or promises units, against a plain model that shares no code with the core.

Two merchants in one database; alone and in batches; orders late, doubled and in the wrong order. After each step the
books are what the model is certain of, and what else changed is lawful; at the end of each history the audit is empty.
"""

from typing import Any

import pytest
from hypothesis.stateful import rule

from core.stock import DocumentKind, PoolKind
from core.transaction import Database
from tests.property.all_commands.consuming import ConsumeRules
from tests.property.all_commands.kinds import GOOD
from tests.property.all_commands.life import LifeRules
from tests.property.all_commands.machine import some_happening
from tests.property.all_commands.mirroring import MirrorRules
from tests.property.all_commands.placing import PlaceRules
from tests.property.all_commands.preselling import PresaleRules
from tests.property.all_commands.seen import look
from tests.property.all_commands.setting_apart import SetApartRules
from tests.property.all_commands.stocktaking import StocktakeRules
from tests.property.all_commands.transferring import TransferRules
from tests.property.histories import SOAK, played

HAMBURG_BIN = 3  # which of the bins
PLAYED = played(10, soak=250, steps=(40, 80))


class Everything(
    LifeRules, TransferRules, SetApartRules, PlaceRules, ConsumeRules, StocktakeRules, MirrorRules, PresaleRules
):
    @rule(happening=some_happening())
    def go_on(self, happening: tuple[str, dict[str, Any]]) -> None:
        name, values = happening
        getattr(self, name)(**values)

    def furnish(self) -> None:
        """Locks and pools to begin with, so that few steps are enough to meet them."""
        self.ask_for_a_lock(0, ("mug", GOOD), 3, None, True, "business", None, False, 0, None, None, "yes", None, True)
        self.ask_for_a_lock(1, ("mug", GOOD), 2, 1, False, "business", 1, False, 0, None, None, "no", None, True)
        self.ask_for_a_lock(1, ("cup", GOOD), 2, 0, False, "internal", 0, True, 1, None, None, "yes", None, True)
        self.ask_for_a_lock(1, ("cup", GOOD), 4, 2, False, "business", 1, False, 0, 5, None, "ask", None, True)
        self.open_a_pool(1, PoolKind.CHANNEL, {("cup", GOOD): 1}, 1, False, 0, 60, True)
        self.open_a_pool(1, PoolKind.ACTIVITY, {("plate", GOOD): 2}, 0, True, 0, 60, True)
        self.preload(1, 0, True, False)
        self.open_a_pool(1, PoolKind.PRESALE, {("plate", GOOD): 3}, 0, True, 0, 60, True)
        for shop in (0, 1):
            self.order_goods(shop, {("plate", GOOD): 9}, 3, 0, True)
            self.sell_ordered_goods(shop, 0, 0, 7)
        self.receive(self.shops[0], DocumentKind.RECEIPT, {("cup", GOOD): 1}, {("mug", GOOD): 1})
        self.receive(self.shops[0], DocumentKind.RECEIPT, {("mug", GOOD): 4, ("cup", GOOD): 3}, {}, HAMBURG_BIN)


@pytest.mark.parametrize("_part", range(4 if SOAK else 1))
def test_random_histories_of_everything_agree_with_the_plain_model(db: Database, _part: int) -> None:
    """A soak plays its parts side by side, each with histories of its own."""
    shops = [shop for one in Everything.play(db, PLAYED) for shop in one.shops]

    assert shops
    assert [look(db, shop.world.merchant_id) for shop in shops] == [shop.books.seen for shop in shops]
