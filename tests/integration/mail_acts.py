"""What tests of mail share: a mail server that keeps letters, and what is written about."""

import socket
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from config.wiring import App
from core.alerts import lifecycle as alerts
from core.sales.holds import Hold
from jobs.mail import send_mail
from tests.builders import World, at, line, order
from tests.hub import MERCHANT

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


def part(letter: EmailMessage, kind: str) -> str:
    body = letter.get_body((kind,))
    assert body is not None
    return str(body.get_content())
