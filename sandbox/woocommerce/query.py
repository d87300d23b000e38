"""Collection parameters of wc/v3: paging, filters, fields. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse

from sandbox.woocommerce.errors import invalid_param
from sandbox.woocommerce.shapes import SHOP_ZONE, Json

T = TypeVar("T")

ORDERS_BY = ("date", "id", "modified")
TRUE = ("true", "1")


def words(query: QueryParams, name: str) -> list[str] | None:
    """A comma list, also as repeated ``name[]``; None when absent."""
    given = [*query.getlist(f"{name}[]"), *query.getlist(name)]
    found = [word.strip() for value in given for word in value.split(",") if word.strip()]
    return found if given else None


def numbers(query: QueryParams, name: str) -> list[int] | None:
    found = words(query, name)
    if found is None:
        return None
    if not all(word.isdecimal() for word in found):
        raise invalid_param(name, f"{name}[0] is not of type integer.", "rest_invalid_type", {"param": f"{name}[0]"})
    return [int(word) for word in found]


def modified_after(query: QueryParams) -> datetime | None:
    """The first moment that counts as later, by whole seconds; a naive text is shop time unless flagged as GMT."""
    text = query.get("modified_after")
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid_param("modified_after", "Invalid date.", "rest_invalid_date") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC if query.get("dates_are_gmt") in TRUE else SHOP_ZONE)
    return moment.replace(microsecond=0) + timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a collection, in which order, and which fields of each (None: all)."""

    size: int
    number: int
    by: str
    ascending: bool
    fields: frozenset[str] | None

    def cut(self, rows: Iterable[T], key: Callable[[T], object], show: Callable[[T], Json]) -> JSONResponse:
        """``rows`` in ascending order of id; ``key`` gives the moment of the last change."""
        ordered: Sequence[T] = list(rows)
        if self.by == "modified":
            ordered = sorted(ordered, key=lambda row: str(key(row)))
        if not self.ascending:
            ordered = ordered[::-1]
        start = (self.number - 1) * self.size
        shown = [trimmed(show(row), self.fields) for row in ordered[start : start + self.size]]
        total = len(ordered)
        headers = {"X-WP-Total": str(total), "X-WP-TotalPages": str(-(-total // self.size))}
        return JSONResponse(shown, headers=headers)


def page(query: QueryParams) -> Page:
    """Raises: ApiError 400 with the platform's words."""
    by, order = query.get("orderby", "date"), query.get("order", "desc")
    if by not in ORDERS_BY:
        raise invalid_param("orderby", f"orderby is not one of {', '.join(ORDERS_BY)}.", "rest_not_in_enum")
    if order not in ("asc", "desc"):
        raise invalid_param("order", "order is not one of asc and desc.", "rest_not_in_enum")
    size = _whole(query, "per_page", 10)
    if not 1 <= size <= 100:
        reason = "per_page must be between 1 (inclusive) and 100 (inclusive)"
        raise invalid_param("per_page", reason, "rest_out_of_bounds")
    number = _whole(query, "page", 1)
    if number < 1:
        raise invalid_param("page", "page must be greater than or equal to 1", "rest_out_of_bounds")
    return Page(size, number, by, order == "asc", fields(query))


def fields(query: QueryParams) -> frozenset[str] | None:
    found = words(query, "_fields")
    return frozenset(found) if found else None


def trimmed(shown: Json, wanted: frozenset[str] | None) -> Json:
    """Only what was asked for, of an object also by one of its fields: ``shipping.country``."""
    if wanted is None:
        return shown
    kept: Json = {}
    for name, value in shown.items():
        inner = {field.partition(".")[2] for field in wanted if field.startswith(f"{name}.")}
        if name in wanted:
            kept[name] = value
        elif inner:
            kept[name] = {each: value[each] for each in value if each in inner} if isinstance(value, dict) else value
    return kept


def stock_quantity(body: Mapping[str, object]) -> int | None:
    """The number a single write asks for, null meaning 0; None when it asks for none.

    Raises: ApiError 400 for what is no integer.
    """
    if "stock_quantity" not in body:
        return None
    value = body["stock_quantity"]
    if value is None:
        return 0
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except ValueError:
            number = 0.5
        if number.is_integer():
            return int(number)
    reason = "stock_quantity is not of type integer."
    raise invalid_param("stock_quantity", reason, "rest_invalid_type", {"param": "stock_quantity"})


def batch_stock_quantity(body: Mapping[str, object]) -> int | None:
    """As ``stock_quantity``, but a batch validates nothing: fractions are cut off and other text is 0."""
    if "stock_quantity" not in body:
        return None
    value = body["stock_quantity"]
    if not isinstance(value, int | float | str):
        return 0
    try:
        return int(float(value))
    except (ValueError, OverflowError):
        return 0


def _whole(query: QueryParams, name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.lstrip("-").isdecimal():
        raise invalid_param(name, f"{name} is not of type integer.", "rest_invalid_type", {"param": name})
    return int(text)
