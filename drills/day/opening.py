"""The morning before the day: a merchant with houses, bins, storefronts, listings, bundles, suppliers and stock."""

from collections import defaultdict
from collections.abc import Mapping

from core import catalog, stores
from core.command import Command
from core.dispatch import rates, regions, rules
from core.goods import recipes
from core.goods.receiving import Receive
from core.model import Platform, StoreListing, StoreMode
from core.rows import Part
from core.selling import rules as selling
from core.stock import DocumentKind, Stocked
from core.supply import suppliers
from core.transaction import Database
from core.warehouse import bins, warehouses
from drills.day.count import Arrival, Goods
from drills.day.house import House
from drills.day.plan import MERCHANT, START
from drills.day.shoppers import Catalogue, Offer

ACTOR = "cli"
SUPPLIERS = ("ACME", "BOLT", "CORE", "DELTA")
_PAGE = 1_000
_AT_ONCE = 2_000  # items of opening stock in one batch
_PLATFORMS = {"north": Platform.SHOPIFY, "south": Platform.WOOCOMMERCE, "west": Platform.BIGCOMMERCE}
_HOUSES: Mapping[str, Mapping[str, object]] = {
    "MAIN": {"subdivision": "BE", "region": "east", "latitude": 52.5, "longitude": 13.4, "priority": 5},
    "NORTH": {"subdivision": "HH", "region": "north", "latitude": 53.6, "longitude": 10.0, "priority": 4},
    "SOUTH": {"subdivision": "BY", "region": "south", "latitude": 48.1, "longitude": 11.6, "priority": 3},
    "WEST": {"subdivision": "NW", "region": "west", "latitude": 50.9, "longitude": 7.0, "priority": 2},
    "POINT": {"subdivision": "SN", "region": "east", "latitude": 51.3, "longitude": 12.4, "priority": 1,
              "kind": "store"},
}  # fmt: skip
_REGIONS = {"home": ["DE"], "alps": ["AT"], "abroad": ["FR"]}


def make_merchant(db: Database) -> None:
    """One merchant, and room for what is recorded on the day."""
    catalog.ensure_merchant(db, MERCHANT, name="A merchant with a long day", time_zone="Europe/Berlin")
    with db.begin(MERCHANT, actor=ACTOR) as tx:
        tx.run("SELECT add_month(CAST(:day AS date))", day=START.date())


def open_up(house: House, known: Catalogue) -> None:
    """Everything that is there before the first order."""
    _lay_down_houses(house)
    _list_offers(house, known)
    _buy_from(house)
    _stock(house, known)


def _lay_down_houses(house: House) -> None:
    with house.db.begin(MERCHANT, actor=ACTOR) as tx:
        for code, terms in _HOUSES.items():
            if code == "MAIN":
                warehouses.change(tx, code, {"country": "DE", **terms})
            else:
                warehouses.add(tx, code, {"country": "DE", **terms})
            house.spots[code] = warehouses.spot_of(tx, code)
            for nth in range(house.sizes.bins):
                place = f"{code}/A-{nth:02d}"
                bins.add(tx, place)
                house.spots[place] = warehouses.spot_of(tx, place)
        for nth, (name, parts) in enumerate(_REGIONS.items()):
            region = regions.put(tx, name, parts)
            rates.put_transit(tx, 1 + nth, 2 + nth, region_id=region.id)
        rules.set_strategy(tx, None, "fewest_parcels")


def _list_offers(house: House, known: Catalogue) -> None:
    for store, offers in known.offers.items():
        with house.db.begin(MERCHANT, actor=ACTOR) as tx:
            house.stores[store] = stores.add(
                tx, name=store, platform=_PLATFORMS[store], url=f"http://{store}.invalid", credentials=b"", settings={}
            )
        for start in range(0, len(offers), _PAGE):
            told = [StoreListing(one.listing, one.sku, one.sku.title(), 0) for one in offers[start : start + _PAGE]]
            with house.db.begin(MERCHANT, actor=ACTOR) as tx:
                catalog.import_listings(tx, house.stores[store], told)
        with house.db.begin(MERCHANT, actor=ACTOR) as tx:
            stores.set_mode(tx, house.stores[store], StoreMode.LIVE)
    house.items.update((row.sku, row.id) for row in house.ask("SELECT sku, id FROM item ORDER BY id"))
    with house.db.begin(MERCHANT, actor=ACTOR) as tx:
        for offer in _by_listing(known).values():
            if offer.sku not in offer.takes:
                parts = [Part(Stocked(house.items[sku]), units) for sku, units in offer.takes.items()]
                recipes.set_recipe(tx, house.items[offer.sku], recipes.BUNDLE, parts)
        for store, offers in known.offers.items():
            for offer in offers:
                if (pack := offer.takes.get(offer.sku, 1)) > 1:
                    selling.set_rules(tx, selling.listing_subject(tx, store, offer.listing), {"pack_size": pack})


def _by_listing(known: Catalogue) -> dict[str, Offer]:
    return {offer.listing: offer for offers in known.offers.values() for offer in offers}


def plain_skus(known: Catalogue) -> list[str]:
    """What stands on shelves: what is asked for most comes first."""
    return [offer.sku for offer in known.offers["north"] if offer.sku in offer.takes]


def _buy_from(house: House) -> None:
    with house.db.begin(MERCHANT, actor=ACTOR) as tx:
        for code in SUPPLIERS:
            suppliers.add(tx, code, {"lead_days": 7})


def _stock(house: House, known: Catalogue) -> None:
    """Each item stands in one to three houses; a few lack, and what is asked for most is there for part of the day."""
    random, houses = house.random, house.warehouses()
    by_place: dict[str, dict[Goods, int]] = defaultdict(dict)
    for nth, sku in enumerate(plain_skus(known)):
        if nth < house.sizes.popular:
            most = house.sizes.orders // (nth + 30) + 4
        else:
            most = 0 if random.random() < 0.05 else 24
        for code in random.sample(houses, random.randint(1, 3)):
            if units := random.randint(0, most):
                place = f"{code}/A-{random.randrange(house.sizes.bins):02d}" if random.random() < 0.9 else code
                by_place[place][Goods(sku)] = units
    acts: list[tuple[str, Command]] = []
    for place, goods in sorted(by_place.items()):
        stock = {house.stocked(one): units for one, units in goods.items()}
        acts.append((place, Receive(f"opening/{place}", DocumentKind.OPENING, stock, spot=house.spots[place])))
        for one, units in goods.items():
            house.count.arrives(one, Arrival(units))
    most = max(_AT_ONCE * len(acts) // max(house.sizes.items, 1), 1)
    for start in range(0, len(acts), most):
        house.do("opening", acts[start : start + most], actor=ACTOR)
