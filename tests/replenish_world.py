"""A past of three weeks for tests of replenishment: what happened on which day of the window."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, text

from core.demand import days, flows
from core.demand.velocity import Daily, Moved, daily
from core.model import StoreOrder
from core.replenish.settings import set_defaults
from core.transaction import wall_clock
from tests.builders import Clock, World, line, order

WINDOW = 20
ZONE = ZoneInfo("Europe/Berlin")


def past(world: World, superuser: Engine) -> Clock:
    """The world's clock, set to noon 21 days ago; months that are over get their partitions back."""
    with superuser.connect() as connection:
        connection.execute(
            text("SELECT add_month((now() - make_interval(days => n))::date) FROM generate_series(0, 40, 20) n")
        )
    clock = Clock()
    clock.now = (wall_clock() - timedelta(days=WINDOW + 1)).replace(hour=11, minute=0, second=0, microsecond=0)
    world.db.clock = clock
    with world.db.begin(1, actor="test") as tx:
        set_defaults(tx, {"window_days": WINDOW})
    return clock


def on_day(clock: Clock, day: int) -> None:
    """To noon of a day of the window; ``WINDOW`` is today."""
    today = wall_clock().astimezone(ZONE).date()
    noon = datetime.combine(today - timedelta(days=WINDOW - day), datetime.min.time(), ZONE) + timedelta(hours=12)
    clock.now = min(noon, wall_clock()) if day == WINDOW else noon


def sold(world: World, store: int, sku: str, units: int, number: str, **told: object) -> StoreOrder:
    one = order(line(sku, units), external_id=number, paid=True, **told)
    world.hear(store, one)
    return one


def look(world: World, sku: str, window: int = WINDOW) -> tuple[Daily, Mapping[int, int]]:
    """The days of an item in good grade, and its sales by store."""
    stocked = world.item(sku)
    with world.db.begin(1, actor="test") as tx:
        over, known = flows.window(tx, window), flows.pools(tx)
        moved = days.moved(tx, over, known, [stocked.item_id]).get(stocked, Moved(0))
        stores = days.by_channel(tx, over, known, [stocked.item_id]).get(stocked, {})
    return daily(moved, window), stores


def told(of: Daily) -> str:
    """One sign for each day: what was sold, a dot for a day that does not count."""
    return "".join("." if units is None else str(units) for units in of)


def played(world: World, clock: Clock) -> int:
    """Mugs: there from day 0 on, sold out on day 4, back on day 10; the store's id."""
    store = world.stocked("mug", units=10)
    for day, units in ((2, 3), (4, 7)):
        on_day(clock, day)
        sold(world, store, "mug", units, f"d{day}")
    on_day(clock, 10)
    world.receive("mug", 40)
    for day, units in ((12, 2), (15, 1), (19, 4)):
        on_day(clock, day)
        sold(world, store, "mug", units, f"d{day}")
    on_day(clock, WINDOW)
    return store
