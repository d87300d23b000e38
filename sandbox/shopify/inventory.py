"""``inventorySetQuantities`` with the rules that the schema does not show.

``@idempotent`` must be there, ``changeFromQuantity`` must be written out even when null, a call is written whole or not
at all, and a key that comes back never writes twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from graphql import GraphQLError, get_directive_values

from sandbox.shop import Shop
from sandbox.shopify.ids import MAIN_LOCATION, gid, number_in, product_number
from sandbox.shopify.views import Info, View, item, quantity_names, stamp
from sandbox.things import Product

MOST_ROWS = 250
_HIGHEST = 1_000_000_000
_NAMES = ("available", "on_hand")
_REASONS = frozenset(
    {
        "correction",
        "cycle_count_available",
        "damaged",
        "movement_canceled",
        "movement_created",
        "movement_received",
        "movement_updated",
        "other",
        "promotion",
        "quality_control",
        "received",
        "reservation_created",
        "reservation_deleted",
        "reservation_updated",
        "restock",
        "safety_stock",
        "shrinkage",
    }
)


@dataclass(frozen=True, slots=True)
class _Known:
    """A key that was used: with what, and whether it wrote."""

    content: Mapping[str, Any]
    written: bool


class Inventory:
    """Sets quantities of one shop; keys are remembered for as long as the sandbox runs."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._keys: dict[str, _Known] = {}

    def set_quantities(self, _source: None, info: Info, **arguments: Any) -> View:
        key = _key_of(info)
        content = arguments["input"]
        if len(content["quantities"]) > MOST_ROWS:
            raise GraphQLError(
                f"The input array size of {len(content['quantities'])} is greater than the maximum of {MOST_ROWS}.",
                extensions={"code": "MAX_INPUT_SIZE_EXCEEDED"},
            )
        known = self._keys.get(key)
        if known and known.content != content:
            return _refused([_error("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", None, "The key was used otherwise before.")])
        if known and not known.written:
            return _refused([_error("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", None, "Use a new key.")])
        if known:
            return _accepted(content, [], self._products(content))
        errors = list(self._errors(content))
        self._keys[key] = _Known(content, written=not errors)
        if errors:
            return _refused(errors)
        return _accepted(content, self._write(content), self._products(content))

    def _products(self, content: Mapping[str, Any]) -> list[Product]:
        found = [self._product(row) for row in content["quantities"]]
        return [product for product in found if product]

    def _product(self, row: Mapping[str, Any]) -> Product | None:
        number = number_in(row["inventoryItemId"], "InventoryItem")
        return None if number is None else self._shop.products.get(product_number(number))

    def _errors(self, content: Mapping[str, Any]) -> Iterator[View]:
        if content["name"] not in _NAMES:
            yield _error("INVALID_NAME", ["input", "name"], "The specified quantity name is invalid.")
            return
        if content["reason"] not in _REASONS:
            yield _error("INVALID_REASON", ["input", "reason"], "The specified reason is invalid.")
            return
        seen: set[tuple[str, str]] = set()
        for index, row in enumerate(content["quantities"]):
            where = ["input", "quantities", str(index)]
            pair = (row["inventoryItemId"], row["locationId"])
            problem = _DUPLICATE if pair in seen else self._problem(content["name"], row)
            seen.add(pair)
            if problem:
                field, code, message = problem
                yield _error(code, [*where, field], message)

    def _problem(self, name: str, row: Mapping[str, Any]) -> tuple[str, str, str] | None:
        """The field, code and message of what is wrong with a row."""
        product = self._product(row)
        if product is None:
            return ("inventoryItemId", "INVALID_INVENTORY_ITEM", "The specified inventory item could not be found.")
        if row["locationId"] != gid("Location", MAIN_LOCATION):
            return ("locationId", "INVALID_LOCATION", "The specified location could not be found.")
        if row["quantity"] < 0:
            return ("quantity", "INVALID_QUANTITY_NEGATIVE", "The quantity can't be negative.")
        if row["quantity"] > _HIGHEST:
            return ("quantity", "INVALID_QUANTITY_TOO_HIGH", f"The quantity can't be higher than {_HIGHEST}.")
        if "changeFromQuantity" not in row:
            return ("changeFromQuantity", "COMPARE_QUANTITY_REQUIRED", "changeFromQuantity must be given or null.")
        expected = row["changeFromQuantity"]
        if expected is not None and expected != quantity_names(product)[name]:
            return ("changeFromQuantity", "CHANGE_FROM_QUANTITY_STALE", "The quantity has changed since it was read.")
        return None

    def _write(self, content: Mapping[str, Any]) -> list[View]:
        changes: list[View] = []
        for row, product in zip(content["quantities"], self._products(content), strict=True):
            delta = row["quantity"] - quantity_names(product)[content["name"]]
            if delta:
                self._shop.write_stock(product, product.stock + delta)
                changes += [_change(name, delta, product) for name in _NAMES]
        return changes


_DUPLICATE = (
    "inventoryItemId",
    "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR",
    "The combination of inventoryItemId and locationId must be unique.",
)


def _key_of(info: Info) -> str:
    directive = info.schema.get_directive("idempotent")
    found = get_directive_values(directive, info.field_nodes[0], info.variable_values) if directive else None
    key = str(found["key"]) if found else ""
    if not key.strip():
        raise GraphQLError(
            "The @idempotent directive is required for this mutation.", extensions={"code": "BAD_REQUEST"}
        )
    return key


def _change(name: str, delta: int, product: Product) -> View:
    return {"name": name, "delta": delta, "product": product}


def _accepted(content: Mapping[str, Any], changes: Sequence[View], products: Sequence[Product]) -> View:
    """A repeat has no changes of its own: it tells what the items show now."""
    told = changes or [_change(name, 0, product) for product in products for name in _NAMES]

    def resolve_changes(_info: Info, quantityNames: Sequence[str] = _NAMES) -> list[View]:
        return [
            {
                "name": change["name"],
                "delta": change["delta"],
                "quantityAfterChange": quantity_names(change["product"])[change["name"]],
                "item": item(change["product"]),
                "location": None,
            }
            for change in told
            if change["name"] in quantityNames
        ]

    group = {
        "id": gid("InventoryAdjustmentGroup", MAIN_LOCATION),
        "createdAt": stamp(datetime.now(UTC)),
        "reason": content["reason"],
        "changes": resolve_changes,
    }
    return {"inventoryAdjustmentGroup": group, "userErrors": []}


def _refused(errors: Sequence[View]) -> View:
    return {"inventoryAdjustmentGroup": None, "userErrors": errors}


def _error(code: str, field: Sequence[str] | None, message: str) -> View:
    return {"code": code, "field": field, "message": message}
