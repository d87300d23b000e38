"""The sandbox as shoppers, shopkeepers and the referee meet it: its control port."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from core.errors import HoldfastError
from drills.plan import Product, Wanted

JOURNAL_PAGE = 5000
CATALOGUE_PAGE = 500


class SandboxFailed(HoldfastError):
    """The sandbox did not do what it was asked over its control port; says what and why."""


class ShopRefused(HoldfastError):
    """A shop does not do this; the text says why."""


@dataclass(frozen=True, slots=True)
class ShopAddress:
    """Where a shop's API is and how to get in."""

    url: str
    credentials: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What the sandbox says of itself when it is ready."""

    control: str
    shops: Mapping[str, ShopAddress]

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Self:
        shops = {name: ShopAddress(shop["url"], shop["credentials"]) for name, shop in told["shops"].items()}
        return cls(told["control"], shops)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A checkout as it ended; ``order_id`` is None when nothing was left to sell. ``sold``: units by line."""

    order_id: str | None
    sold: Sequence[Wanted]
    refused_units: int


class Control:
    """A client of the control port, for one thread. Raises: SandboxFailed; ShopRefused where a shop says no."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=30.0, trust_env=False)

    def close(self) -> None:
        self._client.close()

    def stock(self, shop: str, products: Sequence[Product]) -> None:
        """Put products on a shop's shelves."""
        for start in range(0, len(products), CATALOGUE_PAGE):
            page = products[start : start + CATALOGUE_PAGE]
            self._post(shop, "catalogue", products=[{"sku": p.sku, "title": p.title, "stock": p.stock} for p in page])

    def checkout(self, shop: str, reference: str, lines: Sequence[Wanted], *, paid: bool) -> Receipt:
        wanted = [{"sku": line.sku, "quantity": line.quantity} for line in lines]
        told = self._post(shop, "checkout", reference=reference, paid=paid, lines=wanted)
        sold = [Wanted(line["sku"], line["sold"]) for line in told["lines"] if line["sold"]]
        return Receipt(told["order_id"], sold, sum(line["quantity"] - line["sold"] for line in told["lines"]))

    def pay(self, shop: str, order_id: str) -> None:
        self._post(shop, "pay", order_id=order_id)

    def fulfil(self, shop: str, order_id: str) -> None:
        self._post(shop, "fulfil", order_id=order_id)

    def cancel(self, shop: str, order_id: str) -> None:
        self._post(shop, "cancel", order_id=order_id)

    def refund(self, shop: str, order_id: str, units: Mapping[str, int]) -> int:
        """Refund and put back on the shelf. Returns: the units really refunded."""
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity in units.items()]
        told = self._post(shop, "refund", order_id=order_id, lines=lines, restock=True)
        return sum(line["quantity"] for line in told["lines"])

    def levels(self, shop: str) -> Mapping[str, int]:
        """What shoppers see, by SKU."""
        return dict(self._get(f"/shops/{shop}/levels"))

    def state(self) -> Mapping[str, Any]:
        """Queues of the shops and the counters of what went wrong on purpose."""
        return dict(self._get("/state"))

    def journal(self, after: int = 0) -> list[Mapping[str, Any]]:
        """Every entry that follows entry ``after``."""
        entries: list[Mapping[str, Any]] = []
        while True:
            page = self._get(f"/journal?after={after + len(entries)}&limit={JOURNAL_PAGE}")
            entries += page["entries"]
            if not page["entries"]:
                return entries

    def _post(self, shop: str, act: str, **body: object) -> Any:
        return self._answer("POST", f"/shops/{shop}/{act}", json=body)

    def _get(self, path: str) -> Any:
        return self._answer("GET", path)

    def _answer(self, method: str, path: str, **request: Any) -> Any:
        try:
            answer = self._client.request(method, path, **request)
        except httpx.HTTPError as error:
            raise SandboxFailed(f"{method} {path}: no answer ({type(error).__name__}: {error})") from error
        if answer.status_code == httpx.codes.CONFLICT:
            raise ShopRefused(str(answer.json()["error"]))
        if answer.status_code != httpx.codes.OK:
            raise SandboxFailed(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer.json()
