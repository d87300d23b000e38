"""When to warn: rules of a merchant, set and cleared here alone. A job looks at what they concern right afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core import work
from core.alerts.kinds import DEFAULT_WINDOW_DAYS, EVERY_ITEM, KINDS, LONGEST_WINDOW_DAYS, NO_PLACE, AlertKind
from core.errors import NotFound, Refused
from core.stock import GOOD, GRADES
from core.transaction import Transaction

TOPIC = "alerts"  # the work of the job that looks at everything


@dataclass(frozen=True, slots=True)
class Scope:
    """What a rule is about. ``item_id`` 0: every item that has no rule of its own for the same place.

    Of low stock: with a warehouse, the units available there; with a store, what each of its listings may sell, in
    their sale units; with neither, the free units of the shared pool.
    """

    item_id: int = EVERY_ITEM
    warehouse_id: int = NO_PLACE
    store_id: int = NO_PLACE
    grade: str = GOOD


def set_rule(
    tx: Transaction, kind: AlertKind, scope: Scope, level: int | None, *, window_days: int | None = None
) -> None:
    """Warn at ``level``, or with None never, whatever holds for every item.

    Args: window_days: of days of cover: from how many days of sales (1 to 90) they are computed.
    Raises: Refused, naming the cure.
    """
    if problem := problem_of(kind, scope, level, window_days) or _of_bundle(tx, kind, scope):
        raise Refused(problem)
    covers = kind is AlertKind.LOW_COVER and level is not None
    tx.run(
        """INSERT INTO alert_rule (merchant_id, item_id, kind, warehouse_id, store_id, grade, level, window_days,
               changed_at, changed_by)
           VALUES (:merchant_id, :item_id, :kind, :warehouse_id, :store_id, :grade, :level, :window_days, :now, :actor)
           ON CONFLICT (merchant_id, item_id, kind, warehouse_id, store_id, grade) DO UPDATE SET
               level = EXCLUDED.level, window_days = EXCLUDED.window_days, changed_at = EXCLUDED.changed_at,
               changed_by = EXCLUDED.changed_by""",
        kind=kind,
        level=level,
        window_days=(window_days or DEFAULT_WINDOW_DAYS) if covers else None,
        actor=tx.actor,
        **_key(scope),
    )
    look(tx)


def clear_rule(tx: Transaction, kind: AlertKind, scope: Scope) -> None:
    """Take a rule away; what holds for every item holds again. Raises: NotFound."""
    gone = tx.run(
        """DELETE FROM alert_rule WHERE merchant_id = :merchant_id AND item_id = :item_id AND kind = :kind
             AND warehouse_id = :warehouse_id AND store_id = :store_id AND grade = :grade""",
        kind=kind,
        **_key(scope),
    ).rowcount
    if not gone:
        raise NotFound(f"there is no such rule of {kind}; `holdfast alert rule list` shows them")
    look(tx)


def level_of(tx: Transaction, kind: AlertKind) -> int | None:
    """The level that holds for everything of a kind, set or not; None: no warning."""
    rule = tx.run(
        """SELECT level FROM alert_rule WHERE merchant_id = :merchant_id AND kind = :kind AND item_id = :every
             AND warehouse_id = :nowhere AND store_id = :nowhere AND grade = :good""",
        kind=kind,
        every=EVERY_ITEM,
        nowhere=NO_PLACE,
        good=GOOD,
    ).one_or_none()
    return KINDS[kind].unset if rule is None else rule.level


def warehouse_id_of(tx: Transaction, code: str) -> int:
    """Raises: NotFound, naming the warehouses there are."""
    rows = tx.run("SELECT id, code FROM warehouse WHERE merchant_id = :merchant_id ORDER BY code").all()
    for row in rows:
        if row.code.casefold() == code.strip().casefold():
            return int(row.id)
    raise NotFound(f"there is no warehouse {code!r}; there are: {', '.join(row.code for row in rows)}")


def look(tx: Transaction) -> None:
    """Have everything looked at now."""
    work.want(tx, [work.Want(TOPIC, 0, "")])


def _key(scope: Scope) -> dict[str, object]:
    return {
        "item_id": scope.item_id,
        "warehouse_id": scope.warehouse_id,
        "store_id": scope.store_id,
        "grade": scope.grade,
    }


def problem_of(kind: AlertKind, scope: Scope, level: int | None, window_days: int | None) -> str:
    """What is wrong with a rule, with the cure; empty when nothing is. Pure."""
    one = KINDS[kind]
    if scope.warehouse_id and scope.store_id:
        return "a rule is for a warehouse or for a store; set two"
    if (scope.warehouse_id or scope.store_id) and kind is not AlertKind.LOW_STOCK:
        return f"only low_stock is watched per warehouse or store, not {kind}"
    if scope.item_id and one.of != "item":
        return f"{kind} is watched for whole {one.of}s, not for an item"
    if scope.grade not in GRADES:
        return f"a grade is one of {', '.join(GRADES)}, not {scope.grade!r}"
    if scope.grade != GOOD and kind not in (AlertKind.LOW_STOCK, AlertKind.LOW_COVER):
        return f"{kind} has no grade"
    if level is not None and not one.counts:
        return f"{kind} has no level; it warns unless it is off"
    if level is not None and not 0 <= level <= one.most:
        return f"a level of {kind} is 0 to {one.most:,} {one.counts}, not {level:,}"
    if window_days is not None and (kind is not AlertKind.LOW_COVER or level is None):
        return "only low_cover is computed from days of sales"
    if window_days is not None and not 1 <= window_days <= LONGEST_WINDOW_DAYS:
        return f"days of sales are 1 to {LONGEST_WINDOW_DAYS}, not {window_days:,}"
    return ""


def _of_bundle(tx: Transaction, kind: AlertKind, scope: Scope) -> str:
    if not scope.item_id or scope.store_id:
        return ""
    is_bundle = tx.run(
        "SELECT kind = 'bundle' FROM item WHERE merchant_id = :merchant_id AND id = :id", id=scope.item_id
    ).scalar_one()
    if not is_bundle:
        return ""
    cure = "or what a store may sell of it (--store)" if kind is AlertKind.LOW_STOCK else "of which it is made"
    return f"a bundle has no units of its own; watch its components, {cure}"


@dataclass(frozen=True, slots=True)
class RuleView:
    """A rule for people. ``item``, ``warehouse`` and ``store`` are empty where none is named.

    ``level`` None: no warning. ``changed_at`` and ``changed_by`` are None for what holds without a rule.
    """

    kind: AlertKind
    item: str
    warehouse: str
    store: str
    grade: str
    level: int | None
    is_off: bool
    window_days: int | None
    changed_at: datetime | None
    changed_by: str | None


def rules(tx: Transaction) -> Sequence[RuleView]:
    """All rules, by kind, and for each kind without one for every item what holds then."""
    rows = tx.run(
        """SELECT r.kind, coalesce(i.sku, '') AS item, coalesce(w.code, '') AS warehouse, coalesce(s.name, '') AS store,
               r.grade, r.level, r.window_days, r.changed_at, r.changed_by, r.item_id
           FROM alert_rule r LEFT JOIN item i ON i.merchant_id = r.merchant_id AND i.id = r.item_id
           LEFT JOIN warehouse w ON w.merchant_id = r.merchant_id AND w.id = r.warehouse_id
           LEFT JOIN store s ON s.merchant_id = r.merchant_id AND s.id = r.store_id
           WHERE r.merchant_id = :merchant_id ORDER BY s.name NULLS FIRST, w.code NULLS FIRST, i.sku NULLS FIRST,
               r.grade"""
    ).all()
    found = [
        RuleView(
            AlertKind(row.kind), row.item, row.warehouse, row.store, row.grade, row.level, row.level is None,
            row.window_days, row.changed_at, row.changed_by,
        )
        for row in rows
    ]  # fmt: skip
    said = {row.kind for row in rows if row.item_id == EVERY_ITEM}
    unsaid = [
        RuleView(kind, "", "", "", GOOD, one.unset, False, None, None, None)
        for kind, one in KINDS.items()
        if kind not in said and (one.unset is not None or not one.counts)
    ]
    order = list(KINDS)
    return sorted([*unsaid, *found], key=lambda rule: order.index(rule.kind))
