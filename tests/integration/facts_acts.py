"""What tests of the facts behind a number share."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from core import catalog, flows
from core.books import Books
from core.command import Command
from core.goods.receiving import keys_of_goods
from core.model import Sharing
from core.selling import facts
from core.selling.availability import Facts, number_to_write
from core.selling.rules import Subject, item_subject, listing_subject, set_rules, store_subject
from core.stock import BalanceKey, DocumentKind, Pool, PoolKind, Stocked
from tests.builders import World


@dataclass(frozen=True)
class SetApart(Command):
    """Units go to a pool that is made for them: out of the shared one, or out of nothing into a presale."""

    pool: Pool
    what: Stocked
    units: int

    def stocked(self, _books: Books) -> Iterable[Stocked]:
        return (self.what,)

    def balance_keys(self, books: Books) -> Iterable[BalanceKey]:
        return {*keys_of_goods(books, [self.what]), self.pool.key(self.what)}

    def decide(self, books: Books) -> int:
        presale = self.pool.kind is PoolKind.PRESALE
        books.add_pool(self.pool, self.what, cap=self.units if presale else None)
        moves = (
            flows.presell(self.pool, self.what, self.units)
            if presale
            else flows.deal(books.home, self.pool, self.what, self.units)
        )
        return books.post(DocumentKind.DEAL, f"test/{self.pool.id}", moves)


def set_apart(
    world: World,
    kind: PoolKind,
    sku: str,
    units: int,
    store: int | None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> None:
    pool_id = world.scalar("SELECT nextval('id_block')") << 40
    pool = Pool(pool_id, kind, f"{kind}-{pool_id >> 40}".upper(), store, starts_at=starts_at, ends_at=ends_at)
    world.do(SetApart(pool, world.item(sku), units))


def bundle(world: World, sku: str, store: int, shown: int = 0, **components: int) -> None:
    """A bundle that a store lists; of components ``sku=quantity``."""
    world.listings(store, sku, shown=shown)
    made_of(world, sku, **components)


def made_of(world: World, sku: str, **components: int) -> None:
    bundle_id = world.item(sku).item_id
    world.tell("UPDATE item SET kind = 'bundle' WHERE merchant_id = :merchant_id AND id = :id", id=bundle_id)
    for component, quantity in components.items():
        world.tell(
            """INSERT INTO component (merchant_id, bundle_item_id, item_id, grade, quantity)
               VALUES (:merchant_id, :bundle, :item, 'good', :quantity)""",
            bundle=bundle_id, item=world.item(component).item_id, quantity=quantity,
        )  # fmt: skip


def told(world: World, store: int, sku: str) -> Facts:
    with world.db.begin(1, actor="test") as tx:
        source = "SELECT * FROM listing WHERE merchant_id = :merchant_id AND id = :id"
        ((_, found),) = facts.read(tx, source, id=world.listing(store, sku).id)
        return found


def number(world: World, store: int, sku: str) -> int:
    return number_to_write(told(world, store, sku))


def rule(world: World, subject: Subject, name: str, value: int | str | None) -> None:
    with world.db.begin(1, actor="test") as tx:
        set_rules(tx, subject, {name: value})


def subjects(world: World, store: int, sku: str) -> tuple[Subject, Subject, Subject]:
    """The listing, the item and the store."""
    with world.db.begin(1, actor="test") as tx:
        return (
            listing_subject(tx, str(store), f"listing-{sku}"),
            item_subject(tx, sku),
            store_subject(tx, str(store)),
        )


def share(world: World, sharing: Sharing) -> None:
    with world.db.begin(1, actor="test") as tx:
        catalog.set_merchant(tx, sharing=sharing)


def shops(world: World, *skus: str, units: int = 0) -> tuple[int, int]:
    """Two live stores that list the same items."""
    made = (world.store("one"), world.store("two"))
    for store in made:
        world.listings(store, *skus, shown=0)
    for sku in skus:
        if units:
            world.receive(sku, units)
    return made
