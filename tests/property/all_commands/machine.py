"""What all rules share: merchants, time, and one way to act that checks the books afterwards."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize

from core import catalog
from core.command import Command
from core.errors import Refused
from core.goods import recipes
from core.goods.receiving import Receive
from core.orders.apply import ApplyOrder
from core.rows import Part
from core.stock import DocumentKind, Spot, Stocked
from core.warehouse import bins, warehouses
from tests.builders import Clock, World
from tests.property.all_commands.checks import check
from tests.property.all_commands.kinds import GOOD, Kind
from tests.property.all_commands.plain_model import Books, Step
from tests.property.all_commands.seen import look
from tests.property.histories import History, violations

PLAIN, KIT, BUNDLE, NESTED = ("mug", "cup", "plate"), "box", "set", "feast"
SKUS = (*PLAIN, KIT, BUNDLE, NESTED)
MAIN, HAMBURG = "MAIN", "HAMBURG"
BINS = (MAIN, f"{MAIN}/A-01", HAMBURG, f"{HAMBURG}/A-01")
FEW, MANY = st.integers(1, 4), st.integers(1, 12)
ANY = st.integers(0, 99)  # one of those that there are, counted from the newest
_MERCHANTS = count(500)
_KEPT = 30

Note = Callable[[Any], None]
Method = TypeVar("Method", bound=Callable[..., None])
# What may happen next, each as the name of a method with what it is called with: often what is named often.
HAPPENINGS: list[tuple[str, st.SearchStrategy[dict[str, Any]]]] = []


def happens(weight: int, **drawn: st.SearchStrategy[Any]) -> Callable[[Method], Method]:
    """Let a method of the machine happen, ``weight`` times as often as one of weight 1.

    Hypothesis leaves out many rules of a machine in each history; here all of them have to meet.
    """

    def note(method: Method) -> Method:
        HAPPENINGS.extend([(method.__name__, st.fixed_dictionaries(drawn))] * weight)
        return method

    return note


@st.composite
def some_happening(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """``one_of`` would take what is named often for one."""
    name, drawn = draw(st.sampled_from(HAPPENINGS))
    return name, draw(drawn)


@dataclass(slots=True)
class Shop:
    """One merchant. ``recipes``: what a bundle or kit takes, by SKU; ``stores``: ids, our own interface first.

    ``spots``: its bins, the default one first. ``split_off``: items that were split off others, with those.
    ``mirrored``: the newest version and number that an outside system told, by bin.
    """

    world: World
    stores: list[int]
    items: Mapping[str, Stocked]
    spots: Sequence[Spot]
    recipes: dict[str, Mapping[Kind, int]] = field(default_factory=dict)
    books: Books = field(default_factory=Books)
    orders: dict[str, Any] = field(default_factory=dict)
    done: list[tuple[Command, Any]] = field(default_factory=list)
    papers: list[Callable[[], Any]] = field(default_factory=list)
    acts: list[tuple[Command, Note]] = field(default_factory=list)
    subjects: set[str] = field(default_factory=set)
    limits: dict[str, int] = field(default_factory=dict)
    split_off: dict[str, str] = field(default_factory=dict)
    mirrored: dict[tuple[int, Kind], tuple[int, int]] = field(default_factory=dict)
    size: int = 1

    def spot(self, nth: int) -> Spot:
        """A bin, half the time the default one."""
        return self.spots[nth % len(self.spots) if nth % 2 else 0]

    def spot_with(self, kind: Kind, nth: int, *, apart: bool = False) -> Spot:
        """A bin, nearly always one that has some of it, if there is any."""
        heaps = self.books.apart if apart else self.books.shelf
        there = [spot for spot in self.spots if heaps[spot.bin_id, kind]]
        return there[nth % len(there)] if there and nth % 8 else self.spot(nth)

    def heap(self, nth: int, *, apart: bool = False, place: int | None = None) -> tuple[Spot, Kind]:
        """Where something stands, of a warehouse or of all; the default bin and mugs where nothing is."""
        heaps = self.books.apart if apart else self.books.shelf
        spots = [spot for spot in self.spots if place in (None, spot.warehouse_id)]
        there = [(spot, kind) for spot in spots for (bin_id, kind), n in sorted(heaps.items()) if n
                 and bin_id == spot.bin_id and kind[0] not in self.split_off]  # fmt: skip
        return there[nth % len(there)] if there else (spots[0], ("mug", GOOD))

    @property
    def warehouses(self) -> Sequence[int]:
        """Ids, the default one first."""
        return list(dict.fromkeys(spot.warehouse_id for spot in self.spots))

    def stocked(self, kind: Kind) -> Stocked:
        return self.items[kind[0]]._replace(grade=kind[1])

    def parts(self, kind: Kind) -> Mapping[Kind, int]:
        """What one unit takes when it is sold: bundles are taken apart, kits are not."""
        sku, _ = kind
        if sku not in (BUNDLE, NESTED):
            return {kind: 1}
        found: dict[Kind, int] = {}
        for part, units in self.recipes[sku].items():
            for basic, n in self.parts(part).items():
                found[basic] = found.get(basic, 0) + units * n
        return found

    def demand(self, wanted: Mapping[Kind, int]) -> dict[Kind, int]:
        found: dict[Kind, int] = {}
        for kind, units in wanted.items():
            for basic, n in self.parts(kind).items():
                found[basic] = found.get(basic, 0) + units * n
        return found

    def new_id(self) -> int:
        with self.world.db.begin(self.world.merchant_id, actor="test") as tx:
            return tx.new_id()


Answered = tuple[tuple[Command, Note], Any]


def _as_they_ran(done: Iterable[Answered]) -> list[Answered]:
    """Of an order's states the older was applied before the newer, if both were: a batch may do one of them late."""
    found = list(done)
    turns = [n for n, ((command, _), result) in enumerate(found) if isinstance(command, ApplyOrder) and result is True]
    applied = sorted((found[n] for n in turns), key=_fetched)
    for n, one in zip(turns, applied, strict=True):
        found[n] = one
    return found


def _fetched(answered: Answered) -> int:
    command = answered[0][0]
    assert isinstance(command, ApplyOrder)
    return command.fetch_seq


class Machine(History):
    """Acts are done one by one, or a few together in one batch, so that each also meets what its neighbours did."""

    step: Step
    afterwards: list[Callable[[], None]]  # what else must be true when a step was looked at

    @initialize(stock=st.lists(st.integers(0, 12), min_size=8, max_size=8), per=st.lists(FEW, min_size=6, max_size=6))
    def open_shops(self, stock: list[int], per: list[int]) -> None:
        self.clock, self.numbers = Clock(), count(1)
        self.database.clock = self.clock
        self.shops = [self.open_shop(n, per) for n in range(2)]
        for shop, units in zip(self.shops, (stock[:4], stock[4:]), strict=True):
            for sku, n in zip((*PLAIN, KIT), units, strict=True):
                self.receive(shop, DocumentKind.OPENING, {(sku, GOOD): n}, {})
        self.furnish()

    def furnish(self) -> None:
        """What the rules of others begin with."""

    def open_shop(self, nth: int, per: Sequence[int]) -> Shop:
        merchant_id = next(_MERCHANTS)
        catalog.ensure_merchant(self.database, merchant_id, name=f"Random shop {nth}", time_zone="Europe/Berlin")
        world = World(self.database, merchant_id)
        stores = [world.store("Main street"), world.store("Side street")]
        world.listings(stores[0], *SKUS, "plate-b")
        world.listings(stores[1], *SKUS, pack_size=2)
        shop = Shop(world, [0, *stores], {sku: world.item(sku) for sku in SKUS}, self.open_bins(world))
        shop.books.warehouses = {spot.bin_id: spot.warehouse_id for spot in shop.spots}
        shop.books.home = shop.spots[0].bin_id
        world.tell(
            """UPDATE listing SET item_id = :item_id, grade = 'minor_defect'
               WHERE merchant_id = :merchant_id AND external_id = 'listing-plate-b'""",
            item_id=shop.items["plate"].item_id,
        )
        world.tell(
            """UPDATE item SET backorder = 'yes', backorder_limit = :most
               WHERE merchant_id = :merchant_id AND id = :id""",
            id=shop.items["mug"].item_id, most=per[5],
        )  # fmt: skip
        self.make_of(shop, KIT, {("mug", GOOD): per[0], ("cup", GOOD): 1})
        self.make_of(shop, BUNDLE, {("mug", GOOD): per[1], ("plate", GOOD): per[2]})
        self.make_of(shop, NESTED, {(BUNDLE, GOOD): per[3], (KIT, GOOD): 1, ("plate", "minor_defect"): 1})
        shop.books.seen = look(self.database, merchant_id)
        return shop

    @staticmethod
    def open_bins(world: World) -> list[Spot]:
        with world.db.begin(world.merchant_id, actor="test") as tx:
            warehouses.add(tx, HAMBURG, {})
            for name in BINS[1::2]:
                bins.add(tx, name)
            return [warehouses.spot_of(tx, name) for name in BINS]

    def make_of(self, shop: Shop, sku: str, recipe: Mapping[Kind, int]) -> bool:
        kind = recipes.KIT if sku == KIT else recipes.BUNDLE
        parts = [Part(shop.stocked(part), units) for part, units in recipe.items()]
        with self.database.begin(shop.world.merchant_id, actor="test") as tx:
            changed = recipes.set_recipe(tx, shop.items[sku].item_id, kind, parts)
        shop.recipes[sku] = dict(recipe)
        return changed

    # ---- acting

    def shop(self, which: int) -> Shop:
        """Most happens at the first merchant; the other one has to stay as it is meanwhile."""
        return self.shops[0 if which % 4 else 1]

    def act(self, shop: Shop, command: Command, note: Note, subject: str = "") -> None:
        """Do it, now or with those that follow; ``note`` tells the model of its result.

        A batch may do its commands in another order, so two on the same ``subject`` do not go into one.
        """
        if subject in shop.subjects:
            self.finish(shop)
        shop.subjects |= {subject} - {""}
        shop.acts.append((command, note))
        if len(shop.acts) >= shop.size:
            self.finish(shop)

    def finish(self, shop: Shop) -> None:
        """Do what was gathered, and look at what came of it."""
        acts, shop.acts, shop.size, shop.subjects = shop.acts, [], 1, set()
        if not acts:
            return
        self.clock.pass_(1)
        results = shop.world.run(*(command for command, _ in acts))
        self.step, self.afterwards = Step(alone=len(acts) == 1, now=self.clock.now), []
        for (command, note), result in _as_they_ran(zip(acts, results, strict=True)):
            note(result)
            shop.done = [*shop.done, (command, result)][-_KEPT:]
        self.look(shop)
        for verify in self.afterwards:
            verify()

    def act_alone(self, shop: Shop, act: Callable[[], Any], note: Note) -> None:
        """Do what is a transaction of its own, and look at what came of it."""
        self.finish(shop)
        self.clock.pass_(1)
        try:
            result = act()
        except Refused as refused:
            result = refused
        self.step, self.afterwards = Step(alone=True, now=self.clock.now), []
        note(result)
        self.look(shop)

    def write_down(self, shop: Shop, act: Callable[..., Any], *values: Any) -> Any:
        """What people write down, which moves nothing."""
        self.finish(shop)

        with self.database.begin(shop.world.merchant_id, actor="test") as tx:
            return act(tx, *values)

    def look(self, shop: Shop) -> None:
        check(shop.books, self.step, look(self.database, shop.world.merchant_id))

    @happens(4, which=ANY, acts=st.integers(2, 4))
    def do_the_next_together(self, which: int, acts: int) -> None:
        self.gather(self.shop(which), acts)

    def gather(self, shop: Shop, acts: int) -> None:
        """Do so many acts that follow in one batch."""
        self.finish(shop)
        shop.size = acts

    # ---- what happenings share

    def is_refused(self, result: Any, expected: bool) -> bool:
        """In a batch, what others did first may decide it."""
        refused = isinstance(result, Refused)
        assert refused is expected or not self.step.alone
        return refused

    def receive(
        self, shop: Shop, kind: DocumentKind, good: Mapping[Kind, int], damaged: Mapping[Kind, int], place: int = 0,
        make: type[Receive] = Receive,
    ) -> None:  # fmt: skip
        key, spot = f"{kind}/{next(self.numbers)}", shop.spot(place)
        command = make(
            key, kind, {shop.stocked(of): n for of, n in good.items()},
            damaged={shop.stocked(of): n for of, n in damaged.items()}, spot=spot if place else None,
        )  # fmt: skip

        def note(result: Any) -> None:
            is_bundle = any(sku in (BUNDLE, NESTED) for sku, _ in (*good, *damaged))
            is_frozen = spot.bin_id in shop.books.frozen and kind is not DocumentKind.OPENING
            assert isinstance(result, Refused) is (is_bundle or is_frozen)
            if not isinstance(result, Refused):
                shop.books.enter(spot.bin_id, good)
                shop.books.enter(spot.bin_id, damaged, apart=True)

        self.act(shop, command, note)

    def at_the_end(self) -> None:
        """The other merchants are as they were left, and the audit of all of them finds nothing."""
        for shop in self.shops:
            self.finish(shop)
            self.step = Step(alone=True, now=self.clock.now)
            self.look(shop)
            assert violations(shop.world) == []
