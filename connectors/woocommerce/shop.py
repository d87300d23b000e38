"""What the other modules of this connector need of the wire, so that the SDK stays in ``client``."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from connectors.http import safely

Params = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Answer:
    """A parsed 2xx answer.

    ``answered_at`` is the shop's clock when the answer left, in whole seconds. ``asked_at`` is an instant of the same
    clock surely not after the shop looked its data up. ``total`` counts the rows of all pages of a list, where given.
    """

    content: Any
    answered_at: datetime
    asked_at: datetime
    total: int | None = None


class Shop(Protocol):
    """One shop's wc/v3 routes. All methods raise ConnectorError only."""

    def get(self, endpoint: str, params: Params) -> Answer:
        """Read."""

    def send(self, method: Literal["POST", "PUT"], endpoint: str, data: Mapping[str, Any]) -> Answer:
        """Write."""

    def remove(self, endpoint: str) -> None:
        """Delete for good, past the trash."""


class Patient:
    """A shop whose reads are repeated a few times; writes never are, as a stock write would rest on an old reading."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    @safely
    def get(self, endpoint: str, params: Params) -> Answer:
        """Read, up to three times."""
        return self._shop.get(endpoint, params)

    def send(self, method: Literal["POST", "PUT"], endpoint: str, data: Mapping[str, Any]) -> Answer:
        """Write, once."""
        return self._shop.send(method, endpoint, data)

    def remove(self, endpoint: str) -> None:
        """Delete for good, once."""
        self._shop.remove(endpoint)
