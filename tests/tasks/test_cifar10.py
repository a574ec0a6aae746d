import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from search_spaces import TaskSpec, TrialConfig
from tests.tasks.canonical import synthetic_images, write_batch, write_cifar10
from workers.tasks import DataUnavailable, Splits, load_task
from workers.tasks.cifar10 import read_batch
from workers.training import Training

CPU = torch.device("cpu")


def load(data_folder: Path, train_size: int | None = None, **options: int) -> Splits:
    return load_task(TaskSpec(name="cifar10", train_size=train_size, options=options), data_folder).splits(CPU)


def test_pools_the_training_batches_and_keeps_the_test_batch_apart(tmp_path: Path) -> None:
    write_cifar10(tmp_path, batches=3, size=100)
    data = load(tmp_path)
    assert data.train_x.shape == (240, 3, 32, 32)
    assert data.val_x.shape == (60, 3, 32, 32)
    assert data.test_y is not None
    assert torch.equal(data.test_y, torch.from_numpy(synthetic_images(50, seed=0)[1]))


def test_images_keep_their_labels(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    data = load(tmp_path)
    brightness = data.train_x.mean(dim=(1, 2, 3))
    order = brightness.argsort()
    assert torch.equal(data.train_y[order], data.train_y.sort().values)


def test_each_channel_is_standardized_by_the_training_subset(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    x = load(tmp_path, train_size=50).train_x.double()
    assert torch.allclose(x.mean(dim=(0, 2, 3)), torch.zeros(3, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(x.std(dim=(0, 2, 3), correction=0), torch.ones(3, dtype=torch.float64), atol=1e-6)


def test_a_subset_holds_each_class_equally_often(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    data = load(tmp_path, train_size=50, val_size=20)
    assert torch.bincount(data.train_y).tolist() == [5] * 10
    assert torch.bincount(data.val_y).tolist() == [2] * 10


def test_ten_batches_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    folder = write_cifar10(tmp_path, batches=10, size=10)
    pool, _ = load_task(TaskSpec(name="cifar10"), tmp_path).read()  # type: ignore[attr-defined]
    last = read_batch(folder / "data_batch_10")
    assert np.array_equal(pool.pixels[-10:], last.pixels)


@pytest.mark.parametrize(
    "content",
    [
        {b"data": np.zeros((2, 3072), np.uint8), b"labels": [0]},
        {b"data": np.zeros((2, 3071), np.uint8), b"labels": [0, 1]},
        {b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, 10]},
        {b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, True]},
        {b"data": [0, 1], b"labels": [0, 1]},
        {b"labels": [0, 1]},
        [1, 2],
    ],
)
def test_a_file_that_is_no_batch_is_refused_by_name(tmp_path: Path, content: object) -> None:
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(DataUnavailable, match=r"data_batch_1 is no CIFAR-10 batch: remove its folder"):
        read_batch(path)


def test_a_damaged_file_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_cifar10(tmp_path)
    (folder / "data_batch_2").write_bytes(b"\x80\x02")
    with pytest.raises(DataUnavailable, match=r"data_batch_2 cannot be read \(damaged: \w+\)"):
        load(tmp_path)


def test_a_folder_without_its_files_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_cifar10(tmp_path)
    (folder / "test_batch").unlink()
    with pytest.raises(DataUnavailable, match=r"test_batch cannot be read \(No such file or directory\)"):
        load(tmp_path)
    for batch in folder.glob("data_batch_*"):
        batch.unlink()
    with pytest.raises(DataUnavailable, match="holds no data_batch_1"):
        load(tmp_path)


def test_learns_real_images(tmp_path: Path, shared_data: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name, file in (("data_batch_1", "cifar10_train.npz"), ("test_batch", "cifar10_val.npz")):
        with np.load(shared_data / "small" / file) as content:
            write_batch(folder / name, content["images"].transpose(0, 3, 1, 2), content["labels"])
    task = load_task(TaskSpec(name="cifar10"), tmp_path)
    config = TrialConfig(regularizer="pernodedrop", stir_type="gaussian", drop_rate=0.2, batch_size=32)
    *_, last = Training(task, config, epochs=2, seed=0, device=CPU).epochs()
    assert last.metrics["val_accuracy"] > 0.2  # chance is 0.1 +- 0.02
    assert last.metrics["train_loss"] < np.log(10)
