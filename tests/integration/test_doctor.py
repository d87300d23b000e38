"""``holdfast doctor`` against real servers: a healthy hub, and one fault after the other."""

import pytest
from sqlalchemy import Engine, text

from config.secrets import Secrets
from core import stores
from tests.builders import World, line, order
from tests.conftest import SECRET_KEY, Logins
from tests.integration.command_line import Holdfast, Said

SEAL = """UPDATE store SET credentials = :credentials, last_poll_at = :now
    WHERE merchant_id = :merchant_id AND id = :store_id"""


@pytest.fixture
def holdfast(holdfast: Holdfast, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> Holdfast:
    """The same, with an empty Valkey."""
    monkeypatch.setenv("HOLDFAST_REDIS_URL", valkey_url)
    return holdfast


@pytest.fixture
def berlin(world: World) -> int:
    """A live store in good health, with nothing scheduled that nobody would do."""
    return healthy(world, "Berlin")


def healthy(world: World, name: str) -> int:
    store_id = world.store(name)
    world.tell(SEAL, store_id=store_id, credentials=Secrets(SECRET_KEY).seal({"consumer_key": "ck_very_secret"}))
    with world.db.begin(world.merchant_id, actor="test") as tx:
        stores.set_schedule(tx, "poll", store_id, "every 60")
    world.tell("UPDATE schedule SET next_at = :now + interval '1 hour' WHERE merchant_id = :merchant_id")
    return store_id


def problems(said: Said) -> dict[str, str]:
    return {one["about"]: one["sentence"] for one in said.json["problems"]}


def test_a_healthy_hub_is_told_with_its_versions_and_exit_code_0(holdfast: Holdfast, berlin: int) -> None:
    said = holdfast("doctor", "--json")
    shown = holdfast("doctor")

    assert problems(said) == {}
    assert (said.code, said.json["ok"], shown.code) == (0, True, 0)
    assert said.json["database"]["role"] == "holdfast_app"
    assert said.json["database"]["role_is_strong"] is False
    assert said.json["database"]["schema"] == said.json["database"]["schema_needed"]
    assert said.json["broker"].startswith("Valkey ")
    assert said.json["merchant"]["audit_violations"] == 0
    assert said.json["merchant"]["stores"][0]["name"] == "Berlin"
    assert "Nothing is wrong." in shown.out
    assert "Berlin" in shown.out


def test_a_superuser_steps_down_and_is_still_noted(
    holdfast: Holdfast, berlin: int, logins: Logins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", logins.superuser)

    said = holdfast("doctor", "--json")

    assert said.json["database"]["role"] == "holdfast_app"
    assert said.json["database"]["login"] == "postgres"
    assert [note["about"] for note in said.json["notes"]] == ["database"]


def test_a_store_with_wrong_credentials_is_named_and_others_are_not(
    holdfast: Holdfast, world: World, berlin: int
) -> None:
    world.tell(
        """UPDATE store SET trouble = 'the store refuses our credentials', trouble_since = :now
           WHERE merchant_id = :merchant_id"""
    )
    healthy(world, "Lyon")

    said = holdfast("doctor", "--json")

    assert said.code == 1
    assert set(problems(said)) == {"Berlin"}
    assert "the store refuses our credentials" in problems(said)["Berlin"]
    assert "holdfast store renew Berlin" in problems(said)["Berlin"]


def test_a_store_whose_connection_broke_off_half_way_is_told(holdfast: Holdfast, world: World, berlin: int) -> None:
    world.tell("DELETE FROM schedule WHERE merchant_id = :merchant_id AND store_id = :store_id", store_id=berlin)

    assert "holdfast store add Berlin" in problems(holdfast("doctor", "--json"))["Berlin"]


def test_a_dead_relay_is_seen_by_the_schedule_that_nobody_keeps(holdfast: Holdfast, world: World, berlin: int) -> None:
    world.tell("UPDATE schedule SET next_at = :now - interval '5 minutes' WHERE merchant_id = :merchant_id")

    assert set(problems(holdfast("doctor", "--json"))) == {"relay"}


def test_a_dead_worker_is_seen_by_work_that_was_sent_and_not_taken(
    holdfast: Holdfast, world: World, berlin: int
) -> None:
    world.tell(
        """INSERT INTO work (merchant_id, topic, store_id, subject, revision, heard_at, due_at, sent_until, tries,
               reason)
           VALUES (:merchant_id, 'order', :store_id, '1001', 1, :now, :now - interval '5 minutes',
               :now + interval '5 seconds', 0, '')""",
        store_id=berlin,
    )

    said = holdfast("doctor", "--json")

    assert set(problems(said)) == {"worker"}
    assert said.json["merchant"]["stores"][0]["unserved"] == 1


def test_what_was_given_up_is_told_with_its_reason(holdfast: Holdfast, world: World, berlin: int) -> None:
    world.tell(
        """INSERT INTO work (merchant_id, topic, store_id, subject, revision, heard_at, due_at, tries, reason, dead_at)
           VALUES (:merchant_id, 'order', :store_id, '1001', 1, :now, :now, 12, 'the store answers 500', :now)""",
        store_id=berlin,
    )

    said = holdfast("doctor", "--json")

    assert "the store answers 500" in problems(said)["Berlin"]
    assert said.json["merchant"]["stores"][0]["dead_letters"] == 1


def test_held_lines_oversold_units_and_refused_listings_are_counted(
    holdfast: Holdfast, world: World, berlin: int
) -> None:
    world.listings(berlin, "MUG", "PLATE")
    world.receive("MUG", 1)
    world.hear(berlin, order(line("MUG", 3, counted=3), line("NOWHERE", 1)))
    world.tell("UPDATE listing SET quarantine_reason = 'too big' WHERE merchant_id = :merchant_id AND sku = 'PLATE'")

    said = holdfast("doctor", "--json")
    (store,) = said.json["merchant"]["stores"]
    told = " ".join(one["sentence"] for one in said.json["problems"])

    assert (store["held_lines"], store["oversold_units"], store["open_incidents"]) == (1, 2, 1)
    assert (store["quarantined"], store["listings"], store["stale"]) == (1, 2, 1)
    assert "1 order lines wait" in told
    assert "2 units were sold that are not there" in told
    assert "1 listings are refused" in told


def test_credentials_sealed_with_a_lost_key_are_named(holdfast: Holdfast, world: World, berlin: int) -> None:
    lost = Secrets("Zm9yIGEga2V5IHRoYXQgbm9ib2R5IGhhcyBhbnkgbSE=").seal({"consumer_key": "ck_very_secret"})
    world.tell(SEAL, store_id=berlin, credentials=lost)

    assert "HOLDFAST_SECRET_KEYS" in problems(holdfast("doctor", "--json"))["Berlin"]


def test_a_key_that_others_can_read_is_named_with_the_command_that_mends_it(
    holdfast: Holdfast, berlin: int, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    key = tmp_path_factory.mktemp("keys") / "secret.key"
    key.write_text(SECRET_KEY)
    key.chmod(0o644)
    monkeypatch.delenv("HOLDFAST_SECRET_KEYS")
    monkeypatch.setenv("HOLDFAST_SECRET_KEY_FILE", str(key))

    refused = problems(holdfast("doctor", "--json"))
    key.chmod(0o600)

    assert f"chmod 600 {key}" in refused["secret key"]
    assert problems(holdfast("doctor", "--json")) == {}


@pytest.mark.broken_books
def test_broken_books_are_told(holdfast: Holdfast, world: World, superuser: Engine, berlin: int) -> None:
    world.listings(berlin, "MUG")
    world.receive("MUG", 1)
    with superuser.connect() as connection:
        connection.execute(text("UPDATE sales_balance SET free = free + 1"))

    assert "`holdfast audit`" in problems(holdfast("doctor", "--json"))["books"]


def test_everything_that_is_away_is_told_in_one_go(
    holdfast: Holdfast, berlin: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", "postgresql://holdfast_app:very_secret@127.0.0.1:1/holdfast")
    monkeypatch.setenv("HOLDFAST_REDIS_URL", "redis://:very_secret@127.0.0.1:1/0")
    monkeypatch.setenv("HOLDFAST_SECRET_KEYS", "no key at all, and very_secret")

    said = holdfast("doctor", "--json")

    assert said.code == 1
    assert set(problems(said)) == {"database", "broker", "secret key"}
    assert "very_secret" not in said.out + said.err


def test_without_any_hub_the_doctor_still_answers(holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOLDFAST_DATABASE_URL")

    said = holdfast("doctor", "--json")

    assert said.code == 1
    assert "`holdfast up`" in problems(said)["hub"]


def test_no_secret_stands_in_what_the_doctor_says(holdfast: Holdfast, berlin: int, logins: Logins) -> None:
    password = logins.app.split(":")[2].split("@")[0]

    said = holdfast("doctor", "--json")

    assert [word for word in ("ck_very_secret", SECRET_KEY, password) if word in said.out + said.err] == []
