"""What happens to goods: deliveries of suppliers, transfers between warehouses, goods put away, lost and damaged."""

from datetime import timedelta
from functools import partial

from core.errors import NotFound, Refused
from core.goods.adjusting import Lose
from core.goods.receiving import Receive
from core.stock import DocumentKind, Spot
from core.supply import counting, placing, purchases, receipts, sending, transfers
from core.supply.lines import Came
from core.supply.sending import Arrived
from core.transaction import Database
from core.warehouse.moves import PutAway
from drills.simulate.caller import Kinds
from drills.simulate.hub import MERCHANT
from drills.simulate.outside import Change
from drills.simulate.people import ACTOR, People, World

SUPPLIER = "ACME"


class Yard(People):
    """The people who move goods."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.kinds: Kinds = {
            self._receive: 4, self._lose: 3, self._put_away: 2, self._order_goods: 4, self._transfer: 4,
        }  # fmt: skip

    # ---- goods that come, go and change their place

    def _receive(self) -> str | None:
        sku, units, spot = self._item(), self._random.randint(1, 6), self._spot()
        self.receive(sku, units, spot)
        return f"{units} of {sku} arrive in bin {spot.bin_id}"

    def receive(self, sku: str, units: int, spot: Spot | None = None) -> None:
        key = self._name("receipt")
        self._model.told[key] = Change(sku, units)
        command = Receive(key, DocumentKind.RECEIPT, {self._goods.items[sku]: units}, spot=spot)
        self._do(key, command, is_told=True)

    def _lose(self) -> str | None:
        """Somebody finds that goods are missing or damaged; who was promised them waits."""
        sku, units, key = self._item(), self._random.randint(1, 3), self._name("loss")
        kind = self._random.choice((DocumentKind.MISSING, DocumentKind.DAMAGE))
        self._model.told[key] = Change(sku, -units)
        self._do(key, Lose(key, "seen", kind, {self._goods.items[sku]: units}, spot=self._spot()))
        return f"{units} of {sku} are {kind}"

    def _put_away(self) -> str | None:
        key, sku, units = self._name("away"), self._item(), self._random.randint(1, 3)
        home, shelf, *_ = self._goods.bins.values()
        from_, to = (home, shelf) if self._random.random() < 0.7 else (shelf, home)
        self._caller.ask(key, PutAway(key, self._goods.items[sku], units, from_, to), is_told=True)
        return f"{units} of {sku} are put away"

    # ---- purchase orders

    def _order_goods(self) -> str | None:
        """Placed, sold before they are here by the merchant's rule, and delivered whole, in parts, or not at all."""
        number, sku, units = self._name("PO"), self._item(), self._random.randint(2, 8)
        place = self._random.choice(self._goods.warehouses)
        on = (self._hub.clock() + timedelta(days=self._random.choice((0, 0, 1, 9)))).date()
        self._model.told[f"place/{number}"] = Change(sku, 0, units)

        def act(db: Database) -> str:
            with db.begin(MERCHANT, actor=ACTOR) as tx:
                try:
                    purchases.find(tx, number)
                except NotFound:
                    purchases.new(tx, number, SUPPLIER, place, expected_on=on)
                    purchases.add_lines(tx, number, [purchases.Wanted(sku, units)])
            placing.place(db, MERCHANT, number, actor=ACTOR)
            counting.apply_to(db, MERCHANT, number, actor=ACTOR)
            return "placed"

        def placed(result: object) -> None:
            self._is_a_fact(number, result)
            self._later(1.0, 25.0, partial(self._deliver, number, sku, units))

        self._have(f"order {number}", act, placed)
        return f"{number} orders {units} of {sku}"

    def _deliver(self, number: str, sku: str, left: int) -> None:
        """Part of what is still to come comes, some of it damaged, or is given up."""
        if self._random.random() < 0.25:
            self._cut(number, sku, left)
            return
        units, key, spot = self._random.randint(1, left), self._name("delivery"), self._spot()
        damaged = self._random.randint(0, units) if self._random.random() < 0.3 else 0
        self._model.told[f"receipt/{key}"] = Change(sku, units - damaged, -units)

        def act(db: Database) -> str:
            came = {_line_of_purchase(db, number): Came(units - damaged, damaged)}
            receipts.receive(db, MERCHANT, number, receipts.Delivery(spot, came), key, actor=ACTOR)
            return "received"

        def received(result: object) -> None:
            self._is_a_fact(key, result)
            if units < left:
                self._later(1.0, 25.0, partial(self._deliver, number, sku, left - units))

        self._have(f"{key} of {number}", act, received)

    def _cut(self, number: str, sku: str, units: int) -> None:
        key, lost = self._name("cut"), self._random.random() < 0.5
        kind = DocumentKind.LOST if lost else DocumentKind.PURCHASE_CUT
        self._model.told[f"{kind}/{key}"] = Change(sku, 0, -units)

        def act(db: Database) -> str:
            gone = {_line_of_purchase(db, number): units}
            placing.cut(db, MERCHANT, number, gone, key, actor=ACTOR, reason="supplier says so", lost=lost)
            return "cut"

        self._fact(f"{key} of {number}", act)

    # ---- transfers

    def _transfer(self) -> str | None:
        """Goods leave one warehouse for another, if they stand there and may leave."""
        number, sku, units = self._name("T"), self._item(), self._random.randint(1, 4)
        from_ = self._spot()
        (to,) = [one for one in self._goods.warehouses if one != from_.warehouse_id]
        self._model.told[f"send/{number}"] = Change(sku, -units, units)

        def act(db: Database) -> str:
            with db.begin(MERCHANT, actor=ACTOR) as tx:
                try:
                    transfers.find(tx, number)
                except NotFound:
                    transfers.ask(tx, number, (from_.warehouse_id, to), {self._goods.items[sku]: units})
            sent = {_line_of_transfer(db, number): units}
            sending.send(db, MERCHANT, number, sent, from_, number, actor=ACTOR)
            return "sent"

        def answered(result: object) -> None:
            if isinstance(result, Refused):
                self._fact(f"close {number}", partial(_close, number))
            else:
                self._later(1.0, 25.0, partial(self._arrive, number, sku, units))

        self._have(f"send {number}", act, answered)
        return f"{number} is to send {units} of {sku}"

    def _arrive(self, number: str, sku: str, units: int) -> None:
        """All of it, or some of it damaged and some lost on the way."""
        lost = self._random.randint(0, units) if self._random.random() < 0.3 else 0
        damaged = self._random.randint(0, units - lost) if self._random.random() < 0.3 else 0
        spot = self._random.choice(list(self._goods.bins.values()))
        come = units - lost
        if come:
            self._model.told[f"receipt/{number}"] = Change(sku, come - damaged, -come)

            def arrive(db: Database) -> str:
                came = {_line_of_transfer(db, number): Arrived(come - damaged, damaged)}
                sending.receive(db, MERCHANT, number, came, spot, number, actor=ACTOR)
                return "received"

            self._fact(f"receive {number}", arrive)
        if lost:
            self._model.told[f"lost/{number}"] = Change(sku, 0, -lost)

            def lose(db: Database) -> str:
                gone = {_line_of_transfer(db, number): lost}
                sending.lose(db, MERCHANT, number, gone, number, actor=ACTOR, reason="parcel lost")
                return "lost"

            self._fact(f"lose {number}", lose)


def _close(number: str, db: Database) -> str:
    with db.begin(MERCHANT, actor=ACTOR) as tx:
        transfers.close(tx, number)
    return "closed"


def _line_of_purchase(db: Database, number: str) -> int:
    with db.begin(MERCHANT, actor=ACTOR) as tx:
        return purchases.find(tx, number).lines[0].id


def _line_of_transfer(db: Database, number: str) -> int:
    with db.begin(MERCHANT, actor=ACTOR) as tx:
        return transfers.find(tx, number).lines[0].id
