"""``holdfast replenish`` by forecast, with the library and without it."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from core.replenish.decide import Method
from core.replenish.settings import ItemTerms, set_item
from core.transaction import wall_clock
from tests.builders import Clock, World
from tests.forecasting import needs_forecast, without_forecast
from tests.integration.command_line import Holdfast
from tests.replenish_world import sold

ROOT = Path(__file__).parents[2]
DAYS = 56


@pytest.fixture
def risen(world: World, superuser: Engine) -> None:
    """Mugs that sold 1 a day for six weeks and 6 a day for the last two; jars that never sold."""
    with superuser.connect() as connection:
        connection.execute(
            text("SELECT add_month((now() - make_interval(days => n))::date) FROM generate_series(0, 80, 20) n")
        )
    clock = Clock()
    today = wall_clock().replace(hour=11, minute=0, second=0, microsecond=0)
    clock.now = today - timedelta(days=DAYS + 1)
    world.db.clock = clock
    store = world.stocked("mug", "jar", units=300)
    for day in range(DAYS):
        clock.now = today - timedelta(days=DAYS - day)
        sold(world, store, "mug", 6 if day >= DAYS - 14 else 1, f"d{day}")
    clock.now = wall_clock()


@needs_forecast
def test_an_item_is_ordered_by_what_is_expected_of_it(holdfast: Holdfast, world: World, risen: None) -> None:
    by_pace = holdfast("replenish", "item", "mug", "--json").json
    assert (by_pace["method"], by_pace["forecast"], by_pace["lead_demand"]) == ("pace", None, 32)

    assert holdfast("replenish", "set", "mug", "--method", "forecast").code == 0

    one = holdfast("replenish", "item", "mug", "--json").json
    assert (one["method"], one["forecast"]["kind"]) == ("forecast", "weekly")
    # Two weeks of 6 after six of 1: the new level has 0.51 of the weight.
    assert one["lead_demand"] == 50
    assert one["lasts_days"] == by_pace["lasts_days"]
    assert one["reorder_point"] == one["lead_demand"] + one["safety"]
    said = holdfast("replenish", "item", "mug").out
    assert "Each day of the week is smoothed by itself: 3.55 a day are expected, where the pace says 2.25." in said


@needs_forecast
def test_the_method_of_all_is_that_of_items_that_say_nothing(holdfast: Holdfast, world: World, risen: None) -> None:
    assert holdfast("replenish", "defaults", "--method", "forecast", "--json").json["method"] == "forecast"
    assert holdfast("replenish", "item", "mug", "--json").json["lead_demand"] == 50
    jar = holdfast("replenish", "item", "jar", "--json").json
    assert (jar["method"], jar["forecast"], jar["lead_demand"]) == ("forecast", None, 0)
    assert "Its days are too few for the forecasting library" in " ".join(jar["sentences"])

    assert holdfast("replenish", "set", "mug", "--method", "pace").code == 0
    assert holdfast("replenish", "item", "mug", "--json").json["lead_demand"] == 32
    assert "told by the forecasting library" in holdfast("replenish", "defaults").out
    (logged,) = world.ask("SELECT detail FROM act_log WHERE act = 'replenish.defaults'")
    assert logged.detail["method"] == "forecast"


@needs_forecast
def test_accuracy_says_which_method_would_have_been_better(holdfast: Holdfast, world: World, risen: None) -> None:
    found = holdfast("replenish", "accuracy", "--json").json
    (mug,) = found["items"]

    assert found["better"] == mug["better"] == "forecast"
    assert holdfast("replenish", "set", "mug", "--method", "better").code == 0
    assert holdfast("replenish", "item", "mug", "--json").json["lead_demand"] == 50
    assert mug["forecast"]["wape_permille"] < mug["wape_permille"]
    assert mug["forecast"]["weeks"] == mug["weeks"]
    said = holdfast("replenish", "accuracy").out
    assert "`holdfast replenish set mug --method forecast`" in said
    assert "by the forecasting library, by" in holdfast("replenish", "item", "mug").out


@without_forecast
@pytest.mark.parametrize("command", [("set", "mug", "--method", "better"), ("defaults", "--method", "forecast")])
def test_without_the_library_its_method_is_refused_with_the_cure(
    holdfast: Holdfast, world: World, command: tuple[str, ...]
) -> None:
    world.stocked("mug", units=1)

    said = holdfast("replenish", *command)

    assert said.code != 0
    assert "pip install 'holdfast[forecast]'" in " ".join(said.err.split())
    assert "make forecast" in " ".join(said.err.split())
    assert world.scalar("SELECT count(*) FROM replenish_item") == 0
    assert world.scalar("SELECT count(*) FROM replenish_default") == 0


@without_forecast
def test_a_method_chosen_where_the_library_was_is_not_replaced_in_silence(holdfast: Holdfast, world: World) -> None:
    world.stocked("mug", "cup", units=1)
    with world.db.begin(1, actor="test") as tx:
        set_item(tx, world.item("mug").item_id, ItemTerms(method=Method.FORECAST))

    for command in (("suggest",), ("item", "mug")):
        assert "holdfast[forecast]" in holdfast("replenish", *command).err
    assert holdfast("replenish", "item", "cup").code == 0
    assert holdfast("replenish", "set", "mug", "--method", "pace").code == 0
    assert holdfast("replenish", "suggest").code == 0


@without_forecast
def test_accuracy_without_the_library_says_that_there_is_one(holdfast: Holdfast, risen: None) -> None:
    found = holdfast("replenish", "accuracy", "--json").json

    assert (found["forecast"], found["better"]) == (None, None)
    assert "make forecast" in holdfast("replenish", "accuracy").out


def test_a_method_that_there_is_not_is_refused(holdfast: Holdfast, world: World) -> None:
    world.stocked("mug", units=1)

    assert "there are: pace, forecast, better" in holdfast("replenish", "set", "mug", "--method", "magic").err


def test_the_library_is_never_imported_before_it_is_used() -> None:
    """Start-up of every process and every command imports these; the library takes seconds."""
    modules = "edge.cli, edge.app, edge.commands.replenish, jobs.upkeep, drills.demo, core.replenish.views.planning"
    code = f"import sys, {modules}; sys.exit(any(name in sys.modules for name in ('statsforecast', 'numpy', 'pandas')))"

    assert subprocess.run([sys.executable, "-P", "-c", code], cwd=ROOT, check=False, env=_path()).returncode == 0


def _path() -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT)}


def test_the_library_is_an_extra_with_a_lock_of_its_own() -> None:
    usual, extra = ((ROOT / name).read_text() for name in ("requirements.lock", "requirements-forecast.lock"))
    pins, more = ({line.split()[0] for line in lock.splitlines() if "==" in line} for lock in (usual, extra))

    assert not any(pin.startswith(("statsforecast==", "numpy==")) for pin in pins)
    assert any(pin.startswith("statsforecast==") for pin in more)
    assert pins <= more, "what both have is of one version"
    assert "http://" not in extra
    assert "https://" not in extra
