"""cifar10: 60,000 colour images in ten classes (Krizhevsky 2009), in the published pickle format."""

import pickle
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pernodedrop.installation import need
from search_spaces import BUILT_IN_TASKS
from workers.tasks.archives import Archive
from workers.tasks.corruptions import CORRUPTIONS
from workers.tasks.downloads import provide
from workers.tasks.errors import DataUnavailable
from workers.tasks.images import ImageTask, LabelledImages
from workers.tasks.out_of_distribution import InputSet, Sets
from workers.tasks.unpickling import read_pickle

FOLDER = "cifar-10-batches-py"
TEST_FILE = "test_batch"
ARCHIVE = Archive(
    address="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    size=170_498_071,
    members=(*(f"data_batch_{k}" for k in range(1, 6)), TEST_FILE, "batches.meta"),
)


class Cifar10(ImageTask):
    """The data_batch_* files to train and validate on, test_batch to test; fetched when absent."""

    SHAPE = (3, 32, 32)
    CLASSES = 10
    NAMES = BUILT_IN_TASKS["cifar10"].classes
    CORRUPTIONS = tuple(CORRUPTIONS)

    def read(self) -> tuple[LabelledImages, LabelledImages]:
        folder = self.data_folder / FOLDER
        provide(ARCHIVE, folder)
        batches = [path for path in folder.iterdir() if re.fullmatch(r"data_batch_\d+", path.name)]
        if not batches:
            raise DataUnavailable(f"{folder} holds no data_batch_1: remove the folder to have it fetched anew")
        batches.sort(key=lambda path: int(path.name.rpartition("_")[2]))
        parts = [read_batch(path) for path in batches]
        pool = LabelledImages(
            np.concatenate([part.pixels for part in parts]), np.concatenate([part.labels for part in parts])
        )
        return pool, read_batch(folder / TEST_FILE)

    def sets(self, device: torch.device) -> Sets:
        """Those of images, and far: handwritten digits, enlarged."""

        def far() -> Sequence[InputSet]:
            need("the inputs far of task cifar10", "worker", "sklearn")
            from workers.tasks.digits import enlarged_digits

            return [InputSet("far", "far", 0, self.unseen(device).standardized(enlarged_digits(), device), None)]

        return {**super().sets(device), "far": far}


def read_batch(path: Path) -> LabelledImages:
    """The images of one file: a pickled dict with b"data" (N, 3072) bytes and b"labels", N numbers from 0 to 9.

    Raises:
        DataUnavailable: the file is missing or has other content.
    """
    try:
        content = read_pickle(path)
    except (OSError, pickle.UnpicklingError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataUnavailable(f"{path} cannot be read ({reason}): remove its folder to have it fetched anew") from error
    data, labels = _fields(content)
    if data is None or labels is None or len(data) != len(labels):
        raise DataUnavailable(f"{path} is no CIFAR-10 batch: remove its folder to have it fetched anew")
    return LabelledImages(data.reshape(-1, *Cifar10.SHAPE), labels)


def _fields(content: Any) -> tuple[np.ndarray[Any, Any] | None, np.ndarray[Any, Any] | None]:
    """Pixels and labels, each None where it is not as expected."""
    fields = content if isinstance(content, dict) else {}
    data, labels = fields.get(b"data"), fields.get(b"labels")
    if not (isinstance(data, np.ndarray) and data.dtype == np.uint8 and data.ndim == 2 and data.shape[1] == 3072):
        data = None
    if not (isinstance(labels, list) and all(type(label) is int and 0 <= label < 10 for label in labels)):
        return data, None
    return data, np.array(labels, dtype=np.int64)
