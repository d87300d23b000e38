"""Warehouses as places: where they are, when they send, and what they can do; and the spots that people name."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.dispatch import waking
from core.errors import ConfigError, NotFound, Refused
from core.stock import Spot
from core.transaction import Transaction

KINDS = ("warehouse", "store", "pickup", "3pl")
DEFAULT_BIN = "DEFAULT"


@dataclass(frozen=True, slots=True)
class Warehouse:
    """``cut_off``: by its own clock, orders paid later leave a working day later. ``capacity_per_day``: parcels.

    ``country``, ``subdivision``: ISO 3166-1 and 3166-2 codes, empty where nobody said. ``priority``: the highest is
    asked first. ``bins``: how many it has.
    """

    id: int
    code: str
    name: str
    kind: str
    time_zone: str
    region: str
    country: str
    subdivision: str
    postal: str
    city: str
    street: str
    latitude: float | None
    longitude: float | None
    priority: int
    cut_off: time | None
    handling_days: int
    capacity_per_day: int | None
    paused: bool
    bins: int


# What may be said of a warehouse, beside its code.
TERMS = (
    "name", "kind", "time_zone", "region", "country", "subdivision", "postal", "city", "street", "latitude",
    "longitude", "priority", "cut_off", "handling_days", "capacity_per_day", "paused",
)  # fmt: skip


def add(tx: Transaction, code: str, terms: Mapping[str, object]) -> int:
    """A new warehouse with its default bin; ``terms`` by the names in ``TERMS``, what is not said as the first has it.

    Returns: its id. Raises: Refused for a code that is taken or none; ConfigError for terms that cannot be.
    """
    code = code_of(code)
    terms = {"name": code, "kind": "warehouse", "time_zone": _time_zone(tx), **terms}
    _require(terms)
    warehouse_id = tx.new_id()
    made = tx.run(
        f"""INSERT INTO warehouse (merchant_id, id, code, {", ".join(terms)})
            VALUES (:merchant_id, :id, :code, {", ".join(f":{name}" for name in terms)})
            ON CONFLICT (merchant_id, code) DO NOTHING""",
        id=warehouse_id, code=code, **terms,
    )  # fmt: skip
    if not made.rowcount:
        raise Refused(f"there is a warehouse {code} already; `holdfast warehouse list` shows them")
    tx.run(
        """INSERT INTO bin (merchant_id, id, warehouse_id, code, is_default)
           VALUES (:merchant_id, :id, :warehouse_id, :code, true)""",
        id=tx.new_id(), warehouse_id=warehouse_id, code=DEFAULT_BIN,
    )  # fmt: skip
    return warehouse_id


def change(tx: Transaction, code: str, terms: Mapping[str, object]) -> bool:
    """Say something else of a warehouse; returns False when all of it was so. Raises: NotFound; ConfigError."""
    _require(terms)
    warehouse_id = id_of(tx, code)
    if not terms:
        return False
    names = ", ".join(terms)
    values = ", ".join(f":{name}" for name in terms)
    changed = tx.run(
        f"""UPDATE warehouse SET ({names}) = ROW ({values}) WHERE merchant_id = :merchant_id AND id = :id
            AND ROW ({names}) IS DISTINCT FROM ROW ({values})""",
        id=warehouse_id, **terms,
    )  # fmt: skip
    if changed.rowcount and terms.get("paused"):
        waking.relieve(tx)
    elif changed.rowcount:
        waking.wake(tx)
    return bool(changed.rowcount)


def every(tx: Transaction, codes: Collection[str] | None = None) -> list[Warehouse]:
    """All warehouses, or those with these codes: the highest priority first, then by code."""
    rows = tx.run(
        f"""SELECT w.id, w.code, {", ".join(f"w.{name}" for name in TERMS)},
                (SELECT count(*) FROM bin b WHERE b.merchant_id = :merchant_id AND b.warehouse_id = w.id) AS bins
            FROM warehouse w WHERE w.merchant_id = :merchant_id
            AND (CAST(:codes AS text[]) IS NULL OR w.code = ANY (CAST(:codes AS text[])))
            ORDER BY w.priority DESC, w.code""",
        codes=None if codes is None else sorted(codes),
    )
    return [Warehouse(**row._mapping) for row in rows]


def lock_limited(tx: Transaction) -> None:
    """Of warehouses that send so many parcels a day, who decides about them decides alone until this ends."""
    tx.run(
        """SELECT 1 FROM warehouse WHERE merchant_id = :merchant_id AND capacity_per_day IS NOT NULL
           ORDER BY id FOR NO KEY UPDATE"""
    )


def id_of(tx: Transaction, code: str) -> int:
    """Raises: NotFound, naming those that there are."""
    found = tx.run(
        "SELECT id FROM warehouse WHERE merchant_id = :merchant_id AND code = :code", code=code.strip()
    ).scalar_one_or_none()
    if found is None:
        known = ", ".join(one.code for one in every(tx))
        raise NotFound(f"there is no warehouse {code}; there are {known}")
    return int(found)


def ids_of(tx: Transaction, codes: Collection[str]) -> list[int]:
    """The same for many. Raises: NotFound for the first that is not there."""
    rows = tx.run(
        """SELECT k.code, w.id FROM unnest(CAST(:codes AS text[])) k (code) CROSS JOIN LATERAL (
               SELECT id FROM warehouse WHERE merchant_id = :merchant_id AND code = k.code OFFSET 0) w""",
        codes=sorted({code.strip() for code in codes}),
    )
    found: dict[str, int] = {row.code: row.id for row in rows}
    return [found.get(code.strip()) or id_of(tx, code) for code in codes]


def code_by_id(tx: Transaction, warehouse_id: int) -> str:
    """What people call it."""
    return str(
        tx.run("SELECT code FROM warehouse WHERE merchant_id = :merchant_id AND id = :id", id=warehouse_id).scalar_one()
    )


def spot_of(tx: Transaction, place: str) -> Spot:
    """``MAIN/A-01`` names a bin, ``MAIN`` the default bin of a warehouse. Raises: NotFound."""
    code, _, bin_code = (part.strip() for part in place.partition("/"))
    warehouse_id = id_of(tx, code)
    bin_id = tx.run(
        """SELECT id FROM bin WHERE merchant_id = :merchant_id AND warehouse_id = :warehouse_id
           AND CASE WHEN :code = '' THEN is_default ELSE code = :code END""",
        warehouse_id=warehouse_id, code=bin_code,
    ).scalar_one_or_none()  # fmt: skip
    if bin_id is None:
        raise NotFound(f"warehouse {code} has no bin {bin_code}; `holdfast bin add {code}/{bin_code}` makes one")
    return Spot(warehouse_id, bin_id)


def spots_of(tx: Transaction, places: Iterable[str]) -> dict[str, Spot]:
    """The same for many places at a time, by their names as given; those that are not there are left out."""
    wanted = sorted(set(places))
    named = [[part.strip() for part in place.partition("/")[::2]] for place in wanted]
    rows = tx.run(
        """SELECT k.nth, w.id AS warehouse_id, b.id AS bin_id
           FROM unnest(CAST(:codes AS text[]), CAST(:bins AS text[])) WITH ORDINALITY k (code, bin, nth)
           CROSS JOIN LATERAL (SELECT id FROM warehouse
               WHERE merchant_id = :merchant_id AND code = k.code OFFSET 0) w
           CROSS JOIN LATERAL (SELECT id FROM bin WHERE merchant_id = :merchant_id AND warehouse_id = w.id
               AND CASE WHEN k.bin = '' THEN is_default ELSE code = k.bin END OFFSET 0) b""",
        codes=[code for code, _ in named],
        bins=[bin_code for _, bin_code in named],
    )
    return {wanted[nth - 1]: Spot(warehouse_id, bin_id) for nth, warehouse_id, bin_id in rows}


def code_of(code: str) -> str:
    """What a code may be. Raises: Refused."""
    code = code.strip()
    if not code or "/" in code or any(letter.isspace() for letter in code):
        raise Refused("a code is a short word without spaces and without /, like BERLIN or A-01")
    return code


def _time_zone(tx: Transaction) -> str:
    return str(tx.run("SELECT time_zone FROM merchant WHERE id = :merchant_id").scalar_one())


def _require(terms: Mapping[str, object]) -> None:
    """Raises: ConfigError for the first term that cannot be."""
    unknown = terms.keys() - set(TERMS)
    if unknown:
        raise ConfigError(f"a warehouse has no {', '.join(sorted(unknown))}")
    if terms.get("kind", KINDS[0]) not in KINDS:
        raise ConfigError(f"a warehouse is of the kind {', '.join(KINDS[:-1])} or {KINDS[-1]}, not {terms['kind']}")
    country = str(terms.get("country", ""))
    if country and not (len(country) == 2 and country.isalpha() and country.isupper()):
        raise ConfigError(f"a country is two capital letters as in ISO 3166-1, like DE, not {country}")
    if ("latitude" in terms) != ("longitude" in terms):
        raise ConfigError("latitude and longitude are said together")
    zone = terms.get("time_zone")
    if zone is not None:
        try:
            ZoneInfo(str(zone))
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ConfigError(f"there is no time zone {zone}; name one like Europe/Berlin") from error
