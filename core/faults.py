"""What a shape check finds wrong with what somebody wrote, in words that say what to write instead. Pure."""

from collections.abc import Mapping
from typing import Any

_OBJECT, _LIST = "write an object, in { }", "write a list, in [ ]"
_WHOLE, _TEXT = "write a whole number, like 3", 'write text in quotes, like "mug"'
_NUMBER = f"{_WHOLE}, without quotes"
_TIME = "write a time with its offset, like 2027-02-01T12:00:00+01:00"
_WORDS: Mapping[str, str] = {
    "missing": "it is missing",
    "int_type": _NUMBER, "int_parsing": _WHOLE, "int_from_float": _WHOLE, "int_parsing_size": _WHOLE,
    "float_type": "write a number, like 1.5", "float_parsing": "write a number, like 1.5",
    "bool_type": "write true or false", "bool_parsing": "write true or false",
    "string_type": _TEXT, "string_unicode": _TEXT,
    "string_pattern_mismatch": "it has signs in it that cannot be printed; write letters, digits and signs in one line",
    "datetime_type": _TIME, "datetime_parsing": _TIME, "datetime_object_invalid": _TIME, "timezone_aware": _TIME,
    "datetime_from_date_parsing": _TIME,
    "list_type": _LIST, "tuple_type": _LIST,
    "dict_type": _OBJECT, "model_type": _OBJECT, "model_attributes_type": _OBJECT, "dataclass_type": _OBJECT,
}  # fmt: skip
_WITH_BOUNDS: Mapping[str, str] = {
    "greater_than_equal": "write {ge:,} or more",
    "greater_than": "write more than {gt:,}",
    "less_than_equal": "write {le:,} or less",
    "less_than": "write less than {lt:,}",
    "string_too_short": "write at least {min_length:,} letters or digits",
    "string_too_long": "write at most {max_length:,} letters",
    "too_short": "tell at least {min_length:,}",
    "too_long": "tell at most {max_length:,}",
    "literal_error": "write {expected}",
    "enum": "write {expected}",
}


def cure(fault: Mapping[str, Any]) -> str:
    """What to write instead, of one entry of ``ValidationError.errors()``; what our own checks said stays as it is."""
    kind = str(fault["type"])
    if kind in _WITH_BOUNDS:
        return _WITH_BOUNDS[kind].format(**fault["ctx"])
    if kind in _WORDS:
        return _WORDS[kind]
    return str(fault["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
