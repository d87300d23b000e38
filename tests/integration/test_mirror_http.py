"""What an outside system tells by HTTP: let in by its key, bounded, answered with what was done or how to mend it."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest
from fastapi import Request
from starlette.testclient import TestClient

from config.wiring import App
from core import catalog
from core.access import keys
from core.access.actors import shell
from core.access.rights import Right
from core.errors import Overloaded, Refused
from core.transaction import Database
from edge import mirror as door
from edge.app import create
from tests import mirror_world as mirror
from tests.builders import World
from tests.mirror_world import row, shelf


@dataclass(frozen=True, slots=True)
class Wms:
    """An outside system with the address of a hub and its key."""

    web: httpx.Client
    key: str

    def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.web.post(
            f"/mirror/{path}", content=content, headers={"Authorization": f"Bearer {self.key}", **headers}
        )

    def get(self, name: str = "wms", **headers: str) -> httpx.Response:
        return self.web.get(f"/mirror/{name}", headers={"Authorization": f"Bearer {self.key}", **headers})

    def items(self, *rows: object, **how: object) -> httpx.Response:
        return self.post("wms/items", {"items": rows, **how})

    def full(self, version: object, *rows: object, **how: object) -> httpx.Response:
        return self.post("wms/full", {"version": version, "items": rows, **how})


def key_of(db: Database, merchant_id: int = 1, scope: Right = Right.STOCK_ADJUST) -> str:
    with db.begin(merchant_id, actor="cli") as tx:
        return str(keys.make(tx, shell(merchant_id), f"key {scope}", [scope]))


@pytest.fixture
def web(app: App) -> Iterator[httpx.Client]:
    with TestClient(create(app)) as client:
        yield client


@pytest.fixture
def wms(world: World, web: httpx.Client) -> Wms:
    """A source of MAIN, where 5 mugs and 5 cups stand."""
    world.stocked("mug", "cup", units=5)
    mirror.source(world)
    return Wms(web, key_of(world.db))


def test_items_are_booked_and_each_is_answered(world: World, wms: Wms) -> None:
    said = wms.items(row("mug", 8, 2), row("cup", 5, 2))

    assert said.status_code == 200
    told = said.json()
    assert (told["booked"], told["same"], told["late"], told["refused"]) == (1, 1, 0, 0)
    assert [(one["sku"], one["outcome"], one["change"]) for one in told["results"]] == [
        ("mug", "booked", 3), ("cup", "same", 0),
    ]  # fmt: skip
    assert shelf(world, "mug") == 8
    assert world.scalar("SELECT DISTINCT actor FROM document WHERE kind = 'found'").startswith("api_key:")


def test_the_same_request_again_changes_nothing_and_is_answered_the_same(world: World, wms: Wms) -> None:
    first = wms.items(row("mug", 8, 2)).json()["results"][0]

    again = wms.items(row("mug", 8, 2)).json()["results"][0]

    assert {**again, "repeated": False} == first
    assert world.documents() == ["found"]


def test_a_refused_message_is_told_and_its_neighbours_are_booked(world: World, wms: Wms) -> None:
    wms.items(row("mug", 8, 2))

    said = wms.items(row("mug", 9, 2), row("cup", 1, 2))

    assert said.status_code == 409
    refused, booked = said.json()["results"]
    assert "needs a newer version" in refused["why"]
    assert booked["outcome"] == "booked"


def test_a_full_batch_is_booked(world: World, wms: Wms) -> None:
    said = wms.full(7, row("mug", 1), row("cup", 2), id="night")

    assert (said.status_code, said.json()["state"]) == (200, "done")
    assert said.json()["difference"]["missing"] == 7
    assert (shelf(world, "mug"), shelf(world, "cup")) == (1, 2)


def test_a_batch_that_changes_much_is_accepted_and_waits(world: World, wms: Wms) -> None:
    world.tell("UPDATE mirror_source SET most_units = 3")

    said = wms.full(7, row("mug", 1), row("cup", 2))

    assert (said.status_code, said.json()["state"]) == (202, "held")
    assert said.json()["next"] == f"holdfast mirror review {said.json()['batch']}"
    assert shelf(world, "mug") == 5
    assert wms.full(7, row("mug", 1), row("cup", 2)).status_code == 202


def test_a_dry_run_books_nothing(world: World, wms: Wms) -> None:
    tried = wms.full(7, row("mug", 1), dry_run=True)
    alone = wms.items(row("mug", 1, 7), dry_run=True)

    assert tried.json()["difference"]["missing"] == alone.json()["results"][0]["change"] * -1 == 4
    assert shelf(world, "mug") == 5


def test_a_source_asks_how_far_it_is(world: World, wms: Wms) -> None:
    assert (wms.get().status_code, wms.get().json()["newest"]) == (200, None)
    wms.items(row("mug", 8, 2, as_of=datetime.now(UTC).isoformat()), row("cup", 5, 7))
    wms.items(row("mug", 9, 1), row("spoon", 1, 1), best_effort=True)

    told = wms.get().json()

    assert (told["newest"], told["items"], told["late"], told["refused"]) == ("7", 2, 1, 1)
    assert [one["sku"] for one in told["late_messages"]] == ["mug"]
    assert [(one["subject"], one["times"]) for one in told["refusals"]] == [("spoon", 1)]
    assert told["waiting"] == []
    assert "unsettled" not in told, "that would be too much to ask again and again"
    assert told["last_message_at"].endswith("+00:00")


def test_a_source_asks_what_its_batch_that_waits_would_change(world: World, wms: Wms) -> None:
    world.tell("UPDATE mirror_source SET most_units = 3")
    held = wms.full(7, row("mug", 1), row("cup", 0)).json()["batch"]

    (waits,) = wms.get().json()["waiting"]

    assert (waits["batch"], waits["state"]) == (held, "held")
    assert (waits["difference"]["missing"], waits["difference"]["zeroed"]) == (9, 1)
    assert wms.get().json()["newest"] is None


# ---- who may


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Bearer hf_0", "Basic dXNlcjpwYXNz"])
def test_without_a_key_that_works_nothing_is_read(wms: Wms, authorization: str) -> None:
    for said in (wms.post("wms/items", b"{", Authorization=authorization), wms.get(Authorization=authorization)):
        assert said.status_code == 401
        assert "holdfast key make" in said.json()["error"]
        assert said.headers["WWW-Authenticate"] == "Bearer"


def test_a_wrong_secret_or_a_revoked_key_does_not_let_in(world: World, wms: Wms) -> None:
    wrong = wms.key[:-1] + ("0" if wms.key[-1] != "0" else "1")
    assert Wms(wms.web, wrong).items(row("mug", 8, 2)).status_code == 401
    with world.db.begin(1, actor="cli") as tx:
        keys.revoke(tx, shell(1), "key stock.adjust")

    assert wms.items(row("mug", 8, 2)).status_code == 401
    assert shelf(world, "mug") == 5


def test_a_key_that_may_only_look_is_told_which_right_it_lacks(world: World, wms: Wms) -> None:
    viewer = Wms(wms.web, key_of(world.db, scope=Right.STOCK_VIEW))

    for said in (viewer.items(row("mug", 8, 2)), viewer.get()):
        assert said.status_code == 403
        assert "stock.adjust" in said.json()["error"]


def test_the_source_of_another_merchant_is_not_there(world: World, wms: Wms) -> None:
    catalog.ensure_merchant(world.db, 2, name="Second shop")
    other = Wms(wms.web, key_of(world.db, 2))

    said = other.items(row("mug", 8, 2))
    assert (said.status_code, other.get().status_code) == (404, 404)
    assert "wms/" not in said.text
    mirror.source(World(world.db, 2))
    assert other.items(row("mug", 8, 2)).status_code == 422  # it has no mug
    assert shelf(world, "mug") == 5


@pytest.mark.parametrize("name", ["%00", "wms%00", "%ff", "a" * 5_000, "wms%01"])
def test_what_can_be_no_name_of_a_source_is_not_there(wms: Wms, name: str) -> None:
    for said in (wms.get(name), wms.post(f"{name}/items", {"items": [row("mug", 8, 2)]})):
        assert (said.status_code, "there are wms" in said.json()["error"]) == (404, True)


# ---- what may be said

NUMBERS = [
    "-1", "1.5", "5.0", "1e3", "1" + "0" * 30, "NaN", "Infinity", "-Infinity", "true", "null", '""', '"5,0"', '"٥"',
    "[]", "{}", "1" + "0" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("field", ["quantity", "version"])
def test_what_is_no_whole_number_is_refused_by_name(world: World, wms: Wms, field: str) -> None:
    for number in NUMBERS:
        said = {"sku": '"mug"', "quantity": "8", "version": "2", field: number}
        body = '{"items": [{' + ", ".join(f'"{name}": {value}' for name, value in said.items()) + "}]}"

        answer = wms.post("wms/items", body.encode())

        assert (number[:9], answer.status_code) in {(number[:9], 400), (number[:9], 422)}
        assert answer.status_code == 400 or field in answer.json()["rows"][0]["why"]
    assert shelf(world, "mug") == 5


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b'{"items": [{"sku": "\xff"}]}',
    "a list": b"[]",
    "no items": b'{"rows": []}',
    "items that are no list": b'{"items": {"sku": "mug"}}',
    "a field that nobody knows": b'{"items": [], "force": true}',
    "a field said twice": b'{"items": [], "items": []}',
    "a word for a switch": b'{"items": [], "dry_run": "yes"}',
    "very deep": b'{"items": ' + b"[" * 100_000,
}


@pytest.mark.parametrize("path", ["wms/items", "wms/full"])
def test_a_body_that_means_nothing_is_refused_with_an_example_or_the_place(wms: Wms, path: str) -> None:
    answers = {name: wms.post(path, body) for name, body in BODIES.items()}

    assert {name: said.status_code for name, said in answers.items()} == dict.fromkeys(BODIES, 400)
    assert all(said.json()["error"] for said in answers.values())


ROWS: dict[str, object] = {
    "a number": 5,
    "no sku": {"quantity": 5, "version": 1},
    "an empty sku": {"sku": "  ", "quantity": 5, "version": 1},
    "a zero byte": {"sku": "mug\0", "quantity": 5, "version": 1},
    "half a letter": {"sku": "mug\ud800", "quantity": 5, "version": 1},
    "a long sku": {"sku": "m" * 5_000, "quantity": 5, "version": 1},
    "a sku that is a list": {"sku": ["mug"], "quantity": 5, "version": 1},
    "a grade that is none": {"sku": "mug", "quantity": 5, "version": 1, "grade": "best"},
    "a field that nobody knows": {"sku": "mug", "qty": 5, "version": 1},
    "no version": {"sku": "mug", "quantity": 5},
    "a time in a source of versions": {"sku": "mug", "quantity": 5, "version": 1, "time": "2026-01-01T00:00:00Z"},
    "a time without offset": {"sku": "mug", "quantity": 5, "version": 1, "as_of": "2026-01-01T00:00:00"},
    "no time": {"sku": "mug", "quantity": 5, "version": 1, "as_of": "yesterday"},
    "the end of all days": {"sku": "mug", "quantity": 5, "version": 1, "as_of": "9999-12-31T23:59:59-14:00"},
    "a time before all": {"sku": "mug", "quantity": 5, "version": 1, "as_of": "0001-01-01T00:00:00+14:00"},
    "a sku that is SQL": {"sku": "mug'; DROP TABLE item; --", "quantity": 5, "version": 1},
}


def test_a_row_that_cannot_be_used_is_named_and_nothing_is_booked(world: World, wms: Wms) -> None:
    answers = {name: wms.items(row("cup", 9, 1), said) for name, said in ROWS.items()}

    assert {name: said.status_code for name, said in answers.items()} == dict.fromkeys(ROWS, 422)
    assert [one["row"] for said in answers.values() for one in said.json()["rows"]] == [2] * len(ROWS)
    assert shelf(world, "cup") == 5


def test_a_sku_of_any_script_is_found_in_any_case(world: World, wms: Wms) -> None:
    world.stocked("Größe-Ω-カップ", units=5)

    assert wms.items(row("GRÖSSE-ω-カップ", 2, 1)).json()["results"][0]["change"] == -3


def test_more_bytes_than_allowed_are_not_read(wms: Wms, app: App) -> None:
    said = wms.post("wms/items", b" " * (app.settings.webhook_body_limit + 1))

    assert said.status_code == 413
    assert "fewer items" in said.json()["error"]


def test_a_full_batch_may_be_larger_but_not_without_end(wms: Wms, app: App) -> None:
    blanks = b" " * app.settings.webhook_body_limit

    assert wms.post("wms/full", b'{"version": 1, "items": [{"sku": "mug", "quantity": 5}]' + blanks + b"}").is_success
    assert wms.post("wms/full", b" " * (door.MOST_BYTES + 1)).status_code == 413


@dataclass
class Slow:
    """A request whose body comes in as many chunks of 1 MB as are asked for, and then not further."""

    chunks: int
    stands_still: bool = True

    async def stream(self) -> AsyncIterator[bytes]:
        for _ in range(self.chunks):
            yield b" " * 1_000_000
        if self.stands_still:
            await asyncio.sleep(30)


def test_many_slow_senders_fill_no_memory_and_give_the_room_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_ARRIVES_IN_S", 0.2)
    inlet = door.Inlet()

    async def at_once() -> list[object]:
        senders = [inlet.body_of(cast(Request, Slow(12)), door.MOST_BYTES) for _ in range(8)]
        return list(await asyncio.gather(*senders, return_exceptions=True))

    said = asyncio.run(at_once())

    assert {type(one) for one in said} == {TimeoutError, Overloaded}
    assert inlet.bytes == 0
    whole = asyncio.run(inlet.body_of(cast(Request, Slow(12, stands_still=False)), door.MOST_BYTES))
    assert whole == b" " * 12_000_000
    assert asyncio.run(inlet.body_of(cast(Request, Slow(17)), door.MOST_BYTES)) is None


def test_too_many_rows_are_refused(wms: Wms) -> None:
    body = b'{"version": 1, "items": [' + b"0," * 100_000 + b"0]}"

    said = wms.post("wms/full", body)

    assert (said.status_code, "too many" in said.json()["error"]) == (409, True)


def test_rows_beyond_all_bounds_cost_no_more_than_to_be_read(wms: Wms) -> None:
    """What is made of a body beside its JSON: a tuple for each of 7 million rows would be half a gigabyte."""
    body = b'{"version": 1, "items": [' + b"0," * 1_000_000 + b"0]}"

    tracemalloc.start()
    with pytest.raises(Refused, match="1,000,001 rows are too many"):
        door.read_body(body, ("version",))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 8 * len(body)


def test_a_count_that_is_older_than_what_is_known_of_the_past_is_refused(world: World, wms: Wms) -> None:
    for as_of in ("1970-01-01T00:00:00Z", (datetime.now(UTC) - timedelta(days=91)).isoformat()):
        item = wms.items(row("mug", 8, 2, as_of=as_of))
        whole = wms.post("wms/full", {"version": 3, "as_of": as_of, "items": [row("mug", 8)]})

        assert (item.status_code, whole.status_code) == (409, 409)
        assert "count it again" in item.json()["results"][0]["why"]
        assert "count it again" in whole.json()["error"]
    assert shelf(world, "mug") == 5
    young = (datetime.now(UTC) - timedelta(days=89)).isoformat()
    assert wms.items(row("mug", 8, 2, as_of=young)).status_code == 200


def test_rows_of_a_batch_have_no_place_in_the_order_of_their_own(wms: Wms) -> None:
    said: Any = wms.full(7, row("mug", 1, 9)).json()

    assert "say them of the batch" in said["rows"][0]["why"]


def test_a_batch_without_its_place_in_the_order_is_refused(wms: Wms) -> None:
    said = wms.post("wms/full", {"items": [row("mug", 1)]})

    assert (said.status_code, "say its version" in said.json()["error"]) == (422, True)


def test_while_two_batches_are_booked_a_third_is_asked_to_come_again(world: World, app: App) -> None:
    listener = door.Listener(app)
    listener.room.acquire()
    listener.room.acquire()

    said = listener.answered(lambda: listener.full(shell(1), "wms", b"{}"))

    assert said[0] == 503
