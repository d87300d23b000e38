"""docs/orders.md is true: each row of its tables is built as the platform's raw order, translated, and compared."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from connectors.bigcommerce.translate import StockRules, refunded_units, store_order
from connectors.shopify.translate import History, needs_history, order_of
from connectors.woocommerce.rows import Order, Refund, parse
from connectors.woocommerce.translate import to_order
from core.model import StoreOrder, StoreOrderLine
from core.orders.apply import target_of
from tests.builders import order as any_order

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "orders.md"
PLACED = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
UNITS = 5

PLATFORMS = ("Shopify", "WooCommerce", "BigCommerce")
COLUMNS = ("State", "What happened", "Holdfast", "Off the store's number", "Hidden", "Looked at again")
WITH_SETTING = ("Store setting", *COLUMNS)
GONE = ("Store", "What happened", "Holdfast")

SHOPIFY_PAYMENT = {
    *("AUTHORIZED", "EXPIRED", "PAID", "PARTIALLY_PAID", "PARTIALLY_REFUNDED", "PENDING", "REFUNDED", "VOIDED"),
}
SHOPIFY_FULFILMENT = {
    *("FULFILLED", "FULFILLMENT_NOT_REQUIRED", "IN_PROGRESS", "ON_HOLD", "OPEN", "PARTIALLY_FULFILLED"),
    *("PENDING_FULFILLMENT", "REQUEST_DECLINED", "RESTOCKED", "SCHEDULED", "UNFULFILLED"),
}
WOOCOMMERCE = {
    *("auto-draft", "cancelled", "checkout-draft", "completed", "failed", "on-hold", "pending", "processing"),
    "refunded",
}
BIGCOMMERCE = (
    *("Incomplete", "Pending", "Shipped", "Partially Shipped", "Refunded", "Cancelled", "Declined"),
    *("Awaiting Payment", "Awaiting Pickup", "Awaiting Shipment", "Completed", "Awaiting Fulfillment"),
    *("Manual Verification Required", "Disputed", "Partially Refunded"),
)


class Row(NamedTuple):
    """A row of a table under a heading of the page, by column."""

    heading: str
    cells: Mapping[str, str]

    def __str__(self) -> str:
        return " / ".join((self.heading, *self.cells.values()))


def rows(page: str) -> Iterator[Row]:
    """Every row of every table; all lines of a table stand together, its first two are the head."""
    heading = ""
    for is_table, block in groupby(page.splitlines(), key=lambda line: line.startswith("|")):
        lines = list(block)
        if not is_table:
            heading = next((line[3:] for line in reversed(lines) if line.startswith("## ")), heading)
            continue
        head, rule, *body = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines)
        assert set("".join(rule)) == {"-"}, f"no table: {lines[0]}"
        for cells in body:
            yield Row(heading, dict(zip(head, cells, strict=True)))


ROWS = list(rows(PAGE.read_text(encoding="utf-8")))
STATES = [row for row in ROWS if row.heading in PLATFORMS]
LOST = [row for row in ROWS if row.heading == "Lines and orders that are gone"]


def happen(story: str, acts: Mapping[str, Callable[[int], None]]) -> None:
    """Act out ``2 shipped; 1 refunded`` step by step; a step that ``acts`` doesn't know is a KeyError."""
    for step in story.split("; "):
        units, _, words = step.partition(" ") if step[0].isdigit() else ("0", "", step)
        acts[words](int(units))


def changing_nothing(*steps: str) -> Mapping[str, Callable[[int], None]]:
    return dict.fromkeys(steps, lambda _: None)


@dataclass
class Shopify:
    """One line of an Order node of the Admin API, with the refund and fulfilment lines that name it."""

    quantity: int = UNITS
    current: int = UNITS
    unfulfilled: int = UNITS
    test: bool = False
    tracked: bool = True
    history: History = field(default_factory=History)

    def order(self, row: Row) -> StoreOrder:
        happen(
            row.cells["What happened"],
            {
                **changing_nothing("placed", "money refunded", "cancelled without a word on the goods"),
                "a test order": lambda _: setattr(self, "test", True),
                "stock is not tracked": lambda _: setattr(self, "tracked", False),
                "need no shipping": lambda n: self._change(unfulfilled=-n),
                "shipped": lambda n: self._ship(n, "SUCCESS"),
                "in a shipment that was called off": lambda n: self._ship(n, "CANCELLED"),
                "refunded before shipping, back in stock": lambda n: self._refund(n, "CANCEL", n),
                "refunded before shipping, not back in stock": lambda n: self._refund(n, "NO_RESTOCK", n),
                "refunded before shipping, but going back in stock failed": lambda n: self._refund(
                    n, "CANCEL", n, False
                ),
                "refunded after shipping, back in stock": lambda n: self._refund(n, "RETURN", 0),
                "refunded after shipping, not back in stock": lambda n: self._refund(n, "NO_RESTOCK", 0),
                "put back in stock by an old refund": lambda n: self._refund(n, "LEGACY_RESTOCK", n),
                "taken off by an edit": lambda n: self._change(current=-n, unfulfilled=-n),
                "added by an edit": lambda n: self._change(n, n, n),
                "the rest cancelled, back in stock": lambda _: self._refund_rest("CANCEL"),
                "the rest cancelled, not back in stock": lambda _: self._refund_rest("NO_RESTOCK"),
            },
        )
        return self._translated(row.cells["State"].strip("`").split(", "))

    def _translated(self, words: list[str]) -> StoreOrder:
        order = {
            "id": "gid://shopify/Order/820982911946154508",
            "name": "#9999",
            "createdAt": "2026-11-22T10:00:00Z",
            "updatedAt": "2026-11-22T10:05:00Z",
            "cancelledAt": "2026-11-22T10:04:00Z" if "CANCELLED" in words else None,
            "test": self.test,
            "displayFinancialStatus": next((word for word in words if word in SHOPIFY_PAYMENT), None),
            "displayFulfillmentStatus": next(word for word in words if word in SHOPIFY_FULFILMENT),
            "currentSubtotalLineItemsQuantity": self.current,
        }
        line = {
            "id": "gid://shopify/LineItem/1",
            "quantity": self.quantity,
            "currentQuantity": self.current,
            "unfulfilledQuantity": self.unfulfilled,
            "sku": "MUG",
            "name": "Mug",
            "variant": {"inventoryItem": {"id": "gid://shopify/InventoryItem/2", "tracked": self.tracked}},
        }
        return order_of(order, [line], self.history if needs_history(order, [line]) else None)

    def _change(self, quantity: int = 0, current: int = 0, unfulfilled: int = 0) -> None:
        self.quantity += quantity
        self.current += current
        self.unfulfilled += unfulfilled

    def _ship(self, units: int, status: str) -> None:
        self.history.add_fulfilment(status, [{"quantity": units, "lineItem": {"id": "gid://shopify/LineItem/1"}}])
        self._change(unfulfilled=-units if status == "SUCCESS" else 0)

    def _refund(self, units: int, kind: str, unshipped: int, restocked: bool | None = None) -> None:
        done = kind != "NO_RESTOCK" if restocked is None else restocked
        line = {"lineItem": {"id": "gid://shopify/LineItem/1"}, "quantity": units}
        self.history.add_refund([{**line, "restockType": kind, "restocked": done}])
        self._change(current=-units, unfulfilled=-unshipped)

    def _refund_rest(self, kind: str) -> None:
        self._refund(self.unfulfilled, kind, self.unfulfilled)


@dataclass
class WooCommerce:
    """One line of a wc/v3 order and its refunds. A minute passes with each thing that happens."""

    quantity: int = UNITS
    taken: int = 0
    restocked: int = 0
    created_via: str = "checkout"
    hold_minutes: int | None = 60
    now: datetime = PLACED
    paid_at: str | None = None
    completed_at: str | None = None
    unreserved: tuple[str, ...] = ()
    refunds: list[Refund] = field(default_factory=list)

    def order(self, row: Row) -> StoreOrder:
        happen(
            row.cells["What happened"],
            {
                **changing_nothing("checkout opened", "placed by a shopper", "payment failed, stock kept"),
                **changing_nothing("set back to processing", "set on hold by a person"),
                "the product may be backordered": lambda _: setattr(self, "unreserved", ("12",)),
                "made by a person in the admin": lambda _: setattr(self, "created_via", "admin"),
                "the 60 minutes are over": lambda _: setattr(self, "now", PLACED + timedelta(minutes=60)),
                'the shop has no "Hold stock" time': lambda _: setattr(self, "hold_minutes", None),
                "payment to come": lambda _: setattr(self, "taken", self.quantity),
                "paid": lambda _: self._pay(),
                "all sent": lambda _: setattr(self, "completed_at", self._minute_later()),
                "money refunded": lambda _: self._refund(0, restock=False),
                "marked refunded": lambda _: self._refund(0, restock=False),
                "refunded, back in stock": lambda n: self._refund(n, restock=True),
                "refunded, not back in stock": lambda n: self._refund(n, restock=False),
                "taken off by an edit": lambda n: self._edit(-n, -n),
                "added by an edit": lambda n: self._edit(n, n),
                "added by an edit that took no stock": lambda n: self._edit(n, 0),
                "set back to pending": lambda _: setattr(self, "taken", 0),
                "cancelled": lambda _: setattr(self, "taken", 0),
                "payment failed, stock given back": lambda _: setattr(self, "taken", 0),
            },
        )
        return self.translated(row.cells["State"].strip("`"), [self._line()])

    def translated(self, status: str, lines: list[dict[str, Any]]) -> StoreOrder:
        order = {
            "id": 7,
            "number": "7",
            "status": status,
            "created_via": self.created_via,
            "total": "20.00",
            "date_created_gmt": PLACED.strftime("%Y-%m-%dT%H:%M:%S"),
            "date_modified_gmt": self._minute_later(),
            "date_paid_gmt": self.paid_at,
            "date_completed_gmt": self.completed_at,
            "refunds": [{"id": refund.id} for refund in self.refunds],
            "line_items": lines,
        }
        return to_order(parse(Order, order), self.refunds, self.hold_minutes, self.now, unreserved=self.unreserved)

    def _line(self) -> dict[str, Any]:
        tallies = {"_reduced_stock": self.taken, "_restock_refunded_items": self.restocked}
        meta = [{"key": key, "value": str(units)} for key, units in tallies.items() if units]
        return {"id": 122, "product_id": 12, "sku": "MUG", "quantity": self.quantity, "meta_data": meta}

    def _minute_later(self) -> str:
        self.now += timedelta(minutes=1)
        return self.now.strftime("%Y-%m-%dT%H:%M:%S")

    def _pay(self) -> None:
        self.taken, self.paid_at = self.quantity, self._minute_later()

    def _edit(self, quantity: int, taken: int) -> None:
        self.quantity += quantity
        self.taken += taken

    def _refund(self, units: int, *, restock: bool) -> None:
        line = {"quantity": -units, "meta_data": [{"key": "_refunded_item_id", "value": "122"}]}
        made = {"id": 200 + len(self.refunds), "date_created_gmt": self._minute_later()}
        self.refunds.append(parse(Refund, {**made, "line_items": [line] if units else []}))
        if restock:
            self.taken -= units
            self.restocked += units


STOCK_RULES = {
    "": StockRules(counts_when_shipped=False, restocks_refunds=True),
    "refunds stay out of stock": StockRules(restocks_refunds=False),
    "stock falls when shipped": StockRules(counts_when_shipped=True),
}


@dataclass
class BigCommerce:
    """One product of a V2 order and the items of its V3 refunds. An hour passes with each thing that happens."""

    quantity: int = UNITS
    shipped: int = 0
    backordered: int = 0
    now: datetime = PLACED
    payment_status: str = "pending"
    shipped_at: str = ""
    refunds: list[dict[str, Any]] = field(default_factory=list)

    def order(self, row: Row) -> StoreOrder:
        happen(
            row.cells["What happened"],
            {
                **changing_nothing("placed", "marked by hand, no shipment entered"),
                "marked as shipped, no shipment entered": lambda _: setattr(self, "shipped_at", self._hour_later()),
                "paid": lambda _: setattr(self, "payment_status", "captured"),
                "of them backordered": lambda n: setattr(self, "backordered", n),
                "money refunded": lambda _: self._refund("ORDER", {}),
                "refunded": lambda n: self._refund("PRODUCT", {"quantity": n}),
                "shipped": self._ship,
                "taken off by an edit": lambda n: setattr(self, "quantity", self.quantity - n),
                "added by an edit": lambda n: setattr(self, "quantity", self.quantity + n),
            },
        )
        product = {"id": 9, "product_id": 31, "variant_id": 42, "sku": "MUG", "name": "Mug", "type": "physical"}
        units = {"quantity": self.quantity, "quantity_shipped": self.shipped, "quantity_refunded": 0}
        units["quantity_backordered"] = self.backordered
        status_id = int(row.cells["State"].split()[0])
        return self.translated(status_id, [{**product, **units}], STOCK_RULES[row.cells.get("Store setting", "")])

    def translated(self, status_id: int, products: list[dict[str, Any]], rules: StockRules) -> StoreOrder:
        moment = PLACED.strftime("%a, %d %b %Y %H:%M:%S +0000")
        order = {"id": 100, "status_id": status_id, "date_created": moment, "date_modified": moment}
        order |= {"payment_status": self.payment_status, "date_shipped": self.shipped_at}
        return store_order(order, products, refunded_units(self.refunds).get(100, {}), rules)

    def _hour_later(self) -> str:
        self.now += timedelta(hours=1)
        return self.now.strftime("%a, %d %b %Y %H:%M:%S +0000")

    def _ship(self, units: int) -> None:
        self.shipped = units
        if units == self.quantity:
            self.shipped_at = self._hour_later()

    def _refund(self, item_type: str, units: Mapping[str, int]) -> None:
        items = [{"item_type": item_type, "item_id": 9, **units}]
        self.refunds.append({"order_id": 100, "created": self._hour_later(), "items": items})


BUILDERS: Mapping[str, Callable[[], Shopify | WooCommerce | BigCommerce]] = dict(
    zip(PLATFORMS, (Shopify, WooCommerce, BigCommerce), strict=True)
)

# A deleted order has no raw form: the connectors call it missing, and it is applied as one that holds nothing.
LOST_ORDERS = {
    ("Shopify", "the order was deleted"): any_order(holds=False),
    ("WooCommerce", "the order was moved to the trash"): any_order(holds=False),
    ("WooCommerce", "the order was deleted"): any_order(holds=False),
    ("WooCommerce", "the line was removed by an edit"): WooCommerce().translated("processing", []),
    ("BigCommerce", "the order was deleted"): any_order(holds=False),
    ("BigCommerce", "the line was removed by an edit"): BigCommerce().translated(11, [], StockRules()),
}


def what_holdfast_does(order: StoreOrder, line: StoreOrderLine) -> str:
    """The page's words for what the core makes of a line."""
    target = target_of(order, line)
    done = {
        "ships": target.shipped,
        "deducts": target.outstanding if target.deducted else 0,
        "holds": 0 if target.deducted else target.outstanding,
        "releases": line.cancelled,
        "writes off": target.written_off,
        "takes back": target.returned,
    }
    return ", ".join(f"{verb} {units}" for verb, units in done.items() if units) or "nothing"


def looked_at_again(order: StoreOrder) -> str:
    if order.look_again_at is None:
        return "when it changes"
    return f"after {(order.look_again_at - order.placed_at) // timedelta(minutes=1)} minutes"


def states(platform: str) -> set[str]:
    """The first column of a platform's tables, without backquotes."""
    return {row.cells["State"].replace("`", "") for row in STATES if row.heading == platform}


@pytest.mark.parametrize("row", STATES, ids=str)
def test_the_page_says_what_holdfast_does_with_an_order(row: Row) -> None:
    order = BUILDERS[row.heading]().order(row)
    (line,) = order.lines

    told = {
        "Holdfast": what_holdfast_does(order, line),
        "Off the store's number": str(line.counted),
        "Hidden": str(line.hidden),
        "Looked at again": looked_at_again(order),
    }

    assert told == {column: row.cells[column] for column in told}
    assert order.state == re.sub(r"^\d+ ", "", row.cells["State"]).strip("`")


@pytest.mark.parametrize("row", LOST, ids=str)
def test_the_page_says_what_becomes_of_lines_and_orders_that_are_gone(row: Row) -> None:
    order = LOST_ORDERS[row.cells["Store"], row.cells["What happened"]]

    left = target_of(order, None).outstanding

    assert list(order.lines) == []
    assert row.cells["Holdfast"] == f"releases {UNITS - left}"


def test_no_table_of_the_page_goes_untested() -> None:
    assert len(STATES) + len(LOST) == len(ROWS)
    assert {tuple(row.cells) for row in STATES} == {COLUMNS, WITH_SETTING}
    assert {tuple(row.cells) for row in LOST} == {GONE}
    assert len(set(map(str, ROWS))) == len(ROWS), "a row stands twice"


def test_every_state_of_every_platform_is_on_the_page() -> None:
    shopify = {word for state in states("Shopify") for word in state.split(", ")}

    assert shopify == SHOPIFY_PAYMENT | SHOPIFY_FULFILMENT | {"CANCELLED"}
    assert "UNFULFILLED" in states("Shopify"), "Shopify may leave the payment word out"
    assert states("WooCommerce") == WOOCOMMERCE | {"a-plugins-word"}
    assert states("BigCommerce") == {f"{number} {name}" for number, name in enumerate(BIGCOMMERCE)} | {"99 status 99"}
    assert {(row.cells["Store"], row.cells["What happened"]) for row in LOST} == set(LOST_ORDERS)


def test_the_states_are_the_platforms_own(contracts: Path) -> None:
    schema = (contracts / "shopify" / "admin-2026-10.pruned.graphql").read_text(encoding="utf-8")
    woocommerce = json.loads((contracts / "woocommerce/schema/orders.schema.json").read_text(encoding="utf-8"))
    bigcommerce = json.loads((contracts / "bigcommerce/examples/order_statuses.json").read_text(encoding="utf-8"))

    assert enum_of(schema, "OrderDisplayFinancialStatus") == SHOPIFY_PAYMENT
    assert enum_of(schema, "OrderDisplayFulfillmentStatus") == SHOPIFY_FULFILMENT
    assert set(woocommerce["properties"]["status"]["enum"]) == WOOCOMMERCE
    assert {status["id"]: status["name"] for status in bigcommerce} == dict(enumerate(BIGCOMMERCE))


def enum_of(schema: str, name: str) -> set[str]:
    """The values of an enum of a GraphQL schema, without their descriptions."""
    block = schema.partition(f"\nenum {name} {{")[2].partition("\n}")[0]
    return set(re.findall(r"^  ([A-Z_]+)", re.sub(r'""".*?"""', "", block, flags=re.DOTALL), flags=re.MULTILINE))
