"""Errors name their cure and carry fields, and none of them shows a secret."""

import inspect

import pytest

from core import errors
from core.errors import (
    ConnectorError,
    HoldfastError,
    InsufficientStock,
    KeyReused,
    LockShort,
    Overloaded,
    Refused,
    Throttled,
)
from core.model import Platform, StoreAccess
from core.stock import Stocked

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_raised_on_purpose_has_one_root_and_says_what_it_means(kind: type[Exception]) -> None:
    assert issubclass(kind, HoldfastError)
    assert kind.__doc__


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_drawn_tree_names_every_error(kind: type[Exception]) -> None:
    assert kind.__name__ in (errors.__doc__ or "")


def test_what_is_missing_can_be_read_from_the_refusal() -> None:
    refusal = InsufficientStock({Stocked(5): 3})
    assert isinstance(refusal, Refused)
    assert refusal.missing == {Stocked(5): 3}
    assert "lacks 3" in str(refusal)


def test_a_lock_that_is_short_counts_what_it_lacks() -> None:
    assert "lock fair lacks 1 unit, " in str(LockShort("fair", {Stocked(5): 1}, asks=False))
    assert "lock fair lacks 3 units and asks first" in str(LockShort("fair", {Stocked(5): 1, Stocked(6): 2}, asks=True))


def test_a_reused_key_is_named() -> None:
    assert "hold/9" in str(KeyReused("hold/9"))


def test_a_throttle_answer_always_asks_for_some_wait() -> None:
    assert Throttled(0).retry_after_s > 0
    assert isinstance(Throttled(1), ConnectorError)


def test_a_busy_ledger_says_when_to_come_back() -> None:
    assert Overloaded(2.5).retry_after_s == 2.5
    assert "2.5 s" in str(Overloaded(2.5))


def test_credentials_never_show_in_the_repr_of_an_access() -> None:
    access = StoreAccess(1, 2, Platform.SHOPIFY, "https://x.test", {"access_token": "shpat_secret"})
    assert "shpat_secret" not in repr(access)
