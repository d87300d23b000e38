"""The webhooks of the sandbox's WooCommerce shop against recorded ones, and how its process ends."""

import base64
import hashlib
import hmac
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from sandbox.woocommerce.webhooks import FAILURES_FORGIVEN, Hook
from tests.contract.woocommerce_shop import Receiver, Running, assert_like, receiving, running, sample, wait_until

SECRET = "a-webhook-secret"  # not a real one


@pytest.fixture(scope="module")
def shop() -> Iterator[Running]:
    with running() as started:
        yield started


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as listening:
        yield listening


@pytest.fixture
def hook(shop: Running, receiver: Receiver) -> Iterator[dict[str, Any]]:
    created = shop.api.post(
        "webhooks",
        {
            "name": "orders",
            "topic": "order.updated",
            "delivery_url": receiver.url,
            "secret": SECRET,
            "status": "paused",
        },
    )
    assert created.status_code == 201
    yield created.json()
    shop.api.delete(f"webhooks/{created.json()['id']}", params={"force": True})


def test_creating_a_webhook_pings_unsigned_before_it_answers(
    hook: dict[str, Any], receiver: Receiver, contracts: Path
) -> None:
    ((headers, body),) = receiver.got

    theirs = sample(contracts, "rest/webhook_create")["body"]
    assert set(hook) == set(theirs)
    assert_like(hook, theirs)
    assert hook["status"] == "active"
    assert body == f"webhook_id={hook['id']}".encode()
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert not [name for name in headers if name.startswith("x-wc-")]


def test_a_delivery_is_signed_over_its_bytes_and_carries_the_order(
    shop: Running, hook: dict[str, Any], receiver: Receiver, contracts: Path
) -> None:
    number = shop.buy(("S14", 1))

    headers, body = receiver.wait(2)[1]

    theirs = sample(contracts, "webhooks/order.created.processing-cod")
    expected = base64.b64encode(hmac.new(SECRET.encode(), body, hashlib.sha256).digest()).decode()
    assert headers["x-wc-webhook-signature"] == expected
    assert {name for name in headers if name.startswith("x-wc-")} == {
        name.lower() for name in theirs["headers"] if name.startswith("X-WC-")
    }
    assert (headers["x-wc-webhook-topic"], headers["x-wc-webhook-id"]) == ("order.updated", str(hook["id"]))
    assert urlsplit(headers["x-wc-webhook-source"]).netloc == urlsplit(shop.url).netloc
    assert json.loads(body) == shop.api.get(f"orders/{number}").json()


def test_changes_before_a_delivery_leaves_are_merged_into_its_newest_state(
    shop: Running, hook: dict[str, Any], receiver: Receiver
) -> None:
    assert hook["topic"] == "order.updated"
    shop.control.post("/faults", json={"delay_min_s": 0.3, "delay_max_s": 0.3})

    number = shop.buy(("S15", 1), paid=False)
    shop.act("pay", order_id=str(number))
    shop.act("fulfil", order_id=str(number))
    _, body = receiver.wait(2)[1]
    shop.control.post("/faults", json={"delay_min_s": 0, "delay_max_s": 0})

    wait_until(lambda: not pending_webhooks(shop))
    assert json.loads(body)["status"] == "completed"
    assert len(receiver.got) == 2


def pending_webhooks(shop: Running) -> int:
    return int(shop.control.get("/state").json()["shops"]["woocommerce"]["webhooks_pending"])


def test_a_failed_delivery_is_never_retried_and_the_seventh_in_a_row_disables(
    shop: Running, hook: dict[str, Any], receiver: Receiver
) -> None:
    path = f"webhooks/{hook['id']}"
    receiver.status = 500

    states = []
    for count in range(1, 9):
        shop.buy(("S16", 1))
        wait_until(lambda: not pending_webhooks(shop))
        states.append((len(receiver.got) - 1 == min(count, 7), shop.api.get(path).json()["status"]))

    assert states == [(True, "active")] * 6 + [(True, "disabled")] * 2
    assert shop.api.put(path, {"status": "active"}).json()["status"] == "active"
    shop.buy(("S16", 1))
    wait_until(lambda: shop.api.get(path).json()["status"] == "disabled")


def test_a_success_forgives_all_failures() -> None:
    hook = Hook(1, "n", "order.created", "http://hub.test", "s", datetime.now(UTC))

    for status in [500, None] * (FAILURES_FORGIVEN // 2) + [302] + [404] * FAILURES_FORGIVEN:
        hook.heard(status)

    assert hook.status == "active"


def test_a_webhook_is_deleted_only_by_force(shop: Running, hook: dict[str, Any], contracts: Path) -> None:
    theirs = sample(contracts, "rest/error_501_webhook_delete_without_force")

    refused = shop.api.delete(f"webhooks/{hook['id']}")

    assert (refused.status_code, refused.json()) == (theirs["status"], theirs["body"])
    assert hook["id"] in [each["id"] for each in shop.api.get("webhooks").json()]


def test_the_sandbox_ends_when_its_parent_dies() -> None:
    command = f"{sys.executable} -P -m sandbox --calm --shops woocommerce & echo $!; sleep 30"
    with subprocess.Popen(["bash", "-c", command], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        json.loads(parent.stdout.readline())

        parent.kill()

        wait_until(lambda: not alive(child))


def alive(process_id: int) -> bool:
    try:
        return bool(psutil.Process(process_id).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
