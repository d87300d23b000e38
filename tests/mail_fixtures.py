"""A hub that writes mail to a server of the test."""

from collections.abc import Iterator

import pytest
from aiosmtpd.controller import Controller
from pydantic import SecretStr

from config.wiring import App
from core import catalog
from tests.builders import World
from tests.hub import MERCHANT
from tests.integration.mail_acts import BUYER, Postbox, free_port


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
