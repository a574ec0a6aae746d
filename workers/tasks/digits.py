"""digits: the 1,797 handwritten digits of scikit-learn, 8 x 8 grey images; needs no download."""

import numpy as np
from sklearn.datasets import load_digits

from workers.tasks.backbones import BACKBONES, Rows
from workers.tasks.images import ImageTask, LabelledImages
from workers.tasks.splitting import stratified_order

TEST_SIZE = 360  # a fifth
TEST_SEED = 1797  # these images are never used for training or selection, whatever the split_seed


class Digits(ImageTask):
    """1,437 images to train and validate on, 360 to test; narrower convolutions than for colour images."""

    SHAPE = (1, 8, 8)
    CLASSES = 10
    BACKBONES = BACKBONES
    FILTERS = (16, 32)
    TOKENS = Rows

    def read(self) -> tuple[LabelledImages, LabelledImages]:
        images, labels = load_digits(return_X_y=True)
        pixels, labels = images.astype(np.uint8).reshape(-1, *self.SHAPE), labels.astype(np.int64)
        order = stratified_order(labels, TEST_SEED)
        test, pool = order[:TEST_SIZE], order[TEST_SIZE:]
        return LabelledImages(pixels[pool], labels[pool]), LabelledImages(pixels[test], labels[test])
