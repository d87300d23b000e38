"""Holds that many workers make, rescue and end at once."""

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from core.command import Command
from core.errors import Refused
from core.sales.holds import EndHold, ExtendHold, Held, Hold, PayHold
from tests.builders import FAR_OFF, Clock, Units, World
from tests.conftest import Logins, violations
from tests.integration.hold_acts import expired
from tests.integration.race_acts import forget_row_locks, together

WORKERS = 4


def at_once(acts: Sequence[Callable[[], Any]]) -> list[Any]:
    return together(lambda act: act(), acts, threads=len(acts))


@pytest.mark.parametrize(
    ("rescue", "answer"),
    [(lambda key: PayHold(key, "started"), bool), (ExtendHold, object), (lambda key: PayHold(key, "paid"), bool)],
    ids=["payment started", "extended", "paid"],
)
def test_four_workers_never_end_a_hold_that_was_rescued(
    world: World, clock: Clock, rescue: Callable[[str], Command], answer: type
) -> None:
    """Each hold is either rescued and holds its units, or has run out and says so to who comes too late."""
    world.stocked("mug", units=60)
    keys = [f"h{n}" for n in range(60)]
    world.run(*(Hold(key, {world.item("mug"): 1}, clock.after(60)) for key in keys))
    clock.pass_(61)

    def expire() -> int:
        ended = 0
        while due := expired(world):
            for start in range(0, len(due), 5):
                ended += sum(world.run(*(EndHold(key, only_expired=True) for key in due[start : start + 5])))
        return ended

    def save() -> list[Any]:
        mixed = random.Random(7).sample(keys, len(keys))
        return [world.run(rescue(key))[0] for key in mixed]

    *ended, saved = at_once([*([expire] * WORKERS), save])
    kept = sum(not isinstance(result, Refused) for result in saved)
    assert sum(ended) + kept == 60
    units = world.units("mug")
    assert (units.free, units.reserved + units.sold) == (60 - kept, kept)
    assert world.documents().count("expiry") == sum(ended)


@pytest.mark.broken_books
@pytest.mark.parametrize("rescue", [PayHold("h", "started"), ExtendHold("h")])
def test_without_row_locks_a_hold_is_rescued_and_ended(
    world: World, logins: Logins, clock: Clock, rescue: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    world.stocked("mug", units=5)
    world.do(Hold("h", {world.item("mug"): 2}, clock.after(60)))
    clock.pass_(61)
    forget_row_locks(monkeypatch)
    saved, ended = at_once([lambda: world.run(rescue)[0], lambda: world.run(EndHold("h", only_expired=True))[0]])
    assert not isinstance(saved, Refused)
    assert ended is True
    assert world.units("mug").reserved == 0 or violations(logins)


def test_a_hold_and_its_release_at_once_end_alike_whichever_is_first(world: World) -> None:
    world.stocked("mug", units=50)
    mug = world.item("mug")
    for n in range(12):
        hold, release = Hold(f"h{n}", {mug: 1}, FAR_OFF), EndHold(f"h{n}")
        (held,), _ = at_once([partial(world.run, hold), partial(world.run, release)])
        assert isinstance(held, Held | Refused)
    assert world.units("mug") == Units(50)
