"""Warnings over real SMTP: each told once, together when they are many, readable, and never lost."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from pydantic import SecretStr

from config.wiring import App
from core import catalog
from core.alerts import lifecycle as alerts
from core.alerts import mail as alert_mail
from core.alerts import rules as alert_rules
from core.alerts.kinds import AlertKind
from core.alerts.rules import Scope
from core.sales.holds import EndHold, Hold
from jobs import mail
from jobs.mail import send_mail
from jobs.registry import LEASE_S
from tests.builders import World, at, line, order
from tests.hub import MERCHANT, skip

BUYER = "buyer@example.org"


@dataclass
class Postbox:
    """An SMTP server that keeps what it takes; ``refusal`` is what it says instead, while set."""

    letters: list[EmailMessage] = field(default_factory=list)
    refusal: str = ""

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:
        if self.refusal:
            return self.refusal
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        assert envelope.rcpt_tos == [BUYER]
        self.letters.append(letter)
        return "250 taken"


@pytest.fixture
def postbox() -> Postbox:
    return Postbox()


@pytest.fixture
def mailing(app: App, world: World, postbox: Postbox) -> Iterator[App]:
    """An App with a mail server, and a merchant who reads mail and has 12 mugs, to be warned of at 10."""
    server = Controller(postbox, hostname="127.0.0.1", port=free_port())
    server.start()
    app.settings = app.settings.model_copy(
        update={"smtp_url": SecretStr(f"smtp://127.0.0.1:{server.port}"), "mail_from": "hub@example.org"}
    )
    world.stocked("mug", units=12)
    with app.db.begin(MERCHANT, actor="test") as tx:
        catalog.set_low_stock(tx, "mug", 10)
        catalog.set_merchant(tx, name=None, time_zone="Europe/Berlin", alert_email=BUYER)
    yield app
    server.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def take(world: World, key: str, units: int) -> None:
    world.do(Hold(key, {world.item("mug"): units}, at(10**9)))


def send(app: App) -> None:
    send_mail(app, MERCHANT, 0)


def want(app: App) -> None:
    with app.db.begin(MERCHANT, actor="test") as tx:
        alerts.want_mail(tx)


def oversell(world: World, number: int) -> None:
    """Berlin sells a cup that is not there."""
    rows = world.ask("SELECT id FROM store WHERE merchant_id = :merchant_id AND name = 'Berlin'")
    store = rows[0].id if rows else world.store("Berlin")
    if not rows:
        world.listings(store, "cup")
    world.hear(store, order(line("cup", 1), external_id=str(number), paid=True))


def alert_id(world: World) -> int:
    return int(world.scalar("SELECT id FROM alert WHERE merchant_id = :merchant_id"))


def snooze(app: App, world: World, seconds: float) -> None:
    with app.db.begin(MERCHANT, actor="test") as tx:
        alerts.snooze(tx, alert_id(world), tx.now + timedelta(seconds=seconds))


def part(letter: EmailMessage, kind: str) -> str:
    body = letter.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def test_one_crossing_is_one_mail_with_a_text_and_an_html_part(mailing: App, world: World, postbox: Postbox) -> None:
    take(world, "a", 3)

    send(mailing)

    (letter,) = postbox.letters
    assert letter["Subject"] == "Low stock: mug has 9 left"
    assert (letter["From"], letter["To"]) == ("hub@example.org", BUYER)
    assert letter["Date"]
    for kind in ("plain", "html"):
        assert "mug" in part(letter, kind)
        assert " CE" in part(letter, kind), "the merchant's own time zone"
        assert "holdfast stock warn mug NUMBER" in part(letter, kind)
    assert "Free units now:   9" in part(letter, "plain")
    assert "<strong>9</strong>" in part(letter, "html")


def test_nothing_is_mailed_twice_however_often_the_job_is_repeated(
    mailing: App, world: World, postbox: Postbox
) -> None:
    for number in range(4):
        take(world, str(number), 1)
        send(mailing)
        send(mailing)

    assert len(postbox.letters) == 1
    assert world.work("mail") == []


def test_a_job_that_is_asked_for_again_after_its_mail_was_sent_sends_no_second_one(
    mailing: App, world: World, postbox: Postbox
) -> None:
    take(world, "a", 3)
    send(mailing)

    want(mailing)
    send(mailing)

    assert len(postbox.letters) == 1
    assert world.work("mail") == []


def test_the_next_crossing_after_a_recovery_is_another_mail(mailing: App, world: World, postbox: Postbox) -> None:
    for number in range(2):
        take(world, str(number), 3)
        skip(mailing, 61)
        send(mailing)
        world.do(EndHold(str(number)))

    assert [letter["Subject"] for letter in postbox.letters] == ["Low stock: mug has 9 left"] * 2
    assert len({letter["Message-ID"] for letter in postbox.letters}) == 2


# ---- one mail a minute


def test_what_comes_within_a_minute_of_a_mail_shares_the_next(mailing: App, world: World, postbox: Postbox) -> None:
    oversell(world, 1)
    send(mailing)
    oversell(world, 2)
    oversell(world, 3)
    take(world, "a", 3)
    for _ in range(3):
        send(mailing)
    assert len(postbox.letters) == 1

    skip(mailing, 61)
    send(mailing)

    assert [letter["Subject"] for letter in postbox.letters] == [
        "Oversold: 1 unit of cup, order #1 of Berlin",
        "Oversold: 1 unit of cup, order #2 of Berlin, and 2 more",
    ]
    text = part(postbox.letters[1], "plain")
    assert all(word in text for word in ("order #2", "order #3", "Low stock: mug has 9 left"))
    assert world.work("mail") == []


def test_whoever_wants_a_mail_meanwhile_wakes_nobody_twice(mailing: App, world: World) -> None:
    oversell(world, 1)
    send(mailing)
    oversell(world, 2)
    send(mailing)
    before = mailing.db.clock()

    oversell(world, 3)

    (row,) = world.ask("SELECT * FROM work WHERE merchant_id = :merchant_id AND topic = 'mail'")
    assert row.due_at > before + timedelta(seconds=30)
    assert (row.tries, row.reason) == (0, "a mail went out less than a minute ago")


def test_an_oversell_is_told_with_its_cause_and_what_happened(mailing: App, world: World, postbox: Postbox) -> None:
    oversell(world, 1)

    send(mailing)

    (letter,) = postbox.letters
    for kind in ("plain", "html"):
        text = part(letter, kind)
        assert "who sold them had never been told a number" in text
        assert "Berlin sold order #1" in text
        assert "found units missing" in text


def test_a_flood_is_one_mail_that_stays_short(mailing: App, world: World, postbox: Postbox) -> None:
    for number in range(60):
        oversell(world, number)
    take(world, "a", 3)

    send(mailing)

    (letter,) = postbox.letters
    assert letter["Subject"].endswith(", and 60 more")
    text = part(letter, "plain")
    assert text.count("Oversold: ") == 40
    assert "And 20 oversell, 1 low stock more: holdfast alert list" in " ".join(text.split())
    assert world.ask("SELECT * FROM alert_mail WHERE merchant_id = :merchant_id AND due_at IS NOT NULL") == []


def test_what_is_over_when_its_mail_goes_out_says_so(mailing: App, world: World, postbox: Postbox) -> None:
    oversell(world, 1)
    world.receive("cup", 5)

    send(mailing)

    assert "Over since:" in part(postbox.letters[0], "plain")


# ---- dying half-way


class _Died(BaseException):
    pass


def test_killed_before_the_server_took_it_a_mail_is_sent_once(
    mailing: App, world: World, postbox: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(world, "a", 3)
    with monkeypatch.context() as patch:
        patch.setattr(mail, "_deliver", die)
        with pytest.raises(_Died):
            send(mailing)

    skip(mailing, LEASE_S + 1)
    send(mailing)

    assert len(postbox.letters) == 1


def test_killed_after_the_server_took_it_a_mail_is_repeated_under_the_same_id_with_the_same_alerts(
    mailing: App, world: World, postbox: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(world, "a", 3)
    with monkeypatch.context() as patch:
        patch.setattr(alert_mail, "sent", die)
        with pytest.raises(_Died):
            send(mailing)
    oversell(world, 1)

    skip(mailing, LEASE_S + 1)
    send(mailing)
    skip(mailing, 61)
    send(mailing)

    first, again, other = postbox.letters
    assert (first["Subject"], first["Message-ID"]) == (again["Subject"], again["Message-ID"])
    assert part(first, "plain") == part(again, "plain")
    assert other["Message-ID"] != first["Message-ID"]
    assert other["Subject"].startswith("Oversold")


def die(*_told: object) -> None:
    raise _Died


# ---- quiet for a while


def test_a_snoozed_alert_is_mailed_again_when_the_snooze_ends(mailing: App, world: World, postbox: Postbox) -> None:
    take(world, "a", 3)
    send(mailing)

    snooze(mailing, world, 3600)
    skip(mailing, 1800)
    send(mailing)
    assert len(postbox.letters) == 1
    skip(mailing, 1801)
    send(mailing)
    send(mailing)

    assert [letter["Subject"] for letter in postbox.letters] == [
        "Low stock: mug has 9 left", "Still so: Low stock: mug has 9 left",
    ]  # fmt: skip
    assert world.work("mail") == []


def test_an_alert_that_ends_while_it_is_snoozed_is_not_mailed(mailing: App, world: World, postbox: Postbox) -> None:
    take(world, "a", 3)
    snooze(mailing, world, 3600)
    send(mailing)
    world.receive("mug", 10)
    skip(mailing, 3601)

    send(mailing)

    assert postbox.letters == []
    assert world.work("mail") == []


def test_a_snooze_keeps_no_other_alert_waiting(mailing: App, world: World, postbox: Postbox) -> None:
    take(world, "a", 3)
    snooze(mailing, world, 86_400)
    send(mailing)

    oversell(world, 1)
    send(mailing)

    assert [letter["Subject"] for letter in postbox.letters] == ["Oversold: 1 unit of cup, order #1 of Berlin"]
    assert world.work("mail") == [""], "it comes back for the one that is snoozed"


def test_a_snooze_that_is_taken_back_mails_at_once(mailing: App, world: World, postbox: Postbox) -> None:
    take(world, "a", 3)
    snooze(mailing, world, 86_400)
    send(mailing)
    with mailing.db.begin(MERCHANT, actor="test") as tx:
        alerts.snooze(tx, alert_id(world), None)

    send(mailing)

    assert len(postbox.letters) == 1


def test_a_kind_that_is_off_is_noted_and_not_mailed(mailing: App, world: World, postbox: Postbox) -> None:
    with mailing.db.begin(MERCHANT, actor="test") as tx:
        alert_rules.set_rule(tx, AlertKind.OVERSELL, Scope(), None)
    oversell(world, 1)
    take(world, "a", 3)

    send(mailing)

    assert [letter["Subject"] for letter in postbox.letters] == ["Low stock: mug has 9 left"]
    assert len(world.incidents()) == 1


# ---- trouble


@pytest.mark.parametrize("refusal", ["451 try later", "554 no"])
def test_a_refused_mail_stays_as_work_with_the_reason_and_is_sent_later(
    mailing: App, world: World, postbox: Postbox, refusal: str
) -> None:
    postbox.refusal = refusal
    take(world, "a", 3)

    send(mailing)

    assert postbox.letters == []
    (row,) = world.ask("SELECT * FROM work WHERE merchant_id = :merchant_id AND topic = 'mail'")
    assert refusal.split(" ", 1)[1] in row.reason
    assert row.due_at > mailing.db.clock()
    postbox.refusal = ""
    send(mailing)
    assert postbox.letters == [], "not before it is due"
    skip(mailing, 600)
    send(mailing)
    assert len(postbox.letters) == 1
    assert world.work("mail") == []


def test_a_mail_server_that_is_away_loses_no_mail(mailing: App, world: World, postbox: Postbox) -> None:
    working = mailing.settings
    mailing.settings = working.model_copy(update={"smtp_url": SecretStr(f"smtp://127.0.0.1:{free_port()}")})
    take(world, "a", 3)
    send(mailing)
    assert len(world.work("mail")) == 1

    mailing.settings = working
    skip(mailing, 600)
    send(mailing)

    assert len(postbox.letters) == 1


def test_a_reason_never_shows_the_mail_servers_password(mailing: App, world: World) -> None:
    mailing.settings = mailing.settings.model_copy(
        update={"smtp_url": SecretStr(f"{mailing.settings.smtp_url.get_secret_value()}".replace("//", "//me:hush@"))}
    )
    take(world, "a", 3)

    send(mailing)

    (row,) = world.ask("SELECT reason FROM work WHERE merchant_id = :merchant_id AND topic = 'mail'")
    assert row.reason
    assert "hush" not in row.reason


def test_names_are_escaped_in_html_and_plain_in_text(mailing: App, world: World, postbox: Postbox) -> None:
    world.tell(
        "UPDATE item SET title = :title WHERE merchant_id = :merchant_id AND sku = 'mug'",
        title="<script>alert('Tea & Co')</script>",
    )
    take(world, "a", 3)

    send(mailing)

    (letter,) = postbox.letters
    assert "<script>" not in part(letter, "html")
    assert "&lt;script&gt;" in part(letter, "html")
    assert "<script>alert('Tea & Co')</script>" in part(letter, "plain")


def test_a_name_with_a_line_break_does_not_stop_its_mail(mailing: App, world: World, postbox: Postbox) -> None:
    world.tell("UPDATE item SET sku = :sku WHERE merchant_id = :merchant_id AND sku = 'mug'", sku="mug\r\nBcc: x@y.z")
    item = world.ask("SELECT id FROM item WHERE merchant_id = :merchant_id")[0].id
    world.tell("UPDATE item SET sku_key = 'mug' WHERE merchant_id = :merchant_id AND id = :id", id=item)
    take(world, "a", 3)

    send(mailing)

    assert len(postbox.letters) == 1
    assert postbox.letters[0]["Bcc"] is None


def test_a_merchant_without_an_address_gets_no_mail_and_leaves_no_work(
    mailing: App, world: World, postbox: Postbox
) -> None:
    with mailing.db.begin(MERCHANT, actor="test") as tx:
        catalog.set_merchant(tx, name=None, time_zone=None, alert_email="")
    take(world, "a", 3)

    send(mailing)

    assert postbox.letters == []
    assert world.work("mail") == []
