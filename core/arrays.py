"""How lists travel to PostgreSQL: as array literals, each made in few steps, since batches send thousands of values.

psycopg's own dumper looks at each value several times; it took a fifth of a batch's time. What is sent has no type of
its own: statements cast each list, or compare it with a column. The literal's grammar: PostgreSQL 18, section 8.15.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

from psycopg import DataError
from psycopg.abc import Buffer
from psycopg.adapt import Dumper


class ListDumper(Dumper):
    """Dumps flat lists of int, str, bool, bytes, aware datetime and None (values of one type, or None)."""

    def dump(self, obj: Sequence[Any]) -> Buffer:
        return _octets_of(literal(obj))


def parameter(value: object) -> bytes | None:
    """What is bound for a single value or a flat list. Raises: TypeError as ``literal`` does; DataError for a NUL."""
    if value is None:
        return None
    if type(value) is int:
        return b"%d" % value
    if isinstance(value, str):
        return _octets_of(value)
    if isinstance(value, list):
        return _octets_of(literal(value))
    if isinstance(value, bytes):
        return b"\\x" + value.hex().encode()
    return _writer({type(value)})(value).encode()


def literal(values: Sequence[Any]) -> str:
    """The array literal of ``values``. Raises: TypeError for a type that this module does not know."""
    kinds = set(map(type, values))
    if len(kinds) == 1 and (all_ := _AT_ONCE.get(next(iter(kinds)))):
        return all_(values)
    kinds.discard(type(None))
    if not kinds:
        return "{" + ",".join(["NULL"] * len(values)) + "}"
    write = _writer(kinds)
    return "{" + ",".join(["NULL" if value is None else write(value) for value in values]) + "}"


def _integers(values: Sequence[int]) -> str:
    return "{" + ",".join(map(int.__repr__, values)) + "}"


def _texts(values: Sequence[str]) -> str:
    plain = '","'.join(values)
    if "\\" in plain or plain.count('"') > 2 * (len(values) - 1):
        return "{" + ",".join(map(_quoted, values)) + "}"
    return '{"' + plain + '"}'


def _byte_strings(values: Sequence[bytes]) -> str:
    return '{"\\\\x' + '","\\\\x'.join(map(bytes.hex, values)) + '"}'


# What most lists are made of.
_AT_ONCE: dict[type, Callable[[Sequence[Any]], str]] = {int: _integers, str: _texts, bytes: _byte_strings}


def _octets_of(words: str) -> bytes:
    if "\0" in words:
        raise DataError("a text for PostgreSQL holds the character NUL, which it cannot store")
    return words.encode()


def _writer(kinds: set[type]) -> Callable[[Any], str]:
    if kinds == {int}:
        return int.__repr__
    if kinds == {bool}:
        return _flag
    if kinds == {datetime}:
        return datetime.isoformat
    if kinds == {date}:
        return date.isoformat
    if kinds == {bytes}:
        return _octets
    if all(issubclass(kind, str) for kind in kinds):
        return _quoted
    raise TypeError(f"no array of {', '.join(sorted(kind.__name__ for kind in kinds))}")


def _flag(value: bool) -> str:
    return "t" if value else "f"


def _octets(value: bytes) -> str:
    return f'"\\\\x{value.hex()}"'


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
