"""Goods that were on sale before they came and are late: taken off sale, an incident, a warning and a letter."""

from collections.abc import Iterator

import pytest
from aiosmtpd.controller import Controller
from pydantic import SecretStr

from config.wiring import App
from core import catalog, work
from core.supply import counting
from jobs.alerts import watch
from jobs.backorders import look_after_backorders
from jobs.mail import send_mail
from tests import supply_world as sup
from tests.builders import Clock, World, line, order
from tests.hub import MERCHANT
from tests.integration.mail_acts import BUYER, Postbox, free_port, part
from tests.supply_world import OnWay


@pytest.fixture
def postbox(app: App, world: World) -> Iterator[Postbox]:
    """Where the merchant's letters come in; hub and test have one clock."""
    box = Postbox()
    server = Controller(box, hostname="127.0.0.1", port=free_port())
    server.start()
    app.settings = app.settings.model_copy(
        update={"smtp_url": SecretStr(f"smtp://127.0.0.1:{server.port}"), "mail_from": "hub@example.org"}
    )
    app.db.clock = world.db.clock = Clock()
    with app.db.begin(MERCHANT, actor="test") as tx:
        catalog.set_merchant(tx, name=None, time_zone="Europe/Berlin", alert_email=BUYER)
    yield box
    server.stop()


def work_is_done(app: App) -> None:
    """What the schedule asks for every other minute."""
    with app.db.begin(MERCHANT, actor="test") as tx:
        work.want(tx, [work.Want(topic, 0, "") for topic in ("backorders", "alerts")])
    look_after_backorders(app, MERCHANT, 0)
    watch(app, MERCHANT, 0)
    send_mail(app, MERCHANT, 0)


def stale(world: World) -> int:
    return int(world.scalar("SELECT count(*) FROM push_due WHERE merchant_id = :merchant_id"))


def test_goods_that_are_late_are_off_sale_and_told_of_and_it_ends_when_they_come(
    app: App, world: World, postbox: Postbox
) -> None:
    store_id = world.stocked("mug", units=0)
    world.listings(store_id, "mug")
    sup.placed(world, "PO-7", {"mug": 10}, in_days=2)
    with world.db.begin(1, actor="test") as tx:
        counting.set_days(tx, 7)
    work_is_done(app)
    assert (world.units("mug").free, postbox.letters) == (10, [])
    world.hear(store_id, order(line("mug", 3), paid=True))
    world.tell("DELETE FROM push_due")
    clock = world.db.clock
    assert isinstance(clock, Clock)

    clock.pass_(4 * 86_400)
    work_is_done(app)
    work_is_done(app)

    assert sup.on_way(world, "mug") == OnWay(incoming=7, incoming_sellable=3)
    assert (world.units("mug").free, world.units("mug").sold) == (0, 3)
    assert stale(world) == 1, "its store is to show fewer"
    (incident,) = world.incidents()
    assert (incident.kind, incident.quantity) == ("late_supply", 10)
    (letter,) = postbox.letters
    words = part(letter, "plain")
    assert "PO-7" in words
    assert "holdfast purchase date" in words

    sup.receive(world, "PO-7", None)
    work_is_done(app)
    assert (world.units("mug").free, world.incidents()) == (7, [])
    assert world.scalar("SELECT count(*) FROM alert WHERE closed_at IS NULL") == 0
