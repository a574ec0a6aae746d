"""Small CIFAR-10 folders in the published format."""

import pickle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def write_cifar10(destination: Path, *, batches: int = 2, size: int = 100) -> Path:
    """DEST/cifar-10-batches-py with `size` images in each training batch and half as many to test."""
    folder = destination / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for k in range(1, batches + 1):
        write_batch(folder / f"data_batch_{k}", *synthetic_images(size, seed=k))
    write_batch(folder / "test_batch", *synthetic_images(size // 2, seed=0))
    return folder


def write_batch(path: Path, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    """A dict with byte keys, images (N, 3072), labels a list, pickled by protocol 2."""
    content = {
        b"batch_label": path.name.encode(),
        b"labels": labels.tolist(),
        b"data": images.reshape(-1, 3072),
        b"filenames": [b"image_%05d.png" % index for index in range(len(images))],
    }
    path.write_bytes(pickle.dumps(content, protocol=2))


def synthetic_images(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Noise whose brightness tells the class: (N, 3, 32, 32), and each class as often as can be."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % 10)
    brightness = 20 * labels[:, None, None, None]
    return (rng.integers(0, 60, (count, 3, 32, 32)) + brightness).astype(np.uint8), labels
