from pathlib import Path

import pytest
import torch

from search_spaces import TaskSpec
from workers.tasks import InvalidOptions, Splits, load_task

CPU = torch.device("cpu")


def load(train_size: int | None = None, **options: int) -> Splits:
    return load_task(TaskSpec(name="digits", train_size=train_size, options=options), Path()).splits(CPU)


def as_rows(x: torch.Tensor) -> set[bytes]:
    """Images as bytes, comparable between splits once their standardization is undone to whole pixels."""
    return {row.numpy().tobytes() for row in x}


def test_sizes_and_shapes() -> None:
    data = load()
    assert data.train_x.shape == (1150, 1, 8, 8)
    assert data.val_x.shape == (287, 1, 8, 8)
    assert data.test_x is not None
    assert data.test_x.shape == (360, 1, 8, 8)
    assert data.train_x.dtype == torch.float32
    assert data.train_y.dtype == torch.int64
    assert data.train_x.is_contiguous(memory_format=torch.channels_last)


def test_no_image_is_in_two_splits() -> None:
    data = load()
    assert data.test_x is not None
    train, val, test = as_rows(data.train_x), as_rows(data.val_x), as_rows(data.test_x)
    assert not train & val
    assert not train & test
    assert not val & test
    assert len(train | val | test) == 1797


def test_standardized_by_the_training_split_alone() -> None:
    data = load()
    assert data.train_x.double().mean().item() == pytest.approx(0.0, abs=1e-6)
    assert data.train_x.double().std(correction=0).item() == pytest.approx(1.0, abs=1e-6)
    assert abs(data.val_x.double().mean().item()) > 1e-4


def test_every_class_is_in_proportion() -> None:
    data = load(train_size=100, val_size=50)
    assert torch.bincount(data.train_y).min() >= 9
    assert torch.bincount(data.val_y).min() >= 4


def test_the_test_split_does_not_move_with_the_split_seed() -> None:
    one, other = load(split_seed=1), load(split_seed=2)
    assert one.test_y is not None
    assert other.test_y is not None
    assert torch.equal(one.test_y, other.test_y)
    assert not torch.equal(one.train_y, other.train_y)


def test_loading_twice_gives_the_same_tensors() -> None:
    one, other = load(train_size=10), load(train_size=20)
    again = load(train_size=10)
    assert torch.equal(one.train_y, again.train_y)
    assert len(other.train_y) == 20


def test_more_images_than_there_are() -> None:
    with pytest.raises(InvalidOptions, match=r"task\.train_size 1400 and val_size 287 need 1687 samples"):
        load(train_size=1400)
