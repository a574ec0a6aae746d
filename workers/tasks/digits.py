"""digits: the 1,797 handwritten digits of scikit-learn, 8 x 8 grey images; needs no download."""

import importlib.util
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.tasks.backbones import BACKBONES, Rows
from workers.tasks.corruptions import Pixels
from workers.tasks.images import ImageTask, LabelledImages
from workers.tasks.splitting import stratified_order

TEST_SIZE = 360  # a fifth
WHITE = 16  # the brightest shade
TEST_SEED = 1797  # these images are never used for training or selection, whatever the split_seed


class Digits(ImageTask):
    """1,437 images to train and validate on, 360 to test; narrower convolutions than for colour images."""

    SHAPE = (1, 8, 8)
    CLASSES = 10
    BACKBONES = BACKBONES
    FILTERS = (16, 32)
    TOKENS = Rows
    WHITE = WHITE
    CORRUPTIONS = ("gaussian_noise", "contrast")

    def read(self) -> tuple[LabelledImages, LabelledImages]:
        digits = all_digits()
        order = stratified_order(digits.labels, TEST_SEED)
        return digits.at(order[TEST_SIZE:]), digits.at(order[:TEST_SIZE])


@lru_cache(maxsize=1)
def all_digits() -> LabelledImages:
    """The 1,797 images (N, 1, 8, 8) with shades from 0 to 16."""
    rows = _rows()
    return LabelledImages(rows[:, :-1].astype(np.uint8).reshape(-1, 1, 8, 8), rows[:, -1].astype(np.int64))


def _rows() -> NDArray[np.integer]:
    """64 shades and the label of each image, from scikit-learn's file: to import it all takes a second."""
    found = importlib.util.find_spec("sklearn")
    for folder in () if found is None else found.submodule_search_locations or ():
        file = Path(folder, "datasets", "data", "digits.csv.gz")
        if file.is_file():
            return np.loadtxt(file, delimiter=",", dtype=np.int64)
    from sklearn.datasets import load_digits  # wherever it keeps them

    images, labels = load_digits(return_X_y=True)
    return np.column_stack([images, labels]).astype(np.int64)


def enlarged_digits() -> Pixels:
    """All digits as CIFAR-10's images are (N, 3, 32, 32), with shades from 0 to 255: every pixel four by four."""
    shades = np.rint(all_digits().pixels * (255 / WHITE)).astype(np.uint8)
    enlarged: Pixels = shades.repeat(3, axis=1).repeat(4, axis=2).repeat(4, axis=3)
    return enlarged
