"""When a line of the schedule is due next."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

_EVERY = "every "


def next_run(cron: str, after: datetime, time_zone: str) -> datetime:
    """When ``every N`` (seconds) or a five-field cron line in ``time_zone`` is due next after ``after``."""
    if cron.startswith(_EVERY):
        return after + timedelta(seconds=float(cron.removeprefix(_EVERY)))
    local: datetime = next(CronSim(cron, after.astimezone(ZoneInfo(time_zone))))
    return local.astimezone(UTC)
