"""The webhook receiver: what it believes, what it keeps, and what it says while the database is away."""

import base64
import hmac
import json
import logging
import socket
import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from prometheus_client import REGISTRY
from sqlalchemy import Engine, inspect, text
from starlette.testclient import TestClient

from config import setup, wiring
from config.embedded import Postgres, start_postgres
from config.settings import Settings
from config.wiring import App
from core import stores
from core.model import Platform
from edge.app import create
from tests.conftest import SECRET_KEY
from tests.hub import MERCHANT, until

SECRET = "webhook-secret"
CREDENTIALS: Mapping[Platform, Mapping[str, str]] = {
    Platform.WOOCOMMERCE: {"consumer_key": "ck_x", "consumer_secret": "cs_x", "webhook_secret": SECRET},
    Platform.SHOPIFY: {"access_token": "shpat_x", "api_secret": SECRET},
    Platform.BIGCOMMERCE: {
        "store_hash": "abc", "access_token": "token", "client_secret": "client", "webhook_secret": SECRET,
    },
}  # fmt: skip
ORDER = {"id": 1001, "billing": {"email": "ada.lovelace@example.org"}}
PING = b"webhook_id=17"


@dataclass(frozen=True, slots=True)
class Receiver:
    """The receiver of one store, as the store meets it. ``web`` speaks to the whole application."""

    web: httpx.Client
    store_id: int

    def post(self, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        return self.web.post(f"/hooks/{MERCHANT}/{self.store_id}", content=body, headers=dict(headers))

    def tell(self, content: object = ORDER, topic: str = "order.updated", secret: str = SECRET) -> httpx.Response:
        """A delivery of the store, well signed unless with another secret."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.post(body, woo_headers(body, topic, secret))


def woo_headers(body: bytes, topic: str, secret: str = SECRET) -> dict[str, str]:
    signature = base64.b64encode(hmac.new(secret.encode(), body, "sha256").digest()).decode()
    return {"X-WC-Webhook-Topic": topic, "X-WC-Webhook-Signature": signature}


def add_store(app: App, platform: Platform = Platform.WOOCOMMERCE) -> int:
    with app.db.begin(MERCHANT, actor="test") as tx:
        sealed = app.secrets.seal(CREDENTIALS[platform])
        settings = {"location_id": "1", "webhook_secret": SECRET}
        return stores.add(
            tx, name=platform, platform=platform, url="http://127.0.0.1:1", credentials=sealed, settings=settings
        )


@pytest.fixture
def receiver(app: App) -> Iterator[Receiver]:
    with TestClient(create(app)) as web:
        yield Receiver(web, add_store(app))


def kept(app: App) -> list[tuple[str, str]]:
    """All that the receiver has written: topics and subjects of work, and whether a store was heard."""
    with app.db.begin(MERCHANT, actor="test") as tx:
        rows = tx.run("SELECT topic, subject FROM work WHERE merchant_id = :merchant_id ORDER BY 1, 2")
        found = [(row.topic, row.subject) for row in rows]
        heard = tx.run("SELECT 1 FROM store WHERE merchant_id = :merchant_id AND last_webhook_at IS NOT NULL").scalar()
        return [*found, *([("heard", "")] if heard else [])]


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("holdfast_webhooks_total", {"outcome": outcome}) or 0.0


def test_a_signed_order_leaves_its_id_as_work_and_nothing_else(
    app: App, receiver: Receiver, superuser: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    answer = receiver.tell()

    assert (answer.status_code, answer.content) == (200, b"")
    assert kept(app) == [("order", "1001"), ("heard", "")]
    for table in inspect(superuser).get_table_names():
        with superuser.connect() as connection:
            told = connection.execute(text(f"SELECT count(*) FROM {table} t WHERE t::text ILIKE '%lovelace%'"))
            assert (table, told.scalar_one()) == (table, 0)
    assert "lovelace" not in caplog.text


def test_the_same_delivery_twice_is_one_piece_of_work(app: App, receiver: Receiver) -> None:
    assert [receiver.tell().status_code for _ in range(3)] == [200, 200, 200]
    assert kept(app) == [("order", "1001"), ("heard", "")]


def test_what_a_store_did_not_sign_is_refused_counted_and_not_kept(app: App) -> None:
    told: Mapping[Platform, tuple[object, dict[str, str]]] = {
        Platform.WOOCOMMERCE: (ORDER, woo_headers(b"{}", "order.updated")),
        Platform.SHOPIFY: (
            ORDER,
            {"X-Shopify-Topic": "orders/create", "X-Shopify-Webhook-Id": "1", "X-Shopify-Hmac-Sha256": "AAAA"},
        ),
        Platform.BIGCOMMERCE: (
            {"scope": "store/order/created", "data": {"type": "order", "id": 1001}},
            {"X-Holdfast-Secret": "guessed"},
        ),
    }
    with TestClient(create(app)) as web:
        for platform, (content, headers) in told.items():
            store, before = Receiver(web, add_store(app, platform)), counted("bad_signature")

            for tried in (headers, {}):
                assert store.post(json.dumps(content).encode(), tried).status_code == 401

            assert counted("bad_signature") == before + 2
        assert 'holdfast_webhooks_total{outcome="bad_signature"}' in web.get("/metrics").text
    assert kept(app) == []


def test_a_signature_of_another_secret_is_refused(app: App, receiver: Receiver) -> None:
    assert receiver.tell(secret="another").status_code == 401
    assert kept(app) == []


def test_the_unsigned_ping_of_woocommerce_is_answered_and_nothing_is_written(app: App, receiver: Receiver) -> None:
    answer = receiver.post(PING, {"Content-Type": "application/x-www-form-urlencoded"})

    assert answer.status_code == 200
    assert kept(app) == []


def test_a_body_that_only_begins_like_a_ping_is_refused(app: App, receiver: Receiver) -> None:
    assert receiver.post(PING + b"&order=1001", {}).status_code == 401
    assert receiver.post(PING, {"X-WC-Webhook-Topic": "order.updated"}).status_code == 401
    assert kept(app) == []


def test_a_signed_kind_that_is_not_used_is_answered_well_and_nothing_is_written(app: App, receiver: Receiver) -> None:
    for topic in ("coupon.created", "product.updated", "action.woocommerce_checkout", ""):
        assert (topic, receiver.tell({"id": 5}, topic).status_code) == (topic, 200)
    assert kept(app) == []


def test_a_signed_body_that_cannot_be_read_is_refused_counted_and_not_kept(app: App, receiver: Receiver) -> None:
    before = counted("malformed")
    unreadable = [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"id": null}',
        b'{"id": "1001"}',
        b'{"id": true}',
        b"\xff",
        b"[" * 100_000,
    ]

    for body in unreadable:
        assert (body, receiver.tell(body).status_code) == (body, 400)

    assert counted("malformed") == before + len(unreadable)
    assert kept(app) == []


def test_a_store_that_nobody_knows_is_not_found_not_even_by_another_merchant(app: App, receiver: Receiver) -> None:
    body = json.dumps(ORDER).encode()

    for path in ("1/999999", "999/1", "0/0", "1/-1", f"1/{2**63}", f"2/{receiver.store_id}"):
        answer = receiver.web.post(f"/hooks/{path}", content=body, headers=woo_headers(body, "order.updated"))
        assert (path, answer.status_code) == (path, 404)

    assert kept(app) == []


@pytest.fixture
def served(app: App) -> Iterator[Receiver]:
    """The application behind a real socket."""
    server = uvicorn.Server(uvicorn.Config(create(app), log_level="warning", access_log=False))
    sock = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        until(lambda: server.started)
        with httpx.Client(base_url=f"http://127.0.0.1:{sock.getsockname()[1]}", trust_env=False) as web:
            yield Receiver(web, add_store(app))
    finally:
        server.should_exit = True
        thread.join()
        sock.close()


def test_a_body_that_is_too_large_is_refused_before_it_has_all_come(app: App, served: Receiver) -> None:
    limit, url, before = app.settings.webhook_body_limit, served.web.base_url, counted("too_large")
    head = f"POST /hooks/1/{served.store_id} HTTP/1.1\r\nHost: x\r\nContent-Length: {limit * 50}\r\n\r\n"
    with socket.create_connection((url.host, url.port or 80), timeout=10) as store:
        store.sendall(head.encode() + b"x" * (limit + 70_000))

        assert store.recv(100).startswith(b"HTTP/1.1 413 ")

    assert counted("too_large") == before + 1
    assert kept(app) == []


def test_a_body_of_unknown_length_is_bounded_too(app: App, served: Receiver) -> None:
    limit = app.settings.webhook_body_limit

    def endless() -> Iterator[bytes]:
        for _ in range(limit // 50_000 + 2):
            yield b"x" * 50_000

    assert served.web.post(f"/hooks/1/{served.store_id}", content=endless()).status_code == 413
    assert kept(app) == []


def test_a_body_just_within_the_limit_is_read(app: App, served: Receiver) -> None:
    filler = {**ORDER, "note": ""}
    room = app.settings.webhook_body_limit - len(json.dumps(filler))
    assert served.tell({**filler, "note": "n" * room}).status_code == 200
    assert kept(app)[0] == ("order", "1001")


def test_an_answer_takes_milliseconds(served: Receiver) -> None:
    took = []
    for number in range(40):
        began = time.perf_counter()
        assert served.tell({**ORDER, "id": number}).status_code == 200
        took.append(time.perf_counter() - began)
    assert statistics.median(took) < 0.05


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    with start_postgres(tmp_path / "postgres", fsync=False) as server:
        yield server


@pytest.fixture
def lonely(postgres: Postgres, tmp_path: Path) -> Iterator[App]:
    """An App on a database that the test may stop."""
    settings = Settings.load(
        database_url=postgres.app_url, owner_database_url=postgres.owner_url, data_dir=tmp_path,
        secret_keys=SECRET_KEY, sandbox=True,
    )  # fmt: skip
    setup.migrate(settings)
    built = wiring.build(settings)
    yield built
    built.close()


def test_while_the_database_is_away_a_store_is_told_to_come_back_and_it_is_polled_afterwards(
    postgres: Postgres, lonely: App
) -> None:
    with TestClient(create(lonely)) as web:
        store = Receiver(web, add_store(lonely))
        assert store.tell({"id": 1}).status_code == 200
        clear(lonely)
        postgres.process.kill()
        postgres.process.wait()

        away: list[Any] = [store.tell({"id": 2}) for _ in range(2)]

        assert [(answer.status_code, answer.headers["Retry-After"]) for answer in away] == [(503, "5")] * 2
        assert web.get("/ready").status_code == 503
        assert web.get("/live").status_code == 200
        restart(postgres)

        assert store.tell({"id": 3}).status_code == 200

    assert kept(lonely) == [("hooks", ""), ("order", "3"), ("poll", ""), ("heard", "")]
    with lonely.db.begin(MERCHANT, actor="test") as tx:
        assert stores.get(tx, store.store_id).blind


def test_a_delivery_right_after_the_database_was_restarted_is_kept(postgres: Postgres, lonely: App) -> None:
    """Connections from before are dead then, and nobody has noticed yet."""
    with TestClient(create(lonely)) as web:
        store = Receiver(web, add_store(lonely))
        assert store.tell({"id": 1}).status_code == 200
        clear(lonely)
        postgres.process.kill()
        postgres.process.wait()
        restart(postgres)

        answers = [store.tell({"id": 2}).status_code for _ in range(2)]

    assert answers[-1] == 200
    assert ("order", "2") in kept(lonely)
    assert answers == [200, 200] or ("poll", "") in kept(lonely)


def restart(postgres: Postgres) -> None:
    until(lambda: postgres.revive(time.monotonic()), 20)
    until(postgres.is_ready, 20)


def clear(app: App) -> None:
    with app.db.begin(MERCHANT, actor="test") as tx:
        tx.run("DELETE FROM work WHERE merchant_id = :merchant_id")
