import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import TaskSpec
from workers.tasks import InvalidOptions
from workers.tasks.options import check_options
from workers.tasks.splitting import Partition, stratified_order

labelled = st.lists(st.integers(0, 4), min_size=1, max_size=120).map(np.array)


@given(labelled, st.integers(0, 1000), st.data())
def test_every_prefix_holds_each_class_in_proportion(labels, seed, data) -> None:
    order = stratified_order(labels, seed)
    assert sorted(order) == list(range(len(labels)))
    size = data.draw(st.integers(0, len(labels)))
    for label in np.unique(labels):
        share, classes = np.mean(labels == label), len(np.unique(labels))
        assert abs(np.sum(labels[order[:size]] == label) - size * share) <= 0.5 + share * classes / 2 + 1e-9


def test_balanced_classes_are_cut_to_within_one() -> None:
    labels = np.repeat(np.arange(10), 50)
    counts = np.bincount(labels[stratified_order(labels, 3)[:123]], minlength=10)
    assert set(counts) == {12, 13}


def test_the_seed_decides_the_order() -> None:
    labels = np.arange(200) % 5
    assert np.array_equal(stratified_order(labels, 1), stratified_order(labels, 1))
    assert not np.array_equal(stratified_order(labels, 1), stratified_order(labels, 2))


def test_subsets_are_nested_and_validation_stays_where_it_is() -> None:
    labels = np.arange(500) % 10
    small_train, small_val = Partition(50, 30, 0).indices(labels)
    large_train, large_val = Partition(300, 100, 0).indices(labels)
    assert set(small_train) < set(large_train)
    assert set(small_val) < set(large_val)
    assert not set(large_train) & set(large_val)


def test_by_default_a_fifth_validates_and_the_rest_trains() -> None:
    train, val = Partition.of(TaskSpec(name="digits")).indices(np.arange(500) % 10)
    assert (len(train), len(val)) == (400, 100)
    assert not set(train) & set(val)


@pytest.mark.parametrize(("train_size", "val_size"), [(450, None), (None, 500), (1, 500)])
def test_a_pool_that_is_too_small_is_said_in_one_line(train_size, val_size) -> None:
    with pytest.raises(InvalidOptions, match=r"need \d+ samples, but there are 500: choose smaller ones$"):
        Partition(train_size, val_size, 0).indices(np.arange(500) % 10)


@pytest.mark.parametrize("value", [0, -1, 2**32, 1.5, "many", True])
def test_a_size_must_be_a_whole_number(value) -> None:
    with pytest.raises(InvalidOptions, match=r"task\.options\.val_size must be a whole number from 1 to"):
        Partition.of(TaskSpec(name="digits", options={"val_size": value}))


def test_an_unknown_option_is_refused() -> None:
    spec = TaskSpec(name="digits", options={"valsize": 3})
    with pytest.raises(InvalidOptions, match=r"task\.options\.valsize is unknown to digits: did you mean val_size"):
        check_options(spec, ("val_size", "split_seed"))
