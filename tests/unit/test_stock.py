"""Balance keys and what is counted: the order in which rows are locked rests on them."""

from core.stock import BUCKETS, GOOD, MINOR_DEFECT, BalanceKey, Bucket, Layer, Stocked
from tests.builders import HOME


def test_an_item_is_of_good_grade_unless_told_otherwise() -> None:
    assert Stocked(5) == (5, GOOD)
    assert Stocked(5) != Stocked(5, MINOR_DEFECT)


def test_each_layer_has_its_own_default_place() -> None:
    keys = [HOME.key(layer, Stocked(5)) for layer in Layer]
    assert [key.place_id for key in keys] == [HOME.bin_id, HOME.warehouse_id, HOME.shared_pool_id]


def test_balance_keys_sort_by_layer_then_item_so_that_batches_lock_in_one_order() -> None:
    keys = [HOME.key(layer, Stocked(item)) for item in (9, 2) for layer in Layer]
    assert [(key.layer, key.item_id) for key in sorted(keys)] == sorted((key.layer, key.item_id) for key in keys)
    assert sorted(keys)[0] == BalanceKey(Layer.DISPATCH, 2, GOOD, HOME.warehouse_id)


def test_the_world_is_stored_in_no_layer() -> None:
    assert all(Bucket.WORLD not in buckets for buckets in BUCKETS.values())


def test_no_bucket_name_means_two_things_in_sales() -> None:
    assert not set(BUCKETS[Layer.SALES]) & set(BUCKETS[Layer.WAREHOUSE])
