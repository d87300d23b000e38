"""Presales: deposits that hold what was sold before it is there, and the supply that a presale waits for."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from core.books import Books
from core.errors import Refused
from core.rows import PromiseRow
from core.sales import expected, limit_rules
from core.sales.held import live_promises
from core.sales.holds import OnHold
from core.sales.limits import Per
from core.stock import Stocked
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class PayDeposit(OnHold):
    """The first of two payments is in: the hold lasts until the rest is owed at ``balance_due_at``, and no longer.

    Told again with another instant, the rest is owed by then. ``core.sales.holds.PayHold`` tells of the second payment.
    What becomes of a deposit whose rest is not paid in time is between the shop and its customer: units alone are
    released here.
    """

    balance_due_at: datetime

    def decide(self, books: Books) -> bool:
        """Returns: False when that was known. Raises: Refused for a hold that has ended, is paid or is no presale's."""
        promises = live_promises(books, self.key)
        if promises[0].paid:
            raise Refused(f"hold {self.key} is paid in full; there is no rest to wait for")
        if any(promise.presale_id is None for promise in promises):
            raise Refused(f"hold {self.key} has units that no presale sold; a deposit holds those of presales alone")
        if self.balance_due_at <= books.now:
            raise Refused(f"the rest of hold {self.key} would be owed already; name an instant to come")
        changed = [promise for promise in promises if promise.balance_due_at != self.balance_due_at]
        for promise in changed:
            books.add_promise(_until(promise, self.balance_due_at))
        return bool(changed)


def _until(promise: PromiseRow, due_at: datetime) -> PromiseRow:
    return promise._replace(balance_due_at=due_at, expires_at=due_at)


def supply_for(tx: Transaction, reference: str, items: Collection[Stocked]) -> dict[Stocked, int]:
    """Ids of the supply that a presale waits for. Raises: NotFound for an item that the supply does not bring."""
    return {stocked: one.id for stocked, one in expected.require(tx, items, reference).items()}


def limit_per_customer(tx: Transaction, pool_id: int, items: Collection[Stocked], units: int) -> None:
    """One customer may have ``units`` (>= 1) of each item of a presale; see ``core.sales.limits``."""
    item_ids = sorted({stocked.item_id for stocked in items})
    limit_rules.put_all(tx, Per.ACTIVITY, units, item_ids, pool_id=pool_id)
