"""The wall clock of a merchant."""

from zoneinfo import ZoneInfo

from core.transaction import Transaction


def zone_of(tx: Transaction) -> ZoneInfo:
    """The merchant's time zone, in which its days begin and end."""
    return ZoneInfo(tx.run("SELECT time_zone FROM merchant WHERE id = :merchant_id").scalar_one())
