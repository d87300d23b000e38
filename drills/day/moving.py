"""Goods that change their place: sent from house to house, put away, and moved from bin to bin."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from core.stock import Spot
from core.supply import sending, transfers
from core.supply.sending import Arrived
from core.warehouse.moves import PutAway
from drills.day.count import Arrival, Goods
from drills.day.house import House, look
from drills.day.plan import LAST_MINUTE, MERCHANT
from drills.day.rota import Rota

T = TypeVar("T")
_ACTOR = "cli"
_LINES = 8
_ROUND_MINUTES = 60


@dataclass(slots=True)
class Moving:
    house: House
    rota: Rota

    def plan(self) -> None:
        random = self.house.random
        for nth in range(self.house.sizes.transfers):
            self.rota.at(random.uniform(60, 600), partial(self._send, f"T-{nth:04d}"))
        for minute in range(90, LAST_MINUTE, _ROUND_MINUTES):
            self.rota.at(minute, partial(self._put_away, minute))

    def _send(self, number: str) -> None:
        house, random = self.house, self.house.random
        start, end = random.sample(house.warehouses(), 2)
        shelves = [one for one in house.spots if one.startswith(f"{start}/") and one not in house.counting]
        place = random.choice([start, *shelves])
        there = [one for one in look(house, [place], _LINES) if one.movable]
        goods = {one.goods: random.randint(1, min(one.movable, 6)) for one in there}
        if not goods:
            return
        houses = house.spots[start].warehouse_id, house.spots[end].warehouse_id

        def ask() -> None:
            with house.db.begin(MERCHANT, actor=_ACTOR) as tx:
                transfers.ask(tx, number, houses, {house.stocked(one): n for one, n in goods.items()})

        house.have("transfer asked", number, ask)
        house.have(
            "transfer sent",
            number,
            lambda: sending.send(house.db, MERCHANT, number, None, house.spots[place], "van", actor=_ACTOR),
        )
        for one, n in goods.items():
            house.count.is_sent(one, n)
        arrives = random.uniform(60, 240)
        self.rota.at(house.minute + arrives, lambda: self._receive(number, goods, house.spots[end]))

    def _receive(self, number: str, goods: Mapping[Goods, int], spot: Spot) -> None:
        """All of it, or a part: then the rest comes later, some of it damaged, or is lost."""
        random = self.house.random
        if random.random() < 0.7:
            self._book_in(number, "all", {one: Arrived(n) for one, n in goods.items()}, spot)
            return
        came = {one: random.randint(0, n) for one, n in goods.items()}
        self._book_in(number, "part", {one: Arrived(n) for one, n in came.items() if n}, spot)
        rest = {one: n - came[one] for one, n in goods.items() if n > came[one]}
        if random.random() < 0.5:
            self.rota.at(self.house.minute + 60, lambda: self._lose(number, rest))
        else:
            damaged = {one: Arrived(n - 1, 1) for one, n in rest.items()}
            self.rota.at(self.house.minute + 60, lambda: self._book_in(number, "rest", damaged, spot))

    def _book_in(self, number: str, key: str, came: Mapping[Goods, Arrived], spot: Spot) -> None:
        if not came:
            return
        house, by_line = self.house, self._by_line(number, came)
        house.have(
            "transfer received",
            f"{number} {key}",
            lambda: sending.receive(house.db, MERCHANT, number, by_line, spot, key, actor=_ACTOR),
        )
        for one, units in came.items():
            house.count.is_here(one, Arrival(units.good, units.damaged))

    def _lose(self, number: str, lost: Mapping[Goods, int]) -> None:
        if not lost:
            return
        house, by_line = self.house, self._by_line(number, lost)
        house.have(
            "transfer lost",
            number,
            lambda: sending.lose(house.db, MERCHANT, number, by_line, "van", actor=_ACTOR, reason="the van was robbed"),
        )
        for one, n in lost.items():
            house.count.is_lost(one, n)

    def _by_line(self, number: str, units: Mapping[Goods, T]) -> dict[int, T]:
        with self.house.db.begin(MERCHANT, actor=_ACTOR) as tx:
            transfer = transfers.find(tx, number)
        by_goods = {line.stocked: line.id for line in transfer.lines}
        return {by_goods[self.house.stocked(one)]: n for one, n in units.items()}

    def _put_away(self, minute: int) -> None:
        """What came in is carried from beside the doors to the shelves; some things change their shelf."""
        house, random = self.house, self.house.random
        houses = house.warehouses()
        acts = []
        for one in [*look(house, houses, 100), *look(house, house.shelves(4, beside_doors=False), 4)]:
            code = one.place.partition("/")[0]
            to = random.choice([place for place in house.spots if place.startswith(f"{code}/") and place != one.place])
            words = f"{minute}: {one.fit} {one.goods.sku} ({one.goods.grade}) from {one.place} to {to}"
            spots = house.spots[one.place], house.spots[to]
            acts.append((words, PutAway(words, house.stocked(one.goods), one.fit, *spots)))
        house.do("put away", acts, actor=_ACTOR)
