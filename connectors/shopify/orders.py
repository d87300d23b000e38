"""Fetching orders whole: all their lines, and for those that something happened to, their refunds and fulfilments."""

from collections.abc import Iterator, Sequence

from connectors.shopify.caller import ShopifyCaller, pages
from connectors.shopify.documents import (
    FULFILMENTS,
    MORE_FULFILMENT_LINES,
    MORE_LINES,
    MORE_REFUND_LINES,
    ORDERS,
    REFUNDS,
)
from connectors.shopify.translate import History, Node, gid, needs_history, order_of, reading, version_of
from core.model import FetchedOrders, StoreOrder

FETCH_LIMIT = 50

# Shopify reserves the points of what a page could hold, and charges those of what it holds; the fewer pages the less.
# So first pages fit nearly every order, and a bucket that is nearly empty still affords them.
FIRST_LINES = 30
_MORE_LINES = 250
_CHILD_LINES = 30
_CHILDREN = 10
_MOST_CHILDREN = 250
_ATTEMPTS = 3


class _ChangedMeanwhile(Exception):
    """The order changed, or went, between two of our reads of it."""


def fetch_orders(caller: ShopifyCaller, order_ids: Sequence[str]) -> FetchedOrders:
    """Each order as one consistent state, in batches as large as the cost limit allows."""
    orders: list[StoreOrder] = []
    missing: list[str] = []
    left = list(dict.fromkeys(order_ids))
    while left:
        nodes = _heads(caller, left)
        batch, left = left[: len(nodes)], left[len(nodes) :]
        for order_id, node in zip(batch, nodes, strict=True):
            order = _whole(caller, order_id, node)
            if order is None:
                missing.append(order_id)
            else:
                orders.append(order)
    return FetchedOrders(orders, missing)


def _heads(caller: ShopifyCaller, order_ids: Sequence[str]) -> Sequence[Node | None]:
    """The first orders of the list with their first lines, as many as fit; None for an id that Shopify doesn't know."""

    def attempt(size: int) -> Sequence[Node | None]:
        batch = order_ids[:size]
        variables = {"ids": [gid("Order", order_id) for order_id in batch], "first": FIRST_LINES}
        nodes: Sequence[Node | None] = caller.ask(ORDERS, variables).data["nodes"]
        if len(nodes) != len(batch):
            raise ValueError("not one node per id")
        return nodes

    with reading("orders"):
        return caller.sized("orders", FETCH_LIMIT, attempt)


def _whole(caller: ShopifyCaller, order_id: str, head: Node | None) -> StoreOrder | None:
    """Complete a head, beginning again when the order changes meanwhile; None when there is no such order.

    The last attempt takes a mixture as it is: the change that disturbed it brings a fetch of its own.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        if not head:
            return None
        try:
            with reading("an order"):
                return _assemble(caller, head, strict=attempt < _ATTEMPTS)
        except _ChangedMeanwhile:
            head = _heads(caller, [order_id])[0]
    return None


def _assemble(caller: ShopifyCaller, head: Node, strict: bool) -> StoreOrder:
    lines = list(_lines(caller, head, strict))
    history = _history(caller, head, strict) if needs_history(head, lines) else None
    return order_of(head, lines, history)


def _same(head: Node, order: Node | None, strict: bool) -> Node:
    """Another read of the head's order; raises _ChangedMeanwhile when it doesn't belong to the head's state."""
    if order is None or (strict and version_of(order) != version_of(head)):
        raise _ChangedMeanwhile
    return order


def _lines(caller: ShopifyCaller, head: Node, strict: bool) -> Iterator[Node]:
    def more(cursor: str) -> Node:
        variables = {"id": head["id"], "first": _MORE_LINES, "after": cursor}
        page: Node = _same(head, caller.ask(MORE_LINES, variables).data["order"], strict)["lineItems"]
        return page

    return pages(head["lineItems"], more)


def _history(caller: ShopifyCaller, head: Node, strict: bool) -> History:
    history = History()
    for refund in _with_children(caller, REFUNDS, head, "refunds", strict):
        history.add_refund(_children(caller, MORE_REFUND_LINES, refund, "refundLineItems"))
    if head["displayFulfillmentStatus"] != "UNFULFILLED":
        for fulfilment in _with_children(caller, FULFILMENTS, head, "fulfillments", strict):
            lines = _children(caller, MORE_FULFILMENT_LINES, fulfilment, "fulfillmentLineItems")
            history.add_fulfilment(fulfilment["status"], lines)
    return history


def _with_children(caller: ShopifyCaller, document: str, head: Node, field: str, strict: bool) -> Sequence[Node]:
    """All refunds or fulfilments of an order: Shopify lists them without pages, so a full list is asked for again."""

    def attempt(size: int, children: int) -> Sequence[Node]:
        order = caller.ask(document, {"id": head["id"], "children": children, "first": size}).data["order"]
        found: Sequence[Node] = _same(head, order, strict)[field]
        return found

    first = caller.sized(document, _CHILD_LINES, lambda size: attempt(size, _CHILDREN))
    if len(first) < _CHILDREN:
        return first
    return caller.sized(f"all {document}", _CHILD_LINES, lambda size: attempt(size, _MOST_CHILDREN))


def _children(caller: ShopifyCaller, document: str, parent: Node, field: str) -> Sequence[Node]:
    def more(cursor: str) -> Node:
        node = caller.ask(document, {"id": parent["id"], "first": _MORE_LINES, "after": cursor}).data["node"]
        if node is None:
            raise _ChangedMeanwhile
        page: Node = node[field]
        return page

    return list(pages(parent[field], more))
