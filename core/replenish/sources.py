"""Who is asked for an item, and on which terms. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from core.replenish.decide import Terms
from core.replenish.settings import Defaults, ItemTerms


class Source(NamedTuple):
    """A supplier that brings an item. ``lead_days``: of the item there, else of the supplier; None: nobody said.

    ``cost_minor``: of one sale unit, in the smallest unit of ``currency``; None: nobody said.
    """

    supplier_id: int
    code: str
    currency: str
    pack_size: int
    least_units: int
    lead_days: int | None
    cost_minor: int | None


def choose(sources: Iterable[Source], preferred: int | None) -> Source | None:
    """The supplier that was named for the item, else the one that brings it soonest, else the first by code."""
    known = sorted(sources, key=lambda one: (one.lead_days is None, one.lead_days or 0, one.code))
    return next((one for one in known if one.supplier_id == preferred), known[0] if known else None)


def terms_of(said: ItemTerms, source: Source | None, merchant: Defaults) -> Terms:
    """What holds for an item: its own word, else the supplier's, else the merchant's."""
    lead = said.lead_days if said.lead_days is not None else source.lead_days if source else None
    return Terms(
        merchant.lead_days if lead is None else lead,
        merchant.cover_days if said.cover_days is None else said.cover_days,
        merchant.service_permille if said.service_permille is None else said.service_permille,
        source.pack_size if source else 1,
        source.least_units if source else 1,
        said.is_off,
        said.method or merchant.method,
    )
