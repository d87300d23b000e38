"""Regions on record: named sets of destinations, for rates, transit times and rules."""

from collections.abc import Sequence
from typing import Any

from core.dispatch import waking
from core.dispatch.destinations import Point, Region, read_part
from core.dispatch.reading import regions
from core.errors import NotFound, Refused
from core.transaction import Transaction

_LONGEST = 60


def put(tx: Transaction, name: str, parts: Sequence[str], middle: Point | None = None) -> Region:
    """Make a region, or say anew what it is made of. Raises: Refused for parts or a name that cannot be."""
    name = tidy_name(name)
    read = list(dict.fromkeys(read_part(part) for part in parts))
    if not read:
        raise Refused(f"say what {name} is made of, like DE, DE-BY or DE--80")
    north, east = middle if middle else (None, None)
    if middle and not (-90 <= middle.latitude <= 90 and -180 <= middle.longitude <= 180):
        raise Refused("a middle is LATITUDE,LONGITUDE in degrees, like 48.14,11.58")
    row = tx.run(
        """INSERT INTO region (merchant_id, id, name, parts, latitude, longitude)
           VALUES (:merchant_id, :id, :name, CAST(:parts AS text[]), CAST(:north AS double precision),
               CAST(:east AS double precision))
           ON CONFLICT (merchant_id, name) DO UPDATE SET parts = EXCLUDED.parts, latitude = EXCLUDED.latitude,
               longitude = EXCLUDED.longitude
           RETURNING id""",
        id=tx.new_id(), name=name, parts=[str(part) for part in read], north=north, east=east,
    ).one()  # fmt: skip
    waking.wake(tx)
    return Region(row.id, name, read, middle)


def tidy_name(name: str) -> str:
    """Upper and lower case are the same. Raises: Refused."""
    tidy = name.strip().lower()
    if not tidy or len(tidy) > _LONGEST or not tidy.isprintable() or any(letter.isspace() for letter in tidy):
        raise Refused("a region is named by one word, like south or eu-zone-1")
    return tidy


def id_of(tx: Transaction, name: str, *, row_lock: str = "FOR KEY SHARE") -> int:
    """The region stays until the transaction ends. Raises: NotFound, naming those that there are."""
    found = tx.run(
        f"SELECT id FROM region WHERE merchant_id = :merchant_id AND name = :name {row_lock}",
        name=name.strip().lower(),
    ).scalar_one_or_none()
    if found is None:
        known = ", ".join(one.name for one in regions(tx))
        there = f"there are {known}" if known else "none is there yet"
        raise NotFound(f"there is no region {name}; {there}; `holdfast route regions add {name} DE-BY` makes it")
    return int(found)


_USES = (
    ("carrier_rate", "rates", "rate"),
    ("transit_time", "transit times", "transit time"),
    ("serving_rule", "rules", "rule"),
)


def remove(tx: Transaction, name: str) -> None:
    """Raises: NotFound; Refused while anything is laid down for it."""
    region_id = id_of(tx, name, row_lock="FOR UPDATE")  # at once: two who share it first would wait for each other
    counts: Any = tx.run(
        "SELECT "
        + ", ".join(
            f"(SELECT count(*) FROM {table} WHERE merchant_id = :merchant_id AND region_id = :id)"
            for table, _, _ in _USES
        ),
        id=region_id,
    ).one()
    used = [f"{n} {one if n == 1 else many}" for n, (_, many, one) in zip(counts, _USES, strict=True) if n]
    if used:
        raise Refused(f"region {name} is still named by {', '.join(used)}; remove these first")
    tx.run("DELETE FROM region WHERE merchant_id = :merchant_id AND id = :id", id=region_id)
