"""A dense layer for sparse inputs."""

import math

import torch
from torch import Tensor, nn

from workers.tasks.sparse_rows import SparseRows


class SparseLinear(nn.Module):
    """y = x W + b for sparse rows x (B, I), with W (I, J), initialised like `nn.Linear`.

    It reads and, in its backward, adds to the rows of W that the batch has entries in; the gradient is dense, so
    any optimizer works. On a CPU torch's own product of a CSR matrix takes longer, its backward several times as long.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(in_features)
        self.weight = nn.Parameter(torch.empty(in_features, out_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_features).uniform_(-bound, bound))

    def forward(self, x: SparseRows) -> Tensor:
        product = nn.functional.embedding_bag(
            x.columns, self.weight, x.offsets, mode="sum", per_sample_weights=x.values, include_last_offset=True
        )
        return product + self.bias

    def extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}"
