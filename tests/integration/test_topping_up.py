"""A transfer that found fewer goods than it asked for gets what comes free later, once no customer was promised it."""

import contextlib

import pytest

from config.wiring import App
from core import work
from core.errors import Refused
from core.goods.adjusting import Lose
from core.sales.holds import EndHold, Hold
from core.stock import DocumentKind
from core.supply import topping_up, transfers
from jobs import backorders as job
from tests.builders import FAR_OFF, World, line, order
from tests.hub import MERCHANT
from tests.integration import fulfilment_acts, lock_acts
from tests.integration.place_acts import tell
from tests.integration.race_acts import together
from tests.integration.test_transfers import asked, found, kept, send


def top_up(world: World) -> int:
    return topping_up.apply(world.db, world.merchant_id, actor="test")


def kept_by(world: World) -> dict[str, int]:
    rows = world.ask(
        """SELECT t.number, sum(l.allocated)::bigint AS units FROM transfer t JOIN transfer_line l
           ON (l.merchant_id, l.transfer_id) = (t.merchant_id, t.id)
           WHERE t.merchant_id = :merchant_id GROUP BY 1"""
    )
    return {row.number: row.units for row in rows}


def test_what_comes_in_later_is_kept_and_no_more_than_was_asked_for(world: World) -> None:
    world.stocked("mug", units=2)
    asked(world, mug=5)
    assert top_up(world) == 0

    world.receive("mug", 2)
    assert top_up(world) == 2
    world.receive("mug", 4)
    assert top_up(world) == 1
    assert top_up(world) == 0

    assert kept(world) == (3, 5)
    send(world)
    assert kept(world) == (3, 0)


def test_the_transfer_that_was_asked_for_first_comes_first(world: World) -> None:
    world.stocked("mug", units=0)
    asked(world, "T-9", mug=3)
    asked(world, "T-1", mug=3)
    world.receive("mug", 4)

    top_up(world)

    assert kept_by(world) == {"T-9": 3, "T-1": 1}


def test_who_waits_to_buy_comes_before_any_transfer(world: World) -> None:
    store_id = world.stocked("mug", units=0)
    asked(world, mug=3)
    world.hear(store_id, order(line("mug", 3), paid=True))
    world.receive("mug", 4)

    assert top_up(world) == 1

    assert kept(world) == (3, 1)
    fulfilment_acts.dispatch(world)
    assert kept(world) == (0, 4)


def test_what_was_promised_and_not_allocated_yet_is_not_kept(world: World) -> None:
    world.stocked("mug", units=0)
    asked(world, mug=5)
    world.receive("mug", 5)
    world.do(Hold("cart", {world.item("mug"): 4}, FAR_OFF))

    assert top_up(world) == 1

    world.do(EndHold("cart"))
    assert top_up(world) == 4


def test_what_was_promised_can_be_sent_from_elsewhere(world: World) -> None:
    world.stocked("mug", units=0)
    asked(world, mug=5)
    world.receive("mug", 3)
    fulfilment_acts.put(world, "HAMBURG", mug=2)
    world.do(Hold("cart", {world.item("mug"): 3}, FAR_OFF))

    assert top_up(world) == 2


def test_units_on_their_way_serve_nobody_yet(world: World) -> None:
    world.stocked("mug", units=4)
    asked(world, "T-8", mug=4)
    send(world, number="T-8")
    asked(world, mug=3)
    world.receive("mug", 3)
    world.do(Hold("cart", {world.item("mug"): 3}, FAR_OFF))

    assert top_up(world) == 0


def test_what_a_physical_lock_has_is_not_kept_and_what_a_sales_lock_has_is(world: World) -> None:
    world.stocked("mug", units=0)
    asked(world, mug=9)
    world.receive("mug", 6)
    lock_acts.lock(world, "shelf", "mug", 3, warehouse_id=fulfilment_acts.spot(world, "MAIN").warehouse_id)
    lock_acts.lock(world, "fair", "mug", 2)

    assert top_up(world) == 3

    assert kept(world) == (0, 3)


def test_what_gave_way_is_kept_again_when_goods_come(world: World) -> None:
    world.stocked("mug", units=3)
    asked(world, mug=3)
    world.do(Lose("fire", "fire", DocumentKind.MISSING, {world.item("mug"): 2}))
    assert kept(world) == (0, 1)

    world.receive("mug", 2)
    top_up(world)

    assert kept(world) == (0, 3)


def test_a_closed_transfer_and_one_that_was_sent_get_nothing_more(world: World) -> None:
    world.stocked("mug", units=2)
    asked(world, mug=2)
    send(world)
    asked(world, "T-8", mug=3)
    tell(world, transfers.close, "T-8")
    world.receive("mug", 5)

    assert top_up(world) == 0


def test_the_job_that_serves_who_waits_does_it(app: App, world: World) -> None:
    world.stocked("mug", units=1)
    asked(world, mug=3)
    world.receive("mug", 5)
    with app.db.begin(MERCHANT, actor="test") as tx:
        work.want(tx, [work.Want("backorders", 0, "")])

    job.look_after_backorders(app, MERCHANT, 0)

    assert kept_by(world) == {"T-7": 3}
    assert world.scalar("SELECT actor FROM document ORDER BY id DESC LIMIT 1") == "job:backorders"


ROUNDS = 8


def keep_at_once(world: World) -> list[int]:
    """Two transfers ask for all, of as many units as were promised again: what both have kept, round by round."""
    store_id = world.stocked("mug", units=0)
    for name in ("T-1", "T-2"):
        asked(world, name, mug=1_000)
    spare: list[int] = []
    for turn in range(ROUNDS):
        world.receive("mug", 4)
        world.hear(store_id, order(line("mug", 2), external_id=str(turn), paid=True))
        together(
            lambda name: topping_up.apply_to(world.db, world.merchant_id, name, actor="test"), ["T-1", "T-2"], threads=2
        )
        spare.append(sum(kept_by(world).values()) - 2 * (turn + 1))
    return spare


def test_two_who_keep_the_same_goods_at_once_leave_what_was_promised(world: World) -> None:
    assert keep_at_once(world) == [0] * ROUNDS


def test_without_holding_the_goods_first_what_was_promised_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    monkeypatch.setattr(topping_up, "hold", lambda _tx, _transfer: None)

    assert any(units > 0 for units in keep_at_once(world))


def test_topping_up_while_it_is_sent_and_closed_keeps_no_more_than_is_left(world: World) -> None:
    world.stocked("mug", units=4)
    asked(world, mug=40)
    world.receive("mug", 30)

    def act(n: int) -> None:
        if n == 11:
            tell(world, transfers.close, "T-7")
        elif n % 2 == 0:
            top_up(world)
        else:
            with contextlib.suppress(Refused):  # it was closed
                send(world, 1)

    together(act, list(range(12)), threads=4)

    (one,) = found(world).lines
    assert (one.unsent, kept_by(world)["T-7"]) == (0, 0)
