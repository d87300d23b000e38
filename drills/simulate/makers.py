"""What is made of parts: kits are assembled and taken apart again, and bundles come back without any order."""

from functools import partial

from core.goods.bundles import Assemble, ReturnBundle
from drills.simulate.caller import Kinds
from drills.simulate.outside import Change
from drills.simulate.people import People, World


class Makers(People):
    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.kinds: Kinds = {self._assemble: 4, self._bundle_comes_back: 2}
        self._kits = sorted(self._goods.made_of.keys() & self._goods.items.keys())

    def _assemble(self) -> str | None:
        """Of units that nobody was promised; or kits that nobody was promised are taken apart."""
        kit, units, key = self._random.choice(self._kits), self._random.randint(1, 2), self._name("kit")
        apart = self._random.random() < 0.4
        made = -units if apart else units
        used = [Change(part, -made * per) for part, per in self._goods.made_of[kit].items()]
        self._model.tell(key, Change(kit, made), *used)
        self._do(key, Assemble(key, self._goods.items[kit], units, apart))
        return f"{key}: {units} of {kit} are {'taken apart' if apart else 'assembled'}"

    def _bundle_comes_back(self) -> str | None:
        """Over the counter; of one of its parts, a unit may have a flaw or be broken."""
        random, key = self._random, self._name("back")
        bundle, units = random.choice(sorted(self._goods.bundles)), random.randint(1, 2)
        parts = self._goods.made_of[bundle]
        worst, fate = random.choice(sorted(parts)), random.choice(("whole", "flawed", "damaged"))
        broken = {worst: 1} if fate == "damaged" else {}
        self._model.tell(key, *(Change(part, units * per - broken.get(part, 0)) for part, per in parts.items()))
        of = {self._goods.items[worst].item_id: 1}
        back = ReturnBundle(
            key, self._goods.bundles[bundle].item_id, units,
            flawed=of if fate == "flawed" else {}, damaged=of if broken else {},
        )  # fmt: skip
        self._do(key, back, partial(self._is_a_fact, key), is_told=True)
        return f"{key}: {units} of {bundle} came back {fate}"
