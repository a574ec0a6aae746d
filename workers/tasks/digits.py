"""digits: the 1,797 handwritten digits of scikit-learn, 8 x 8 grey images; needs no download."""

from functools import lru_cache

import numpy as np
from sklearn.datasets import load_digits

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
    images, labels = load_digits(return_X_y=True)
    return LabelledImages(images.astype(np.uint8).reshape(-1, 1, 8, 8), labels.astype(np.int64))


def enlarged_digits() -> Pixels:
    """All digits as CIFAR-10's images are (N, 3, 32, 32), with shades from 0 to 255: every pixel four by four."""
    shades = np.rint(all_digits().pixels * (255 / WHITE)).astype(np.uint8)
    enlarged: Pixels = shades.repeat(3, axis=1).repeat(4, axis=2).repeat(4, axis=3)
    return enlarged
