"""The commands of a merchant, against a real database and a real storefront of the sandbox."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, text

from config.wiring import App
from core import catalog
from core.model import StoreListing, StoreMode
from tests.builders import World, line, order
from tests.conftest import Logins
from tests.hub import Store, Street, connect_all, serve, street
from tests.integration.command_line import Holdfast


@pytest.fixture(scope="module")
def shops() -> Iterator[Street]:
    with street("woocommerce") as running:
        running.stock({"MUG": 10, "PLATE": 4})
        yield running


@pytest.fixture
def shop(app: App, shops: Street) -> Store:
    """The shop, connected and live; its numbers became the opening stock."""
    return connect_all(app, shops)["woocommerce"]


@pytest.fixture
def keys(shops: Street, tmp_path: Path) -> Path:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(shops.told["shops"]["woocommerce"]["credentials"]))
    return file


def add_berlin(holdfast: Holdfast, shops: Street, keys: Path, *more: str) -> str:
    url = shops.told["shops"]["woocommerce"]["url"]
    said = holdfast(
        "store", "add", "Berlin", "--platform", "woocommerce", "--url", url, "--credentials", str(keys), *more
    )
    assert said.code == 0, said.err
    return said.out


def test_a_store_is_connected_in_observe_and_nothing_is_written(
    holdfast: Holdfast, shops: Street, keys: Path, app: App
) -> None:
    before = shops.writes("woocommerce")

    add_berlin(holdfast, shops, keys, "--opening")
    serve(app)

    (listed,) = holdfast("store", "list", "--json").json
    assert (listed["name"], listed["mode"], listed["listings"]) == ("Berlin", "observe", 2)
    assert "Berlin" in holdfast("store", "list").out
    assert holdfast("stock", "show", "mug", "--json").json["layers"][2]["buckets"]["free"] == shops.shown(
        "woocommerce", "MUG"
    )
    assert shops.writes("woocommerce") == before


def test_an_empty_shop_is_said_to_have_no_opening_stock(holdfast: Holdfast, tmp_path: Path) -> None:
    with street("woocommerce") as empty:
        file = tmp_path / "keys.json"
        file.write_text(json.dumps(empty.told["shops"]["woocommerce"]["credentials"]))
        assert "It lists nothing, so there is no opening stock" in add_berlin(holdfast, empty, file, "--opening")


def test_credentials_that_do_not_work_are_not_kept(holdfast: Holdfast, shops: Street, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("consumer_key=ck_nobody\nconsumer_secret=cs_very_secret\n")
    url = shops.told["shops"]["woocommerce"]["url"]

    said = holdfast("store", "add", "Berlin", "--platform", "woocommerce", "--url", url, "--credentials", str(wrong))

    assert said.code == 1
    assert len(said.err.splitlines()) == 1
    assert "cs_very_secret" not in said.err
    assert holdfast("store", "list", "--json").json == []


def test_nothing_secret_is_shown_by_any_view_of_a_store(
    holdfast: Holdfast, shops: Street, keys: Path, app: App
) -> None:
    add_berlin(holdfast, shops, keys)
    secrets = shops.told["shops"]["woocommerce"]["credentials"].values()

    shown = "".join(
        holdfast(*command).out
        for command in (
            ("store", "list"),
            ("store", "list", "--json"),
            ("doctor", "--json"),
            ("store", "test", "Berlin"),
        )
    )

    assert [secret for secret in secrets if secret in shown] == []


def test_an_operator_looks_after_a_store_and_the_log_says_so_without_its_secrets(
    holdfast: Holdfast, shops: Street, keys: Path, app: App
) -> None:
    operator = "operator@example.com"
    holdfast("user", "add", operator, "--role", "operator")

    add_berlin(holdfast, shops, keys, "--as", operator)
    holdfast("store", "renew", "Berlin", "--credentials", str(keys), "--as", operator)
    holdfast("sync", "Berlin", "--dry-run", "--as", operator)
    holdfast("sync", "Berlin", "--as", operator)

    said = holdfast("log", "--by", operator, "--json")
    assert [(one["act"], one["what"]) for one in said.json] == [
        ("sync.run", "Berlin"),
        ("store.renew", "Berlin"),
        ("store.add", "Berlin"),
    ]
    secrets = shops.told["shops"]["woocommerce"]["credentials"].values()
    assert [secret for secret in secrets if secret in said.out] == []


def test_going_live_says_what_would_change_and_asks(holdfast: Holdfast, shops: Street, keys: Path, app: App) -> None:
    add_berlin(holdfast, shops, keys)

    asked = holdfast("store", "mode", "Berlin", "live")
    agreed = holdfast("store", "mode", "Berlin", "live", "--yes")

    assert asked.code == 1
    assert "2 of 2 listings would change, 2 of them to 0" in asked.out
    assert "--yes" in asked.err
    assert agreed.code == 0
    assert "in mode live (was observe)" in agreed.out


def test_a_dry_run_lists_what_differs_and_a_sync_sets_it_right(
    holdfast: Holdfast, shop: Store, shops: Street, app: App
) -> None:
    sellable = shops.shown("woocommerce", "MUG")
    shops.act("woocommerce", "stock", sku="MUG", quantity=77)

    planned = holdfast("sync", "woocommerce", "--dry-run", "--json").json
    shown = holdfast("sync", "woocommerce", "--dry-run").out
    after_planning = shops.shown("woocommerce", "MUG")
    done = holdfast("sync", "woocommerce")
    serve(app)

    (found,) = planned["differences"]
    assert (found["sku"], found["shown"], found["wanted"]) == ("MUG", 77, sellable)
    assert "Nothing was written" in shown
    assert after_planning == 77
    assert done.code == 0
    assert shops.shown("woocommerce", "MUG") == sellable


def test_a_store_that_is_off_is_not_read(holdfast: Holdfast, shop: Store) -> None:
    holdfast("store", "mode", "woocommerce", "off")

    said = holdfast("sync", "woocommerce")

    assert said.code == 1
    assert "holdfast store mode woocommerce observe" in said.err


def test_the_red_button_stops_all_writing_until_resumed(holdfast: Holdfast, shop: Store, app: App) -> None:
    before = shop.shown("MUG")

    holdfast("store", "pause", "--all")
    holdfast("stock", "receive", "MUG", "5")
    serve(app)
    while_paused = shop.shown("MUG")
    holdfast("store", "resume", "--all")
    serve(app)

    assert while_paused == before
    assert shop.shown("MUG") == before + 5


def test_pausing_needs_to_know_which_store(holdfast: Holdfast) -> None:
    assert holdfast("store", "pause").code == 2
    assert holdfast("store", "pause", "Berlin", "--all").code == 2


def test_new_credentials_replace_the_old_only_when_they_work(
    holdfast: Holdfast, shop: Store, keys: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("consumer_key=ck_nobody\nconsumer_secret=cs_nobody\n")

    refused = holdfast("store", "renew", "woocommerce", "--credentials", str(wrong))
    still_works = holdfast("store", "test", "woocommerce")
    renewed = holdfast("store", "renew", "woocommerce", "--credentials", str(keys))

    assert (refused.code, still_works.code, renewed.code) == (1, 0, 0)


def test_a_held_line_is_listed_and_its_order_is_fetched_again_once_mapped(holdfast: Holdfast, world: World) -> None:
    store_id = world.stocked("PLATE", units=4)
    with world.db.begin(world.merchant_id, actor="test") as tx:
        catalog.import_listings(tx, store_id, [StoreListing("listing-NAMELESS", "", "Nameless", 3)])
    world.hear(store_id, order(line("NAMELESS", 2), line("NAMELESS", 1, "second")))

    (gap,) = holdfast("store", "map", "Main street", "--json").json
    unknown = holdfast("store", "map", "Main street", "listing-NOWHERE", "PLATE")
    waiting = world.work("order")
    mapped = holdfast("store", "map", "Main street", "listing-NAMELESS", "plate")

    assert (gap["external_id"], gap["title"], gap["held_lines"]) == ("listing-NAMELESS", "Nameless", 2)
    assert "has no SKU" in gap["why"]
    assert (unknown.code, mapped.code) == (1, 0)
    assert waiting == []
    assert world.work("order") == ["1001"]


def test_the_merchant_is_changed_only_where_asked(holdfast: Holdfast) -> None:
    holdfast("merchant", "--email", "a@shop.example")

    told = holdfast("merchant", "--name", "Cups & Co", "--json").json
    wrong = holdfast("merchant", "--time-zone", "Mars/Olympus")

    assert (told["name"], told["time_zone"], told["alert_email"]) == ("Cups & Co", "Europe/Berlin", "a@shop.example")
    assert wrong.code == 1
    assert "Europe/Berlin" in wrong.err


def test_a_right_ledger_passes_the_audit(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=9)

    assert holdfast("audit").code == 0
    assert holdfast("audit", "--json").json == {"violations": 0, "rows": []}


@pytest.mark.broken_books
def test_a_corrupted_balance_fails_the_audit_and_is_named(holdfast: Holdfast, world: World, superuser: Engine) -> None:
    world.stocked("MUG", units=9)
    with superuser.connect() as connection:
        connection.execute(text("UPDATE sales_balance SET free = free + 1"))

    said = holdfast("audit")

    assert said.code == 1
    assert "balances are the replay of the movements" in said.out
    assert holdfast("audit", "--json").json["violations"] > 0


def test_dead_letters_are_listed_with_their_reason_and_replayed(holdfast: Holdfast, world: World) -> None:
    store_id = world.store("Berlin")
    world.tell(
        """INSERT INTO work (merchant_id, topic, store_id, subject, revision, heard_at, due_at, tries, reason, dead_at)
           VALUES (:merchant_id, 'order', :store_id, '1001', 1, :now, :now, 12, 'the store answers 500', :now)""",
        store_id=store_id,
    )

    (dead,) = holdfast("work", "list", "--json").json
    other = holdfast("work", "replay", "mail")
    replayed = holdfast("work", "replay")

    assert (dead["store"], dead["subject"], dead["reason"]) == ("Berlin", "1001", "the store answers 500")
    assert "nothing to replay" in other.out
    assert "1 dead letter will be tried again" in replayed.out
    assert holdfast("work", "list", "--json").json == []
    assert [row["subject"] for row in holdfast("work", "list", "--all", "--json").json] == ["1001"]


def test_another_merchant_is_behind_the_wall_and_an_unknown_one_is_named(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=9)

    said = holdfast("stock", "show", "MUG", "--merchant", "7")

    assert said.code == 1
    assert "there is no merchant 7; there are: 1 (Test shop)" in said.err


def test_without_a_hub_each_command_names_the_cure(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HOLDFAST_DATABASE_URL")

    for command in (
        ("audit",),
        ("store", "list"),
        ("stock", "show", "MUG"),
        ("sync", "Berlin"),
        ("migrate",),
        ("web",),
    ):
        said = holdfast(*command)

        assert said.code == 1
        assert said.err.startswith(f"holdfast: no hub runs on {tmp_path}; start one with `holdfast up`")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://holdfast_app:very_secret@127.0.0.1:1/holdfast", "the database cannot be used"),
        ("very_secret", "HOLDFAST_DATABASE_URL is no database address"),
    ],
)
def test_a_database_that_is_not_there_is_one_line_without_its_password(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch, url: str, told: str
) -> None:
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", url)

    said = holdfast("store", "list")

    assert (said.code, len(said.err.splitlines())) == (1, 1)
    assert told in said.err
    assert "very_secret" not in said.err


def test_a_database_without_our_schema_says_how_to_make_it(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch, logins: Logins
) -> None:
    empty = f"{logins.database}_empty"
    with psycopg.connect(logins.superuser.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {empty} OWNER holdfast_owner".encode())
        try:
            there = logins.at(empty)
            monkeypatch.setenv("HOLDFAST_DATABASE_URL", there.app)
            before = holdfast("audit")
            monkeypatch.setenv("HOLDFAST_OWNER_DATABASE_URL", there.owner)
            migrated, again = holdfast("migrate", "--name", "Cups"), holdfast("migrate")
            after = holdfast("merchant")
        finally:
            connection.execute(f"DROP DATABASE {empty} WITH (FORCE)".encode())

    assert before.code == 1
    assert "holdfast migrate" in before.err
    assert "schema none -> " in migrated.out
    assert "nothing to do" in again.out
    assert "Merchant 1: Cups" in after.out


def test_settings_that_are_wrong_are_all_named_at_once(holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_PORT", "many")
    monkeypatch.setenv("HOLDFAST_POLL_S", "0")

    said = holdfast("store", "list")

    assert said.code == 1
    assert "HOLDFAST_PORT" in said.err
    assert "HOLDFAST_POLL_S" in said.err


def test_it_works_in_a_folder_with_modules_of_the_same_names(holdfast: Holdfast, tmp_path: Path, world: World) -> None:
    for name in ("config", "core", "edge"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('this is another project')")

    said = subprocess.run(
        [str(Path(sys.executable).parent / "holdfast"), "audit", "--json"],
        cwd=tmp_path,
        env={**os.environ},
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.stderr == ""
    assert json.loads(said.stdout) == {"violations": 0, "rows": []}


def test_modes_are_those_of_the_glossary(holdfast: Holdfast, world: World) -> None:
    world.store("Berlin", mode=StoreMode.OBSERVE)

    assert holdfast("store", "mode", "Berlin", "everything").code == 2
    assert holdfast("store", "mode", "Berlin", "dry_run").code == 0
