"""What is said about ordering again: for one item, and for all that say nothing of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from core.errors import Refused
from core.replenish import forecast
from core.replenish.decide import Method
from core.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for items that say nothing of their own; all in days but the service level.

    ``window_days``       of sales that are looked at.
    ``lead_days``         where neither item nor supplier says how long an order takes.
    ``cover_days``        for how long an order is to last beyond its lead time.
    ``service_permille``  of a thousand lead times, in how many nothing may run out.
    ``slow_days``         without a sale for so long is slow.
    ``most_days``         what lasts longer is too much.
    ``transfer_days``     a warehouse whose goods last shorter is short.
    ``method``            how it is told what will sell.
    """

    window_days: int = 90
    lead_days: int = 14
    cover_days: int = 30
    service_permille: int = 950
    slow_days: int = 30
    most_days: int = 180
    transfer_days: int = 7
    method: Method = Method.PACE


_RANGES: Mapping[str, tuple[int, int, str]] = {
    "window_days": (14, 365, "sales of 14 to 365 days are looked at"),
    "lead_days": (0, 1000, "lead days are 0 to 1,000"),
    "cover_days": (1, 1000, "cover days are 1 to 1,000"),
    "service_permille": (500, 999, "a service level is 50 to 99.9 percent"),
    "slow_days": (1, 365, "an item is slow after 1 to 365 days"),
    "most_days": (1, 10_000, "too much is what lasts longer than 1 to 10,000 days"),
    "transfer_days": (1, 365, "a warehouse is short below 1 to 365 days"),
}


def _require(terms: Mapping[str, int | None]) -> None:
    for name, value in terms.items():
        least, most, words = _RANGES[name]
        if value is not None and not least <= value <= most:
            raise Refused(f"{words}, not {value / 10 if name == 'service_permille' else value:g}")


def method_named(word: str) -> Method:
    """The method of that name. Raises: Refused where there is none, or what it needs is not installed."""
    known = {method.value: method for method in Method}
    if word not in known:
        raise Refused(f"there is no method {word!r}; there are: {', '.join(known)}")
    if known[word] is not Method.PACE:
        forecast.require()
    return known[word]


def defaults(tx: Transaction) -> Defaults:
    """What holds now."""
    names = ", ".join(_RANGES)
    row = tx.run(f"SELECT {names}, method FROM replenish_default WHERE merchant_id = :merchant_id").one_or_none()
    return Defaults() if row is None else Defaults(**{**row._mapping, "method": Method(row.method)})


def set_defaults(tx: Transaction, terms: Mapping[str, int], method: Method | None = None) -> bool:
    """Change what ``terms`` names, by the fields of ``Defaults``, and the method; returns False when all was so.

    Raises: Refused.
    """
    _require(terms)
    now = asdict(defaults(tx))
    values = {**now, **terms, **({"method": method} if method else {})}
    if values == now:
        return False
    tx.run(
        f"""INSERT INTO replenish_default AS d (merchant_id, {", ".join(values)})
            VALUES (:merchant_id, {", ".join(f":{name}" for name in values)})
            ON CONFLICT (merchant_id) DO UPDATE SET {", ".join(f"{name} = EXCLUDED.{name}" for name in values)}""",
        **values,
    )
    return True


class ItemTerms(NamedTuple):
    """What is said of one item; None: the supplier's or the merchant's word holds. ``is_off``: it is not ordered."""

    lead_days: int | None = None
    cover_days: int | None = None
    service_permille: int | None = None
    supplier_id: int | None = None
    is_off: bool = False
    method: Method | None = None

    @classmethod
    def read(cls, values: Sequence[Any]) -> "ItemTerms":
        """Out of a row of these columns."""
        one = cls(*values)
        return one if one.method is None else one._replace(method=Method(one.method))


def of_item(tx: Transaction, item_id: int) -> ItemTerms:
    """What is said of an item now."""
    row = tx.run(
        f"""SELECT {", ".join(ItemTerms._fields)} FROM replenish_item
            WHERE merchant_id = :merchant_id AND item_id = :item_id""",
        item_id=item_id,
    ).one_or_none()
    return ItemTerms() if row is None else ItemTerms.read(row)


def set_item(tx: Transaction, item_id: int, terms: ItemTerms) -> bool:
    """From now on this, whole, holds for an item; returns False when it was so. Raises: Refused."""
    _require({name: getattr(terms, name) for name in ItemTerms._fields[:3]})
    if of_item(tx, item_id) == terms:
        return False
    if terms == ItemTerms():
        tx.run("DELETE FROM replenish_item WHERE merchant_id = :merchant_id AND item_id = :item_id", item_id=item_id)
        return True
    updates = ", ".join(f"{name} = EXCLUDED.{name}" for name in ItemTerms._fields)
    tx.run(
        f"""INSERT INTO replenish_item (merchant_id, item_id, {", ".join(ItemTerms._fields)})
            VALUES (:merchant_id, :item_id, {", ".join(f":{name}" for name in ItemTerms._fields)})
            ON CONFLICT (merchant_id, item_id) DO UPDATE SET {updates}""",
        item_id=item_id, **terms._asdict(),
    )  # fmt: skip
    return True
