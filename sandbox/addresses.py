"""Where the shoppers live: a street that is nowhere, in cities that are."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """``country`` and ``subdivision``: ISO 3166-1 and 3166-2 codes, the latter without the country; and their names."""

    city: str
    subdivision: str
    subdivision_name: str
    country: str
    country_name: str
    postcode: str


ADDRESSES: Sequence[Address] = (
    Address("Berlin", "BE", "Berlin", "DE", "Germany", "10115"),
    Address("Hamburg", "HH", "Hamburg", "DE", "Germany", "20457"),
    Address("Munich", "BY", "Bavaria", "DE", "Germany", "80331"),
    Address("Vienna", "9", "Vienna", "AT", "Austria", "1010"),
    Address("London", "", "", "GB", "United Kingdom", "EC1A 1BB"),
    Address("Toronto", "ON", "Ontario", "CA", "Canada", "M5H 2N2"),
    Address("New York", "NY", "New York", "US", "United States", "10001"),
    Address("Los Angeles", "CA", "California", "US", "United States", "90012"),
)


def of(city: str) -> Address | None:
    """None for a city where no shopper lives."""
    return next((one for one in ADDRESSES if one.city == city), None)
