"""What people find out about goods: counted, damaged, missing, of another grade, mended, scrapped, brought back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from core.command import Command
from core.goods.adjusting import Lose, Regrade, SetOnShelf, Unblock
from core.goods.receiving import Receive
from core.sales.lock_requests import DecideLock, RequestLock
from core.sales.lock_terms import Terms
from core.sales.locks import ReleaseLock
from core.stock import DocumentKind
from core.stocktake import entering, opening, posting
from core.stocktake.entering import Counted
from core.stocktake.opening import Choice
from drills.day.count import FLAWED, Arrival, Goods
from drills.day.house import House, Stand, look
from drills.day.plan import MERCHANT
from drills.day.rota import Rota

_ACTOR = "cli"
_ROUND_MINUTES = 60
_ROUNDS = 12
_PLENTY = 7  # units: more than leave a shelf within an hour

Told = tuple[str, Command, Callable[[], None]]  # words, what is told to the hub, and what it is for the outside count


@dataclass(slots=True)
class Finding:
    """``skus``: what stands on shelves; what is asked for most comes first."""

    house: House
    rota: Rota
    skus: list[str]
    _number: int = 0
    _locks: list[str] = field(default_factory=list)

    def plan(self) -> None:
        for nth in range(_ROUNDS):
            minute = 75 + nth * _ROUND_MINUTES
            for act in (self._count, self._open_stocktake, self._mishaps, self._take_back, self._lock, self._unlock):
                self.rota.at(minute, act)

    def _share(self, total: int) -> int:
        """Of so many on the whole day, those of one round."""
        return -(-total // _ROUNDS)

    def _name(self, what: str) -> str:
        self._number += 1
        return f"{what}-{self._number:05d}"

    def _tell(self, kind: str, told: list[Told]) -> None:
        self.house.do(kind, [one[:2] for one in told], actor=_ACTOR)
        for one in told:
            one[2]()

    # ---- what is there

    def _count(self) -> None:
        """A few shelves are counted; most of what stands there is as the books have it."""
        house, random = self.house, self.house.random
        told = list[Told]()
        for one in look(house, house.shelves(3), self._share(house.sizes.counts) // 6 + 1):
            change = random.choice((0, 0, 0, 0, 0, 0, 0, -1, -2, 1, 2)) if random.random() < 0.97 else -one.fit
            change = max(change, -one.fit)
            key = self._name("count")
            counts = SetOnShelf(key, "counted", house.stocked(one.goods), one.fit + change, spot=house.spots[one.place])
            told.append((f"{key}: {change}", counts, partial(self._differs, one.goods, change)))
        self._tell("count", told)

    def _differs(self, goods: Goods, change: int) -> None:
        if change > 0:
            self.house.count.arrives(goods, Arrival(change))
        elif change:
            self.house.count.leaves(goods, -change)

    def _open_stocktake(self) -> None:
        """Part of a shelf is counted on paper while goods go in and out; the paper is booked later."""
        house, number = self.house, self._name("S")
        (place,) = house.shelves(1, beside_doors=False)
        there = look(house, [place], self._share(house.sizes.counts))
        if not there:
            return
        # What is counted as missing must not have left with the next van, or it was not missing.
        varies = {one.goods: house.random.choice((-1, 1)) for one in there if one.fit > _PLENTY}
        counts = [
            Counted(house.spots[place], house.stocked(one.goods), one.fit + varies.get(one.goods, 0)) for one in there
        ]
        items = sorted({one.stocked.item_id for one in counts})

        def count() -> None:
            with house.db.begin(MERCHANT, actor=_ACTOR) as tx:
                opening.start(tx, number, [place], opening.Terms(blind=True, choice=Choice(item_ids=items)))
                entering.enter(tx, number, counts, "ann")

        house.have("stocktake counted", number, count)
        house.counting.add(place)
        self.rota.at(house.minute + 45, partial(self._post_stocktake, number, place, varies))

    def _post_stocktake(self, number: str, place: str, varies: Mapping[Goods, int]) -> None:
        house = self.house
        posted = house.have(
            "stocktake posted",
            number,
            lambda: posting.post(house.db, MERCHANT, number, actor=_ACTOR, leave_out=True),
        )
        house.counting.discard(place)
        for goods, change in varies.items():
            self._differs(goods, change)
        if posted.found - posted.missing != sum(varies.values()):
            house.found(f"stocktake {number} found {posted.found} and missed {posted.missing}; counted {dict(varies)}")

    def _mishaps(self) -> None:
        share = self._share(self.house.sizes.mishaps)
        there = look(self.house, self.house.shelves(8), share // 8 + 1)
        self._tell("mishap", [self._mishap(one) for one in there])
        apart = look(self.house, self.house.shelves(8), share // 20 + 1, apart=True)
        self._tell("set right", [self._set_right(one) for one in apart])

    def _mishap(self, one: Stand) -> Told:
        house, random = self.house, self.house.random
        units, key, spot = random.randint(1, min(one.fit, 3)), self._name("mishap"), house.spots[one.place]
        stocked, fate = house.stocked(one.goods), random.random()
        words = f"{key}: {units} {one.goods.sku} in {one.place}"
        if fate < 0.5:
            lose = Lose(key, "dropped", DocumentKind.DAMAGE, {stocked: units}, spot=spot)
            return words, lose, lambda: house.count.breaks(one.goods, units)
        if fate < 0.8:
            gone = Lose(key, "not there", DocumentKind.MISSING, {stocked: units}, spot=spot)
            return words, gone, lambda: house.count.leaves(one.goods, units)
        regrade = Regrade(key, "looked at", stocked, one.goods.other.grade, units, spot=spot)
        return words, regrade, lambda: house.count.is_regraded(one.goods, units)

    def _set_right(self, one: Stand) -> Told:
        """What was set apart is mended, or thrown away."""
        house, key = self.house, self._name("repair")
        words, stocked, spot = f"{key}: {one.apart} {one.goods.sku}", house.stocked(one.goods), house.spots[one.place]
        if house.random.random() < 0.5:
            mend = Unblock(key, "mended", DocumentKind.MEND, {stocked: one.apart}, spot=spot)
            return words, mend, lambda: house.count.breaks(one.goods, -one.apart)
        scrap = Unblock(key, "no use", DocumentKind.SCRAP, {stocked: one.apart}, spot=spot)
        return words, scrap, lambda: house.count.is_scrapped(one.goods, one.apart)

    # ---- what comes back

    def _take_back(self) -> None:
        """Parcels of earlier days: each is looked at, and is as good as new, flawed, or broken."""
        self._tell("return", [self._returned() for _ in range(self._share(self.house.sizes.brought_back))])

    def _returned(self) -> Told:
        house, random = self.house, self.house.random
        goods, key, units = Goods(random.choice(self.skus)), self._name("return"), random.randint(1, 3)
        place, fate = random.choice(house.warehouses()), random.random()
        if fate < 0.25:
            goods = Goods(goods.sku, FLAWED)
        arrival = Arrival(0, units) if fate > 0.85 else Arrival(units)
        fit, damaged = ({house.stocked(goods): n} if n else {} for n in arrival[:2])
        command = Receive(key, DocumentKind.RETURN, fit, "brought back", damaged, house.spots[place])
        return f"{key}: {units} {goods.sku} ({goods.grade})", command, lambda: house.count.arrives(goods, arrival)

    # ---- what is set apart for somebody

    def _lock(self) -> None:
        """Some for a customer, some for a storefront, some on a shelf of their own; they run out during the day."""
        house, random = self.house, self.house.random
        share = self._share(house.sizes.locks)
        with house.db.begin(MERCHANT, actor=_ACTOR) as tx:
            ids = tx.new_ids(share)
        keys = [self._name("lock") for _ in ids]
        asked = [(key, RequestLock(key, id_, self._terms())) for key, id_ in zip(keys, ids, strict=True)]
        house.do("lock asked", asked, actor=_ACTOR)
        approve = random.choices((True, False), (9, 1), k=len(keys))
        decided = [(key, DecideLock(key, yes, as_owner=True)) for key, yes in zip(keys, approve, strict=True)]
        house.do("lock decided", decided, actor=_ACTOR)
        self._locks += [key for key, yes in zip(keys, approve, strict=True) if yes]

    def _terms(self) -> Terms:
        house, random = self.house, self.house.random
        goods = Goods(random.choice(self.skus[: 4 * house.sizes.popular]))
        expires = house.clock.now + timedelta(minutes=random.uniform(30, 400)) if random.random() < 0.7 else None
        fate = random.random()
        if fate < 0.3:
            store_id = house.stores[random.choice(sorted(house.stores))]
            return Terms("channel", house.stocked(goods), random.randint(1, 12), store_id=store_id, expires_at=expires)
        place = house.spots[random.choice(house.warehouses())].warehouse_id if fate > 0.7 else None
        return Terms(
            "business", house.stocked(goods), random.randint(1, 12), warehouse_id=place, account="acme",
            pure=place is not None and random.random() < 0.5, expires_at=expires,
        )  # fmt: skip

    def _unlock(self) -> None:
        """Locks are given back, in part or whole; one may have run out meanwhile."""
        random = self.house.random
        keys = random.sample(self._locks, len(self._locks) // 6)
        acts = [(key, ReleaseLock(key, random.choice((1, None)), self._name("release"))) for key in keys]
        self.house.do("lock released", acts, actor=_ACTOR, may_lack=True)
