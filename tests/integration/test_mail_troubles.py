"""Mail that fails, over real SMTP: killed half-way, refused or away, nothing is lost and nothing is told of secrets."""

from types import ModuleType

import pytest
from pydantic import SecretStr

from config.wiring import App
from core import catalog
from core.alerts import mail as alert_mail
from jobs import mail
from jobs.registry import LEASE_S
from tests.builders import World
from tests.hub import MERCHANT, skip
from tests.integration.mail_acts import Postbox, free_port, oversell, part, send, take

pytest_plugins = ("tests.mail_fixtures",)

# ---- dying half-way


class _Died(BaseException):
    pass


def _die_in(mailing: App, monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str) -> None:
    """The process is gone when it comes to this step of sending mail."""

    def die(*_told: object) -> None:
        raise _Died

    with monkeypatch.context() as patch:
        patch.setattr(module, step, die)
        with pytest.raises(_Died):
            send(mailing)


def test_killed_before_the_server_took_it_a_mail_is_sent_once(
    mailing: App, world: World, postbox: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(world, "a", 3)
    _die_in(mailing, monkeypatch, mail, "_deliver")

    skip(mailing, LEASE_S + 1)
    send(mailing)

    assert len(postbox.letters) == 1


def test_killed_after_the_server_took_it_a_mail_is_repeated_under_the_same_id_with_the_same_alerts(
    mailing: App, world: World, postbox: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(world, "a", 3)
    _die_in(mailing, monkeypatch, alert_mail, "sent")
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
