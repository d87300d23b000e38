"""Rules of stores, listings and items: set and cleared here alone, every change with its version."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core import catalog, marks, stores
from core.errors import NotFound, Refused
from core.selling import facts
from core.selling.availability import number_to_write
from core.selling.rulebook import RULES, Rule, Scope, Value, rule_named
from core.transaction import Transaction

# Columns that are never empty: clearing a rule writes what holds where nobody says anything.
_ALWAYS_SET = {(Scope.STORE, "safety_stock")}


@dataclass(frozen=True, slots=True)
class Subject:
    """A store, a listing or an item that has rules; ``name`` is for people."""

    scope: Scope
    id: int
    name: str


def store_subject(tx: Transaction, store: str) -> Subject:
    """Raises: NotFound, naming the stores there are."""
    row = stores.find(tx, store)
    return Subject(Scope.STORE, row.id, row.name)


def item_subject(tx: Transaction, sku: str) -> Subject:
    """Raises: NotFound, naming items with a similar SKU."""
    item_id = catalog.item_id_of(tx, sku)
    row = tx.run("SELECT sku FROM item WHERE merchant_id = :merchant_id AND id = :id", id=item_id).one()
    return Subject(Scope.ITEM, item_id, row.sku)


def listing_subject(tx: Transaction, store: str, listing: str) -> Subject:
    """A listing by the store's own id of it, or by its SKU where the store has that only once.

    Raises: NotFound; Refused for a SKU that several listings carry.
    """
    shop = stores.find(tx, store)
    rows = tx.run(
        """SELECT id, external_id, external_id = :listing AS exact FROM listing
           WHERE merchant_id = :merchant_id AND store_id = :store_id
             AND (external_id = :listing OR lower(trim(sku)) = lower(trim(:listing)))
           ORDER BY external_id LIMIT 4""",
        store_id=shop.id,
        listing=listing,
    ).all()
    found = [row for row in rows if row.exact] or rows
    if not found:
        raise NotFound(f"{shop.name} has no listing {listing}; `holdfast listing show {shop.name}` lists them")
    if len(found) > 1:
        ids = ", ".join(row.external_id for row in found)
        raise Refused(f"several listings of {shop.name} carry SKU {listing}; name one by the store's own id: {ids}")
    return Subject(Scope.LISTING, found[0].id, f"{found[0].external_id} of {shop.name}")


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One version of a rule; ``was`` and ``becomes`` are None where nothing is set."""

    scope: Scope
    subject: str
    rule: str
    version: int
    changed_at: datetime
    actor: str
    was: Value
    becomes: Value


def set_rules(tx: Transaction, subject: Subject, values: Mapping[str, Value]) -> list[RuleChange]:
    """Give rules values, or with None leave them to the next in line; what stores show is computed again.

    All or none. One subject per transaction: rows are taken in an order that only holds for one.

    Returns: the changes; what has its value already is none of them.
    Raises:  Refused, naming the cure: no such rule, not a rule of such a thing, a value out of range. NotFound.
    """
    wanted = _checked(subject, values)
    before = _values(tx, subject, wanted, lock=subject.scope is not Scope.LISTING)
    different = {rule: value for rule, value in wanted.items() if before[rule] != value}
    # A store's row is taken before what is owed to it, a listing's after that: see ``core.stores`` and ``core.marks``.
    marks.stale(tx, (), _concerned(tx, subject, different), ())
    was = _values(tx, subject, different, lock=True)
    return [_change(tx, subject, rule, was[rule], value) for rule, value in different.items() if was[rule] != value]


def _checked(subject: Subject, values: Mapping[str, Value]) -> dict[Rule, Value]:
    wanted: dict[Rule, Value] = {}
    for name, value in values.items():
        rule = rule_named(name, subject.scope)
        if value is not None:
            wanted[rule] = rule.read(str(value))
        elif rule.clears:
            wanted[rule] = rule.unset if (subject.scope, rule.name) in _ALWAYS_SET else None
        else:
            raise Refused(f"{rule.name} of a listing always has a value; set it to {rule.unset}")
    return wanted


def _values(tx: Transaction, subject: Subject, rules: Iterable[Rule], *, lock: bool) -> dict[Rule, Value]:
    row = tx.run(
        f"""SELECT * FROM {subject.scope} WHERE merchant_id = :merchant_id AND id = :id
            {"FOR NO KEY UPDATE" if lock else ""}""",
        id=subject.id,
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no {subject.scope} {subject.name} any more")
    return {rule: getattr(row, rule.name) for rule in rules}


def _change(tx: Transaction, subject: Subject, rule: Rule, was: Value, becomes: Value) -> RuleChange:
    _write(tx, subject, rule, becomes)
    noted = tx.run(
        """INSERT INTO rule_change (merchant_id, scope, subject_id, rule, version, changed_at, actor, was, becomes)
           SELECT :merchant_id, :scope, :id, :rule, coalesce(max(version), 0) + 1,
               -- whoever waited for the row began earlier, and comes later all the same
               greatest(:now, max(changed_at)), :actor, :was, :becomes
           FROM rule_change
           WHERE merchant_id = :merchant_id AND scope = :scope AND subject_id = :id AND rule = :rule
           RETURNING version, changed_at""",
        scope=subject.scope, id=subject.id, rule=rule.name, actor=tx.actor, was=_text(was), becomes=_text(becomes),
    ).one()  # fmt: skip
    at = (noted.version, noted.changed_at, tx.actor)
    return RuleChange(subject.scope, subject.name, rule.name, *at, was, becomes)


def _write(tx: Transaction, subject: Subject, rule: Rule, value: Value) -> None:
    tx.run(
        f"UPDATE {subject.scope} SET {rule.name} = :value WHERE merchant_id = :merchant_id AND id = :id",
        id=subject.id,
        value=value,
    )


def _text(value: Value) -> str | None:
    return None if value is None else str(value)


def _concerned(tx: Transaction, subject: Subject, rules: Iterable[Rule]) -> Sequence[int]:
    """Listings whose number may depend on one of these rules."""
    changing = [rule for rule in rules if rule.changes_numbers]
    if not changing:
        return ()
    if subject.scope is Scope.STORE:
        source = "SELECT id FROM listing WHERE merchant_id = :merchant_id AND store_id = :id AND item_id IS NOT NULL"
    elif subject.scope is Scope.LISTING and all(rule.clears for rule in changing):
        return [subject.id]
    else:
        # How much one listing takes, and of what, counts for all that share the item with it, in bundles, too.
        item = "SELECT item_id FROM listing WHERE merchant_id = :merchant_id AND id = :id"
        source = f"""WITH RECURSIVE sold AS (
                SELECT {"CAST(:id AS bigint)" if subject.scope is Scope.ITEM else f"({item})"} AS id
                UNION SELECT c.bundle_item_id FROM sold s CROSS JOIN LATERAL (SELECT bundle_item_id FROM component
                    WHERE merchant_id = :merchant_id AND item_id = s.id OFFSET 0) c)
            SELECT l.id FROM sold s CROSS JOIN LATERAL (SELECT id FROM listing
                WHERE merchant_id = :merchant_id AND item_id = s.id OFFSET 0) l"""
    ids: Sequence[int] = tx.run(source, id=subject.id).scalars().all()
    return ids


@dataclass(frozen=True, slots=True)
class Difference:
    """A listing that would show another number. Numbers are what is written to the store."""

    store: str
    external_id: str
    sku: str
    title: str
    before: int
    after: int


def preview(tx: Transaction, subject: Subject, values: Mapping[str, Value]) -> list[Difference]:
    """What changes, made together, would do to the numbers, by the code that computes them. Nothing stays or is marked.

    Raises: as ``set_rules``.
    """
    checked = _checked(subject, values)
    listing_ids = _concerned(tx, subject, checked)
    before = _numbers(tx, listing_ids)
    tried = tx.connection.begin_nested()
    for rule, value in checked.items():
        _write(tx, subject, rule, value)
    after = _numbers(tx, listing_ids)
    tried.rollback()
    changed = [listing_id for listing_id, number in before.items() if after[listing_id] != number]
    return [
        Difference(row.store, row.external_id, row.sku, row.title, before[row.id], after[row.id])
        for row in tx.run(
            """SELECT l.id, s.name AS store, l.external_id, l.sku, l.title
               FROM unnest(CAST(:ids AS bigint[])) k (id)
               CROSS JOIN LATERAL (SELECT * FROM listing WHERE merchant_id = :merchant_id AND id = k.id OFFSET 0) l
               JOIN store s ON s.merchant_id = :merchant_id AND s.id = l.store_id ORDER BY s.id, l.external_id""",
            ids=changed,
        )
    ]


def _numbers(tx: Transaction, listing_ids: Sequence[int]) -> dict[int, int]:
    source = """SELECT x.* FROM unnest(CAST(:ids AS bigint[])) k (id) CROSS JOIN LATERAL
        (SELECT * FROM listing WHERE merchant_id = :merchant_id AND id = k.id AND item_id IS NOT NULL
            AND untracked_reason = '' OFFSET 0) x"""
    return {row.id: number_to_write(told) for row, told in facts.read(tx, source, ids=list(listing_ids))}


_CHANGE = """c.*, CASE c.scope
    WHEN 'store' THEN (SELECT name FROM store WHERE merchant_id = :merchant_id AND id = c.subject_id)
    WHEN 'item' THEN (SELECT sku FROM item WHERE merchant_id = :merchant_id AND id = c.subject_id)
    ELSE (SELECT l.external_id || ' of ' || s.name FROM listing l
        JOIN store s ON s.merchant_id = :merchant_id AND s.id = l.store_id
        WHERE l.merchant_id = :merchant_id AND l.id = c.subject_id) END AS subject"""


def history(tx: Transaction, *, subject: Subject | None = None, rule: str = "", limit: int = 100) -> list[RuleChange]:
    """Changes of rules, newest first; of one subject or one rule, where they are named. Raises: Refused."""
    rows = tx.run(
        f"""SELECT {_CHANGE} FROM rule_change c WHERE c.merchant_id = :merchant_id
              AND (CAST(:scope AS text) IS NULL OR c.scope = :scope AND c.subject_id = :id)
              AND (:rule = '' OR c.rule = :rule)
            ORDER BY c.changed_at DESC, c.version DESC, c.scope, c.subject_id, c.rule LIMIT :limit""",
        scope=subject and subject.scope,
        id=subject and subject.id,
        rule=rule_named(rule).name if rule else "",
        limit=limit,
    )
    return [_rule_change(row) for row in rows]


def newest(
    tx: Transaction, subjects: Collection[tuple[Scope, int]], *, each: int
) -> dict[tuple[Scope, int], list[RuleChange]]:
    """Of each subject its newest changes that concern numbers, newest first."""
    rows = tx.run(
        f"""SELECT {_CHANGE} FROM unnest(CAST(:scopes AS text[]), CAST(:ids AS bigint[])) k (scope, id)
            CROSS JOIN LATERAL (SELECT * FROM rule_change WHERE merchant_id = :merchant_id AND scope = k.scope
                AND subject_id = k.id AND rule <> ALL(CAST(:others AS text[]))
                ORDER BY changed_at DESC, version DESC, rule LIMIT :each) c""",
        scopes=[scope for scope, _ in subjects],
        ids=[subject_id for _, subject_id in subjects],
        others=[rule.name for rule in RULES.values() if not rule.changes_numbers],
        each=each,
    )
    found: dict[tuple[Scope, int], list[RuleChange]] = {}
    for row in rows:
        found.setdefault((Scope(row.scope), row.subject_id), []).append(_rule_change(row))
    return found


def _rule_change(row: Any) -> RuleChange:
    was, becomes = (value_of(row.rule, text) for text in (row.was, row.becomes))
    return RuleChange(Scope(row.scope), row.subject, row.rule, row.version, row.changed_at, row.actor, was, becomes)


def value_of(rule: str, text: str | None) -> Value:
    """A value as ``rule_change`` keeps it."""
    return None if text is None else RULES[rule].read(text)


def changed_since(tx: Transaction, at: datetime) -> dict[tuple[Scope, int, str], Value]:
    """Of every rule that was changed after an instant: the value that it had then, by scope, subject and rule.

    All others have had the value of their column since before.
    """
    rows = tx.run(
        """SELECT DISTINCT ON (scope, subject_id, rule) scope, subject_id, rule, was FROM rule_change
           WHERE merchant_id = :merchant_id AND changed_at > :at ORDER BY scope, subject_id, rule, version""",
        at=at,
    )
    return {(Scope(row.scope), row.subject_id, row.rule): value_of(row.rule, row.was) for row in rows}


@dataclass(frozen=True, slots=True)
class Said:
    """A rule that is set; ``since`` and ``actor`` of its newest change, empty for what was set when it was made."""

    scope: Scope
    subject: str
    rule: str
    value: Value
    since: datetime | None
    actor: str


def listed(tx: Transaction, *, subject: Subject | None = None) -> list[Said]:
    """All rules that are set, or those of one subject: stores first, then items, then listings."""
    parts = [_said_sql(scope, rule) for scope in (Scope.STORE, Scope.ITEM, Scope.LISTING) for rule in RULES.values()
             if scope in rule.scopes]  # fmt: skip
    rows = tx.run(
        f"""SELECT said.*, c.changed_at AS since, coalesce(c.actor, '') AS actor
            FROM ({" UNION ALL ".join(parts)}) said
            LEFT JOIN LATERAL (SELECT changed_at, actor FROM rule_change WHERE merchant_id = :merchant_id
                AND scope = said.scope AND subject_id = said.id AND rule = said.rule ORDER BY version DESC LIMIT 1) c
                ON true
            WHERE CAST(:scope AS text) IS NULL OR said.scope = :scope AND said.id = :id
            ORDER BY nth, subject, said.id, said.rule""",
        scope=subject and subject.scope,
        id=subject and subject.id,
    )
    return [Said(Scope(row.scope), row.subject, row.rule, value_of(row.rule, row.value), row.since, row.actor)
            for row in rows]  # fmt: skip


_NAMES = {
    Scope.STORE: "r.name",
    Scope.ITEM: "r.sku",
    Scope.LISTING: """r.external_id || ' of '
        || (SELECT name FROM store WHERE merchant_id = :merchant_id AND id = r.store_id)""",
}


def _said_sql(scope: Scope, rule: Rule) -> str:
    """One rule of one table, where it says something else than if nobody had said anything."""
    silent = f" AND r.{rule.name} <> '{rule.unset}'" if not rule.clears or (scope, rule.name) in _ALWAYS_SET else ""
    return f"""SELECT {list(_NAMES).index(scope)} AS nth, '{scope}' AS scope, r.id, {_NAMES[scope]} AS subject,
            '{rule.name}' AS rule, CAST(r.{rule.name} AS text) AS value
        FROM {scope} r WHERE r.merchant_id = :merchant_id AND r.{rule.name} IS NOT NULL{silent}"""
