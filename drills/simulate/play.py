"""One seed from its first event to rest: everything is set up, played, brought to rest, and judged."""

import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg
from sqlalchemy import event
from sqlalchemy.engine import make_url

from core import audit, catalog, work
from core.combiner import Combiner
from core.goods import recipes
from core.mirror import sources
from core.model import Platform, Sharing, StoreListing, StoreMode
from core.rows import Part
from core.stock import Spot, Stocked
from core.stocktake import papers
from core.stores import add, opened, set_mode, set_schedule
from core.supply import counting, suppliers
from core.transaction import Database, connect
from core.warehouse import bins, warehouses
from drills.simulate.buyers import SUPPLIER, Buyers
from drills.simulate.caller import Caller
from drills.simulate.clerks import MIRRORED, WMS, Clerks
from drills.simulate.connectors import CompareAndSet, ModelConnector, ReadThenSet, WriteLater, listing_of
from drills.simulate.desk import Desk
from drills.simulate.happenings import Happenings, Street, post_hint
from drills.simulate.hub import MERCHANT, Hub, LastingConnection, Surroundings
from drills.simulate.journal import Journal
from drills.simulate.keepers import Keepers
from drills.simulate.makers import Makers
from drills.simulate.outside import OutsideModel
from drills.simulate.packers import Packers
from drills.simulate.people import Goods, World
from drills.simulate.planners import Planners
from drills.simulate.scheduler import Scheduler
from drills.simulate.shop import OwnShop, Product, Shop, Unpaid
from drills.simulate.weather import Weather
from drills.simulate.wire import Place, Wire
from drills.simulate.yard import Yard
from jobs.sync import full_sync

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_ITEMS = ("cup", "mug", "plate", "pair")
_BUNDLES: Mapping[str, Mapping[str, int]] = {"set": {"mug": 1, "plate": 2}}
_KITS: Mapping[str, Mapping[str, int]] = {"pair": {"cup": 2}}
_SKUS = (*_ITEMS, *_BUNDLES)
_OWN = "own"
_SHOPS: Mapping[str, tuple[Platform, Unpaid, float]] = {
    "setter": (Platform.SHOPIFY, Unpaid.TAKEN, 7.3),
    "reader": (Platform.WOOCOMMERCE, Unpaid.HIDDEN, -11.9),
    "writer": (Platform.BIGCOMMERCE, Unpaid.FREE, 0.4),
}
_PACKS = {("reader", "pair"): 3}
_SCHEDULE = {"poll": "every 25", "full_sync": "every 120"}
_BETWEEN_EVENTS_S = 0.15
_AUDIT_EVERY = 40
_LOOK_S = 5.0
_STEPS_PER_SEED, _STEPS_PER_EVENT = 20_000, 200
_REST_LIMIT = timedelta(minutes=30)
_MOST_FINDINGS = 12

ConnectorKinds = Mapping[str, type[ModelConnector]]
KINDS: ConnectorKinds = {"setter": CompareAndSet, "reader": ReadThenSet, "writer": WriteLater}


@dataclass(frozen=True, slots=True)
class Logins:
    """One migrated database with ``prepare`` done: for the application, and for who looks over its walls."""

    app: str = field(repr=False)
    superuser: str = field(repr=False)

    def at(self, database: str) -> "Logins":
        """The same logins at another database of the server."""
        urls = (make_url(url).set(database=database) for url in (self.app, self.superuser))
        return Logins(*(url.render_as_string(hide_password=False) for url in urls))


@dataclass(frozen=True, slots=True)
class Build:
    """What the hub is built with; a test puts something broken here."""

    kinds: ConnectorKinds = field(default_factory=lambda: KINDS)
    make_combiner: type[Combiner] = Combiner


@dataclass(slots=True)
class Outcome:
    """What one seed came to.

    ``oversold``  the most units promised at any moment beyond those that existed.
    ``acts``      what people did, and what of it was not in vain.
    """

    seed: int
    events: int
    steps: int = 0
    seconds: float = 0.0
    oversold: int = 0
    journal: str = ""
    violations: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    acts: set[str] = field(default_factory=set)


def prepare(db: Database) -> None:
    """What every seed begins with: one merchant, three live stores that show nothing, and their schedule."""
    catalog.ensure_merchant(db, MERCHANT, name="Simulated shop", time_zone="Europe/Berlin")
    for name, (platform, _, skew_s) in _SHOPS.items():
        with db.begin(MERCHANT, actor="simulation") as tx:
            tx.run("SELECT add_month(CAST(:day AS date))", day=START.date())
            store_id = add(tx, name=name, platform=platform, url=f"http://{name}.invalid", credentials=b"", settings={})
            catalog.import_listings(tx, store_id, [StoreListing(listing_of(sku), sku, sku, 0) for sku in _SKUS])
            opened(tx, store_id, START + timedelta(seconds=skew_s))
            set_mode(tx, store_id, StoreMode.LIVE)
            for topic, line in _SCHEDULE.items():
                set_schedule(tx, topic, store_id, line)
    with db.begin(MERCHANT, actor="simulation") as tx:
        for topic, line in {"expire": "every 10", "locks": "every 10", "backorders": "every 60"}.items():
            set_schedule(tx, topic, 0, line)
        warehouses.add(tx, MIRRORED, {})
        sources.add(tx, WMS, MIRRORED, {"most_units": 6})
        papers.set_limit(tx, papers.Limit(units=3))
        bins.add(tx, "MAIN/A-01")
        suppliers.add(tx, SUPPLIER, {})
        counting.set_days(tx, 1)
        for sku, parts in (*_BUNDLES.items(), *_KITS.items()):
            recipe = [Part(Stocked(catalog.item_id_of(tx, part)), units) for part, units in parts.items()]
            kind = recipes.BUNDLE if sku in _BUNDLES else recipes.KIT
            recipes.set_recipe(tx, catalog.item_id_of(tx, sku), kind, recipe)
        for (name, sku), pack in _PACKS.items():
            tx.run(
                """UPDATE listing l SET pack_size = :pack FROM store s WHERE l.merchant_id = :merchant_id
                   AND (s.merchant_id, s.id, s.name) = (l.merchant_id, l.store_id, :name) AND external_id = :listing""",
                pack=pack, name=name, listing=listing_of(sku),
            )  # fmt: skip


def play(seed: int, events: int, logins: Logins, build: Build | None = None) -> Outcome:
    """Play one seed on a database of its own."""
    outcome = Outcome(seed, events)
    began = time.monotonic()
    with _game(outcome, logins, build or Build()) as game:
        try:
            game.play()
        except Exception:  # noqa: BLE001 - a broken run is a finding, and the next seed still counts
            game.found(traceback.format_exc())
        outcome.journal = game.close()
        outcome.story = list(game.journal.tail)
    outcome.seconds = time.monotonic() - began
    return outcome


def _plan_once(raw: Any, _record: Any) -> None:
    """Tables stay so small that a plan made once is as good as any, and planning would take most of the time."""
    raw.prepare_threshold, raw.prepared_max = 0, 2_000
    raw.autocommit = True
    raw.execute("SET plan_cache_mode = force_generic_plan")
    raw.autocommit = False


@contextmanager
def _game(outcome: Outcome, logins: Logins, build: Build) -> Iterator["_Game"]:
    engine = connect(logins.app, pool_size=1)
    event.listen(engine, "do_connect", lambda _dialect, _record, where, how: LastingConnection.connect(*where, **how))
    event.listen(engine, "connect", _plan_once)
    try:
        with psycopg.connect(logins.superuser, autocommit=True, prepare_threshold=1) as database:
            yield _Game(outcome, engine, database, build)
    finally:
        engine.dispose()


def _takes(shop: str, sku: str) -> Mapping[str, int]:
    """Units of which items one unit of a listing takes."""
    return _BUNDLES.get(sku) or {sku: _PACKS.get((shop, sku), 1)}


class _Game:
    def __init__(self, outcome: Outcome, engine: Any, database: "psycopg.Connection[Any]", build: Build) -> None:
        self.outcome, self.journal = outcome, Journal()
        self._scheduler = Scheduler(outcome.seed, START)
        self._plain = Database(engine, self._our_clock)
        store_ids, items, places = self._known()
        shops, wires = self._open_shops(store_ids)
        names = {store_id: name for name, store_id in store_ids.items()}

        def make_connector(store_id: int, place: Place) -> ModelConnector:
            name = names[store_id]
            return build.kinds[name](shops[name], wires[name], place)

        own_shop = self._own_shop()
        takes = {(shop, sku): _takes(shop, sku) for shop in (*shops, _OWN) for sku in _SKUS}
        self._model = OutsideModel(database, shops, takes, own_shop)
        surroundings = Surroundings(make_connector, build.make_combiner, self.found, self._ledger_moved)
        self._hub = Hub(self._scheduler, self.journal, engine, Weather(), surroundings)
        self._store_ids, self._wires = store_ids, wires
        plain, bundles = ({sku: items[sku] for sku in skus} for skus in (_ITEMS, _BUNDLES))
        goods = Goods(plain, bundles, store_ids, places, {**_BUNDLES, **_KITS})
        self._caller = Caller(self._hub)
        self._desk = Desk(self._hub, goods, self._caller, own_shop)
        world = World(self._hub, goods, self._model, self._caller, database)
        self._yard, self._clerks = Yard(world), Clerks(world)
        self._packers = Packers(world, {**shops, _OWN: own_shop})
        others = (Buyers(world), Keepers(world), Makers(world), Planners(world))
        people = (self._desk, self._yard, self._packers, self._clerks, *others)
        beside = {kind: weight for one in people for kind, weight in one.kinds.items()}
        self._happenings = Happenings(self._hub, Street(shops, wires, own_shop), beside)
        self._is_unchecked = self._is_calm = False
        self._checks = 0
        self._most_steps = _STEPS_PER_SEED + _STEPS_PER_EVENT * outcome.events

    def play(self) -> None:
        random = self._scheduler.random
        sharing = random.choice(list(Sharing))
        with self._plain.begin(MERCHANT, actor="simulation") as tx:
            catalog.set_merchant(tx, sharing=sharing)
        self._hub.start()
        self._packers.switch(random.random() < 0.8)
        for sku in _ITEMS:
            if units := random.randint(0, 14):
                self._yard.receive(sku, units)
        self._scheduler.after(3.0, partial(self._event, 1))
        while not self._is_calm and self._goes_on():
            pass
        self._come_to_rest("after the last event")
        self._clerks.count_in_the_end()
        with self._plain.begin(MERCHANT, actor="simulation") as tx:
            work.want(tx, [work.Want("full_sync", store_id, "") for store_id in self._store_ids.values()])
        self._come_to_rest("after the night's full sync")
        self._audit()
        self._compare()
        self._clerks.judge_the_end()
        for what in self._model.judge(sharing.value, self._hub.clock()):
            self.found(what)

    def close(self) -> str:
        """Take down what is under way; returns the journal's hash."""
        self.journal.add(self._model.story())
        for process in self._hub.processes:
            process.die()
        self._scheduler.close()
        self.outcome.steps = self._scheduler.steps
        self.outcome.oversold = self._model.oversold
        self.outcome.acts = self._caller.acts
        return self.journal.digest

    def found(self, what: str) -> None:
        self.journal.write(self._scheduler.now, "VIOLATION", what)
        if len(self.outcome.violations) < _MOST_FINDINGS and what not in self.outcome.violations:
            self.outcome.violations.append(what)

    def _our_clock(self) -> datetime:
        return self._hub.clock()

    def _ledger_moved(self) -> None:
        self._is_unchecked = True

    def _event(self, number: int) -> None:
        if number > self.outcome.events:
            self._calm_down()
            return
        self._happenings.happen()
        wait_s = self._scheduler.random.expovariate(1 / _BETWEEN_EVENTS_S)
        self._scheduler.after(wait_s, partial(self._event, number + 1))

    def _calm_down(self) -> None:
        self._is_calm = True
        self._hub.weather = self._hub.weather.calm()
        self._hub.our_clock_s = 0.0
        for wire in self._wires.values():
            wire.away_until = wire.throttled_until = self._scheduler.now
        self.journal.write(self._scheduler.now, "weather", "calm")

    def _goes_on(self) -> bool:
        """One step, and what must hold after it; False when a run without end was found."""
        if not self._scheduler.step():
            return False
        if self._scheduler.steps > self._most_steps:
            self.found(f"no rest after {self._scheduler.steps} steps")
            return False
        if self._is_unchecked:
            self._is_unchecked = False
            self._check()
        return True

    def _check(self) -> None:
        for what in self._model.check():
            self.found(what)
        self._checks += 1
        if self._checks % _AUDIT_EVERY == 0:
            self._audit()

    def _audit(self) -> None:
        with self._plain.begin(MERCHANT, actor="simulation") as tx:
            for violation in audit.audit(tx):
                self.found(f"audit: {violation.invariant}: {dict(violation.row)}")

    def _compare(self) -> None:
        """Every storefront shows what availability gives."""
        for name, store_id in self._store_ids.items():
            for one in full_sync(self._hub.edge.app, MERCHANT, store_id, dry_run=True).differences:
                self.found(f"{name} has the number {one.shown} for {one.sku}; availability gives {one.wanted}")

    def _come_to_rest(self, when: str) -> None:
        limit = self._scheduler.now + _REST_LIMIT
        look_at = self._scheduler.now + timedelta(seconds=_LOOK_S)
        left = ["everything"]
        while left and self._goes_on():
            if self._scheduler.now >= look_at:
                look_at = self._scheduler.now + timedelta(seconds=_LOOK_S)
                left = self._model.left(self._hub.clock())
                if self._caller.unanswered:
                    left.append(f"{self._caller.unanswered} callers of our interface wait for an answer")
                if left and self._scheduler.now > limit:
                    self.found(f"no rest {when}: {'; '.join(left[:8])}")
                    return
        self.journal.write(self._scheduler.now, "rest", when)

    def _known(self) -> tuple[dict[str, int], dict[str, Stocked], dict[str, Spot]]:
        with self._plain.engine.begin() as connection:
            connection.exec_driver_sql(f"SELECT set_config('holdfast.merchant_id', '{MERCHANT}', true)")
            stores: Any = connection.exec_driver_sql("SELECT name, id FROM store ORDER BY id").all()
            items: Any = connection.exec_driver_sql("SELECT sku, id FROM item ORDER BY sku").all()
            places: Any = connection.exec_driver_sql(
                """SELECT w.code || '/' || b.code, w.id, b.id FROM bin b JOIN warehouse w ON w.id = b.warehouse_id
                   ORDER BY w.code <> 'MAIN', NOT b.is_default, b.id"""
            ).all()
        spots = {name: Spot(warehouse_id, bin_id) for name, warehouse_id, bin_id in places}
        return dict(stores), {sku: Stocked(item_id) for sku, item_id in items}, spots

    def _open_shops(self, store_ids: Mapping[str, int]) -> tuple[dict[str, Shop], dict[str, Wire]]:
        scheduler = self._scheduler
        shops: dict[str, Shop] = {}
        for name, (platform, unpaid, skew_s) in _SHOPS.items():
            is_retried = platform is not Platform.WOOCOMMERCE
            shops[name] = Shop(
                name=name,
                unpaid=unpaid,
                clock=partial(self._clock_of, skew_s),
                tell=partial(self._tell, store_ids[name], name, is_retried),
                after=scheduler.after,
                products={sku: Product() for sku in _SKUS},
            )
        wires = {name: Wire(scheduler.random, lambda: scheduler.now, lambda: self._hub.weather) for name in _SHOPS}
        return shops, wires

    def _own_shop(self) -> OwnShop:
        """Its own numbers mean nothing: it asks us."""
        return OwnShop(
            name=_OWN,
            unpaid=Unpaid.FREE,
            clock=partial(self._clock_of, 0.0),
            tell=self._tell_own,
            after=self._scheduler.after,
            products={sku: Product(1_000_000) for sku in _SKUS},
        )

    def _tell_own(self, number: str) -> None:
        self._desk.tell_order(number)

    def _tell(self, store_id: int, name: str, is_retried: bool, number: str) -> None:
        post_hint(self._hub, store_id, name, number, is_retried=is_retried)

    def _clock_of(self, skew_s: float) -> datetime:
        return self._scheduler.now + timedelta(seconds=skew_s)
