"""Compiles the CPU's kernels for this processor, so that no first training waits: `python -m pernodedrop.prepare`.

They are compiled at their first use otherwise, which takes seconds, and kept in the same cache.
"""

import torch

from pernodedrop.functional import pernode_linear

LAWS = ("bernoulli", "gaussian", "partial_gaussian")


def prepare() -> None:
    """Train a layer for one step by every law and way of sharing masks that a study of images or documents has.

    A model's first layer asks for no gradient of its input.
    """
    torch.set_num_threads(1)
    for law in LAWS:
        for backend, is_first in (("auto", True), ("auto", False), ("kernel", False)):
            x = torch.ones(4, 64, requires_grad=not is_first)
            weight = torch.ones(8, 64, requires_grad=True)
            torch.autograd.backward(pernode_linear(x, weight, drop_rate=0.4, stir_type=law, backend=backend).sum())


if __name__ == "__main__":
    prepare()
