"""What becomes of paid orders in our warehouses: handed out, put back, given back, rejected, and shipped in parts.

Of an order that they pack, its storefront hears when a parcel has left; orders that somebody else sends are taken off
them again when the storefront says so.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from core.errors import Refused
from core.fulfilment import automatic, dispatching
from core.fulfilment.acts import GiveBack, HandOver, PutBack, Reject, Ship
from core.fulfilment.consuming import ConsumeFor
from core.rows import StoreKey
from core.stock import Stocked
from core.transaction import Database
from drills.simulate.caller import Kinds
from drills.simulate.hub import MERCHANT
from drills.simulate.outside import Parcel, Place
from drills.simulate.people import ACTOR, People, World
from drills.simulate.shop import Shop

_TO_SEND = """
    SELECT DISTINCT order_id FROM promise WHERE order_line_id IS NOT NULL AND paid AND deducted AND NOT presale
        AND live > allocated ORDER BY 1"""
_LOCKED = """
    SELECT DISTINCT l.key, o.store_id, o.external_id FROM lock l
    JOIN promise p ON (p.item_id, p.grade) = (l.item_id, l.grade) AND p.paid AND p.deducted AND NOT p.presale
        AND p.live + p.waiting > p.allocated
    JOIN store_order o ON o.id = p.order_id WHERE l.pure AND l.status = 'active' ORDER BY 1, 2, 3"""
_PAPERS = """
    SELECT f.fulfilment_id, o.store_id, coalesce(s.name, 'own'), o.external_id,
        min(split_part(l.external_line_id, ':', 1)), split_part(i.sku, '~', 1), f.item_id, f.grade,
        sum(f.units)::bigint, count(DISTINCT l.id) = 1, bool_or(f.bin_id IS NOT NULL)
    FROM fulfilment_line f JOIN store_order o ON o.id = f.order_id JOIN order_line l ON l.id = f.order_line_id
    JOIN item i ON i.id = f.item_id LEFT JOIN store s ON s.id = o.store_id
    WHERE f.units > 0 GROUP BY 1, 2, 3, 4, 6, 7, 8 ORDER BY 1, 7, 8"""


class _Paper(NamedTuple):
    """Units of one item that a fulfilment order still has to send.

    ``is_single``: they are of one line of its order. ``is_handed``: some were handed out.
    """

    fulfilment_id: int
    store_id: int
    shop: str
    number: str
    line_id: str
    sku: str
    item_id: int
    grade: str
    units: int
    is_single: bool
    is_handed: bool

    @property
    def order(self) -> StoreKey:
        return StoreKey(self.store_id, self.number)

    @property
    def stocked(self) -> Stocked:
        return Stocked(self.item_id, self.grade)


class Packers(People):
    """``shops``: all that sell, by name, the merchant's own among them."""

    def __init__(self, world: World, shops: Mapping[str, Shop]) -> None:
        super().__init__(world)
        self._shops = shops
        self.kinds: Kinds = {
            self._tell: 5, self._switch: 1, self._consume: 2, self._hand_out: 6, self._ship: 8, self._undo: 3,
        }  # fmt: skip

    # ---- who sends what

    def _tell(self) -> str | None:
        """Somebody asks for paid orders, one or all, which warehouses send them."""
        known = [row[0] for row in self._see(_TO_SEND)]
        if not known:
            return None
        ids = known if self._random.random() < 0.5 else [self._random.choice(known)]

        def act(db: Database) -> str:
            done = dispatching.dispatch(db, MERCHANT, ids, actor=ACTOR)
            return f"{sum(len(one.made) for one in done)} told"

        name = self._name("dispatch")
        self._fact(name, act)
        return f"{name}: {len(ids)} orders are to be sent"

    def _switch(self) -> str | None:
        """Mostly orders go to warehouses without anybody asking."""
        on = self._random.random() < 0.75
        self.switch(on)
        return f"orders go to warehouses by themselves: {on}"

    def switch(self, on: bool) -> None:
        def act(db: Database) -> str:
            with db.begin(MERCHANT, actor=ACTOR) as tx:
                automatic.switch(tx, on)
            return "switched"

        self._fact(self._name("switch"), act)

    def _consume(self) -> str | None:
        """A lock gives its goods to an order that wants such."""
        rows = self._see(_LOCKED)
        if not rows:
            return None
        key, store_id, number = self._random.choice(rows)
        ref = self._name("for")
        self._caller.ask(ref, ConsumeFor(key, StoreKey(store_id, number), 1, ref))
        return f"{ref}: {key} for order {number} of {store_id}"

    # ---- what is done with it

    def _some(self, *, ours: bool = False) -> _Paper | None:
        """What lies on the table, or only what we may ship and tell the storefront of."""
        fitting = [one for one in self._papers() if not ours or (one.is_single and self._is_ours(one))]
        return self._random.choice(fitting) if fitting else None

    def _papers(self) -> list[_Paper]:
        return [_Paper(*row) for row in self._see(_PAPERS)]

    def _is_ours(self, paper: _Paper) -> bool:
        order = self._shops[paper.shop].orders.get(paper.number)
        return order is not None and order.is_ours

    def _part(self, paper: _Paper) -> dict[Stocked, int] | None:
        """Some units of one item; None: the whole of it."""
        if self._random.random() < 0.5:
            return None
        return {paper.stocked: self._random.randint(1, paper.units)}

    def _hand_out(self) -> str | None:
        paper = self._some()
        if paper is None:
            return None
        key = self._name("hand")
        self._caller.ask(key, HandOver(key, paper.order, paper.fulfilment_id, self._part(paper)), is_told=False)
        return f"{key}: {paper.units} of {paper.sku} for {paper.shop} order {paper.number}"

    def _undo(self) -> str | None:
        """Put back, given back for others to send, or refused."""
        paper = self._some()
        if paper is None:
            return None
        kind = self._random.choice((PutBack, PutBack, GiveBack, GiveBack, Reject))
        if kind is PutBack:
            paper = next((one for one in self._papers() if one.is_handed), paper)
        key = self._name({PutBack: "unhand", GiveBack: "give", Reject: "reject"}[kind])
        units = None if kind is Reject else self._part(paper)
        self._caller.ask(key, kind(key, paper.order, paper.fulfilment_id, units, reason="no room"))
        return f"{key} {paper.shop} order {paper.number}"

    def _ship(self) -> str | None:
        """A parcel leaves, with one item whole or in part."""
        paper = self._some(ours=True)
        if paper is None:
            return None
        key = self._name("packed")
        units = paper.units if self._random.random() < 0.6 else self._random.randint(1, paper.units)
        self._model.parcels[key] = Parcel(Place(paper.shop, paper.number, paper.line_id, paper.sku), units)
        command = Ship(key, paper.order, paper.fulfilment_id, {paper.stocked: units})
        self._do(key, command, partial(self._left, paper))
        return f"{key}: {units} of {paper.sku} for {paper.shop} order {paper.number}"

    def _left(self, paper: _Paper, result: Any) -> None:
        if not isinstance(result, Refused):
            self._later(0.0, 10.0, partial(self._tell_shop, paper))

    def _tell_shop(self, paper: _Paper) -> None:
        """The storefront hears of whole units that it sold, unless it has given them up meanwhile."""
        shop = self._shops[paper.shop]
        order = shop.orders[paper.number]
        line = next((one for one in order.lines if one.line_id == paper.line_id), None)
        if line is None or order.is_deleted:
            return
        whole = self._model.whole_units_left(paper.shop, paper.number, line)
        units = min(whole - line.shipped, line.open)
        if units > 0:
            shop.fulfil(order, line, units)
