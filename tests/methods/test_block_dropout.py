"""Block dropout: its law by all masks, its blocks, and what it refuses."""

from itertools import product

import pytest
import torch
from torch import nn

from pernodedrop import regularize
from pernodedrop.linear_theory import block_penalty
from pernodedrop.methods.block_dropout import FeatureBlocks
from search_spaces import InvalidDefinition, TrialConfig, parse_definition
from tests.linear_theory.problems import drawn
from tests.search_spaces.studies import categorical, space, whole
from tests.tasks.test_slots import Circles
from tests.tasks.trainings import curves, training


def masks(rate: float, size: int, shape: tuple[int, ...]) -> torch.Tensor:
    torch.manual_seed(0)
    return FeatureBlocks(rate, size).train()(torch.ones(shape))


def test_blocks_fall_together_and_independently_of_each_other() -> None:
    """All eight masks of three blocks, each as often as its probability says, by 4 standard errors."""
    count, rate, size = 40_000, 0.3, 2
    drawn_masks = masks(rate, size, (count, 6)).reshape(count, 3, size)
    assert torch.equal(drawn_masks[..., 0], drawn_masks[..., 1])
    assert sorted(set(drawn_masks.flatten().tolist())) == pytest.approx([0.0, 1 / 0.7])
    kept = drawn_masks[..., 0] > 0
    for pattern in product((False, True), repeat=3):
        chance = 0.7 ** sum(pattern) * 0.3 ** (3 - sum(pattern))
        share = float((kept == torch.tensor(pattern)).all(1).double().mean())
        assert abs(share - chance) < 4 * (chance * (1 - chance) / count) ** 0.5


def test_every_position_of_a_sequence_has_a_draw_of_its_own() -> None:
    kept = masks(0.5, 4, (1, 4000, 8))[0, :, ::4] > 0
    assert abs(float((kept[1:] == kept[:-1]).double().mean()) - 0.5) < 4 * 0.5 / 8000**0.5


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_expected_loss_of_a_linear_network(size: int) -> None:
    """The penalty of the theory in front of the second layer, 40,000 copies of a sample, by 4 standard errors."""
    u, v, x, y = drawn(2, 6, seed=1), drawn(3, 6, seed=2), drawn(3, 1, seed=3), drawn(2, 1, seed=4)
    model = nn.Sequential(nn.Linear(3, 6, bias=False), nn.Linear(6, 2, bias=False)).double()
    with torch.no_grad():
        model[0].weight.copy_(v.T)
        model[1].weight.copy_(u)
    torch.manual_seed(0)
    regularize(model, "block_dropout", "1", drop_rate=0.3, options={"block_size": size})
    with torch.no_grad():
        losses = (y.T - model(x.T.expand(40_000, 3))).square().sum(1)
    expected = float((y - u @ v.T @ x).square().sum() + block_penalty(u, v, x, 0.3 / 0.7, size))
    assert abs(float(losses.mean()) - expected) < 4 * float(losses.std()) / 200
    torch.testing.assert_close(model.eval()(x.T), x.T @ v @ u.T)


def test_a_trial_chooses_its_size_and_its_rate_may_follow_a_schedule() -> None:
    def trained(schedule: str = "constant", **extra: float | str) -> list[dict[str, float]]:
        config = TrialConfig("block_dropout", units=12, batch_size=16, extra=extra, drop_rate_schedule=schedule)
        return curves(training(Circles(), config))

    assert trained() == trained(block_size=2)
    assert trained(block_size=4) != trained(block_size=2)
    assert trained("linear_up") != trained()


def test_what_does_not_fit_is_refused() -> None:
    for size in (0, 1.5, True):
        with pytest.raises(ValueError, match="block_size must be a whole number of at least 1, got"):
            regularize(nn.Sequential(nn.Linear(4, 3)), "block_dropout", options={"block_size": size})
    with pytest.raises(
        ValueError, match="must divide the 4 features of the layer, got 3: choose another size or width"
    ):
        regularize(nn.Sequential(nn.Linear(4, 3)), "block_dropout", options={"block_size": 3})
    with pytest.raises(ValueError, match="BlockDropout needs to know a layer's features: run the lazy model once"):
        regularize(nn.Sequential(nn.LazyLinear(3)), "block_dropout")
    with pytest.raises(ValueError, match="drop_rate must"):
        FeatureBlocks(1.0, 2)


def test_a_study_searches_the_size() -> None:
    size = categorical(1, 2, 4, when={"regularizer": "block_dropout"})
    parse_definition(space(regularizer=categorical("dropout", "block_dropout"), block_size=size))
    with pytest.raises(InvalidDefinition, match='block_size is a setting of "block_dropout" or'):
        parse_definition(space(regularizer=categorical("dropout", "none"), block_size=whole(1, 4)))
