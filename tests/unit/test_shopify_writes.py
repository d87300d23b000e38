"""What becomes of one number that is written to Shopify: taken, stale, refused, or without an answer."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from connectors.shopify.client import ShopifyConnector
from core.errors import Throttled
from core.model import PushStatus
from tests.shopify_answers import WRITTEN, Shopify, at_row, failed, intent, keys, levels, refused, throttled

pytest_plugins = ("tests.shopify_fixtures",)


def rows(asked: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """(item, expected, quantity) of a write."""
    return [
        (row["inventoryItemId"][-1], row["changeFromQuantity"], row["quantity"])
        for row in asked["variables"]["input"]["quantities"]
    ]


def test_a_write_names_the_number_it_expects(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(WRITTEN)

    outcomes = connector.push([intent(1, 9, 7), intent(2, 4, 0)])

    (asked,) = shopify.asked
    assert rows(asked) == [("1", 9, 7), ("2", 4, 0)]
    assert asked["variables"]["input"]["name"] == "available"
    assert [(each.status, each.shown) for each in outcomes] == [(PushStatus.APPLIED, 7), (PushStatus.APPLIED, 0)]


def test_a_stale_row_is_read_and_only_lowered_while_the_others_are_written(
    shopify: Shopify, connector: ShopifyConnector
) -> None:
    shopify.will(
        refused(("CHANGE_FROM_QUANTITY_STALE", at_row(1))),
        levels({"1": 9, "2": 8}),
        WRITTEN,
    )

    fine, stale = connector.push([intent(1, 9, 12), intent(2, 10, 9)])

    assert sorted(rows(shopify.asked[2])) == [("1", 9, 12), ("2", 8, 7)]
    assert fine.status is PushStatus.APPLIED
    assert (stale.status, stale.observed, stale.shown, stale.pull_orders) == (PushStatus.STALE, 8, 7, True)
    assert stale.observed_at == datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    assert len(set(keys(shopify))) == 2


def test_a_rise_over_an_unexplained_number_is_not_written(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(refused(("CHANGE_FROM_QUANTITY_STALE", at_row(0))), levels({"1": 7}))

    (outcome,) = connector.push([intent(1, 9, 20)])

    assert (outcome.status, outcome.shown, outcome.pull_orders) == (PushStatus.STALE, 7, True)
    assert len(keys(shopify)) == 1


def test_an_error_that_names_no_row_is_cornered_by_halving(shopify: Shopify, connector: ShopifyConnector) -> None:
    def answer(asked: Mapping[str, Any]) -> Mapping[str, Any]:
        found = any(item == "3" for item, _, _ in rows(asked))
        return refused(("INVALID_INVENTORY_ITEM", None)) if found else WRITTEN

    shopify.will(answer)

    outcomes = connector.push([intent(number, 5, 4) for number in range(1, 6)])

    assert [each.status for each in outcomes] == [
        PushStatus.REFUSED if number == 3 else PushStatus.APPLIED for number in range(1, 6)
    ]
    assert "import the catalogue" in outcomes[2].reason


def test_what_was_never_read_is_read_before_it_is_written(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(levels({"1": 6, "2": 3}), WRITTEN)

    lowered, kept = connector.push([intent(1, None, 4), intent(2, None, 5)])

    assert rows(shopify.asked[1]) == [("1", 6, 4)]
    assert (lowered.observed, lowered.shown) == (6, 4)
    assert (kept.status, kept.shown, kept.pull_orders) == (PushStatus.STALE, 3, True)


def test_a_number_below_zero_is_never_written(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(WRITTEN)

    connector.push([intent(1, 3, -2)])

    assert rows(shopify.asked[0]) == [("1", 3, 0)]


def test_a_write_still_running_is_asked_for_again_under_its_key(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(refused(("IDEMPOTENCY_CONCURRENT_REQUEST", None)), WRITTEN)

    (outcome,) = connector.push([intent(1, 9, 7)])

    assert outcome.status is PushStatus.APPLIED
    assert len(set(keys(shopify))) == 1


def test_a_burnt_key_is_replaced(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(refused(("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", None)), WRITTEN)

    (outcome,) = connector.push([intent(1, 9, 7)])

    assert outcome.status is PushStatus.APPLIED
    assert len(set(keys(shopify))) == 2


def test_a_lost_answer_is_asked_for_again_under_its_key(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(lambda _: httpx.Response(502), WRITTEN)

    (outcome,) = connector.push([intent(1, 9, 7)])

    assert outcome.status is PushStatus.APPLIED
    assert len(keys(shopify)) == 2
    assert len(set(keys(shopify))) == 1


def test_a_push_of_which_nothing_was_learnt_raises(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(throttled(requested=1000, available=0))

    with pytest.raises(Throttled) as wait:
        connector.push([intent(1, 9, 7)])

    assert wait.value.retry_after_s == pytest.approx(10.0)


def test_what_was_learnt_before_a_failure_is_kept(shopify: Shopify, connector: ShopifyConnector) -> None:
    shopify.will(refused(("NON_MUTABLE_INVENTORY_ITEM", at_row(0))), failed("ACCESS_DENIED"))

    bundle, other = connector.push([intent(1, 9, 7), intent(2, 9, 7)])

    assert bundle.status is PushStatus.REFUSED
    assert other.status is PushStatus.RETRY


def test_a_row_that_keeps_selling_is_left_to_the_next_job(shopify: Shopify, connector: ShopifyConnector) -> None:
    def answer(asked: Mapping[str, Any]) -> Mapping[str, Any] | httpx.Response:
        if "key" in asked["variables"]:
            return refused(("CHANGE_FROM_QUANTITY_STALE", at_row(0)))
        return levels({"1": 8})(asked)

    shopify.will(answer)

    (outcome,) = connector.push([intent(1, 9, 2)])

    assert (outcome.status, outcome.pull_orders) == (PushStatus.RETRY, True)
