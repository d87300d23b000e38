"""What a lock may be asked for, and how much of it by whom. Pure."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from core.books import Books
from core.rows import LockRow
from core.sales.drawing import OVERFLOWS, OWN
from core.sales.locks import BEGUN, find, pool_of
from core.stock import GRADES, Stocked

FLOOR = "floor:"
TYPES = ("business", "main_site", "channel", "internal")
_OF_A_STORE = ("main_site", "channel")
_MOST_UNITS, _MOST_PRIORITY, _LONGEST = 1_000_000_000, 1_000, 200


@dataclass(frozen=True, slots=True)
class Terms:
    """What somebody wants set apart.

    ``type``       business (for a customer or a purpose), main_site, channel (for orders of a store), internal.
    ``store_id``   of main_site and channel: whose orders draw on it; 0: our own interface.
    ``account``    of business: the holder whose orders draw on it, whatever the channel; empty: whoever names it.
    ``warehouse_id``  where its goods are set apart, too; None: in the sales layer alone.
    ``pure``       of a physical one: no order draws on it, its goods leave by consuming it.
    ``owner``      whose it is: a team or a purpose, for people.
    ``priority``   among locks that wait, higher is served first.
    ``overflow``   may its orders draw on what everybody shares: yes, no, ask.
    """

    type: str
    stocked: Stocked
    quantity: int
    store_id: int | None = None
    warehouse_id: int | None = None
    pure: bool = False
    account: str = ""
    owner: str = ""
    priority: int = 0
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    overflow: str = "yes"
    reason: str = ""

    def content(self) -> dict[str, object]:
        return asdict(self)


def problem_of_key(key: str) -> str:
    """Why a lock cannot be called so; empty when it can."""
    if not key or key != key.strip() or not key.isprintable() or len(key) > _LONGEST // 2:
        return f"a lock's key has 1 to {_LONGEST // 2} letters, digits and signs, with no blanks around it"
    if "/" in key or key.startswith(FLOOR):
        return f"a lock's key has no / in it and does not begin with {FLOOR}"
    return ""


def problem(terms: Terms, now: datetime) -> str:
    """The first thing that is wrong with what is asked for, with the cure; empty when all is right."""
    return next(filter(None, (_of_parties(terms), _of_goods(terms), _of_time(terms, now))), "")


def _of_parties(terms: Terms) -> str:
    if terms.type not in TYPES:
        return f"a lock is one of {', '.join(TYPES)}, not {terms.type!r}"
    if terms.type in _OF_A_STORE and terms.store_id is None:
        return f"a {terms.type} lock needs the store whose orders draw on it"
    if terms.type == "channel" and terms.store_id == OWN:
        return "a channel lock is for a connected store; for our own interface take type main_site"
    if terms.type not in _OF_A_STORE and terms.store_id is not None:
        return f"a lock of type {terms.type} is for no store; for one take type channel or main_site"
    if terms.account and terms.type != "business":
        return f"an account is for business locks; a lock of type {terms.type} has none"
    if terms.overflow not in OVERFLOWS:
        return f"overflow is one of {', '.join(OVERFLOWS)}, not {terms.overflow!r}"
    if any(len(text) > _LONGEST or not text.isprintable() for text in (terms.account, terms.owner, terms.reason)):
        return f"account, owner and reason are texts of one line, of at most {_LONGEST} letters"
    return ""


def _of_goods(terms: Terms) -> str:
    if not 1 <= terms.quantity <= _MOST_UNITS:
        return f"a lock is for 1 to {_MOST_UNITS:,} units, not {terms.quantity:,}"
    if terms.stocked.grade not in GRADES:
        return f"a grade is one of {', '.join(GRADES)}, not {terms.stocked.grade!r}"
    if terms.pure and terms.warehouse_id is None:
        return "only a physical lock can be pure; name its warehouse"
    if abs(terms.priority) > _MOST_PRIORITY:
        return f"a priority is between -{_MOST_PRIORITY} and {_MOST_PRIORITY}"
    return ""


def _of_time(terms: Terms, now: datetime) -> str:
    if terms.expires_at is None:
        return ""
    if terms.expires_at <= now:
        return "a lock cannot end before it is made; name a later end"
    if terms.starts_at is not None and terms.expires_at <= terms.starts_at:
        return "a lock ends after it begins; name a later end or an earlier beginning"
    return ""


@dataclass(frozen=True, slots=True)
class LockLimit:
    """What one requester may lock at most; None: no bound.

    ``units``  of one lock. ``share``: percent of what is free of an item and what the requester's locks have of it,
    that all these locks together may be for. ``days``: from a lock's beginning to its end.
    """

    units: int | None = None
    share: int | None = None
    days: int | None = None


def too_much(books: Books, limit: LockLimit, lock: LockRow, counting: Collection[str]) -> str:
    """How a lock, as it is to be, exceeds the limit of its requester, with the cure; empty when it does not.

    Args: counting: the states in which the requester's other locks of the item count.
    """
    if limit.units is not None and lock.quantity > limit.units:
        return f"lock {lock.key} is for {lock.quantity} units, and a lock of this requester may have {limit.units}"
    if limit.days is not None:
        begins = lock.starts_at or lock.decided_at or lock.requested_at
        if lock.expires_at is None or lock.expires_at - begins > timedelta(days=limit.days):
            return f"lock {lock.key} may last {limit.days} days for this requester; let it end sooner"
    return "" if limit.share is None else _over_share(books, limit.share, lock, counting)


def _over_share(books: Books, share: int, lock: LockRow, counting: Collection[str]) -> str:
    others = [
        one
        for one in books.locks.values()
        if one.requested_by == lock.requested_by and one.stocked == lock.stocked and one.id != lock.id
        and one.status in counting and not one.standing
    ]  # fmt: skip
    here = find(books, lock.key)
    begun = [one for one in (*others, here) if one is not None and one.status == BEGUN]
    free = {one.id: books.free(one.stocked, pool_of(books, one)) for one in begun}
    there = books.free(lock.stocked) + sum(free.values())
    consumed = 0 if here is None or here.status != BEGUN else here.quantity - here.waiting - free[here.id]
    wanted = lock.quantity - consumed + sum(_wants(one, free) for one in others)
    most = there * share // 100
    if wanted <= most:
        return ""
    return (
        f"with lock {lock.key} this requester would have {wanted} units set apart; {share} % of the {there} that are "
        f"free or set apart so is {most}"
    )


def _wants(lock: LockRow, free: dict[int, int]) -> int:
    return lock.waiting + free[lock.id] if lock.id in free else lock.quantity
