"""What the houses send: they hand fulfilment orders to those who pack, ship them in parts or whole, or cannot."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.command import Command
from core.fulfilment import views
from core.fulfilment.acts import HandOver, PutBack, Reject, Ship
from core.fulfilment.views import FulfilmentView
from drills.day.count import Goods
from drills.day.house import House
from drills.day.plan import LAST_MINUTE, MERCHANT
from drills.day.rota import Rota
from drills.day.shoppers import Shoppers

_ACTOR = "cli"
_ROUND_MINUTES = 30
_MOST = 100_000

Told = tuple[str, Command, Callable[[], None]]


@dataclass(slots=True)
class Sending:
    house: House
    rota: Rota
    shoppers: Shoppers
    _number: int = 0

    def plan(self) -> None:
        for minute in range(150, LAST_MINUTE - 30, _ROUND_MINUTES):
            self.rota.at(minute, self._go_round)

    def _go_round(self) -> None:
        """What is packed since the last round leaves with this van; then more is handed out."""
        random = self.house.random
        with self.house.db.begin(MERCHANT, actor=_ACTOR) as tx:
            papers = sorted(views.every(tx, limit=_MOST), key=lambda paper: paper.ref)
        packed = [paper for paper in papers if any(line.handed for line in paper.lines)]
        self._tell("packed", [self._packed(paper) for paper in packed if random.random() < 0.9])
        told = [paper for paper in papers if not any(line.handed for line in paper.lines)]
        self._tell("told", [self._handed(paper) for paper in told if random.random() < 0.8])
        self._tell_storefronts({paper.order: paper.order_key.store_id for paper in packed})

    def _tell(self, kind: str, told: list[Told]) -> None:
        self.house.do(f"fulfilment {kind}", [one[:2] for one in told], actor=_ACTOR)
        for one in told:
            one[2]()

    def _key(self, what: str) -> str:
        self._number += 1
        return f"{what}-{self._number:06d}"

    def _handed(self, paper: FulfilmentView) -> Told:
        key = self._key("hand")
        if self.house.random.random() < 0.01:
            reject = Reject(key, paper.order_key, paper.id, reason="no hands left today")
            return f"{key} {paper.ref}: rejected", reject, lambda: None
        return f"{key} {paper.ref}: handed over", HandOver(key, paper.order_key, paper.id), lambda: None

    def _packed(self, paper: FulfilmentView) -> Told:
        """It leaves as a whole; now and then in parts; or the packer puts it back."""
        house, key, fate = self.house, self._key("pack"), self.house.random.random()
        if fate < 0.02:
            back = PutBack(key, paper.order_key, paper.id, reason="no box is large enough")
            return f"{key} {paper.ref}: put back", back, lambda: None
        units = Counter({Goods(line.sku, line.grade): line.waiting + line.handed for line in paper.lines})
        if fate < 0.07:
            first = min(one for one, n in units.items() if n)
            units = Counter({first: max(units[first] // 2, 1)})
        said = {house.stocked(one): n for one, n in units.items() if n}
        ship = Ship(key, paper.order_key, paper.id, said)
        return f"{key} {paper.ref}: {sum(units.values())} shipped", ship, lambda: self._left(units)

    def _left(self, units: Mapping[Goods, int]) -> None:
        for one, n in units.items():
            self.house.count.leaves(one, n)

    def _tell_storefronts(self, orders: Mapping[str, int]) -> None:
        """Buyers hear of whole units of a line; a bundle of which a part has left is not counted, yet."""
        rows = self.house.ask(
            """SELECT o.external_id AS number, p.line, floor(min(p.units))::bigint AS units
               FROM unnest(CAST(:stores AS bigint[]), CAST(:numbers AS text[])) k (store_id, number)
               CROSS JOIN LATERAL (SELECT id, external_id FROM store_order WHERE merchant_id = :merchant_id
                   AND store_id = k.store_id AND external_id = k.number OFFSET 0) o
               CROSS JOIN LATERAL (
                   SELECT split_part(l.external_line_id, ':', 1) AS line, sum(p.shipped) / min(p.per_unit) AS units
                   FROM order_line l JOIN promise p ON (p.merchant_id, p.order_line_id) = (l.merchant_id, l.id)
                   WHERE l.merchant_id = :merchant_id AND l.order_id = o.id AND p.merchant_id = :merchant_id
                     AND p.order_id = o.id GROUP BY l.external_line_id, p.item_id OFFSET 0) p
               GROUP BY 1, 2 ORDER BY 1, 2""",
            stores=list(orders.values()), numbers=[number.removeprefix("#") for number in orders],
        )  # fmt: skip
        shipped: dict[str, dict[str, int]] = defaultdict(dict)
        for row in rows:
            shipped[row.number][row.line] = row.units
        for number, by_line in shipped.items():
            if self.shoppers.were_sent(self.shoppers.orders[number], by_line, self.house.minute):
                self.house.tally["order sent"] += 1
