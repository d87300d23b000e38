"""Stores that refuse us and stores whose orders cannot be read: they ring once, and until they let us in again."""

from typing import Any

import pytest

from config.wiring import App
from core import catalog, stores, work
from core.alerts.kinds import AlertKind
from core.model import StoreMode
from jobs import poll
from tests.builders import Clock, World
from tests.hub import skip
from tests.integration.alert_acts import alerts_of, are_open, look, rule
from tests.integration.command_line import Holdfast
from tests.integration.mail_acts import Postbox, part, send

pytest_plugins = ("tests.mail_fixtures",)

REFUSES, SILENT = AlertKind.STORE_REFUSES, AlertKind.STORE_SILENT
HOUR = 3_600
EACH_S = 300


@pytest.fixture
def clock(app: App, world: World) -> Clock:
    """One clock for the hub and the test."""
    app.db.clock = world.db.clock = clock = Clock()
    return clock


@pytest.fixture
def berlin(app: App, world: World) -> int:
    """A store at an address where nobody answers, with credentials that we can open."""
    store_id = world.store("Berlin")
    give_keys(app, world, store_id)
    with world.db.begin(1, actor="test") as tx:
        stores.opened(tx, store_id, tx.now)
        stores.set_schedule(tx, "poll", store_id, "every 60")
    return store_id


def give_keys(app: App, world: World, store_id: int) -> None:
    with world.db.begin(1, actor="test") as tx:
        stores.set_credentials(tx, store_id, app.secrets.seal({"consumer_key": "ck", "consumer_secret": "cs"}), {})


def try_in_vain(world: World, clock: Clock, store_id: int, seconds: int) -> None:
    """What polls note, that fail one after the other for so long."""
    for _ in range(seconds // EACH_S):
        unread(world, store_id)
        clock.pass_(EACH_S)
    unread(world, store_id)


def unread(world: World, store_id: int) -> None:
    with world.db.begin(world.merchant_id, actor="test") as tx:
        stores.unread(tx, store_id)


def refuse(world: World, store_id: int, topic: str = "poll") -> None:
    """What ``giving_back`` does when a store refuses what a topic asks for."""
    with world.db.begin(world.merchant_id, actor="test") as tx:
        work.want(tx, [work.Want(topic, store_id, "")])
        leases = work.claim(tx, topic, store_id, limit=1, lease_s=60)
        stores.set_trouble(tx, store_id, "the store refuses our credentials")
        work.postpone(tx, leases, delay_s=60, reason="the store refuses our credentials", counts=False)


def test_a_store_rings_once_when_its_orders_could_not_be_read_for_an_hour(
    app: App, world: World, clock: Clock, berlin: int
) -> None:
    world.polled(berlin, clock.now)
    last = clock.now
    try_in_vain(world, clock, berlin, HOUR - EACH_S)
    look(app)
    assert are_open(world, SILENT) == []

    try_in_vain(world, clock, berlin, EACH_S)
    for _ in range(2):
        look(app)
    (alert,) = alerts_of(world, SILENT)
    assert (alert.facts["store"], alert.facts["read_at"]) == ("Berlin", last.isoformat())

    world.polled(berlin, clock.now)
    look(app)
    assert are_open(world, SILENT) == [False]


def test_a_hub_that_was_off_for_a_night_tries_first(app: App, world: World, clock: Clock, berlin: int) -> None:
    world.polled(berlin, clock.now)
    unread(world, berlin)
    clock.pass_(9 * HOUR)
    look(app)
    assert are_open(world, SILENT) == [], "nobody has tried since"
    unread(world, berlin)
    look(app)
    assert are_open(world, SILENT) == [], "the network may come up later than the hub"

    try_in_vain(world, clock, berlin, HOUR)
    look(app)
    assert are_open(world, SILENT) == [True]
    clock.pass_(9 * HOUR)
    look(app)
    assert are_open(world, SILENT) == [True], "another night ends nothing, and rings no second time"


def test_what_a_store_was_silent_for_begins_anew_when_it_has_answered(
    app: App, world: World, clock: Clock, berlin: int
) -> None:
    for _ in range(2):
        try_in_vain(world, clock, berlin, HOUR - EACH_S)
        world.polled(berlin, clock.now)
    look(app)

    assert alerts_of(world, SILENT) == []


def test_a_refused_store_rings_as_that_alone_until_it_lets_us_in(
    app: App, world: World, clock: Clock, berlin: int
) -> None:
    try_in_vain(world, clock, berlin, HOUR)
    look(app)
    assert (are_open(world, SILENT), are_open(world, REFUSES)) == ([True], [])

    refuse(world, berlin)
    for _ in range(2):
        look(app)
    assert (are_open(world, SILENT), are_open(world, REFUSES)) == ([False], [True])
    assert alerts_of(world, REFUSES)[0].facts["trouble"] == "the store refuses our credentials"

    with world.db.begin(1, actor="test") as tx:
        stores.accepted(tx, berlin, "poll")
        stores.polled(tx, berlin, tx.now)
    look(app)
    assert (are_open(world, SILENT), are_open(world, REFUSES)) == ([False], [False])


def test_a_refusal_stands_until_what_was_refused_is_done(app: App, world: World, clock: Clock, berlin: int) -> None:
    """A key that lost the right to write still reads the orders: that it does each minute ends nothing."""
    refuse(world, berlin, "push")
    for _ in range(3):
        look(app)
        with world.db.begin(1, actor="test") as tx:
            stores.accepted(tx, berlin, "poll")
    assert are_open(world, REFUSES) == [True]

    clock.pass_(61)
    with world.db.begin(1, actor="test") as tx:
        work.settle(tx, work.claim(tx, "push", berlin, limit=1, lease_s=60))
        stores.accepted(tx, berlin, "poll")
    look(app)
    assert are_open(world, REFUSES) == [False]


def test_the_poll_notes_whether_it_was_refused_or_not_answered(
    app: App, world: World, clock: Clock, berlin: int
) -> None:
    rule(world, 0, SILENT)
    poll.poll_orders(app, 1, berlin)
    look(app)
    (alert,) = alerts_of(world, SILENT)
    assert alert.facts["trouble"], "why it could not be read"

    world.tell(
        "UPDATE store SET credentials = 'sealed elsewhere' WHERE merchant_id = :merchant_id AND id = :id", id=berlin
    )
    clock.pass_(EACH_S)
    poll.poll_orders(app, 1, berlin)
    look(app)
    (alert,) = alerts_of(world, REFUSES)
    assert "sealed with a key that is not here" in alert.facts["trouble"]
    give_keys(app, world, berlin)
    look(app)
    assert are_open(world, REFUSES) == [False]


@pytest.mark.parametrize(("change", "rings"), [("off", False), ("observe", True), ("paused", True)])
def test_a_store_rings_as_long_as_its_orders_are_read(
    app: App, world: World, clock: Clock, berlin: int, change: str, rings: bool
) -> None:
    try_in_vain(world, clock, berlin, HOUR)
    with world.db.begin(1, actor="test") as tx:
        if change == "paused":
            stores.set_paused(tx, [berlin], True)
        else:
            stores.set_mode(tx, berlin, StoreMode(change))
    look(app)

    assert are_open(world, SILENT) == ([True] if rings else [])


def test_a_rule_says_after_how_many_hours_and_whether_at_all(app: App, world: World, clock: Clock, berlin: int) -> None:
    try_in_vain(world, clock, berlin, 2 * HOUR)
    for hours, is_open in ((3, []), (2, [True]), (None, [False])):
        rule(world, hours, SILENT)
        look(app)
        assert are_open(world, SILENT) == is_open


def test_a_refusal_is_mailed_once_with_its_cure_and_not_where_its_rule_is_off(
    mailing: App, world: World, postbox: Postbox
) -> None:
    store_id = world.store("My shop")
    refuse(world, store_id)
    for _ in range(2):
        look(mailing)
        send(mailing)

    (letter,) = postbox.letters
    assert letter["Subject"] == "The credentials of My shop do not work"
    assert "holdfast store renew 'My shop'" in part(letter, "plain")

    rule(world, None, REFUSES)
    refuse(world, world.store("Lyon"))
    look(mailing)
    skip(mailing, 120)
    send(mailing)
    assert (are_open(world, REFUSES), len(postbox.letters)) == ([True, True], 1)


def test_a_store_of_another_merchant_rings_for_that_one_alone(
    app: App, world: World, clock: Clock, berlin: int
) -> None:
    catalog.ensure_merchant(world.db, 2, name="Other")
    two = World(world.db, 2)
    store_id = two.store("Berlin")
    try_in_vain(two, clock, store_id, HOUR)
    refuse(two, two.store("Lyon"))
    look(app)

    assert (alerts_of(world, SILENT), alerts_of(world, REFUSES)) == ([], [])


def test_doctor_tells_of_the_same_stores(holdfast: Holdfast, world: World, clock: Clock, berlin: int) -> None:
    clock.now = clock.after(-2 * HOUR)
    world.polled(berlin, clock.now)
    try_in_vain(world, clock, berlin, 2 * HOUR)

    def told() -> Any:
        return [one["sentence"] for one in holdfast("doctor", "--json").json["problems"] if one["about"] == "Berlin"]

    assert [one for one in told() if "its orders were last read 2 h ago" in one and "holdfast store test" in one]
    assert "1 alert would be opened now" in holdfast("alert", "rule", "set", "store_silent", "2", "--dry-run").out
    refuse(world, berlin)
    assert [one for one in told() if "the store refuses our credentials" in one and "holdfast store renew" in one]
