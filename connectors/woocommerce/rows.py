"""WooCommerce's own rows, as far as we read them (REST API wc/v3, fields by the shop's route schemas).

Of a person only country, state and postcode are asked for; of money only an order's total, as a mark of its version.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from core.errors import Malformed


@dataclass(frozen=True, slots=True)
class Meta:
    key: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class OrderLine:
    """``product_id`` and ``variation_id`` are 0 and ``sku`` is null once the product is deleted."""

    id: int
    quantity: float
    name: str | None = ""
    product_id: int = 0
    variation_id: int = 0
    sku: str | None = None
    meta_data: Sequence[Meta] = ()


@dataclass(frozen=True, slots=True)
class RowId:
    """All that is read of a row when only its id matters, as of the refunds that an order names."""

    id: int


@dataclass(frozen=True, slots=True)
class OrderStamp:
    """What a list of orders shows of their states."""

    id: int
    status: str
    date_modified_gmt: datetime | None
    date_paid_gmt: datetime | None = None
    date_completed_gmt: datetime | None = None
    total: Any = None
    refunds: Sequence[RowId] = ()


STAMP_FIELDS = "id,status,date_modified_gmt,date_paid_gmt,date_completed_gmt,total,refunds"


@dataclass(frozen=True, slots=True)
class Order(OrderStamp):
    """``shipping`` and ``billing``: an address each, with whatever plugins and old orders have in it."""

    date_created_gmt: datetime | None = None
    number: str = ""
    created_via: str | None = ""
    line_items: Sequence[OrderLine] = ()
    shipping: Any = None
    billing: Any = None


_PLACES = ",".join(
    f"{address}.{part}" for address in ("shipping", "billing") for part in ("country", "state", "postcode")
)
ORDER_FIELDS = f"{STAMP_FIELDS},date_created_gmt,number,created_via,line_items,{_PLACES}"


@dataclass(frozen=True, slots=True)
class RefundLine:
    """``quantity`` is negative; meta ``_refunded_item_id`` names the order line."""

    quantity: float = 0
    meta_data: Sequence[Meta] = ()


@dataclass(frozen=True, slots=True)
class Refund:
    id: int
    date_created_gmt: datetime
    line_items: Sequence[RefundLine] = ()


@dataclass(frozen=True, slots=True)
class Product:
    """A product or a variation; ``translate.whole_stock`` reads its numbers, as plugins may change their types.

    ``manage_stock`` is "parent" on a variation that sells from its parent's number. ``backorders`` is "no" where the
    shop never sells more than it has.
    """

    id: int
    type: str = ""
    sku: str | None = ""
    name: str | None = ""
    parent_id: int = 0
    manage_stock: Any = False
    stock_quantity: Any = None
    backorders: Any = None


PRODUCT_FIELDS = "id,type,sku,name,parent_id,manage_stock,stock_quantity"
STOCK_FIELDS = "id,manage_stock,stock_quantity,backorders"


@dataclass(frozen=True, slots=True)
class BatchError:
    code: str = ""
    data: Any = None

    @property
    def status(self) -> int:
        found = self.data.get("status") if isinstance(self.data, dict) else None
        return found if isinstance(found, int) else 400


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One row of a batch's reply: the product as it now is, or the error that only this item met."""

    id: int
    manage_stock: Any = False
    stock_quantity: Any = None
    error: BatchError | None = None


@dataclass(frozen=True, slots=True)
class BatchReply:
    update: Sequence[BatchItem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Webhook:
    id: int
    name: str
    status: str
    topic: str
    delivery_url: str


Row = TypeVar("Row")


_adapters: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def parse(kind: type[Row], content: Any) -> Row:
    """One row of ``kind``; Malformed names the fields that are wrong, never their values."""
    try:
        row: Row = _adapter(kind).validate_python(content)
    except ValidationError as fault:
        wrong = sorted({".".join(str(part) for part in error["loc"]) for error in fault.errors()})
        raise Malformed(f"WooCommerce's {kind.__name__} is not as documented: {', '.join(wrong[:5])}") from None
    return row


def parse_list(kind: type[Row], content: Any) -> list[Row]:
    if not isinstance(content, list):
        raise Malformed(f"WooCommerce answered no list of {kind.__name__}; is a proxy or plugin in between?")
    return [parse(kind, row) for row in content]


def utc(moment: datetime) -> datetime:
    """WooCommerce's ``*_gmt`` times carry no zone; they are UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def whole_units(quantity: float) -> int:
    """Units of a demand; a plugin's fraction of a unit takes the whole unit from the shelf."""
    return math.ceil(quantity)


def meta_units(meta_data: Sequence[Meta], key: str) -> int:
    """The number kept under ``key``, 0 when there is none."""
    for meta in meta_data:
        if meta.key == key:
            try:
                return whole_units(float(meta.value))
            except (TypeError, ValueError, OverflowError):
                raise Malformed(f"WooCommerce's line meta {key} is no number") from None
    return 0
