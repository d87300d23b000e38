"""What becomes of goods that are ordered: placed with a supplier, delivered in parts, or given up.

Some are booked on a paper that is not theirs, and booked again once somebody sees it.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from core.errors import NotFound, Refused
from core.stock import DocumentKind
from core.supply import counting, placing, purchases, receipts, taking_back
from core.supply.lines import Came
from core.transaction import Database
from drills.simulate.caller import Kinds
from drills.simulate.hub import MERCHANT
from drills.simulate.outside import Change
from drills.simulate.people import ACTOR, People, World

SUPPLIER = "ACME"


class Paper(NamedTuple):
    """A purchase order over units of one item. ``left``: units that are still to come."""

    number: str
    sku: str
    left: int


class Buyers(People):
    """Of one paper only one thing happens at a time."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.kinds: Kinds = {self._order_goods: 3, self._order_on_two_papers: 2}

    def _order_goods(self) -> str | None:
        """Placed, sold before they are here by the merchant's rule, and delivered whole, in parts, or not at all."""
        paper = self._paper(self._item())
        self._place(paper, partial(self._await, paper))
        return f"{paper.number} orders {paper.left} of {paper.sku}"

    def _order_on_two_papers(self) -> str | None:
        """The same goods: what comes for the one is booked on the other, and they are really there all the time."""
        sku = self._item()
        right, wrong = self._paper(sku), self._paper(sku)
        both = partial(self._later, 1.0, 25.0, partial(self._mix_up, right, wrong))
        self._place(right, partial(self._place, wrong, both))
        return f"{right.number} orders {right.left} of {sku}, and {wrong.number} {wrong.left}"

    def _paper(self, sku: str) -> Paper:
        return Paper(self._name("PO"), sku, self._random.randint(2, 8))

    def _place(self, paper: Paper, then: Callable[[], None]) -> None:
        number, sku, units = paper
        place = self._random.choice(self._goods.warehouses)
        on = (self._hub.clock() + timedelta(days=self._random.choice((0, 0, 1, 9)))).date()
        self._model.tell(f"place/{number}", Change(sku, 0, units))

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
            then()

        self._have(f"order {number}", act, placed)

    # ---- deliveries

    def _await(self, paper: Paper) -> None:
        if paper.left:
            self._later(1.0, 25.0, partial(self._deliver, paper))

    def _deliver(self, paper: Paper) -> None:
        """Part of what is still to come comes, some of it damaged, or is given up."""
        if self._random.random() < 0.25:
            self._cut(paper)
            return
        came = self._some(paper.left)
        self._book(paper, came, lambda _: self._await(_less(paper, came)))

    def _some(self, most: int) -> Came:
        units = self._random.randint(1, most)
        damaged = self._random.randint(0, units) if self._random.random() < 0.3 else 0
        return Came(units - damaged, damaged)

    def _book(self, paper: Paper, came: Came, then: Callable[[int], None]) -> None:
        """``then`` is told of the document."""
        number, sku, _ = paper
        key, spot = self._name("delivery"), self._spot()
        self._model.tell(f"receipt/{key}", Change(sku, came.good, -came.units))

        def act(db: Database) -> int:
            delivery = receipts.Delivery(spot, {_line_of(db, number): came})
            (document_id,) = receipts.receive(db, MERCHANT, number, delivery, key, actor=ACTOR).document_ids
            return document_id

        def received(result: int | Refused) -> None:
            self._is_a_fact(key, result)
            if not isinstance(result, Refused):
                then(result)

        self._have(f"{key} of {number}", act, received)

    def _cut(self, paper: Paper) -> None:
        number, sku, units = paper
        key, lost = self._name("cut"), self._random.random() < 0.5
        kind = DocumentKind.LOST if lost else DocumentKind.PURCHASE_CUT
        self._model.tell(f"{kind}/{key}", Change(sku, 0, -units))

        def act(db: Database) -> str:
            gone = {_line_of(db, number): units}
            placing.cut(db, MERCHANT, number, gone, key, actor=ACTOR, reason="supplier says so", lost=lost)
            return "cut"

        self._fact(f"{key} of {number}", act)

    # ---- the wrong paper

    def _mix_up(self, right: Paper, wrong: Paper) -> None:
        came = self._some(min(right.left, wrong.left))

        def booked(document_id: int) -> None:
            self._later(1.0, 15.0, partial(self._see_it, right, wrong, came, document_id))

        self._book(wrong, came, booked)

    def _see_it(self, right: Paper, wrong: Paper, came: Came, document_id: int) -> None:
        """Taken back and booked again. Where somebody has the units by now, the papers change their parts instead."""
        key = f"reversal/{document_id}"
        self._model.tell(key, Change(wrong.sku, came.good, -came.units).opposite)

        def act(db: Database) -> str:
            taking_back.take_back(db, MERCHANT, wrong.number, document_id, actor=ACTOR, reason="another paper's")
            return "taken back"

        def answered(result: object) -> None:
            if isinstance(result, Refused):
                self._await(right)
                self._await(_less(wrong, came))
                return
            self._model.answered.add(key)
            self._await(wrong)
            self._book(right, came, lambda _: self._await(_less(right, came)))

        self._have(f"undo of {wrong.number}", act, answered)


def _less(paper: Paper, came: Came) -> Paper:
    return paper._replace(left=paper.left - came.units)


def _line_of(db: Database, number: str) -> int:
    with db.begin(MERCHANT, actor=ACTOR) as tx:
        return purchases.find(tx, number).lines[0].id
