"""A loss whose outputs and targets broadcast to all pairs is refused; one that brings them to one shape is not."""

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from search_spaces import TrialConfig
from tests.tasks.test_slots import Circles
from tests.tasks.trainings import curves, training
from workers.tasks import Splits
from workers.training.pairing import PairsAll, require_pairs

functional = nn.functional
Loss = Callable[[Tensor, Tensor], Tensor]


def with_loss(loss: Loss) -> Circles:
    class Own(Circles):
        def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
            return loss(outputs, targets)

    return Own()


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("shapes", [((50, 1), (50,)), ((50,), (50, 1)), ((50, 1, 4), (50, 4))])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
@pytest.mark.parametrize(
    "loss",
    [functional.mse_loss, functional.l1_loss, functional.huber_loss, lambda o, t: (o - t).square().sum()],
    ids=["mse", "l1", "huber", "own"],
)
def test_all_pairs(loss: Loss, scale: float, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    outputs, targets = (torch.randn(shape, generator=torch.Generator().manual_seed(0)) * scale for shape in shapes)
    with pytest.raises(PairsAll, match="compares every output with every target, since outputs"):
        require_pairs(with_loss(loss), outputs, targets)


def of_two_dimensions(outputs: Tensor, targets: Tensor) -> Tensor:
    if outputs.dim() != 2:
        raise ValueError("outputs (N, 1)")
    return functional.l1_loss(outputs, targets)


@pytest.mark.filterwarnings("ignore:Using a target size")
def test_all_pairs_of_a_loss_that_takes_outputs_of_two_dimensions_only() -> None:
    outputs, targets = torch.randn(60, 1), torch.randn(60)
    with pytest.raises(PairsAll):
        require_pairs(with_loss(of_two_dimensions), outputs, targets)
    require_pairs(with_loss(lambda o, t: of_two_dimensions(o, t.view_as(o))), outputs, targets)


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (lambda o, t: functional.mse_loss(o[:, 0], t), torch.randn(60) + 1e4),
        (lambda o, t: functional.mse_loss(o.squeeze(-1), t), 1e6 * torch.rand(60)),
        (lambda o, t: functional.binary_cross_entropy_with_logits(o[:, 0], t.float()), torch.arange(60) % 2),
        (lambda o, t: functional.binary_cross_entropy(o[:, 0], t), (torch.arange(60) % 7 == 0).float()),
        (lambda o, t: functional.poisson_nll_loss(o[:, 0], t), (torch.arange(60) % 5).float()),
        (functional.cross_entropy, torch.zeros(60, dtype=torch.long)),
        (lambda o, t: o.square().mean(), torch.arange(60.0)),
        (lambda o, t: functional.mse_loss(o[:, 0], t), torch.full((60,), 3.0)),
        (lambda o, t: functional.mse_loss(o[:, 0], t), torch.full((60,), torch.nan)),
    ],
)
def test_pairs(loss: Loss, targets: Tensor) -> None:
    require_pairs(with_loss(loss), torch.zeros(60, 1), targets)


@pytest.mark.parametrize(
    "loss",
    [
        lambda o, t: 1.0 - torch.corrcoef(torch.stack([o.flatten(), t.flatten()]))[0, 1].square(),
        lambda o, t: (o.flatten().sort().values - t.flatten().sort().values).abs().mean(),
        lambda o, t: (o.flatten().std() - t.flatten().std()).square(),
        lambda o, t: 2 * torch.cdist(o, t[:, None]).mean() - torch.cdist(t[:, None], t[:, None]).mean(),
    ],
    ids=["correlation", "sorted", "moments", "energy distance"],
)
def test_a_loss_to_which_order_means_nothing(loss: Loss) -> None:
    require_pairs(with_loss(loss), torch.randn(60, 1), torch.randn(60))


def test_the_trial_of_the_loss_moves_no_global_generator() -> None:
    def drawing(o: Tensor, t: Tensor) -> Tensor:
        return functional.mse_loss(o[:, 0], t) + 0.0 * (random.random() + np.random.rand() + torch.rand(()))

    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    require_pairs(with_loss(drawing), torch.zeros(60, 1), torch.randn(60))
    drawn = random.random(), np.random.rand()
    random.seed(1)
    np.random.seed(1)
    assert drawn == (random.random(), np.random.rand())


def test_the_trial_of_the_loss_draws_no_random_number() -> None:
    class Numbers(Circles):
        def load(self, device: torch.device) -> Splits:
            data = super().load(device)
            return Splits(data.train_x, data.train_x[:, 0], data.val_x, data.val_x[:, 0])

        def build(self, config: TrialConfig) -> nn.Module:
            return nn.Sequential(super().build(config), nn.Linear(2, 1))

        def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
            noise = 1e-3 * torch.rand(())
            return functional.mse_loss(outputs[:, 0], targets) + noise

        def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
            return {}

    class Wide(Numbers):
        """The same with targets of the outputs' shape, which nothing is tried of."""

        def load(self, device: torch.device) -> Splits:
            data = super().load(device)
            return Splits(data.train_x, data.train_y[:, None], data.val_x, data.val_y[:, None])

        def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
            return super().loss(outputs, targets[:, 0])

    assert curves(training(Numbers(), TrialConfig(units=12))) == curves(training(Wide(), TrialConfig(units=12)))
