"""From facts to sentences: each fault is named with its cure, and a healthy hub has none."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.model import Platform, StoreMode
from core.queries import Pulse, StoreView, WorkView
from core.silence import Silence
from edge.checkup import Checkup, DatabaseFacts, MerchantFacts
from edge.diagnosis import Finding, diagnose

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def ago(**span: float) -> datetime:
    return NOON - timedelta(**span)


DATABASE = DatabaseFacts(
    version="18.4",
    major=18,
    login="holdfast_app",
    login_is_strong=False,
    role="holdfast_app",
    role_is_strong=False,
    schema="0001",
    schema_needed="0001",
)
BERLIN = StoreView(
    id=7,
    name="Berlin",
    platform=Platform.WOOCOMMERCE,
    url="https://shop.example",
    mode=StoreMode.LIVE,
    paused=False,
    trouble="",
    trouble_since=None,
    last_webhook_at=ago(minutes=1),
    last_poll_at=ago(seconds=30),
    created_at=ago(days=3),
    listings=20,
    unmapped=0,
    quarantined=0,
    untracked=0,
    stale=0,
    stale_since=None,
    held_lines=0,
    open_incidents=0,
    oversold_units=0,
    unserved=0,
    unserved_since=None,
    dead_letters=0,
    poll_every="every 60",
)
FACTS = MerchantFacts(
    now=NOON,
    email="stock@shop.example",
    warned_items=0,
    pulse=Pulse(None, None, None),
    stores=[BERLIN],
    given_up=[],
    unreadable=[],
    audit_violations=0,
)
HEALTHY = Checkup(mail_server=True, database=DATABASE, broker="Valkey 9.1", key="/keys/secret.key", merchant=FACTS)


def with_store(**changes: Any) -> list[Finding]:
    return diagnose(replace(HEALTHY, merchant=replace(FACTS, stores=[replace(BERLIN, **changes)])))


def with_facts(**changes: Any) -> list[Finding]:
    return diagnose(replace(HEALTHY, merchant=replace(FACTS, **changes)))


def with_database(**changes: Any) -> list[Finding]:
    return diagnose(replace(HEALTHY, database=replace(DATABASE, **changes)))


def only_problem(found: list[Finding]) -> Finding:
    (problem,) = [one for one in found if not one.note]
    return problem


def test_a_healthy_hub_has_nothing_to_say() -> None:
    assert diagnose(HEALTHY) == []


@pytest.mark.parametrize(
    ("changes", "cure"),
    [
        ({"major": 15, "version": "15.8"}, "use 16 or newer"),
        ({"schema": None}, "holdfast migrate"),
        ({"schema": "0000"}, "holdfast migrate"),
        ({"schema": "0002"}, "install the newer Holdfast"),
        ({"role": "postgres"}, "connect as holdfast_app"),
        ({"role_is_strong": True}, "NOSUPERUSER NOBYPASSRLS"),
    ],
)
def test_each_fault_of_the_database_names_its_cure(changes: dict[str, Any], cure: str) -> None:
    problem = only_problem(with_database(**changes))

    assert problem.about == "database"
    assert cure in problem.sentence


def test_a_strong_login_that_stepped_down_is_a_note() -> None:
    (note,) = with_database(login="postgres", login_is_strong=True)

    assert note.note


@pytest.mark.parametrize(
    "pulse",
    [
        Pulse(ago(seconds=40), None, None),
        Pulse(None, ago(seconds=40), None),
        Pulse(ago(seconds=40), None, ago(hours=1)),
    ],
)
def test_work_that_nobody_sends_means_that_the_relay_is_gone(pulse: Pulse) -> None:
    problem = only_problem(with_facts(pulse=pulse))

    assert problem.about == "relay"
    assert "40 s" in problem.sentence
    assert "`holdfast relay`" in problem.sentence


def test_work_that_was_sent_and_that_nobody_takes_means_that_the_workers_are_gone() -> None:
    problem = only_problem(with_facts(pulse=Pulse(None, None, ago(minutes=5))))

    assert problem.about == "worker"
    assert "5 min" in problem.sentence


def test_a_moment_of_waiting_is_no_fault() -> None:
    assert with_facts(pulse=Pulse(ago(seconds=2), ago(seconds=2), ago(seconds=20))) == []


@pytest.mark.parametrize(
    ("changes", "cure"),
    [
        ({"last_poll_at": ago(minutes=10)}, "10 min ago"),
        ({"last_poll_at": None}, "never"),
        ({"stale": 4, "stale_since": ago(minutes=5)}, "holdfast stock show SKU"),
        ({"quarantined": 2}, "holdfast store map Berlin"),
        ({"held_lines": 1}, "holdfast store map Berlin"),
        ({"open_incidents": 1, "oversold_units": 3}, "3 units were sold that are not there"),
    ],
)
def test_each_fault_of_a_store_names_the_store_and_the_cure(changes: dict[str, Any], cure: str) -> None:
    problem = only_problem(with_store(**changes))

    assert problem.about == "Berlin"
    assert cure in problem.sentence


@pytest.mark.parametrize(
    "changes",
    [
        {"paused": True, "stale": 9, "stale_since": ago(hours=1)},
        {"mode": StoreMode.OBSERVE, "stale": 9, "stale_since": ago(hours=1)},
        {"mode": StoreMode.OFF, "last_poll_at": None},
        {"unmapped": 3},
        {"last_webhook_at": None},
    ],
)
def test_what_a_person_chose_is_a_note_and_no_fault(changes: dict[str, Any]) -> None:
    found = with_store(**changes)

    assert found
    assert all(one.note for one in found)


@pytest.mark.parametrize(
    ("refuses", "sentence"),
    [
        (True, "it said no (2 h now); `holdfast store test Berlin` tries it again, `holdfast store renew Berlin`"),
        (False, "its orders were last read 2 h ago: it said no; it is tried until it answers"),
    ],
)
def test_a_silent_store_is_told_once_and_without_what_follows_from_it(refuses: bool, sentence: str) -> None:
    silence = Silence(7, "Berlin", refuses, "it said no", since=ago(hours=2), unread_s=60)
    store = replace(BERLIN, last_poll_at=ago(hours=2), stale=3, stale_since=ago(hours=2))

    found = with_facts(stores=[store], silent=[silence], given_up=[letter(dead_at=None, tries=4)])

    assert sentence in only_problem(found).sentence


def test_a_poll_that_failed_a_moment_ago_is_no_fault() -> None:
    assert with_facts(silent=[Silence(7, "Berlin", False, "503", since=ago(seconds=30), unread_s=0)]) == []


def test_polls_that_are_set_to_be_rare_are_not_late() -> None:
    assert with_store(poll_every="every 3600", last_poll_at=ago(hours=2)) == []


def letter(**changes: Any) -> WorkView:
    told: dict[str, Any] = {"dead_at": ago(hours=1), "tries": 12, "reason": "the store answers 500", "store": "Berlin"}
    told |= changes
    return WorkView(topic="order", subject="1001", heard_at=ago(hours=9), due_at=ago(hours=1), **told)


def test_a_dead_letter_is_named_with_its_reason() -> None:
    problem = only_problem(with_facts(given_up=[letter()]))

    assert "order 1001 was given up after 12 tries: the store answers 500" in problem.sentence
    assert "`holdfast work replay order`" in problem.sentence


def test_many_dead_letters_do_not_fill_the_screen() -> None:
    found = with_facts(given_up=[letter()] * 400)

    assert len(found) == 6
    assert "400 dead letters in all" in found[-1].sentence


def test_work_that_keeps_failing_is_a_fault_before_it_is_given_up() -> None:
    problem = only_problem(with_facts(given_up=[letter(dead_at=None, tries=4)]))

    assert "has failed 4 times" in problem.sentence


def test_broken_books_come_with_the_red_button() -> None:
    problem = only_problem(with_facts(audit_violations=2))

    assert "`holdfast audit`" in problem.sentence
    assert "pause --all" in problem.sentence


def test_credentials_that_no_key_opens_are_named_by_store() -> None:
    problem = only_problem(with_facts(unreadable=["Berlin"]))

    assert problem.about == "Berlin"
    assert "HOLDFAST_SECRET_KEYS" in problem.sentence


def test_warnings_that_reach_nobody_are_a_fault() -> None:
    problem = only_problem(with_facts(warned_items=3, email=""))

    assert "holdfast merchant --email" in problem.sentence


def test_what_could_not_be_looked_at_is_a_problem() -> None:
    found = diagnose(Checkup(failures=[("broker", "it does not answer; see that it runs")]))

    assert found == [Finding("broker", "it does not answer; see that it runs")]
