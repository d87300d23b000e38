"""What happens to goods: they arrive, go to another warehouse, are put away, lost, damaged, and entered by mistake."""

from functools import partial
from typing import NamedTuple

from core.errors import NotFound, Refused
from core.goods.adjusting import Lose
from core.goods.receiving import Receive
from core.reversing import Reverse, Reversed, TakenBackBefore, read_document
from core.stock import DocumentKind, Spot
from core.supply import sending, transfers
from core.supply.sending import Arrived
from core.transaction import Database
from core.warehouse.moves import PutAway
from drills.simulate.caller import Kinds
from drills.simulate.hub import MERCHANT, Process
from drills.simulate.outside import Change
from drills.simulate.people import ACTOR, People, World

_NEWEST = """
    SELECT d.id, d.kind, d.effect_key FROM document d
    WHERE d.kind IN ('receipt', 'missing', 'scrap', 'vendor_return', 'deal', 'collect', 'lock')
        AND d.effect_key !~ '^(purchase/|transfer/|stocktake/|mirror/|shelf/|reversal/|lock/floor:)'
        AND (d.order_id IS NULL OR d.kind IN ('deal', 'collect', 'lock'))
        AND NOT EXISTS (SELECT FROM document r WHERE r.corrects_id = d.id)
    ORDER BY d.id DESC LIMIT 20"""


class _Document(NamedTuple):
    id: int
    kind: str
    key: str


class Yard(People):
    """The people who move goods. ``_mistakes``: documents that somebody wanted to take back."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._mistakes: set[int] = set()
        self.kinds: Kinds = {
            self._receive: 4, self._lose: 3, self._put_away: 2, self._transfer: 4, self._take_back: 4,
        }  # fmt: skip

    # ---- goods that come, go and change their place

    def _receive(self) -> str | None:
        sku, units, spot = self._item(), self._random.randint(1, 6), self._spot()
        self.receive(sku, units, spot)
        return f"{units} of {sku} arrive in bin {spot.bin_id}"

    def receive(self, sku: str, units: int, spot: Spot | None = None) -> None:
        key = self._name("receipt")
        self._model.tell(key, Change(sku, units))
        command = Receive(key, DocumentKind.RECEIPT, {self._goods.items[sku]: units}, spot=spot)
        self._do(key, command, is_told=True)

    def _lose(self) -> str | None:
        """Somebody finds that goods are missing or damaged; who was promised them waits."""
        sku, units, key = self._item(), self._random.randint(1, 3), self._name("loss")
        kind = self._random.choice((DocumentKind.MISSING, DocumentKind.DAMAGE))
        self._model.tell(key, Change(sku, -units))
        self._do(key, Lose(key, "seen", kind, {self._goods.items[sku]: units}, spot=self._spot()))
        return f"{units} of {sku} are {kind}"

    def _put_away(self) -> str | None:
        key, sku, units = self._name("away"), self._item(), self._random.randint(1, 3)
        home, shelf, *_ = self._goods.bins.values()
        from_, to = (home, shelf) if self._random.random() < 0.7 else (shelf, home)
        self._caller.ask(key, PutAway(key, self._goods.items[sku], units, from_, to), is_told=True)
        return f"{units} of {sku} are put away"

    # ---- what was entered by mistake

    def _take_back(self) -> str | None:
        """One of the newest documents is wrong: what it says is gone stands there, or what came stands elsewhere."""
        rows = [row for row in map(_Document._make, self._see(_NEWEST)) if row.id not in self._mistakes]
        if not rows:
            return None
        kind = self._random.choice(sorted({row.kind for row in rows}))
        document_id, _, told = next(row for row in rows if row.kind == kind)
        self._mistakes.add(document_id)
        key, force = f"reversal/{document_id}", self._random.random() < 0.7
        changes = self._model.told.get(told, ())
        self._model.tell(key, *(change.opposite for change in changes))

        def act(edge: Process) -> object:
            with edge.app.db.begin(MERCHANT, actor=ACTOR) as tx:
                document = read_document(tx, document_id)
            return self._caller.do(edge, Reverse(document, "by mistake", force))

        def answered(result: object) -> None:
            if not isinstance(result, Reversed | TakenBackBefore):
                return
            self._model.answered.add(key)
            for change in changes if kind == DocumentKind.RECEIPT else ():
                self.receive(change.sku, change.there, self._spot())

        self._caller.have(f"{key} of a {kind}", act, answered)
        return f"document {document_id}, a {kind}, was entered by mistake"

    # ---- transfers

    def _transfer(self) -> str | None:
        """Goods leave one warehouse for another, if they stand there and may leave."""
        number, sku, units = self._name("T"), self._item(), self._random.randint(1, 4)
        from_ = self._spot()
        (to,) = [one for one in self._goods.warehouses if one != from_.warehouse_id]
        self._model.tell(f"send/{number}", Change(sku, -units, units))

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
            self._model.tell(f"receipt/{number}", Change(sku, come - damaged, -come))

            def arrive(db: Database) -> str:
                came = {_line_of_transfer(db, number): Arrived(come - damaged, damaged)}
                sending.receive(db, MERCHANT, number, came, spot, number, actor=ACTOR)
                return "received"

            self._fact(f"receive {number}", arrive)
        if lost:
            self._model.tell(f"lost/{number}", Change(sku, 0, -lost))

            def lose(db: Database) -> str:
                gone = {_line_of_transfer(db, number): lost}
                sending.lose(db, MERCHANT, number, gone, number, actor=ACTOR, reason="parcel lost")
                return "lost"

            self._fact(f"lose {number}", lose)


def _close(number: str, db: Database) -> str:
    with db.begin(MERCHANT, actor=ACTOR) as tx:
        transfers.close(tx, number)
    return "closed"


def _line_of_transfer(db: Database, number: str) -> int:
    with db.begin(MERCHANT, actor=ACTOR) as tx:
        return transfers.find(tx, number).lines[0].id
