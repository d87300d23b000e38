"""The wall clock of a merchant."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from core.transaction import Transaction


def zone_of(tx: Transaction) -> ZoneInfo:
    """The merchant's time zone, in which its days begin and end."""
    return ZoneInfo(tx.run("SELECT time_zone FROM merchant WHERE id = :merchant_id").scalar_one())


def end_in(at: datetime, zone: ZoneInfo) -> str:
    """When something ends, for people: what lasts to the end of a day ends on that day, at 24:00."""
    local = at.astimezone(zone)
    if (local.hour, local.minute, local.second) == (0, 0, 0):
        return f"{local - timedelta(days=1):%Y-%m-%d} 24:00"
    return f"{local:%Y-%m-%d %H:%M}"
