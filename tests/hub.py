"""A hub's surroundings for tests: a street of sandbox shops as a process, connected stores, and work done by hand."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from config.wiring import App
from core import audit, work
from core.model import Platform, StoreMode
from core.transaction import wall_clock
from drills import referee
from drills.referee import Delays, Verdict
from jobs import connect
from jobs.broker import QUEUES
from jobs.registry import JOBS

ROOT = Path(__file__).resolve().parents[1]
MERCHANT = 1
PATIENCE_S = 15.0
assert QUEUES, "importing the broker registers all jobs"


@dataclass(frozen=True, slots=True)
class Street:
    """The sandbox's shops as shoppers and staff meet them. ``told``: what it said of itself when it was ready."""

    told: Mapping[str, Any]
    control: httpx.Client

    @property
    def shops(self) -> Sequence[str]:
        return list(self.told["shops"])

    def act(self, shop: str, action: str, **body: object) -> Any:
        answer = self.control.post(f"/shops/{shop}/{action}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def stock(self, units: Mapping[str, int]) -> None:
        """Put the same new products on sale in every shop."""
        products = [{"sku": sku, "title": sku.title(), "stock": n} for sku, n in units.items()]
        for shop in self.shops:
            self.act(shop, "catalogue", products=products)

    def checkout(self, shop: str, *lines: tuple[str, int], paid: bool = True) -> str:
        """A shopper buys; gives the order's id."""
        wanted = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
        order_id: str = self.act(shop, "checkout", reference="R", paid=paid, lines=wanted)["order_id"]
        return order_id

    def levels(self, shop: str) -> Mapping[str, int]:
        """What shoppers see."""
        levels: dict[str, int] = self.control.get(f"/shops/{shop}/levels").json()
        return levels

    def shown(self, shop: str, sku: str) -> int:
        return self.levels(shop)[sku]

    def everywhere(self, sku: str) -> set[int]:
        return {self.shown(shop, sku) for shop in self.shops}

    def turn(self, **dials: float) -> None:
        assert self.control.post("/faults", json=dials).status_code == 200

    def state(self) -> Mapping[str, Any]:
        state: dict[str, Any] = self.control.get("/state").json()
        return state

    def journal(self) -> list[Mapping[str, Any]]:
        entries: list[Mapping[str, Any]] = []
        while True:
            page = self.control.get(f"/journal?after={len(entries)}&limit=5000").json()["entries"]
            if not page:
                return entries
            entries += page

    def writes(self, shop: str) -> int:
        """Numbers that were written through the shop's API."""
        return sum(entry["kind"] == "stock_write" and entry["shop"] == shop for entry in self.journal())


@contextmanager
def street(*shops: str) -> Iterator[Street]:
    """A calm sandbox process with these shops."""
    argv = [sys.executable, "-P", "-m", "sandbox", "--seed", "7", "--calm", "--shops", ",".join(shops)]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            with httpx.Client(base_url=told["control"], timeout=30.0, trust_env=False) as control:
                yield Street(told, control)
        finally:
            process.terminate()
            process.wait(timeout=10)


@dataclass(frozen=True, slots=True)
class Store:
    """One shop of the street, connected."""

    app: App
    street: Street
    name: str
    id: int

    def ask(self, statement: str, **values: object) -> Sequence[Any]:
        """Rows of a select; ``:store_id`` is this store."""
        with self.app.db.begin(MERCHANT, actor="test") as tx:
            rows: Sequence[Any] = tx.run(statement, store_id=self.id, **values).all()
            return rows

    def row(self) -> Any:
        return self.ask("SELECT * FROM store WHERE merchant_id = :merchant_id AND id = :store_id")[0]

    def listing(self, sku: str) -> Any:
        found = self.ask(
            "SELECT * FROM listing WHERE merchant_id = :merchant_id AND store_id = :store_id AND sku = :sku", sku=sku
        )
        return found[0]

    def work(self, topic: str) -> Sequence[Any]:
        return self.ask(
            """SELECT * FROM work WHERE merchant_id = :merchant_id AND store_id = :store_id AND topic = :topic
               ORDER BY subject""",
            topic=topic,
        )

    def want(self, topic: str, subject: str = "") -> None:
        with self.app.db.begin(MERCHANT, actor="test") as tx:
            work.want(tx, [work.Want(topic, self.id, subject)])

    def hint(self, order_id: str) -> None:
        """What the webhook receiver leaves behind for an order."""
        self.want("order", order_id)

    def do(self, topic: str) -> None:
        """One run of a job, as a worker would call it."""
        JOBS[topic].run(self.app, MERCHANT, self.id)

    def poll(self) -> None:
        """A poll, and everything that follows from it."""
        self.want("poll")
        serve(self.app)

    def checkout(self, *lines: tuple[str, int], paid: bool = True) -> str:
        return self.street.checkout(self.name, *lines, paid=paid)

    def shown(self, sku: str) -> int:
        return self.street.shown(self.name, sku)


def connect_all(app: App, shops: Street, mode: StoreMode = StoreMode.LIVE) -> dict[str, Store]:
    """Connect every shop of a street; the first one's numbers become the opening stock."""
    stores = {}
    for place, (name, shop) in enumerate(shops.told["shops"].items()):
        row, _ = connect.connect_store(
            app, MERCHANT, name=name, platform=Platform(name), url=shop["url"], credentials=shop["credentials"],
            opening=place == 0,
        )  # fmt: skip
        connect.change_mode(app, MERCHANT, row.id, mode)
        stores[name] = Store(app, shops, name, row.id)
    serve(app)
    return stores


def serve(app: App) -> None:
    """Do all work that is due, as relay and workers together would, until none is left."""
    while rows := _due(app):
        for row in rows:
            JOBS[row.topic].run(app, row.merchant_id, row.store_id)


def _due(app: App) -> Sequence[Any]:
    with app.db.outside() as connection:
        statement = text("SELECT merchant_id, topic, store_id FROM take_due_work(:now, :hold, 500)")
        return connection.execute(statement, {"now": app.db.clock(), "hold": timedelta(0)}).all()


def skip(app: App, seconds: float) -> None:
    """Let our clock (not the shops') run ahead: waits and leases are over."""
    ahead = app.db.clock() - wall_clock() + timedelta(seconds=seconds)
    app.db.clock = lambda: wall_clock() + ahead


def until(reached: Callable[[], bool], limit_s: float = PATIENCE_S, *, poll: Sequence[Store] = ()) -> None:
    """Look again until it is so, and ``poll`` these stores before each look. Fails after ``limit_s``."""
    deadline = time.monotonic() + limit_s
    while True:
        for store in poll:
            store.poll()
        if reached():
            return
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.1)


def units(app: App, sku: str) -> tuple[int, int, int]:
    """Free, reserved and sold units of the shared pool."""
    with app.db.begin(MERCHANT, actor="test") as tx:
        row = tx.run(
            """SELECT coalesce(sum(free), 0)::bigint AS free, coalesce(sum(reserved), 0)::bigint AS reserved,
                   coalesce(sum(sold), 0)::bigint AS sold
               FROM sales_balance b JOIN item i ON i.merchant_id = b.merchant_id AND i.id = b.item_id
               WHERE b.merchant_id = :merchant_id AND i.sku = :sku""",
            sku=sku,
        ).one()
        return row.free, row.reserved, row.sold


def documents(app: App) -> int:
    """How many documents the ledger holds."""
    with app.db.begin(MERCHANT, actor="test") as tx:
        return int(tx.run("SELECT count(*) FROM document WHERE merchant_id = :merchant_id").scalar_one())


def verdict(app: App, shops: Street) -> Verdict:
    """What the referee makes of the shops' journal and the hub's documents."""
    told = referee.read_journal(shops.journal())
    recorded = referee.read_ledger(app.settings.database_url, MERCHANT)
    return referee.judge(told, recorded, {shop: shops.levels(shop) for shop in shops.shops}, Delays(0.0))


def assert_nothing_lost(app: App, shops: Street) -> None:
    """At rest: no order lost, none doubled, every shop shows what may be sold, and the books are in order."""
    found = verdict(app, shops)
    assert not found.findings, found.findings
    assert (found.orders_lost, found.effects_doubled, found.stock_differences) == (0, 0, 0)
    assert found.listings_equal == found.listings > 0
    with app.db.begin(MERCHANT, actor="test") as tx:
        violations = audit.audit(tx)
    assert not violations, violations


_LEFT = """
    SELECT topic || ' ' || subject || ' ' || reason AS what FROM work
    WHERE merchant_id = :merchant_id AND (topic IN ('order', 'push', 'mail') OR dead_at IS NOT NULL)
    UNION ALL SELECT 'stale ' || l.sku FROM push_due d JOIN listing l ON l.merchant_id = d.merchant_id
        AND l.id = d.listing_id WHERE d.merchant_id = :merchant_id
    UNION ALL SELECT 'not polled ' || name FROM store
    WHERE merchant_id = :merchant_id AND (polled_until IS NULL OR polled_until <= :last_event)
"""


def left_to_do(app: App, shops: Street) -> list[str]:
    """What is still under way, by name; empty at rest."""
    moments = [datetime.fromisoformat(entry["at"]) for entry in shops.journal() if "order_id" in entry]
    last = max(moments, default=datetime.min.replace(tzinfo=UTC))
    with app.db.begin(MERCHANT, actor="test") as tx:
        left = [row.what for row in tx.run(_LEFT, last_event=last)]
    for shop, state in shops.state()["shops"].items():
        left += [f"{state[kind]} {kind} of {shop}" for kind in ("webhooks_pending", "writes_pending") if state[kind]]
    return left


def come_to_rest(app: App, shops: Street, limit_s: float = PATIENCE_S, poll: Sequence[Store] = ()) -> None:
    """Wait until nothing is under way; ``poll`` these stores meanwhile. Fails with the names of what is left."""
    deadline = time.monotonic() + limit_s
    while True:
        for store in poll:
            store.poll()
        left = left_to_do(app, shops)
        if not left:
            return
        assert time.monotonic() < deadline, left
        time.sleep(0.3)


def clean_environment(**settings: object) -> dict[str, str]:
    """This process's environment without another hub's settings, and with these."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    return clean | {f"HOLDFAST_{name.upper()}": str(value) for name, value in settings.items()}
