"""What may happen to paid orders in warehouses: told to send, handed over, put back, shipped, given back, rejected."""

from collections import Counter
from typing import Any

from hypothesis import strategies as st

from core.errors import Refused
from core.fulfilment import automatic, dispatching
from core.fulfilment.acts import GiveBack, HandOver, PutBack, Reject, Ship
from core.model import Deduct
from core.rows import StoreKey
from core.stock import Spot
from tests.property.all_commands.goods import GoodsRules
from tests.property.all_commands.kinds import Kind
from tests.property.all_commands.machine import ANY, BUNDLE, FEW, KIT, PLAIN, Shop, happens
from tests.property.all_commands.ordering import NUMBERS, Counts, OrderBook, OrderRules, State
from tests.property.all_commands.plain_model import ClaimKey, SeenSending

_ACTS = ("hand", "hand", "hand", "put back", "ship", "ship", "give back", "reject")
Acted = tuple[int, str, int | None]
_ACTED = st.tuples(ANY, st.sampled_from(_ACTS), st.none() | st.integers(1, 4))


class FulfilmentRules(OrderRules, GoodsRules):
    @happens(8, which=ANY, store=st.integers(0, 2), number=st.sampled_from(NUMBERS), then=st.lists(_ACTED, max_size=4),
             wanted=st.dictionaries(st.sampled_from([*PLAIN, *PLAIN, KIT, BUNDLE]), FEW, min_size=1, max_size=2),
             )  # fmt: skip
    def an_order_is_sent(self, which: int, store: int, number: str, then: list[Acted], wanted: dict[str, int]) -> None:
        """Paid at once, and warehouses begin to send it."""
        shop = self.shop(which)
        lines = [Counts(sku, units, 0, 0, 0, 0, 0) for sku, units in wanted.items()]
        state = State(lines, True, True, Deduct.RESERVE_THEN_DEDUCT, "", None)
        told = self.tell(shop, store, number, state) if store else self.tell_own(shop, number, state)
        book = shop.orders.setdefault(told.owner, OrderBook())
        book.states.append(told)
        self.arrives(shop, book, told)
        self.tell_warehouses(which, 0, True, then)

    @happens(6, which=ANY, nth=ANY, all_of_them=st.booleans(), then=st.lists(_ACTED, max_size=3))
    def tell_warehouses(self, which: int, nth: int, all_of_them: bool, then: list[Acted]) -> None:
        """Somebody asks who sends an order, or all orders; nobody gets more or less of anything by that."""
        shop = self.shop(which)
        ids = shop.world.ask("SELECT id FROM store_order WHERE merchant_id = :merchant_id ORDER BY id")
        if not ids:
            return
        chosen = [row.id for row in ids] if all_of_them else [ids[nth % len(ids)].id]

        def do() -> Any:
            return dispatching.dispatch(self.database, shop.world.merchant_id, chosen, actor="test")

        def note(result: Any) -> None:
            assert not isinstance(result, Refused)
            self.step.told = True
            assert not any(one.refused for one in result), result

        self.act_alone(shop, do, note)
        for nth, what, units in then:
            self.act_on_what_is_sent(which, nth, what, units, nth)

    @happens(1, which=ANY, on=st.booleans())
    def tell_warehouses_by_themselves(self, which: int, on: bool) -> None:
        """What wants to be done is written down then; a job would do it."""
        self.write_down(self.shop(which), automatic.switch, on)

    @happens(8, which=ANY, nth=ANY, what=st.sampled_from(_ACTS), units=st.none() | st.integers(1, 4), place=ANY)
    def act_on_what_is_sent(self, which: int, nth: int, what: str, units: int | None, place: int) -> None:
        shop = self.shop(which)
        self.finish(shop)
        known = sorted({one.fulfilment_id for one in shop.books.seen.sending if one.units})
        if not known:
            return
        fulfilment_id = known[nth % len(known)]
        mine = [one for one in shop.books.seen.sending if one.fulfilment_id == fulfilment_id]
        may = [one for one in mine if one.units and (one.bin_id is None if what == "hand" else
               what != "put back" or one.bin_id is not None)]  # fmt: skip
        kinds = Counter({one.key[2]: 0 for one in may})
        for one in may:
            kinds[one.key[2]] += one.units
        # Where a kind stands on several lines, it is not certain of which some are chosen.
        single = [kind for kind in kinds if len({one.key for one in may if one.key[2] == kind}) == 1]
        said = None
        if units is not None and single and what != "reject":
            kind = single[place % len(single)]
            said = {kind: units}
            may = [one for one in may if one.key[2] == kind]
        there = sum(one.units for one in may)
        moved = min(units or 0, there) if said else there
        spot = shop.spots[place % len(shop.spots)] if what == "hand" and place % 3 == 0 else None
        command = self.command(shop, what, fulfilment_id, mine[0].key, said, spot)

        def note(result: Any) -> None:
            lacks = not moved or (said is not None and (units or 0) > there)
            if isinstance(result, Refused):
                assert lacks or what == "hand", (what, result)
                return
            assert not lacks
            assert sum(result.units.values()) == moved
            self.step.told = True
            if what == "ship":
                self.has_left(shop, may, moved if said else None)

        self.act(shop, command, note)

    def command(
        self, shop: Shop, what: str, fulfilment_id: int, key: ClaimKey, said: dict[Kind, int] | None, spot: Spot | None
    ) -> Any:
        store_id, number = key[0].removeprefix("order ").split("/", 1)
        units = None if said is None else {shop.stocked(kind): n for kind, n in said.items()}
        named = (f"sending/{next(self.numbers)}", StoreKey(int(store_id), number), fulfilment_id, units)
        if what == "hand":
            return HandOver(*named, spot=spot)
        if what == "ship":
            return Ship(*named)
        kinds = {"put back": PutBack, "give back": GiveBack, "reject": Reject}
        return kinds[what](*named, reason="no room")

    def has_left(self, shop: Shop, lines: list[SeenSending], units: int | None) -> None:
        """The warehouse sent them; what the store says of them later is known already."""
        for one in lines:
            n = one.units if units is None else min(one.units, units)
            units = None if units is None else units - n
            claim = shop.books.claims[one.key]
            claim.shipped, claim.owed = claim.shipped + n, claim.owed - n
            self.step.shipped[one.key[2]] += n
            self.step.left[one.key[2]] += n
            self.step.orders.add(one.key[0])
