"""linear_factorization: a linear network y = U V^T x on synthetic data, whose best factors are known in closed form."""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pernodedrop.linear_theory import block_norms, effective_rank, imbalance
from pernodedrop.methods.block_dropout import FeatureBlocks
from pernodedrop.objectives import Outputs
from search_spaces import TaskSpec, TrialConfig
from workers.tasks.base import Splits, Task
from workers.tasks.errors import InvalidOptions
from workers.tasks.inputs import Inputs
from workers.tasks.options import check_options, name_option, number_option, whole_option
from workers.tasks.splitting import Division

LARGEST_SIDE = 4096
TRAIN, TEST = 100, 500  # samples
SLOTS = {"second": (False, True), "first": (True, False), "both": (True, True)}
LEAST_SHARE = 0.01  # of the largest singular value, for one that counts for the rank


class LinearFactorization(Task):
    """Targets A x + noise, with a matrix A (rows, columns) of low rank; the network has `units` hidden units.

    A has the singular values rank, ..., 2, 1. The inputs are Gaussian with variance 1, and two that lie k apart
    have the correlation `correlation`^k. The noise has the standard deviation `noise`. The slot is the second layer,
    the first or both: Dropout in front of the second masks hidden units. The activation of the study is not used.
    Everything is drawn from `data_seed`; a larger training split contains the smaller.
    """

    def __init__(self, spec: TaskSpec, data_folder: Path) -> None:
        super().__init__(spec, data_folder)
        check_options(spec, ("rows", "columns", "rank", "noise", "correlation", "slots", "val_size", "data_seed"))
        self._rows = whole_option(spec, "rows", default=10, least=1, most=LARGEST_SIDE)
        self._columns = whole_option(spec, "columns", default=10, least=1, most=LARGEST_SIDE)
        self._rank = whole_option(spec, "rank", default=3, least=1, most=LARGEST_SIDE)
        if self._rank > min(self._rows, self._columns):
            raise InvalidOptions(
                f"task.options.rank must be at most rows and columns, got {self._rank} for "
                f"{self._rows} x {self._columns}"
            )
        self._noise = number_option(spec, "noise", default=1.0, least=0.0, most=1000.0)
        self._correlation = number_option(spec, "correlation", default=0.0, least=0.0, most=0.99)
        self._in_slots = SLOTS[name_option(spec, "slots", default="second", names=tuple(SLOTS))]
        self._val_size = whole_option(spec, "val_size", default=TEST, least=1)
        self._seed = whole_option(spec, "data_seed", default=0, least=0)

    def load(self, device: torch.device) -> Splits:
        """Inputs (N, columns) and targets (N, rows); the test split does not depend on the sizes of the others."""
        return self._splits_of(device)

    def split(self, device: torch.device, division: Division) -> Splits:
        """As `load`, with training and validation samples that another seed draws from the same law."""
        seed = division.by_seed_alone
        return self._splits_of(device, *(() if seed is None else (seed,)))

    def _splits_of(self, device: torch.device, *drawn_by: int) -> Splits:
        matrix = self._matrix()
        pairs = [
            self._drawn(matrix, self.spec.train_size or TRAIN, 1, *drawn_by),
            self._drawn(matrix, self._val_size, 2, *drawn_by),
            self._drawn(matrix, TEST, 3),
        ]
        tensors = [torch.from_numpy(part).to(device, torch.float32) for pair in pairs for part in pair]
        return Splits(*tensors)

    def build(self, config: TrialConfig) -> nn.Module:
        shapes = ((self._columns, config.units), (config.units, self._rows))
        layers = [
            nn.Sequential(OrderedDict({"slot" if is_slot else "dense": nn.Linear(*shape, bias=False)}))
            for shape, is_slot in zip(shapes, self._in_slots, strict=True)
        ]
        return nn.Sequential(OrderedDict(first=layers[0], second=layers[1]))

    @property
    def outputs(self) -> Outputs:
        return "squared"

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The squared error, averaged over samples and outputs."""
        return nn.functional.mse_loss(outputs, targets)

    def combined(self, outputs: Tensor) -> Tensor:
        return outputs.mean(0)

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """r2, the share of the targets' squares that the outputs explain."""
        squares, errors = targets.double().square().sum(), (targets - outputs).double().square().sum()
        return {"r2": 1.0 - errors / squares}

    def model_metrics(self, model: nn.Module, inputs: Inputs) -> dict[str, Tensor]:
        """How the product U V^T and its factors lie on the training inputs X (columns, N), whatever the split.

        Of the singular values of U V^T X / sqrt(N): effective_rank, rank (those of at least 1 % of the largest) and
        nuclear_norm. Of the blocks U_g V_g^T X / sqrt(N), those of block_dropout or else single hidden units:
        penalty, the number of blocks times the sum of their squared norms, and imbalance, the standard deviation of
        their norms over the mean.
        """
        train_x = self.splits(inputs.device).train_x
        assert isinstance(train_x, Tensor)
        first, second = (_weight(layer) for layer in model.modules() if isinstance(layer, nn.Linear))
        u, v = second, first.T
        x = torch.linalg.qr(train_x.double(), mode="r").R.T / len(train_x) ** 0.5  # all depends on X X^T alone
        block = next((module.block_size for module in model.modules() if isinstance(module, FeatureBlocks)), 1)
        values = torch.linalg.svdvals(u @ v.T @ x)
        norms = block_norms(u, v, x, block)
        return {
            "effective_rank": effective_rank(values),
            "rank": ((values >= LEAST_SHARE * values[0]) & (values > 0)).sum(),
            "nuclear_norm": values.sum(),
            "penalty": len(norms) * norms.square().sum(),
            "imbalance": imbalance(u, v, x, block),
        }

    def _matrix(self) -> NDArray[np.float64]:
        rng = np.random.default_rng([self._seed, 0])
        left, _ = np.linalg.qr(rng.standard_normal((self._rows, self._rank)))
        right, _ = np.linalg.qr(rng.standard_normal((self._columns, self._rank)))
        matrix: NDArray[np.float64] = (left * np.arange(self._rank, 0, -1)) @ right.T
        return matrix

    def _drawn(
        self, matrix: NDArray[np.float64], size: int, number: int, *drawn_by: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        inputs, noise = (np.random.default_rng([self._seed, number, part, *drawn_by]) for part in range(2))
        places = np.arange(self._columns)
        correlations = self._correlation ** np.abs(places[:, None] - places)
        x = inputs.standard_normal((size, self._columns)) @ np.linalg.cholesky(correlations).T
        return x, x @ matrix.T + self._noise * noise.standard_normal((size, self._rows))


def _weight(layer: nn.Linear) -> Tensor:
    """What the layer multiplies with in evaluation; a fixed mask counts."""
    mask = getattr(layer, "mask", None)
    weight = layer.weight if mask is None else layer.weight * mask
    return weight.detach().double()
