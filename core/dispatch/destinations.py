"""Where parcels go, as far as anybody needs to know it, and the regions that destinations are in. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt
from typing import NamedTuple
from unicodedata import normalize

from core.errors import Refused

KEPT = 3  # postal characters that are kept of a destination; what follows them leads to a street
_NO_COUNTRY = "ZZ"  # the code for one that is not known
_EARTH_KM = 6371.0088  # mean radius, IUGG 1980


class Destination(NamedTuple):
    """``country``: ISO 3166-1, two letters; ``subdivision``: ISO 3166-2 without the country; ``postal``: its first
    ``KEPT`` characters at most. What is not known is empty."""

    country: str
    subdivision: str = ""
    postal: str = ""

    def __str__(self) -> str:
        return "-".join(self).rstrip("-")


class Point(NamedTuple):
    """Degrees, north and east positive."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Region:
    """A named set of destinations: all that begin as one of its ``parts`` does, like ``DE``, ``DE-BY`` or ``DE--80``.

    ``middle``: from where distances are taken to destinations that are known no better.
    """

    id: int
    name: str
    parts: Sequence[Destination]
    middle: Point | None = None

    def holds(self, destination: Destination) -> int:
        """0: the destination is not in it; else how closely it names it, and more is closer."""
        return max((_closeness(part, destination) for part in self.parts), default=0)


COUNTRY_ALONE = 1
SUBDIVISION_ALONE = 2


def _closeness(part: Destination, destination: Destination) -> int:
    if part.country != destination.country or part.subdivision not in ("", destination.subdivision):
        return 0
    if part.postal:
        return SUBDIVISION_ALONE + len(part.postal) if destination.postal.startswith(part.postal) else 0
    return SUBDIVISION_ALONE if part.subdivision else COUNTRY_ALONE


def read_destination(words: str) -> Destination:
    """``DE``, ``DE-BY``, ``DE-BY-80331`` or ``DE--80``; of a postal code only the first characters are taken.

    Raises: Refused for what is none.
    """
    read = _read(words)
    return read._replace(postal=read.postal[:KEPT])


def read_part(words: str) -> Destination:
    """One part of a region, written as a destination is. Raises: Refused for what is none."""
    read = _read(words)
    if len(read.postal) > KEPT:
        raise Refused(
            f"{words} names more than {KEPT} postal characters, and no more are kept of a destination; "
            f"write {read._replace(postal=read.postal[:KEPT])}"
        )
    return read


def kept_of(words: str) -> str:
    """What is kept of a destination that a store tells; '' for what is none. Never refuses, as ``destination_of``."""
    country, _, rest = words.partition("-")
    subdivision, _, postal = rest.partition("-")
    return destination_of(country, subdivision, postal)


def destination_of(country: object, subdivision: object, postal: object) -> str:
    """What is kept of an address on a store, as ``read_destination`` reads it; '' when it names no country.

    Never refuses: an order is not lost for its address.

    Args: country: ISO 3166-1, two letters. subdivision: its code, with the country before it or without; a name is left
    out. All: whatever stands in the address.
    """
    land = _plain(country)
    if len(land) != 2 or not land.isalpha() or land == _NO_COUNTRY:
        return ""
    part = _plain(subdivision)
    within = part.removeprefix(land)
    # COR is a part of CO; but DE-BY is BY of DE, and JP13 is 13 of JP.
    if within.isdigit() or (isinstance(subdivision, str) and "-" in subdivision):
        part = within
    return str(Destination(land, part if len(part) <= 3 else "", _plain(postal)[:KEPT]))


def _plain(part: object) -> str:
    """Its letters and digits, of ASCII alone: wide ones, as typed in Japan, are the same to a carrier."""
    text = normalize("NFKC", part).upper() if isinstance(part, str) else ""
    return "".join(letter for letter in text if letter.isascii() and letter.isalnum())


def _read(words: str) -> Destination:
    country, _, rest = words.strip().upper().partition("-")
    subdivision, _, postal = rest.partition("-")
    postal = "".join(letter for letter in postal if letter.isalnum())
    known = len(country) == 2 and country.isascii() and country.isalpha()
    if not known or not (subdivision + postal + "0").isascii() or not (subdivision + "0").isalnum():
        raise Refused(
            f"{words!r} is no destination; write COUNTRY-SUBDIVISION-POSTAL, like DE-BY-80, DE-BY, DE or DE--80"
        )
    if len(subdivision) > 3:
        raise Refused(f"{subdivision} is no subdivision as in ISO 3166-2, like BY; a postal code alone is DE--80")
    return Destination(country, subdivision, postal)


def distance_km(one: Point, other: Point) -> int:
    """Whole kilometres along the great circle, by the haversine formula on a sphere."""
    north, east = radians(other.latitude - one.latitude), radians(other.longitude - one.longitude)
    slant = sin(north / 2) ** 2 + cos(radians(one.latitude)) * cos(radians(other.latitude)) * sin(east / 2) ** 2
    return round(2 * _EARTH_KM * asin(sqrt(min(slant, 1.0))))
