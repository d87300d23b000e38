"""Orders of the merchant's own shop, told as they stand now: the same road as the orders of storefronts.

Whoever tells an order tells all of it each time. What changed is computed, so telling it twice, or an older state after
a newer one, does no harm.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from core import faults
from core.catalog import sku_key
from core.dispatch.destinations import read_destination
from core.errors import NotFound, Refused
from core.goods import skus
from core.goods.skus import SkuItem
from core.model import Deduct, StoreOrder, StoreOrderLine
from core.opaque import holder_of
from core.orders.apply import ApplyOrder
from core.sales import waiting
from core.sales.drawing import OWN
from core.stock import MINOR_DEFECT, Stocked
from core.transaction import Transaction

MOST_BYTES = 5_000_000
MOST_ORDERS, MOST_LINES, MOST_UNITS, MOST_TAKES = 500, 1_000, 1_000_000, 100
_MOST_VERSION = 2**62
_TOLD = 5  # mistakes
_AHEAD = timedelta(days=1)  # clocks of shops may be wrong

_Word = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
_Key = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
_Text = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Units = Annotated[int, Field(ge=0, le=MOST_UNITS)]


class _Told(BaseModel):
    """Unknown names are mistakes, and a number is a number: "3" is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class OwnLine(_Told):
    """One line as it stands now, in units of the item; the counts mean what they mean in ``StoreOrderLine``.

    A line is known by its ``line_id`` and what it sells: another SKU under the same id is another line.
    """

    line_id: _Word
    sku: _Word
    quantity: _Units
    grade: Literal["good", "minor_defect"] = "good"
    title: _Text = ""
    cancelled: _Units = 0
    written_off: _Units = 0
    shipped: _Units = 0
    returned: _Units = 0
    returned_minor_defect: _Units = 0

    @model_validator(mode="after")
    def _adds_up(self) -> "OwnLine":
        gone = self.cancelled + self.written_off + self.shipped
        if gone > self.quantity:
            raise ValueError(
                f"cancelled, written_off and shipped are {gone} together, more than its quantity of {self.quantity}; "
                "quantity counts all units that were ordered"
            )
        if self.returned > self.shipped:
            raise ValueError(f"returned is {self.returned}, more than the {self.shipped} shipped")
        if self.returned_minor_defect > self.returned:
            raise ValueError(
                f"returned_minor_defect is {self.returned_minor_defect}, more than the {self.returned} returned; it "
                "counts those of the returned units that came back with a flaw"
            )
        return self


class OwnOrder(_Told):
    """One order as it stands now.

    ``version``  a number of the shop's own that rises with each state, so that late ones are dropped; without it the
                 state told last counts.
    ``takes``    keys of holds that became this order.
    ``to``       where it goes: COUNTRY-SUBDIVISION-POSTAL, of the postal code no more than three characters are kept.
    """

    number: _Word
    placed_at: AwareDatetime
    lines: Annotated[tuple[OwnLine, ...], Field(max_length=MOST_LINES, strict=False)]
    paid: bool = False
    holds: bool = True
    state: _Text = ""
    version: Annotated[int, Field(ge=0, le=_MOST_VERSION)] | None = None
    holder: Annotated[str, StringConstraints(max_length=128)] = ""
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = 0
    takes: Annotated[tuple[_Key, ...], Field(max_length=MOST_TAKES, strict=False)] = ()
    deduct: Annotated[Deduct, Field(strict=False)] = Deduct.RESERVE_THEN_DEDUCT
    to: Annotated[str, StringConstraints(max_length=40)] = ""

    @model_validator(mode="after")
    def _is_clear(self) -> "OwnOrder":
        seen: set[str] = set()
        for line in self.lines:
            if line.line_id in seen:
                raise ValueError(f"two lines have the line_id {line.line_id}; give each its own")
            seen.add(line.line_id)
        try:
            if self.holder:
                holder_of(self.holder)
            if self.to:
                read_destination(self.to)
        except Refused as error:
            raise ValueError(str(error)) from error
        return self


def read(text: str) -> list[OwnOrder]:
    """The orders that a text tells: one JSON object, or a list of them.

    Raises: Refused, naming order, line and cure of what is wrong.
    """
    if len(text) > MOST_BYTES:
        raise Refused(f"{len(text):,} characters are too many at once; tell at most {MOST_BYTES:,}, in several calls")
    try:
        told: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"this is no JSON: {error}; see docs/promises.md for how an order is told") from error
    orders = told if isinstance(told, list) else [told]
    if len(orders) > MOST_ORDERS:
        raise Refused(f"{len(orders):,} orders are too many at once; tell at most {MOST_ORDERS}, in several calls")
    return [_read_one(order, nth) for nth, order in enumerate(orders, start=1)]


def _read_one(told: Any, nth: int) -> OwnOrder:
    try:
        # Through JSON once more: in it an instant is written as text, and nothing else is taken for what it is not.
        return OwnOrder.model_validate_json(json.dumps(told))
    except ValidationError as error:
        number = told.get("number") if isinstance(told, dict) else None
        name = f"order {number}" if isinstance(number, str) and number else f"order no. {nth}"
        wrong = [_fault(fault, told) for fault in error.errors(include_url=False, include_input=False)]
        more = f"; and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else ""
        raise Refused(f"{name}: {'; '.join(wrong[:_TOLD])}{more}") from error


def _fault(fault: Mapping[str, Any], told: Any) -> str:
    """One mistake as a sentence that names the line."""
    words = faults.cure(fault)
    where = list(fault["loc"])
    line = ""
    if len(where) > 1 and where[0] == "lines" and isinstance(where[1], int):
        said = told["lines"][where[1]]
        known = said.get("line_id") if isinstance(said, dict) else None
        line = f"line {known} " if known else f"line no. {where[1] + 1} "
        where = where[2:]
    what = ".".join(map(str, where))
    if fault["type"] == "extra_forbidden":
        return f"{line}{what}: there is no such field; see docs/promises.md for those there are"
    if fault["type"] == "missing":
        return f"{line}{what} is missing"
    return f"{line}{what}: {words}" if what else f"{line}{words}"


def commands(tx: Transaction, orders: Sequence[OwnOrder]) -> list[ApplyOrder]:
    """What brings the books to these states, in the order in which they are told.

    Raises: NotFound for an unknown SKU; Refused when an order is told with versions once and without them then.
    """
    for order in orders:
        if order.placed_at > tx.now + _AHEAD:
            raise Refused(f"order {order.number}: placed_at has not come yet; tell when it was placed, with its offset")
    _require_one_way_of_counting(tx, orders)
    items = _items(tx, orders)
    told = tx.run("SELECT nextval('fetch_seq') FROM generate_series(1, CAST(:n AS int))", n=len(orders)).scalars()
    sold = {Stocked(items[sku_key(line.sku)].id, line.grade) for order in orders for line in order.lines}
    may_wait = waiting.may_wait(tx, OWN, sold)
    return [_command(order, seq, items, may_wait) for order, seq in zip(orders, told, strict=True)]


def _items(tx: Transaction, orders: Sequence[OwnOrder]) -> dict[str, SkuItem]:
    told = [line.sku for order in orders for line in order.lines]
    try:
        return skus.resolve(tx, told)
    except NotFound as error:
        known = skus.look_up(tx, told)
        where = [
            f"order {order.number} line {line.line_id}"
            for order in orders
            for line in order.lines
            if sku_key(line.sku) not in known
        ]
        more = f" and {len(where) - _TOLD} more" if len(where) > _TOLD else ""
        raise NotFound(f"{', '.join(where[:_TOLD])}{more}: {error}") from error


def _require_one_way_of_counting(tx: Transaction, orders: Sequence[OwnOrder]) -> None:
    rows = tx.run(
        """SELECT o.external_id, o.version, o.fetch_seq FROM unnest(CAST(:numbers AS text[])) k (number)
           CROSS JOIN LATERAL (SELECT * FROM store_order WHERE merchant_id = :merchant_id AND store_id = :own
               AND external_id = k.number) o""",
        numbers=sorted({order.number for order in orders}),
        own=OWN,
    )
    known = {row.external_id: (row.version != "", row.fetch_seq) for row in rows}
    for order in orders:
        counted, newest = known.setdefault(order.number, (order.version is not None, 0))
        if counted and order.version is None:
            raise Refused(f"order {order.number} was told with a version before; tell one above {newest}")
        if not counted and order.version is not None:
            raise Refused(f"order {order.number} was told without a version before; leave it out")


def _command(order: OwnOrder, seq: int, items: Mapping[str, SkuItem], may_wait: Mapping[Stocked, int]) -> ApplyOrder:
    sold = [(line, items[sku_key(line.sku)]) for line in order.lines]
    return ApplyOrder(
        OWN,
        StoreOrder(
            external_id=order.number,
            number=order.number,
            state=order.state or _state(order),
            placed_at=order.placed_at,
            version="" if order.version is None else str(order.version),
            holds=order.holds,
            paid=order.paid,
            lines=[_line(line, item) for line, item in sold],
            destination=str(read_destination(order.to)) if order.to else "",
        ),
        seq if order.version is None else order.version,
        deduct=order.deduct,
        holder=order.holder,
        priority=order.priority,
        takes=order.takes,
        counts={_sold_id(line, item): Stocked(item.id, line.grade) for line, item in sold},
        may_wait=may_wait,
    )


def _state(order: OwnOrder) -> str:
    """A word for people, where the shop has none."""
    if not order.holds:
        return "holds nothing"
    return "paid" if order.paid else "open"


def _line(line: OwnLine, item: SkuItem) -> StoreOrderLine:
    return StoreOrderLine(
        line_id=f"{line.line_id}:{_sold_id(line, item)}",
        external_id=_sold_id(line, item),
        sku=item.sku,
        title=line.title,
        quantity=line.quantity,
        cancelled=line.cancelled,
        shipped=line.shipped,
        written_off=line.written_off,
        returned=line.returned,
        returned_minor_defect=line.returned_minor_defect,
    )


def _sold_id(line: OwnLine, item: SkuItem) -> str:
    """Not the SKU, which may be renamed."""
    return f"{item.id}:{line.grade}" if line.grade == MINOR_DEFECT else str(item.id)


def line_id_of(external_line_id: str) -> str:
    """The shop's own id of a line."""
    line_id, _, _ = external_line_id.removesuffix(f":{MINOR_DEFECT}").rpartition(":")
    return line_id
