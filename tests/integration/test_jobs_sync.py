"""The full sync: it finds every difference, says so, and writes only when it may."""

import pytest

from config.wiring import App
from core.errors import Unreachable
from jobs.sync import SyncReport, full_sync
from tests.hub import MERCHANT, Store, serve, until

pytest_plugins = ("tests.street_fixtures",)


def told(report: SyncReport) -> dict[str, tuple[int | None, int]]:
    """Per SKU: what the shop shows and what it should show."""
    return {difference.sku: (difference.shown, difference.wanted) for difference in report.differences}


def test_nothing_differs_when_nothing_happened(app: App, woo: Store) -> None:
    report = full_sync(app, MERCHANT, woo.id, dry_run=False)

    assert (report.listings, report.compared, report.new_listings, told(report)) == (2, 2, 0, {})


def test_a_dry_run_reports_what_differs_and_writes_nothing_here_or_there(app: App, woo: Store) -> None:
    woo.street.act("woocommerce", "stock", sku="mug", quantity=25)
    woo.street.act("woocommerce", "catalogue", products=[{"sku": "new", "title": "New", "stock": 3}])
    before = everything(woo)
    writes = woo.street.writes("woocommerce")

    report = full_sync(app, MERCHANT, woo.id, dry_run=True)

    assert told(report) == {"mug": (25, 10)}
    assert everything(woo) == before
    assert woo.street.writes("woocommerce") == writes


def everything(store: Store) -> list[object]:
    """All rows of this merchant that a sync could touch."""
    tables = ("listing", "item", "store", "work", "push_due", "push", "document")
    statement = "SELECT t::text AS row FROM {} t WHERE merchant_id = :merchant_id ORDER BY 1"
    return [row.row for table in tables for row in store.ask(statement.format(table))]


def test_a_sync_sets_right_what_differs_and_the_next_one_finds_nothing(app: App, woo: Store) -> None:
    woo.street.act("woocommerce", "stock", sku="mug", quantity=25)
    woo.street.act("woocommerce", "stock", sku="plate", quantity=1)

    report = full_sync(app, MERCHANT, woo.id, dry_run=False)

    assert told(report) == {"mug": (25, 10), "plate": (1, 10)}
    until(lambda: woo.street.levels("woocommerce") == {"mug": 10, "plate": 10}, poll=[woo])
    until(lambda: not woo.work("push"), poll=[woo])
    assert told(full_sync(app, MERCHANT, woo.id, dry_run=False)) == {}


def test_new_products_are_imported_and_shown_as_what_the_ledger_has(app: App, woo: Store) -> None:
    woo.street.act("woocommerce", "catalogue", products=[{"sku": "MUG-2", "title": "Second mug", "stock": 3}])

    report = full_sync(app, MERCHANT, woo.id, dry_run=False)

    assert (report.listings, report.new_listings) == (3, 1)
    assert told(report) == {"MUG-2": (3, 0)}
    assert woo.listing("MUG-2").item_id is not None


def test_the_nightly_job_does_the_same_and_is_done_once(app: App, woo: Store) -> None:
    woo.street.act("woocommerce", "stock", sku="mug", quantity=25)
    woo.want("full_sync")

    serve(app)

    assert woo.work("full_sync") == []
    until(lambda: woo.shown("mug") == 10, poll=[woo])


def test_a_shop_that_fails_in_the_middle_leaves_the_job_for_later(app: App, woo: Store) -> None:
    woo.street.turn(calls_failed=1.0)
    with pytest.raises(Unreachable):
        full_sync(app, MERCHANT, woo.id, dry_run=True)
    woo.want("full_sync")
    woo.do("full_sync")
    (left,) = woo.work("full_sync")
    assert left.tries == 1
    assert left.due_at > app.db.clock()
