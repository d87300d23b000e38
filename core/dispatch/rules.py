"""Rules on record that say which warehouse may serve what, where to and when; and who chooses among those that may."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.dispatch import strategies, waking
from core.dispatch.rates import refuse_bundles
from core.dispatch.terms import Effect
from core.errors import NotFound, Refused
from core.transaction import Transaction

USUAL = "priority"


@dataclass(frozen=True, slots=True)
class RuleView:
    """``item``, ``region``: names; empty: all. ``is_over``: its time has passed."""

    id: int
    effect: str
    warehouse: str
    item: str
    region: str
    starts_at: datetime | None
    ends_at: datetime | None
    made_at: datetime
    made_by: str
    is_over: bool


def add(
    tx: Transaction, effect: Effect, warehouse_id: int, *, item_id: int | None = None, region_id: int | None = None,
    starts_at: datetime | None = None, ends_at: datetime | None = None,
) -> int:  # fmt: skip
    """A rule; returns its id. Raises: Refused for one that says nothing or is there already."""
    if effect is Effect.ONLY and region_id is None:
        raise Refused("say to which region alone the warehouse sends: --region NAME")
    if starts_at and ends_at and ends_at <= starts_at:
        raise Refused("the rule would end before it begins")
    if item_id is not None:
        refuse_bundles(tx, [item_id])
    tx.run("SELECT pg_advisory_xact_lock(hashtextextended('holdfast.serving_rule', :merchant_id))")
    values = {
        "effect": effect, "warehouse_id": warehouse_id, "item_id": item_id, "region_id": region_id,
        "starts_at": starts_at, "ends_at": ends_at,
    }  # fmt: skip
    there = tx.run(
        """SELECT id FROM serving_rule WHERE merchant_id = :merchant_id AND effect = :effect
             AND warehouse_id = :warehouse_id AND item_id IS NOT DISTINCT FROM CAST(:item_id AS bigint)
             AND region_id IS NOT DISTINCT FROM CAST(:region_id AS bigint)
             AND starts_at IS NOT DISTINCT FROM CAST(:starts_at AS timestamptz)
             AND ends_at IS NOT DISTINCT FROM CAST(:ends_at AS timestamptz) LIMIT 1""",
        **values,
    ).scalar_one_or_none()
    if there is not None:
        raise Refused(f"rule {there} says so already")
    rule_id = tx.new_id()
    tx.run(
        """INSERT INTO serving_rule (merchant_id, id, effect, warehouse_id, item_id, region_id, starts_at, ends_at,
               made_at, made_by)
           VALUES (:merchant_id, :id, :effect, :warehouse_id, CAST(:item_id AS bigint), CAST(:region_id AS bigint),
               CAST(:starts_at AS timestamptz), CAST(:ends_at AS timestamptz), :now, :actor)""",
        id=rule_id,
        actor=tx.actor,
        **values,
    )
    waking.wake(tx)
    return rule_id


def remove(tx: Transaction, rule_id: int) -> None:
    """Raises: NotFound."""
    gone = tx.run("DELETE FROM serving_rule WHERE merchant_id = :merchant_id AND id = :id", id=rule_id).rowcount
    if not gone:
        raise NotFound(f"there is no rule {rule_id}; `holdfast route rules list` shows their numbers")
    waking.wake(tx)


def every(tx: Transaction) -> list[RuleView]:
    """All rules, by warehouse."""
    rows = tx.run(
        """SELECT s.id, s.effect, coalesce(w.code, '') AS warehouse, coalesce(i.sku, '') AS item,
               coalesce(r.name, '') AS region, s.starts_at, s.ends_at, s.made_at, s.made_by,
               coalesce(s.ends_at <= :now, false) AS is_over
           FROM serving_rule s LEFT JOIN warehouse w ON (w.merchant_id, w.id) = (s.merchant_id, s.warehouse_id)
           LEFT JOIN item i ON (i.merchant_id, i.id) = (s.merchant_id, s.item_id)
           LEFT JOIN region r ON (r.merchant_id, r.id) = (s.merchant_id, s.region_id)
           WHERE s.merchant_id = :merchant_id ORDER BY 3, 2, 4, 5, s.id"""
    )
    return [RuleView(**row._mapping) for row in rows]


def set_strategy(tx: Transaction, store_id: int | None, name: str | None) -> None:
    """Who chooses for the orders of a store, or (None) of all without their own; ``name`` None takes it back.

    Raises: NotFound for a strategy that is not there.
    """
    if name is None:
        tx.run(
            """DELETE FROM routing_setting WHERE merchant_id = :merchant_id
                 AND store_id IS NOT DISTINCT FROM CAST(:store_id AS bigint)""",
            store_id=store_id,
        )
        return
    tx.run(
        """INSERT INTO routing_setting (merchant_id, store_id, strategy)
           VALUES (:merchant_id, CAST(:store_id AS bigint), :strategy)
           ON CONFLICT (merchant_id, store_id) DO UPDATE SET strategy = EXCLUDED.strategy""",
        store_id=store_id,
        strategy=strategies.named(name).name,
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """Names of strategies: the merchant's own, and by store where a store has its own."""

    usual: str
    by_store: dict[int, str]

    def of(self, store_id: int | None) -> strategies.Strategy:
        """Raises: NotFound when a strategy on record is registered no more."""
        return strategies.named(self.usual if store_id is None else self.by_store.get(store_id, self.usual))


def choice(tx: Transaction) -> Choice:
    """Who chooses for which orders."""
    rows: Sequence[tuple[int | None, str]] = tx.run(
        "SELECT store_id, strategy FROM routing_setting WHERE merchant_id = :merchant_id"
    ).fetchall()
    return Choice(
        next((name for store_id, name in rows if store_id is None), USUAL),
        {store_id: name for store_id, name in rows if store_id is not None},
    )
