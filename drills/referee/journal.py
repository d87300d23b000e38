"""The shops' own journal, entry by entry, summed up to what each line of each order should have of the pool. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from drills.referee.records import LineKey, Restock, ReturnKey, Sale, Told, Units

Entry = Mapping[str, Any]


def sku_key(sku: str) -> str:
    """Codes that differ only in case or outer blanks are one item."""
    return sku.strip().casefold()


@dataclass(slots=True)
class _Line:
    """A line's units so far: of those ``sold``, ``undone`` never left the house and ``shipped`` did."""

    sku: str
    sold: int
    undone: int = 0
    shipped: int = 0

    @property
    def held(self) -> int:
        return self.sold - self.undone - self.shipped


@dataclass(slots=True)
class _Reading:
    openings: dict[str, dict[str, int]] = field(default_factory=dict)
    events: list[Sale | Restock] = field(default_factory=list)
    orders: dict[tuple[str, str], dict[str, _Line]] = field(default_factory=dict)
    returned: dict[ReturnKey, int] = field(default_factory=dict)

    def opening(self, entry: Entry) -> None:
        self.openings.setdefault(sku_key(entry["sku"]), {})[entry["shop"]] = entry["quantity"]

    def sale(self, entry: Entry) -> None:
        lines = self.orders.setdefault((entry["shop"], entry["order_id"]), {})
        for told in entry["lines"]:
            sku, units = sku_key(told["sku"]), told["quantity"]
            lines[told["line_id"]] = _Line(sku, units)
            line = LineKey(entry["shop"], entry["order_id"], told["line_id"])
            self.events.append(Sale(_moment(entry), sku, units, line))

    def cancel(self, entry: Entry) -> None:
        """All that the order held comes back, also what its shop had not taken off its number before a payment."""
        for line in self._lines(entry).values():
            self._back(entry, line.sku, line.held)
            line.undone += line.held

    def refund(self, entry: Entry) -> None:
        """Units that had not left are refunded first."""
        for told in entry["lines"]:
            line, units = self._lines(entry)[told["line_id"]], told["quantity"]
            kept_back = min(units, line.held)
            line.undone += kept_back
            if entry["restock"]:
                self._back(entry, line.sku, units)
                self._return(ReturnKey(entry["shop"], entry["order_id"], line.sku), units - kept_back)

    def fulfil(self, entry: Entry) -> None:
        for told in entry["lines"]:
            self._lines(entry)[told["line_id"]].shipped += told["quantity"]

    def _lines(self, entry: Entry) -> dict[str, _Line]:
        return self.orders[entry["shop"], entry["order_id"]]

    def _back(self, entry: Entry, sku: str, units: int) -> None:
        if units:
            self.events.append(Restock(_moment(entry), sku, units, entry["shop"]))

    def _return(self, key: ReturnKey, units: int) -> None:
        if units:
            self.returned[key] = self.returned.get(key, 0) + units


def read_journal(entries: Iterable[Entry]) -> Told:
    """Sum the journal up. Payments and written numbers move no goods and are passed over."""
    reading = _Reading()
    readers = {
        "opening": reading.opening,
        "sale": reading.sale,
        "cancel": reading.cancel,
        "refund": reading.refund,
        "fulfil": reading.fulfil,
    }
    for entry in entries:
        if entry["kind"] in readers:
            readers[entry["kind"]](entry)
    lines = {
        LineKey(shop, order_id, line_id): line
        for (shop, order_id), order in reading.orders.items()
        for line_id, line in order.items()
    }
    return Told(
        openings=reading.openings,
        events=reading.events,
        lines={key: Units(line.held, line.shipped) for key, line in lines.items()},
        skus={key: line.sku for key, line in lines.items()},
        returned=reading.returned,
    )


def _moment(entry: Entry) -> datetime:
    return datetime.fromisoformat(entry["at"])
