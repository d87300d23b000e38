"""Warnings over real SMTP: each told once, together when they are many, readable, and quiet for a while where asked."""

from datetime import timedelta

from config.wiring import App
from core.alerts import lifecycle as alerts
from core.alerts import rules as alert_rules
from core.alerts.kinds import AlertKind
from core.alerts.rules import Scope
from core.sales.holds import EndHold
from tests.builders import World
from tests.hub import MERCHANT, skip
from tests.integration.mail_acts import BUYER, Postbox, alert_id, oversell, part, send, take, want

pytest_plugins = ("tests.mail_fixtures",)


def snooze(app: App, world: World, seconds: float) -> None:
    with app.db.begin(MERCHANT, actor="test") as tx:
        alerts.snooze(tx, alert_id(world), tx.now + timedelta(seconds=seconds))


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
