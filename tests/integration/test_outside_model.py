"""The simulation's judge counts units that were promised and do not exist, whatever the ledger believes."""

import psycopg
from sqlalchemy.engine import make_url

from core.sales.holds import Hold
from drills.simulate.outside import Change, OutsideModel
from tests.builders import FAR_OFF, World
from tests.conftest import Logins


def judge(logins: Logins, told: dict[str, Change]) -> tuple[int, list[str]]:
    """Units oversold, and what is said to be wrong, when so much came and went."""
    url = make_url(logins.superuser).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as database:
        model = OutsideModel(database, {}, {})
        for key, change in told.items():
            model.tell(key, change)
        said = list(model.check())
    return model.oversold, said


def test_units_promised_that_do_not_exist_are_counted(world: World, logins: Logins) -> None:
    world.stocked("mug", units=0)
    world.receive("mug", 5)
    world.do(Hold("all", {world.item("mug"): 5}, FAR_OFF))
    (key,) = world.ask("SELECT effect_key FROM document WHERE kind = 'receipt'")[0]
    assert judge(logins, {key: Change("mug", 5)}) == (0, [])
    assert judge(logins, {key: Change("mug", 2)}) == (
        3, ["mug: 2 exist, 5 are promised and 0 free", "mug: 2 exist, 5 stand in bins"]
    )  # fmt: skip
