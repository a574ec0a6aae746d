"""Stochastic depth: its coins, its rates over the depth, and where it stands."""

import pytest
import torch
from torch import nn

from pernodedrop import regularize
from pernodedrop.methods.stochastic_depth import Mode, StochasticDepth
from search_spaces import TrialConfig
from tests.layers.evidence import assert_mean
from tests.methods.test_places import model
from tests.tasks.trainings import few_digits_of, training
from workers.tasks.backbones.residual import ResidualBlock
from workers.tasks.backbones.transformer import Block

SAMPLES = 2000


def coins(mode: Mode, share: float) -> torch.Tensor:
    """The factors of 2 samples in many passes (N, 2)."""
    layer = StochasticDepth(0.4, mode, share=share, generator=torch.Generator().manual_seed(1))
    passes = 1 if mode == "row" else SAMPLES
    drawn = [layer(torch.ones(2 if passes > 1 else 2 * SAMPLES, 3, 1)) for _ in range(passes)]
    factors = torch.cat(drawn)
    assert torch.equal(factors[:, 0], factors[:, 2])  # a branch stands or falls as a whole
    return factors[:, 0, 0].reshape(-1, 2)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_each_sample_has_a_coin_of_its_own_or_all_have_one(share: float) -> None:
    keep = 1 - share * 0.4
    row, batch, original = coins("row", share), coins("batch", share), coins("original", share)
    for factors in (row, batch):
        assert_mean(factors.flatten()[::2], 1.0)
        assert_mean((factors[:, 0] > 0).double(), keep)
    assert_mean((row[:, 0] * row[:, 1]).double(), 1.0)  # independent
    assert torch.equal(batch[:, 0], batch[:, 1])
    assert torch.equal(original[:, 0], original[:, 1])
    assert set(original.unique().tolist()) == {0.0, 1.0}  # unscaled
    assert_mean(original[:, 0], keep)


def test_evaluation_is_the_expectation() -> None:
    x = torch.randn(3, 4)
    assert torch.equal(StochasticDepth(0.4, "row").eval()(x), x)
    assert torch.equal(StochasticDepth(0.4, "batch").eval()(x), x)
    assert torch.equal(StochasticDepth(0.4, "original", share=0.5).eval()(x), x * 0.8)


@pytest.mark.parametrize(("backbone", "branches"), [("resnet", 3), ("transformer", 4)])
def test_the_lth_of_all_branches_is_kept_with_one_less_l_over_their_number(backbone: str, branches: int) -> None:
    deep = model(backbone)
    handle = regularize(deep, "stochastic_depth", drop_rate=0.3)
    found = [module for module in deep.modules() if isinstance(module, StochasticDepth)]
    assert [branch.keep for branch in found] == pytest.approx(
        [1 - at / branches * 0.3 for at in range(1, branches + 1)]
    )
    handle.set_drop_rate(0.15)
    assert found[-1].keep == pytest.approx(0.85)
    assert found[0].keep == pytest.approx(1 - 0.15 / branches)


def test_it_stands_before_the_addition() -> None:
    """A block without its branches is its shortcut."""
    residual, block = ResidualBlock(3, 3, stride=1), Block(TrialConfig(units=8))
    x, tokens = torch.randn(5, 3, 4, 4), torch.randn(5, 6, 64)
    for layer, given, expected in ((residual, x, nn.functional.relu(x)), (block, tokens, tokens)):
        regularize(layer, "stochastic_depth", drop_rate=1 - 1e-9)
        for module in layer.modules():
            if isinstance(module, StochasticDepth):
                module.share = 1.0
        assert torch.equal(layer(given), expected)


def test_what_no_plain_layer_computes_is_not_merged() -> None:
    deep = model("resnet")
    handle = regularize(deep, "stochastic_depth", drop_rate=0.3, options={"mode": "original"})
    with pytest.raises(ValueError, match=r"evaluates with its branches times their probability, .*: keep it, or undo"):
        handle.merge()
    handle.undo()
    regularize(deep, "stochastic_depth", drop_rate=0.3).merge()
    with pytest.raises(ValueError, match="mode must be one of row, batch, original, got 'column'"):
        regularize(deep, "stochastic_depth", options={"mode": "column"})
    with pytest.raises(ValueError, match=r"^x must be a batch \(B, ...\), got shape \(\): unsqueeze it$"):
        StochasticDepth()(torch.tensor(1.0))


def test_its_rate_rises_over_the_training_as_scheduled_drop_path_does() -> None:
    config = TrialConfig("stochastic_depth", drop_rate=0.4, batch_size=35, drop_rate_schedule="linear_up")
    run = training(few_digits_of("transformer"), config)
    last = run.model.get_submodule("blocks.1.feed_forward.branch")
    assert isinstance(last, StochasticDepth) and last.keep == 1.0
    for _ in run.epochs():
        pass
    assert last.keep == pytest.approx(1 - 0.4 * 3 / 4)  # before the last of 4 steps
