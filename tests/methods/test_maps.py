"""Whole channels and blocks of maps: their laws."""

import pytest
import torch
from torch import nn

from pernodedrop.methods.drop_block import DropBlock, dropped_share
from pernodedrop.methods.spatial_dropout import SpatialDropout
from search_spaces import TrialConfig
from tests.layers.evidence import assert_mean
from tests.tasks.trainings import few_digits_of, training

P = 0.3


@pytest.mark.parametrize(
    ("layout", "shape", "within"),
    [("maps", (600, 20, 3, 4), (2, 3)), ("sequence", (600, 5, 20), (1,)), ("signal", (600, 20, 5), (2,))],
)
def test_whole_channels_are_dropped_by_torchs_law(layout: str, shape: tuple[int, ...], within: tuple[int, ...]) -> None:
    layer = SpatialDropout(P, layout, generator=torch.Generator().manual_seed(1))  # type: ignore[arg-type]
    y = layer(torch.ones(shape))
    assert torch.equal(y.amin(within), y.amax(within))  # a channel stands or falls as a whole
    factors = y.amax(within)  # 600, 20
    assert factors.unique().tolist() == pytest.approx([0.0, 1 / (1 - P)])
    assert_mean((factors == 0).double().flatten(), P)
    assert_mean((factors[:, 0] * factors[:, 1]).double(), 1.0)  # channels are independent
    assert torch.equal(layer.eval()(y), y)


def test_torch_agrees_where_it_means_the_same() -> None:
    torch.manual_seed(1)
    maps = nn.functional.dropout2d(torch.ones(4000, 4, 2, 2), P).amax((2, 3))
    ours = SpatialDropout(P)(torch.ones(4000, 4, 2, 2)).amax((2, 3))
    for factors in (maps, ours):
        assert_mean((factors == 0).double().flatten(), P)
        torch.testing.assert_close(factors.max(), torch.tensor(1 / (1 - P)))


def test_three_dimensions_must_be_said() -> None:
    x = torch.ones(2, 5, 20)
    with pytest.raises(ValueError, match=r"x must be \(B, C, H, W\) for the layout 'maps', got shape \(2, 5, 20\)"):
        SpatialDropout(P)(x)
    with pytest.raises(ValueError, match=r"x must be \(B, T, C\) for the layout 'sequence', got shape \(2, 5\)"):
        SpatialDropout(P, "sequence")(x[..., 0])
    with pytest.raises(ValueError, match="layout must be one of maps, sequence, signal, got 'rows'"):
        SpatialDropout(P, "rows")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("side", "size", "expected"), [(8, 5, 0.373), (32, 5, 0.384), (4, 2, None), (6, 6, 0.5), (5, 1, 0.5)]
)
def test_blocks_drop_the_share_that_is_stated(side: int, size: int, expected: float | None) -> None:
    """Even sizes too; a block as large as the map drops the map at the rate itself."""
    layer = DropBlock(0.5, size, generator=torch.Generator().manual_seed(2))
    y = layer(torch.ones(2000, 1, side, side))
    assert_mean((y == 0).double().flatten(1).mean(1), layer.effective_drop_rate)
    assert layer.effective_drop_rate == dropped_share(0.5, size, side, side)
    if expected is not None:
        assert layer.effective_drop_rate == pytest.approx(expected, abs=5e-4)
    kept = y[y > 0]
    assert bool((kept == kept[0]).all())  # one factor for the whole batch, whose mean it makes 1
    assert y.mean().item() == pytest.approx(1.0, abs=1e-4)


def test_a_result_states_the_share_and_the_rate_rises() -> None:
    config = TrialConfig("drop_block", drop_rate=0.4, batch_size=35, extra={"block_size": 2})
    run = training(few_digits_of("paper"), config)
    assert run.facts["effective_drop_rate"] == pytest.approx(0.4)  # maps of 2 x 2 are dropped as a whole
    rising = training(few_digits_of("paper"), TrialConfig(**{**vars(config), "drop_rate_schedule": "linear_up"}))
    block = rising.model.get_submodule("features.map")
    assert isinstance(block, DropBlock) and block.drop_rate == 0.0
    for _ in rising.epochs():
        pass
    assert block.drop_rate == pytest.approx(0.4 * 3 / 4)  # before the last of 4 steps
    assert not hasattr(DropBlock(0.4, 2), "effective_drop_rate")  # no maps were seen


def test_blocks_that_do_not_fit_are_refused_when_the_trial_is_built() -> None:
    with pytest.raises(ValueError, match="block_size must be at most the map's side, got 7 for 2 x 2"):
        training(few_digits_of("paper"), TrialConfig("drop_block"))
    with pytest.raises(ValueError, match=r"block_size must be a whole number, got 2.5"):
        training(few_digits_of("paper"), TrialConfig("drop_block", extra={"block_size": 2.5}))
