"""What becomes of goods that are set apart, and of what goods are called: they are split off, joined and renamed."""

from functools import partial
from typing import Any

from core.errors import Refused
from core.goods import inspection, merging, renames, splitting
from core.goods.adjusting import Lose, Regrade, Unblock
from core.goods.inspection import Findings, ReturnToInspect
from core.goods.splitting import Piece, SplitOff, Wish
from core.stock import GOOD, MINOR_DEFECT, DocumentKind, Spot
from core.supply import going_back
from core.transaction import Database
from drills.simulate.buyers import SUPPLIER
from drills.simulate.caller import Kinds
from drills.simulate.hub import MERCHANT
from drills.simulate.outside import Change
from drills.simulate.people import ACTOR, People, World

_APART = """
    SELECT a.id, split_part(i.sku, '~', 1), a.units_left FROM set_apart a JOIN item i ON i.id = a.item_id
    WHERE a.units_left > 0 ORDER BY 1"""
_HEAPS = """
    SELECT split_part(i.sku, '~', 1), n.warehouse_id, n.id FROM warehouse_balance b JOIN bin n ON n.id = b.bin_id
    JOIN item i ON i.id = b.item_id
    JOIN sales_balance s ON (s.item_id, s.grade) = (b.item_id, b.grade) AND s.free > 0
    JOIN pool p ON p.id = s.pool_id AND p.kind = 'shared'
    WHERE b.available > 0 AND b.grade = 'good' ORDER BY 1, 2, 3"""
_MOST_PARTS = 3


class Keepers(People):
    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.kinds: Kinds = {
            self._hold_back: 2, self._take_in: 2, self._look_at: 4, self._unblock: 3, self._send_back: 2,
            self._regrade: 2, self._split: 4, self._join: 4, self._rename: 2,
        }  # fmt: skip

    def _heap(self) -> tuple[str, Spot]:
        """Where something stands that nobody was promised, if anything does."""
        rows = [row for row in self._see(_HEAPS) if row[0] in self._goods.items]
        if not rows:
            return self._item(), self._spot()
        sku, *spot = self._random.choice(rows)
        return sku, Spot(*spot)

    # ---- set apart

    def _hold_back(self) -> str | None:
        """Nobody may have them until somebody has looked at them."""
        (sku, spot), units, key = self._heap(), self._random.randint(1, 2), self._name("apart")
        self._model.tell(key, Change(sku, -units))
        lost = Lose(key, "lid may come off", DocumentKind.SET_APART, {self._goods.items[sku]: units}, spot=spot)
        self._do(key, lost)
        return f"{units} of {sku} are held back"

    def _take_in(self) -> str | None:
        """A parcel came back, and nobody knows yet what is in it."""
        sku, units, key = self._item(), self._random.randint(1, 2), self._name("unknown")
        stocked = self._goods.items[sku]
        self._model.tell(key)
        came = ReturnToInspect(key, DocumentKind.RETURN, {}, damaged={stocked: units}, spot=self._spot())
        self._caller.ask(key, came, partial(self._is_a_fact, key), is_told=True)
        return f"{units} of {sku} came back and are to be looked at"

    def _record(self) -> tuple[int, str, int] | None:
        rows = self._see(_APART)
        return self._random.choice(rows) if rows else None

    def _look_at(self) -> str | None:
        found = self._record()
        if found is None:
            return None
        record, sku, units = found
        random, key = self._random, self._name("look")
        good = random.randint(0, units)
        flawed = random.randint(0, units - good) if random.random() < 0.3 else 0
        scrap = random.randint(0, units - good - flawed) if random.random() < 0.5 else 0
        findings = Findings(good, flawed, units - good - flawed - scrap, scrap)
        self._model.tell(key, Change(sku, good + flawed))

        def act(db: Database) -> str:
            done = inspection.inspect(db, MERCHANT, record, findings, key, actor=ACTOR, reason="looked at")
            return f"inspected, {done.left} left"

        self._have(key, act, _whatever)
        return f"{key}: {tuple(findings)} of {sku}"

    def _send_back(self) -> str | None:
        found = self._record()
        if found is None:
            return None
        record, sku, left = found
        number, units = self._name("VR"), self._random.randint(1, left)

        def act(db: Database) -> str:
            with db.begin(MERCHANT, actor=ACTOR) as tx:
                goods = [going_back.of_record(tx, record, units)]
            going_back.send_back(db, MERCHANT, number, SUPPLIER, goods, actor=ACTOR, reason="broken")
            return "sent back"

        self._have(number, act, _whatever)
        return f"{number}: {units} of {sku} go back to their supplier"

    def _unblock(self) -> str | None:
        """Some of what lies there is mended, or thrown away, whatever record it is of."""
        sku, units, spot, random = self._item(), self._random.randint(1, 2), self._spot(), self._random
        kind, key = random.choice((DocumentKind.MEND, DocumentKind.SCRAP)), self._name("unblock")
        if kind is DocumentKind.MEND:
            self._model.tell(key, Change(sku, units))
        self._caller.ask(key, Unblock(key, "looked at", kind, {self._goods.items[sku]: units}, spot=spot))
        return f"{key}: {kind} of {units} of {sku}"

    def _regrade(self) -> str | None:
        """They are there, and not as good as was thought."""
        (sku, spot), key = self._heap(), self._name("regrade")
        command = Regrade(key, "a scratch", self._goods.items[sku], MINOR_DEFECT, 1, spot=spot)
        self._caller.ask(key, command)
        return f"{key}: one of {sku}"

    # ---- what goods are called

    def _split(self) -> str | None:
        """Some units turn out to be something else, which nobody sells yet."""
        if len(self._goods.parts) >= _MOST_PARTS:
            return None
        (sku, spot), units, key = self._heap(), self._random.randint(1, 2), self._name("split")
        part = f"{sku}-{key}"
        self._model.tell(f"split/{key}", Change(sku, -units), Change(part, units))
        wish = Wish(sku, part, {Piece(GOOD, spot): units})

        def act(db: Database) -> object:
            done = splitting.split(db, MERCHANT, wish, key, actor=ACTOR)
            return done._replace(repeated=False)

        self._have(key, act, partial(self._is_split, part, sku))
        return f"{key}: {units} of {sku}"

    def _is_split(self, part: str, sku: str, result: Any) -> None:
        if isinstance(result, SplitOff):
            self._goods.parts[part] = sku

    def _join(self) -> str | None:
        """They were the same after all."""
        if not self._goods.parts:
            return None
        part = self._random.choice(sorted(self._goods.parts))
        sku, key = self._goods.parts[part], self._name("join")
        self._model.joined[part] = sku

        def act(db: Database) -> str:
            merging.merge(db, MERCHANT, part, sku, actor=ACTOR)
            return "joined"

        self._have(key, act, partial(self._is_joined, part))
        return f"{key}: {part} is {sku} again"

    def _is_joined(self, part: str, result: object) -> None:
        if not isinstance(result, Refused):
            self._goods.parts.pop(part, None)

    def _rename(self) -> str | None:
        """Who knows an earlier name still finds it."""
        sku, key = self._item(), self._name("rename")
        name = f"{sku}~{key}" if self._random.random() < 0.7 else sku

        def act(db: Database) -> str:
            with db.begin(MERCHANT, actor=ACTOR) as tx:
                renames.rename(tx, sku, name)
            return "renamed"

        self._fact(key, act)
        return f"{key}: {sku} is called {name}"


def _whatever(_: object) -> None:
    """A refusal is as good: somebody else has done something with these units meanwhile."""
