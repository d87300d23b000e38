"""What a query costs, and the bucket it is paid from: shopify.dev/docs/api/usage/limits.

Scalars cost 0, objects 1, mutations 10. How a connection grows with its size is not documented. Measurements that
developers published fit 2 + 2 ln(size) times what one node costs, so that is taken; lists that are asked for by ids are
sized the same way.
"""

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)

MOST_PER_QUERY = 1000


@dataclass(frozen=True, slots=True)
class Plan:
    """What a shop's plan grants each app: the most points it can save up, and how many come back a second."""

    points: float
    points_per_s: float


STANDARD = Plan(2000, 100)
ADVANCED = Plan(4000, 200)
PLUS = Plan(20_000, 1000)

_MUTATION = 10
_FREE = frozenset({"pageInfo", "userErrors"})


def requested_cost(document: DocumentNode, variables: Mapping[str, Any]) -> int:
    """The dearest answer the document can get."""
    fragments = {
        each.name.value: each.selection_set for each in document.definitions if isinstance(each, FragmentDefinitionNode)
    }
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    asked = _Asked(fragments, variables)
    return math.ceil(
        sum(
            asked.selections(operation.selection_set)
            + (_MUTATION if operation.operation is OperationType.MUTATION else 0)
            for operation in operations
        )
    )


def actual_cost(data: Any, is_mutation: bool) -> int:
    """What an answer of this size costs."""
    return math.ceil(sum(map(_of_value, (data or {}).values())) + (_MUTATION if is_mutation else 0))


@dataclass(frozen=True, slots=True)
class _Asked:
    fragments: Mapping[str, SelectionSetNode]
    variables: Mapping[str, Any]

    def selections(self, chosen: SelectionSetNode) -> float:
        """All fields, and of fragments on different types the dearest."""
        fields = sum(self._field(each) for each in chosen.selections if isinstance(each, FieldNode))
        inner = [each.selection_set for each in chosen.selections if isinstance(each, InlineFragmentNode)]
        named = [self.fragments[each.name.value] for each in chosen.selections if isinstance(each, FragmentSpreadNode)]
        return fields + max((self.selections(each) for each in (*inner, *named)), default=0.0)

    def _field(self, field: FieldNode) -> float:
        if field.selection_set is None or field.name.value in _FREE:
            return 0
        size = self._size(field)
        if size is None:
            return 1 + self.selections(field.selection_set)
        nodes = [
            each
            for each in field.selection_set.selections
            if isinstance(each, FieldNode) and each.name.value == "nodes" and each.selection_set
        ]
        content = nodes[0].selection_set if nodes and nodes[0].selection_set else field.selection_set
        return _connection(size, 1 + self.selections(content))

    def _size(self, field: FieldNode) -> int | None:
        for argument in field.arguments or ():
            if argument.name.value in ("first", "ids"):
                value = self._value(argument.value)
                return len(value) if isinstance(value, list) else value
        return None

    def _value(self, node: ValueNode) -> Any:
        if isinstance(node, VariableNode):
            return self.variables.get(node.name.value)
        return int(node.value) if isinstance(node, IntValueNode) else None


def _of_value(value: Any) -> float:
    if isinstance(value, list):
        return _sized(len(value)) * max(map(_of_value, value), default=0.0)
    if not isinstance(value, dict):
        return 0
    nodes = value.get("nodes")
    if isinstance(nodes, list):
        return _connection(len(nodes), max(map(_of_value, nodes), default=0.0))
    return 1 + _sum_of(value.items())


def _sum_of(fields: Iterable[tuple[str, Any]]) -> float:
    return sum(_of_value(each) for name, each in fields if name not in _FREE and isinstance(each, dict | list))


def _connection(size: int, node: float) -> float:
    return 2 + _sized(size) * node


def _sized(size: int) -> float:
    return max(2 * math.log(size), 1.0) if size else 0.0


class Bucket:
    """Points of one app on one shop: refilled steadily, never above its size."""

    def __init__(self, plan: Plan) -> None:
        self.size = plan.points
        self.restore_rate = plan.points_per_s
        self._points = plan.points
        self._at = time.monotonic()

    def take(self, points: float) -> bool:
        """Take the points if they are there."""
        self._refill()
        if self._points < points:
            return False
        self._points -= points
        return True

    def give_back(self, points: float) -> None:
        self._refill()
        self._points = min(self._points + points, self.size)

    def status(self) -> dict[str, float]:
        self._refill()
        return {
            "maximumAvailable": self.size,
            "currentlyAvailable": math.floor(self._points),
            "restoreRate": self.restore_rate,
        }

    def _refill(self) -> None:
        now = time.monotonic()
        self._points = min(self._points + (now - self._at) * self.restore_rate, self.size)
        self._at = now
