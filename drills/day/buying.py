"""Goods that suppliers bring: ordered the days before, received in full, in part, too many, damaged, or not at all."""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from core.supply import placing, purchases, receipts
from core.supply.lines import Came, PurchaseLine
from core.supply.purchases import Wanted
from drills.day.count import Arrival, Goods
from drills.day.house import House
from drills.day.opening import SUPPLIERS
from drills.day.plan import MERCHANT
from drills.day.rota import Rota

_ACTOR = "cli"
_LINES = 20


@dataclass(slots=True)
class Buying:
    """``skus``: what stands on shelves; what is asked for most comes first, and is bought most."""

    house: House
    rota: Rota
    skus: list[str]
    _names: dict[int, str] = field(default_factory=dict)

    def plan(self) -> None:
        """Order before the day, and receive from early morning on."""
        self._names = {item_id: sku for sku, item_id in self.house.items.items()}
        for nth in range(self.house.sizes.purchases):
            number = f"PO-{nth:04d}"
            self._order(number)
            self.rota.at(self.house.random.uniform(60, 360), partial(self._receive, number))

    def _order(self, number: str) -> None:
        house, random = self.house, self.house.random
        place = random.choice(house.warehouses())
        popular = random.sample(self.skus[: house.sizes.popular], min(_LINES // 2, house.sizes.popular))
        others = random.sample(self.skus[house.sizes.popular :], _LINES // 2)
        wanted = [Wanted(sku, random.randint(5, 60), cost_minor=random.randint(100, 9_000)) for sku in popular + others]
        day = house.clock.now.date() + timedelta(days=random.randint(0, 1))

        def ask() -> None:
            with house.db.begin(MERCHANT, actor=_ACTOR) as tx:
                purchases.new(tx, number, random.choice(SUPPLIERS), house.spots[place].warehouse_id, expected_on=day)
                purchases.add_lines(tx, number, wanted)

        house.have("purchase drafted", number, ask)
        house.have("purchase placed", number, lambda: placing.place(house.db, MERCHANT, number, actor=_ACTOR))

    def _receive(self, number: str) -> None:
        """What came with the first delivery; the rest of it comes later, or never."""
        random = self.house.random
        fate = random.random()
        came = {line.id: self._drawn(line, fate) for line in self._lines(number)}
        self._book_in(number, "first", {line_id: units for line_id, units in came.items() if units.units})
        later = random.uniform(420, 720)
        if fate >= 0.6:
            act = self._receive_rest if random.random() < 0.7 else self._close
            self.rota.at(later, lambda: act(number))

    def _drawn(self, line: PurchaseLine, fate: float) -> Came:
        random = self.house.random
        if fate < 0.6:  # as ordered, but for a few lines
            more = random.randint(1, 5) if random.random() < 0.08 else 0
            damaged = random.randint(1, 2) if random.random() < 0.07 else 0
            regraded = random.random() < 0.03
            return Came(line.open + more - damaged - regraded, damaged, int(regraded))
        return Came(random.randint(0, line.open))

    def _receive_rest(self, number: str) -> None:
        self._book_in(number, "rest", {line.id: Came(line.open) for line in self._lines(number) if line.open})

    def _close(self, number: str) -> None:
        house = self.house
        house.have(
            "purchase closed",
            number,
            lambda: placing.end(house.db, MERCHANT, number, actor=_ACTOR, reason="sold out there", cancel=False),
        )

    def _book_in(self, number: str, key: str, came: dict[int, Came]) -> None:
        if not came:
            return
        house = self.house
        lines = {line.id: line for line in self._lines(number)}
        delivery = receipts.Delivery(house.spots[self._place(number)], came)
        house.have(
            "purchase received",
            f"{number} {key}",
            lambda: receipts.receive(house.db, MERCHANT, number, delivery, key, actor=_ACTOR),
        )
        for line_id, units in came.items():
            line = lines[line_id]
            house.count.arrives(Goods(self._names[line.item_id], line.grade), Arrival(*units))

    def _lines(self, number: str) -> list[PurchaseLine]:
        with self.house.db.begin(MERCHANT, actor=_ACTOR) as tx:
            return list(purchases.find(tx, number).lines)

    def _place(self, number: str) -> str:
        """The house that it comes to, where it is put down beside the door."""
        with self.house.db.begin(MERCHANT, actor=_ACTOR) as tx:
            warehouse_id = purchases.find(tx, number).row.warehouse_id
        return next(one for one in self.house.warehouses() if self.house.spots[one].warehouse_id == warehouse_id)
