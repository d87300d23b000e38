"""Short ways to say what a test is about: a merchant's world of stores, listings, orders and units."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from core import catalog, ledger, stores
from core.command import Command
from core.errors import Refused
from core.goods.receiving import Receive
from core.model import Platform, StoreListing, StoreMode, StoreOrder, StoreOrderLine
from core.orders.apply import ApplyOrder
from core.rows import PromiseRow
from core.stock import DocumentKind, Home, Stocked
from core.transaction import Database, wall_clock

NOON = datetime(2020, 11, 20, 12, 0, tzinfo=UTC)
FAR_OFF = NOON + timedelta(days=20_000)
HOME = Home(bin_id=31, warehouse_id=21, shared_pool_id=11)


def at(seconds: float) -> datetime:
    """An instant by its distance from noon of the day the tests play on."""
    return NOON + timedelta(seconds=seconds)


class Clock:
    """Time that stands still until it is told to move on. It starts today: what is recorded needs a month's room."""

    def __init__(self) -> None:
        self.now = wall_clock()

    def __call__(self) -> datetime:
        return self.now

    def after(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)

    def pass_(self, seconds: float) -> None:
        self.now = self.after(seconds)


def line(sku: str, quantity: int, line_id: str = "", **told: int) -> StoreOrderLine:
    """A line of the listing that carries ``sku`` (see ``World.listings``)."""
    return StoreOrderLine(line_id or f"line-{sku}", f"listing-{sku}", sku, sku.title(), quantity, **told)


def order(*lines: StoreOrderLine, external_id: str = "1001", **told: Any) -> StoreOrder:
    """An order that holds its units and is not paid, unless told otherwise."""
    values: dict[str, Any] = {
        "number": f"#{external_id}",
        "state": "open",
        "placed_at": at(0),
        "version": "1",
        "holds": True,
        "paid": False,
    }
    return StoreOrder(external_id, lines=lines, **{**values, **told})


def promise(promise_id: int = 1, **told: Any) -> PromiseRow:
    """A promise of the default pool; by default nothing is wanted."""
    values: dict[str, Any] = {
        "order_line_id": promise_id * 10, "order_id": 1, "item_id": 5, "grade": "good",
        "pool_id": HOME.shared_pool_id, "wanted": 0, "waiting": 0, "live": 0, "shipped": 0, "released": 0,
        "deducted": False, "promised_at": at(0), "expires_at": None,
    }  # fmt: skip
    return PromiseRow(promise_id, **{**values, **told})


class Units(NamedTuple):
    """The shared pool's part of one item."""

    free: int = 0
    reserved: int = 0
    sold: int = 0
    backordered: int = 0


@dataclass(slots=True)
class World:
    """One merchant on a real database."""

    db: Database
    merchant_id: int = 1
    _counter: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def run(self, *commands: Command, actor: str = "test") -> list[Any]:
        """Results of all commands in one batch, refusals among them."""
        return ledger.run(self.db, self.merchant_id, commands, actor=actor)

    def do(self, command: Command) -> Any:
        """The result of one command. Raises: what it was refused with."""
        (result,) = self.run(command)
        if isinstance(result, Refused):
            raise result
        return result

    def ask(self, statement: str, /, **values: object) -> Sequence[Any]:
        """Rows of a plain select."""
        with self.db.begin(self.merchant_id, actor="test") as tx:
            rows: Sequence[Any] = tx.run(statement, **values).all()
            return rows

    def scalar(self, statement: str, /, **values: object) -> Any:
        ((value,),) = self.ask(statement, **values)
        return value

    def tell(self, statement: str, /, **values: object) -> None:
        with self.db.begin(self.merchant_id, actor="test") as tx:
            tx.run(statement, **values)

    def polled(self, store_id: int, read_at: datetime) -> None:
        """A poll of the store is complete: its orders are known up to ``read_at`` by its clock."""
        with self.db.begin(self.merchant_id, actor="test") as tx:
            stores.polled(tx, store_id, read_at)

    def store(self, name: str = "Main street", *, mode: StoreMode = StoreMode.LIVE) -> int:
        with self.db.begin(self.merchant_id, actor="test") as tx:
            store_id = stores.add(
                tx, name=name, platform=Platform.WOOCOMMERCE, url="http://127.0.0.1:1", credentials=b"", settings={}
            )
            stores.set_mode(tx, store_id, mode)
            tx.run("DELETE FROM work WHERE merchant_id = :merchant_id")
        return store_id

    def listings(self, store_id: int, *skus: str, shown: int = 0, pack_size: int = 1) -> None:
        """Listings ``listing-SKU``, each mapped to an item, on a store that shows ``shown`` of each."""
        told = [StoreListing(f"listing-{sku}", sku, sku.title(), shown) for sku in skus]
        with self.db.begin(self.merchant_id, actor="test") as tx:
            catalog.import_listings(tx, store_id, told)
            tx.run(
                """UPDATE listing SET pack_size = :pack_size
                   WHERE merchant_id = :merchant_id AND store_id = :store_id AND sku = ANY(CAST(:skus AS text[]))""",
                store_id=store_id, skus=list(skus), pack_size=pack_size,
            )  # fmt: skip

    def item(self, sku: str) -> Stocked:
        with self.db.begin(self.merchant_id, actor="test") as tx:
            return Stocked(catalog.item_id_of(tx, sku))

    def receive(self, sku: str, quantity: int, kind: DocumentKind = DocumentKind.RECEIPT) -> None:
        self.do(Receive(f"receipt/{next(self._counter)}", kind, {self.item(sku): quantity}))

    def stocked(self, *skus: str, units: int, shown: int | None = None) -> int:
        """A live store that lists ``skus``, of each of which there are ``units``."""
        store_id = self.store()
        self.listings(store_id, *skus, shown=units if shown is None else shown)
        for sku in skus:
            if units:
                self.receive(sku, units, DocumentKind.OPENING)
        return store_id

    def next_seq(self) -> int:
        return int(self.scalar("SELECT nextval('fetch_seq')"))

    def hear(self, store_id: int, state: StoreOrder, *, fetch_seq: int | None = None, **told: Any) -> bool:
        """Apply an order as just fetched; True when it was the newest."""
        seq = self.next_seq() if fetch_seq is None else fetch_seq
        return bool(self.do(ApplyOrder(store_id, state, seq, **told)))

    def units(self, sku: str) -> Units:
        rows = self.ask(
            """SELECT free, reserved, sold, backordered FROM sales_balance
               WHERE merchant_id = :merchant_id AND item_id = :item_id ORDER BY pool_id, grade <> 'good', grade""",
            item_id=self.item(sku).item_id,
        )
        return Units(*rows[0]) if rows else Units()

    def on_hand(self, sku: str) -> tuple[int, int]:
        """Units in the bin: those for sale, and those set apart as unavailable."""
        rows = self.ask(
            """SELECT available, unavailable FROM warehouse_balance
               WHERE merchant_id = :merchant_id AND item_id = :item_id ORDER BY bin_id, grade <> 'good', grade""",
            item_id=self.item(sku).item_id,
        )
        return (rows[0].available, rows[0].unavailable) if rows else (0, 0)

    def listing(self, store_id: int, sku: str) -> Any:
        (row,) = self.ask(
            "SELECT * FROM listing WHERE merchant_id = :merchant_id AND store_id = :store_id AND external_id = :id",
            store_id=store_id, id=f"listing-{sku}",
        )  # fmt: skip
        return row

    def due(self, store_id: int, sku: str) -> Any:
        """What says that a listing is stale; None when it is not."""
        rows = self.ask(
            """SELECT * FROM push_due
               WHERE merchant_id = :merchant_id AND store_id = :store_id AND listing_id = :listing_id""",
            store_id=store_id, listing_id=self.listing(store_id, sku).id,
        )  # fmt: skip
        return rows[0] if rows else None

    def documents(self) -> list[str]:
        """Kinds of all documents but openings, oldest first."""
        return [
            row.kind
            for row in self.ask(
                "SELECT kind FROM document WHERE merchant_id = :merchant_id AND kind <> 'opening' ORDER BY id"
            )
        ]

    def incidents(self, *, open_only: bool = True) -> Sequence[Any]:
        where = "AND closed_at IS NULL" if open_only else ""
        return self.ask(f"SELECT * FROM incident WHERE merchant_id = :merchant_id {where} ORDER BY id")

    def work(self, topic: str) -> list[str]:
        """Subjects of what wants doing of one topic."""
        rows = self.ask(
            "SELECT subject FROM work WHERE merchant_id = :merchant_id AND topic = :topic ORDER BY subject", topic=topic
        )
        return [row.subject for row in rows]
