"""What is counted: stocktakes while goods move, single shelves, and a warehouse that an outside system counts for us.

Who counts sees what stands there, and what the books have wrong is drawn: so many units more or fewer than that. What
is booked in the end has to be what was counted, no more units missing, and nothing that was told late.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from core.access.actors import ActorKind, shell
from core.errors import NotFound, Refused
from core.goods.adjusting import Adjusted, SetOnShelf
from core.mirror import full, telling
from core.mirror.known import Outcome
from core.stock import Spot, Stocked
from core.stocktake import approving, entering, opening, papers, posting
from core.stocktake.entering import Counted
from core.stocktake.opening import Terms
from core.transaction import Database
from drills.simulate.caller import Kinds
from drills.simulate.hub import MERCHANT, Process
from drills.simulate.people import ACTOR, People, World

WMS, MIRRORED = "wms", "NORTH"
_WRONG_BY = (0, 0, 0, 1, 1, -1, -1, -2, 3)
_BOOKED = """
    SELECT l.bin_id, l.item_id, l.posted FROM stocktake s JOIN stocktake_line l ON l.stocktake_id = s.id
    WHERE s.number = %s AND l.posted IS NOT NULL ORDER BY 1, 2"""
_STANDS = """
    SELECT split_part(i.sku, '~', 1), coalesce(sum(b.available + b.picking), 0)::bigint FROM item i
    LEFT JOIN (warehouse_balance b JOIN bin n ON n.id = b.bin_id JOIN warehouse w ON w.id = n.warehouse_id
        AND w.code = %s) ON b.item_id = i.id AND b.grade = 'good' GROUP BY 1"""


_SHELF = """
    WITH shelf AS (SELECT %s::bigint AS bin_id, %s::bigint AS item_id, %s AS grade)
    SELECT (SELECT coalesce(sum(b.available + b.picking), 0)::bigint
            FROM warehouse_balance b WHERE (b.bin_id, b.item_id, b.grade) = (s.bin_id, s.item_id, s.grade)),
        (SELECT count(*) FROM movement m JOIN document d ON d.id = m.document_id
            WHERE (m.item_id, m.grade, m.layer) = (s.item_id, s.grade, 'warehouse')
                AND s.bin_id IN (m.from_place, m.to_place) AND d.kind <> 'put_back' AND d.effect_key <> %s)
    FROM shelf s"""


class _Shelf(NamedTuple):
    """Units of one item that stand on it by the books, and how often others than its counter have changed that."""

    units: int
    moves: int


class Clerks(People):
    """``_wrong``: by stocktake and line, by how many units its books may be wrong, as it was counted."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._wrong: dict[str, dict[tuple[int, int], set[int]]] = {}
        self._version = 0
        self._heard: dict[str, int] = {}
        self._last: Mapping[str, int] = {}
        self.kinds: Kinds = {self._open: 5, self._count_shelf: 4, self._wms_counts: 9, self._wms_counts_all: 4}

    # ---- stocktakes

    def _open(self) -> str | None:
        number, bins = self._name("S"), self._goods.bins
        place = self._random.choice(("MAIN", "NORTH", *bins))
        spots = [spot for name, spot in bins.items() if name.startswith(place)]
        terms = Terms(blind=self._random.random() < 0.3)

        def act(db: Database) -> str:
            with db.begin(MERCHANT, actor=ACTOR) as tx:
                try:
                    papers.find(tx, number)
                except NotFound:
                    opening.start(tx, number, [place], terms)
            return "opened"

        def opened(result: object) -> None:
            if not isinstance(result, Refused):
                self._wrong[number] = {}
                self._later(0.5, 10.0, partial(self._count, number, spots, self._random.randint(0, 3)))

        self._have(f"open {number}", act, opened)
        return f"{number} counts {place}"

    def _count(self, number: str, spots: Sequence[Spot], more: int) -> None:
        spot, skus = self._random.choice(spots), self._random.sample(sorted(self._goods.items), 2)
        wrong = {self._goods.items[sku]: self._random.choice(_WRONG_BY) for sku in skus}
        counter = self._random.choice(("ann", "bob"))

        def act(db: Database) -> str:
            with db.begin(MERCHANT, actor=ACTOR) as tx:
                counts = []
                for stocked, units in wrong.items():
                    there = tx.run(
                        """SELECT coalesce(sum(available + picking), 0)::bigint FROM warehouse_balance
                           WHERE merchant_id = :merchant_id AND item_id = :item AND grade = 'good' AND bin_id = :bin""",
                        item=stocked.item_id, bin=spot.bin_id,
                    ).scalar_one()  # fmt: skip
                    counts.append(Counted(spot, stocked, max(there + units, 0)))
                    known = self._wrong[number].setdefault((spot.bin_id, stocked.item_id), set())
                    known.add(max(units, -there))
                entering.enter(tx, number, counts, counter)
            return "counted"

        def counted(_: object) -> None:
            then = partial(self._count, number, spots, more - 1) if more else partial(self._end, number)
            self._later(0.5, 10.0, then)

        self._have(f"count of {number}", act, counted)

    def _end(self, number: str) -> None:
        if self._random.random() < 0.1:
            self._cancel(number)
            return

        def act(db: Database) -> str:
            done = posting.post(db, MERCHANT, number, actor=ACTOR, leave_out=True)
            return f"{done.found} found, {done.missing} missing"

        def posted(result: object) -> None:
            if not isinstance(result, Refused):
                self._judge(number)
            elif "approval" in str(result):
                self._later(0.1, 5.0, partial(self._approve, number))
            else:
                self._cancel(number)

        self._have(f"post {number}", act, posted)

    def _approve(self, number: str) -> None:
        second = replace(shell(MERCHANT), kind=ActorKind.USER, ref="2", name="bea")

        def act(db: Database) -> str:
            with db.begin(MERCHANT, actor=str(second)) as tx:
                if papers.find(tx, number).state in ("counting", "approved"):
                    approving.approve(tx, number, second)
            return "approved"

        def approved(result: object) -> None:
            self._is_a_fact(f"approval of {number}", result)
            self._end(number)

        self._have(f"approve {number}", act, approved)

    def _cancel(self, number: str) -> None:
        def act(db: Database) -> str:
            with db.begin(MERCHANT, actor=ACTOR) as tx:
                papers.cancel(tx, number, "nobody has time")
            return "cancelled"

        self._fact(f"cancel {number}", act)

    def _judge(self, number: str) -> None:
        """What was booked of each line is what was counted; what left since cannot be missing, too."""
        for bin_id, item_id, units in self._see(_BOOKED, number):
            known = self._wrong[number].get((bin_id, item_id), set())
            if not any(wrong == units or wrong < units <= 0 for wrong in known):
                counted = sorted(known) or "nothing"
                self._hub.found(f"{number}, bin {bin_id}, item {item_id}: wrong by {counted}, and {units} were booked")

    # ---- one shelf, by hand

    def _count_shelf(self) -> str:
        """A unit got lost or was put there, and nobody said so, until somebody counts one item on one shelf."""
        (shelf, spot), sku = self._random.choice(list(self._goods.bins.items())), self._item()
        stocked, wrong, key = self._goods.items[sku], self._random.choice(_WRONG_BY), f"shelf/{self._name('count')}"
        looks: list[_Shelf] = []

        def act(edge: Process) -> object:
            if not looks:  # who asks again says the same
                looks.append(self._shelf(spot, stocked, key))
            counted = max(looks[0].units + wrong, 0)
            return self._caller.do(edge, SetOnShelf(key, "counted", stocked, counted, spot=spot))

        def answered(result: Adjusted | Refused) -> None:
            self._is_a_fact(key, result)
            (before,) = looks
            if isinstance(result, Refused) or result.repeated or self._shelf(spot, stocked, key).moves != before.moves:
                return  # what was booked meanwhile is a part of the difference
            if result.change != max(wrong, -before.units):
                self._hub.found(f"{key}: the books were wrong by {wrong}, and {result.change} were booked")

        self._caller.have(key, act, answered)
        return f"{key}: {sku} in {shelf}"

    def _shelf(self, spot: Spot, stocked: Stocked, key: str) -> "_Shelf":
        return _Shelf(*self._see(_SHELF, spot.bin_id, *stocked, key)[0])

    # ---- the outside system

    def _stands(self) -> dict[str, int]:
        return {sku: units for sku, units in self._see(_STANDS, MIRRORED) if sku in self._goods.items}

    def _wrongly(self, there: Mapping[str, int]) -> dict[str, int]:
        return {sku: max(n + self._random.choice(_WRONG_BY), 0) for sku, n in sorted(there.items())}

    def _next(self) -> tuple[int, dict[str, object]]:
        """Its place in the order, and that with the instant of the count, as they are told."""
        self._version += 1
        return self._version, {"version": self._version, "as_of": self._hub.clock().isoformat()}

    def _wms_counts(self) -> str | None:
        """Told late sometimes, and then after newer counts."""
        units, (version, stamp) = self._wrongly(self._stands()), self._next()
        told = {sku: units[sku] for sku in self._random.sample(sorted(units), self._random.randint(1, 2))}
        rows = [(n, {"sku": sku, "quantity": units, **stamp}) for n, (sku, units) in enumerate(told.items(), start=1)]
        name = self._name("wms")

        def act(db: Database) -> str:
            answers = telling.tell(db, MERCHANT, WMS, rows, actor=ACTOR)
            for answer in answers:
                if answer.outcome is Outcome.BOOKED and not answer.repeated:
                    self._is_booked(name, answer.sku, version)
            return ", ".join(str(answer.outcome) for answer in answers)

        late_s = 0.1 if self._random.random() < 0.6 else 20.0
        self._later(0.0, late_s, partial(self._have, name, act, _whatever))
        return f"{name}: {told} are there"

    def _is_booked(self, name: str, sku: str, version: int) -> None:
        newest = self._heard.get(sku, 0)
        if version < newest:
            self._hub.found(
                f"{name} was booked: {WMS} told of {sku} in version {newest} before, and {version} is older"
            )
        self._heard[sku] = max(newest, version)

    def _wms_counts_all(self) -> str | None:
        name = self._name("wms-all")
        self._tell_all(name, self._wrongly(self._stands()))
        return f"{name} counts everything"

    def _tell_all(self, name: str, units: Mapping[str, int]) -> None:
        version, stamp = self._next()
        rows = [(n, {"sku": sku, "quantity": units}) for n, (sku, units) in enumerate(units.items(), start=1)]

        def act(db: Database) -> tuple[str, int]:
            batch = full.tell(db, MERCHANT, WMS, stamp, rows, actor=ACTOR)
            if batch.row.state == "done":
                self._heard.update({sku: max(self._heard.get(sku, 0), version) for sku in units})
            return batch.row.state, batch.row.id

        def answered(result: Any) -> None:
            if not isinstance(result, Refused) and result[0] == "held":
                decided = full.approve if self._random.random() < 0.7 else full.reject
                self._later(0.5, 20.0, partial(self._decide, name, result[1], decided))

        self._have(name, act, answered)

    def _decide(self, name: str, batch_id: int, decided: Any) -> None:
        """Somebody looks at a batch that changes too much."""

        def act(db: Database) -> str:
            decided(db, MERCHANT, batch_id, "looked at", actor="user:2")
            return "decided"

        self._have(f"decision on {name}", act, _whatever)

    # ---- at rest

    def count_in_the_end(self) -> None:
        """One unit more of everything than the books have."""
        self._last = {sku: units + 1 for sku, units in self._stands().items()}
        self._tell_all("the last count", self._last)

    def judge_the_end(self) -> None:
        for sku, units in self._stands().items():
            if units != self._last[sku]:
                self._hub.found(f"{WMS} counted {self._last[sku]} of {sku} in {MIRRORED}; {units} stand there")


def _whatever(_: object) -> None:
    """A refusal is an answer: it was told too late, or somebody else decided."""
