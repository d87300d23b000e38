"""Low-stock warnings over real SMTP: once per crossing, readable, and never lost."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from pydantic import SecretStr

from config.wiring import App
from core import catalog
from core.holds import EndHold, Hold
from jobs.mail import send_mail
from tests.builders import World, at
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
    (alert_id,) = world.work("mail")
    send(mailing)

    world.tell(
        """INSERT INTO work (merchant_id, topic, store_id, subject, revision, heard_at, due_at, tries, reason)
           VALUES (:merchant_id, 'mail', 0, :id, 1, :now, :now, 0, '')""",
        id=alert_id,
    )
    send(mailing)

    assert len(postbox.letters) == 1
    assert world.work("mail") == []


def test_the_next_crossing_after_a_recovery_is_another_mail(mailing: App, world: World, postbox: Postbox) -> None:
    for number in range(2):
        take(world, str(number), 3)
        send(mailing)
        world.do(EndHold(str(number)))

    assert [letter["Subject"] for letter in postbox.letters] == ["Low stock: mug has 9 left"] * 2
    assert len({letter["Message-ID"] for letter in postbox.letters}) == 2


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
