"""A worker that dies at any point of a job: after its claim, after the store's answer, in the middle of a commit."""

import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.wiring import App
from core.model import Sharing
from core.transaction import wall_clock
from jobs import connect
from jobs.registry import LEASE_S
from tests.hub import (
    MERCHANT,
    Store,
    assert_nothing_lost,
    clean_environment,
    come_to_rest,
    connect_all,
    serve,
    skip,
    street,
    units,
)

# A job of fewer transactions or calls than these would not have been killed where it hurts.
LEAST_DEATHS = {"begin": 4, "commit": 4, "answer": 1}
OPENING = 10


@contextmanager
def mortal_worker(app: App) -> Iterator["subprocess.Popen[str]"]:
    settings = app.settings
    env = clean_environment(
        database_url=settings.database_url, data_dir=settings.data_dir, sandbox="true",
        secret_keys=settings.secret_keys.get_secret_value(),
    )  # fmt: skip
    program = Path(__file__).with_name("mortal.py")
    with subprocess.Popen(
        [sys.executable, str(program)], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:
        yield worker


def die_in(worker: "subprocess.Popen[str]", store: Store, topic: str, point: str, count: int) -> bool:
    """Do a job with a death ahead; False when it ended before it came to that."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    ahead = (store.app.db.clock() - wall_clock()).total_seconds()
    told = {"topic": topic, "store_id": store.id, "point": point, "count": count, "ahead": ahead}
    worker.stdin.write(json.dumps(told) + "\n")
    worker.stdin.flush()
    code = int(worker.stdout.readline())
    assert code in (0, -signal.SIGKILL)
    return code != 0


@pytest.mark.parametrize("topic", ["order", "push"])
def test_a_worker_that_dies_anywhere_in_a_job_loses_and_doubles_nothing(app: App, topic: str) -> None:
    with street("woocommerce", "shopify") as shops, mortal_worker(app) as worker:
        goods = [f"sku-{n}" for n in range(30)]
        shops.stock(dict.fromkeys(goods, OPENING))
        connect.change_sharing(app, MERCHANT, Sharing.MIRROR)
        woo, shopify = connect_all(app, shops).values()
        store = {"order": woo, "push": shopify}[topic]
        for point, least in LEAST_DEATHS.items():
            for count in itertools.count(1):
                sku = goods.pop()
                woo.hint(woo.checkout((sku, 3)))
                if topic == "push":
                    woo.do("order")

                died = die_in(worker, store, topic, point, count)

                assert shopify.shown(sku) in (OPENING, OPENING - 3)
                skip(app, LEASE_S + 1)
                serve(app)
                assert units(app, sku) == (OPENING - 3, 0, 3)
                if not died:
                    break
            assert count > least

        come_to_rest(app, shops, poll=[woo, shopify])
        assert_nothing_lost(app, shops)
