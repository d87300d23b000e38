"""What commands that change a store, a user or a key answer to machines: one object, and nothing beside it."""

from tests.builders import World
from tests.integration.command_line import Holdfast

VIEWER = "viewer@example.com"


def test_a_change_of_mode_tells_the_old_one_and_how_much_is_computed_again(holdfast: Holdfast, world: World) -> None:
    world.store("Berlin")

    told = holdfast("store", "mode", "Berlin", "dry_run", "--json").json

    assert told == {"store": "Berlin", "mode": "dry_run", "was": "live", "paused": False, "computed_again": 0}


def test_the_red_button_names_the_stores_that_it_stopped(holdfast: Holdfast, world: World) -> None:
    world.store("Berlin")
    world.store("Oslo")

    paused = holdfast("store", "pause", "--all", "--json").json
    resumed = holdfast("store", "resume", "Oslo", "--json").json

    assert sorted(paused["paused"]) == ["Berlin", "Oslo"]
    assert resumed == {"resumed": ["Oslo"]}


def test_whoever_loses_rights_is_told_with_the_keys_that_still_work(holdfast: Holdfast, world: World) -> None:
    holdfast("user", "add", "owner@example.com", "--role", "owner")
    holdfast("user", "add", VIEWER, "--role", "owner")
    holdfast("key", "make", "website", "--scope", "stock.view", "--as", VIEWER)

    changed = holdfast("user", "role", VIEWER, "viewer", "--json").json
    disabled = holdfast("user", "disable", VIEWER, "--json").json
    enabled = holdfast("user", "enable", VIEWER, "--json").json
    removed = holdfast("user", "remove", VIEWER, "--json").json
    revoked = holdfast("key", "revoke", "website", "--json").json

    assert changed == {"user": VIEWER, "role": "viewer", "was": "owner", "keys": ["website"]}
    assert disabled == {"user": VIEWER, "disabled": True, "keys": ["website"]}
    assert enabled == {"user": VIEWER, "disabled": False, "keys": []}
    assert removed == {"user": VIEWER, "removed": True, "erased": False, "keys": ["website"]}
    assert revoked == {"key": "website", "revoked": True}


def test_a_warning_of_low_stock_says_whom_it_reaches(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG-RED", units=10)

    assert holdfast("stock", "warn", "MUG-RED", "5", "--json").json == {
        "sku": "MUG-RED", "warn_at": 5, "mail_to": None,
    }  # fmt: skip


def test_nothing_to_replay_is_a_count_of_none(holdfast: Holdfast, world: World) -> None:
    assert holdfast("work", "replay", "--json").json == {"topic": None, "replayed": 0}
