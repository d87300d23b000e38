"""Every error raised on purpose.

HoldfastError
├── Refused                 a rule said no; nothing was written
│   ├── InsufficientStock   fewer units than asked, and the demand may not wait
│   │   └── LockShort       a lock has fewer, and its orders may not take what everybody shares, or not unasked
│   ├── LimitExceeded       more units than a purchase limit leaves
│   ├── KeyReused           an effect key came back with other content
│   ├── Forbidden           the actor lacks a right; names it and the roles that have it
│   ├── BadKey              an API key that does not work: wrong, expired or revoked, which is not said
│   └── NotFound            the thing named does not exist for this merchant
├── Overloaded              too many callers wait; try again after ``retry_after_s``
├── ConnectorError          a storefront did not do what was asked
│   ├── Throttled           it asks us to slow down; a delay, not a failure
│   ├── Unreachable         no usable answer: network, time-out, 5xx
│   ├── Unauthorized        credentials wrong, expired or too weak; a person has to act
│   ├── Rejected            it understood and said no (4xx); repeating the same call is useless
│   ├── Malformed           bytes or JSON that are not what the platform documents
│   └── BadSignature        a webhook that the store did not sign
├── ConfigError             a setting is missing or wrong; names the cure
└── Broken                  an invariant is false; stop
"""

from collections.abc import Mapping, Sequence
from typing import Any

from core.words import counted


class HoldfastError(Exception):
    """Base of all errors raised on purpose; ``str()`` of each names the cure where there is one."""


class Refused(HoldfastError):
    """A rule said no and nothing was written."""


class InsufficientStock(Refused):
    """Fewer units can be promised than were asked for."""

    def __init__(self, missing: Mapping[Any, int]) -> None:
        self.missing = dict(missing)
        super().__init__("not enough units: " + ", ".join(f"{item} lacks {n}" for item, n in self.missing.items()))


class LimitExceeded(Refused):
    """A purchase limit leaves fewer units than were asked for.

    Args: rule: who may take what, like "one customer may take 2 units of MUG". limit, used, asked: units; ``used``
          counts what other orders and holds of the same customer have.
    """

    def __init__(self, rule: str, *, limit: int, used: int, asked: int) -> None:
        self.limit = limit
        self.used = used
        self.asked = asked
        left = max(limit - used, 0)
        taken = f"{used} are taken and {asked} more" if used else f"{asked}"
        cure = f"ask for {left} or fewer" if left else "none is left to take"
        super().__init__(f"{rule}: {taken} were asked for; {cure}")


class LockShort(InsufficientStock):
    """A lock has fewer units than its order asks for; where it ``asks``, the order may say it takes shared ones."""

    def __init__(self, key: str, missing: Mapping[Any, int], *, asks: bool) -> None:
        super().__init__(missing)
        self.key = key
        self.asks = asks

    def __str__(self) -> str:
        lacks = counted(sum(self.missing.values()), "unit")
        raise_it = f"raise it with `holdfast lock change {self.key} --quantity N`"
        if self.asks:
            return (
                f"lock {self.key} lacks {lacks} and asks first: hold again with overflow to take them from what "
                f"everybody shares, or {raise_it}"
            )
        return f"lock {self.key} lacks {lacks}, and its orders may not take what everybody shares; {raise_it}"


class KeyReused(Refused):
    """The same effect key arrived with other content."""

    def __init__(self, effect_key: str) -> None:
        self.effect_key = effect_key
        super().__init__(
            f"the key {effect_key!r} was used for something else before, so nothing was booked; choose a new key"
        )


class Forbidden(Refused):
    """``who`` lacks ``right``, which comes with ``roles``; the text ends with the cure."""

    def __init__(self, right: str, who: str, roles: Sequence[str], cure: str) -> None:
        self.right = right
        self.who = who
        self.roles = tuple(roles)
        super().__init__(f"{who} lacks the right {right}, which comes with: {', '.join(self.roles)}; {cure}")


class BadKey(Refused):
    """An API key does not work. Which of wrong, expired or revoked it is, a stranger is not told."""

    def __init__(self) -> None:
        super().__init__("this API key does not work; ask an owner for a new one: `holdfast key make NAME --scope ...`")


class NotFound(Refused):
    """The thing named does not exist for this merchant."""


class Overloaded(HoldfastError):
    """Too many callers wait for this merchant's ledger."""

    def __init__(self, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"the ledger is busy; try again in {retry_after_s:g} s")


class ConnectorError(HoldfastError):
    """A storefront did not do what was asked."""


class Throttled(ConnectorError):
    """The store asks us to slow down; wait ``retry_after_s`` (> 0) and ask again."""

    def __init__(self, retry_after_s: float, detail: str = "") -> None:
        self.retry_after_s = max(retry_after_s, 0.05)
        super().__init__(f"the store asks us to wait {self.retry_after_s:g} s {detail}".strip())


class Unreachable(ConnectorError):
    """No usable answer: connection failed, timed out, or the server failed (5xx). Safe calls may be repeated."""


class Unauthorized(ConnectorError):
    """Credentials are wrong, expired or lack a right; a person has to act."""


class Rejected(ConnectorError):
    """The store understood and refused; ``code`` is the platform's own error code where it gives one."""

    def __init__(self, message: str, *, status: int, code: str = "") -> None:
        self.status = status
        self.code = code
        super().__init__(message)


class Malformed(ConnectorError):
    """What arrived is not what the platform documents."""


class BadSignature(ConnectorError):
    """A webhook whose signature does not match its bytes."""


class ConfigError(HoldfastError):
    """A setting is missing or wrong; the text names the cure."""


class Broken(HoldfastError):
    """An invariant is false; the process must stop rather than go on counting."""
