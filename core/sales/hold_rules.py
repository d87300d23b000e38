"""How long holds last: rules per channel and per method of payment."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from core.errors import NotFound, Refused
from core.sales.holds import DEFAULT_TTL
from core.transaction import Transaction

LEAST, MOST = timedelta(seconds=10), timedelta(days=90)
_MOST_LETTERS = 60


@dataclass(frozen=True, slots=True)
class HoldRule:
    """``store_id`` None: every channel, 0: our own interface. ``payment`` empty: every method."""

    store_id: int | None
    payment: str
    ttl: timedelta


def ttl_of(rules: Iterable[HoldRule], store_id: int, payment: str) -> timedelta:
    """The most specific rule wins: of channel and method, of the method, of the channel, of all; else 15 minutes.

    A method beats a channel, because it says how long somebody needs to pay: a bank transfer takes days everywhere.
    """
    fitting = {
        (rule.payment != "", rule.store_id is not None): rule.ttl
        for rule in rules
        if rule.store_id in (None, store_id) and rule.payment in ("", payment)
    }
    return fitting[max(fitting)] if fitting else DEFAULT_TTL


def payment_of(text: str) -> str:
    """A method of payment as it is compared: ``Bank Transfer`` is ``bank_transfer``. Raises: Refused."""
    word = "_".join(text.strip().casefold().replace("-", " ").split())
    if len(word) > _MOST_LETTERS or not word.isprintable():
        raise Refused(f"{text[:40]!r} is no method of payment; use up to {_MOST_LETTERS} letters, like bank_transfer")
    return word


def every(tx: Transaction) -> list[HoldRule]:
    """All rules, those for everything first."""
    rows = tx.run(
        """SELECT store_id, payment, ttl_s FROM hold_rule WHERE merchant_id = :merchant_id
           ORDER BY payment, store_id NULLS FIRST"""
    )
    return [HoldRule(row.store_id, row.payment, timedelta(seconds=row.ttl_s)) for row in rows]


def ttl(tx: Transaction, store_id: int, payment: str) -> timedelta:
    """How long a hold of this channel and method (empty: not known yet) lasts from its last sign of life."""
    return ttl_of(every(tx), store_id, payment_of(payment))


def allowed(ttl: timedelta) -> timedelta:
    """A time that somebody chose for holds. Raises: Refused when no hold lasts so short or so long."""
    if not LEAST <= ttl <= MOST:
        least, most = int(LEAST.total_seconds()), MOST.days
        raise Refused(f"a hold lasts from {least} seconds to {most} days; say a time in between, like 15min, 2h or 3d")
    return ttl


def put(tx: Transaction, rule: HoldRule) -> None:
    """Set a rule for holds to come; those that are there keep their time. Raises: Refused."""
    ttl = allowed(rule.ttl)
    tx.run(
        """INSERT INTO hold_rule (merchant_id, store_id, payment, ttl_s)
           VALUES (:merchant_id, :store_id, :payment, :ttl_s)
           ON CONFLICT (merchant_id, store_id, payment) DO UPDATE SET ttl_s = EXCLUDED.ttl_s""",
        store_id=rule.store_id,
        payment=payment_of(rule.payment),
        ttl_s=int(ttl.total_seconds()),
    )


def remove(tx: Transaction, store_id: int | None, payment: str) -> None:
    """Raises: NotFound when there is no such rule."""
    gone = tx.run(
        """DELETE FROM hold_rule WHERE merchant_id = :merchant_id AND payment = :payment
             AND store_id IS NOT DISTINCT FROM CAST(:store_id AS bigint)""",
        store_id=store_id,
        payment=payment_of(payment),
    )
    if not gone.rowcount:
        raise NotFound("there is no such rule; `holdfast reserve ttl` shows those there are")
