"""Masksembles: what the masks look like, which samples meet which, and which rates have none."""

import pickle

import pytest
import torch
from torch import nn

from pernodedrop import Masksembles, ensemble_predict
from pernodedrop.masksembles import effective_drop_rate, generate_masks, scale_of
from pernodedrop.names import REGULARIZERS


@pytest.mark.parametrize("features", [8, 64, 1000, 4096])
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.8, 5 / 6])
def test_masks_have_equal_ones_and_no_empty_column(features: int, rate: float) -> None:
    masks = generate_masks(features, rate, generator=torch.Generator().manual_seed(1))
    assert masks.shape == (4, features)
    assert set(masks.unique().tolist()) <= {0.0, 1.0}
    assert bool(masks.any(0).all())
    ones = masks.sum(1)
    assert bool((ones == ones[0]).all())
    assert abs(float(ones[0]) / features - (1 - effective_drop_rate(rate))) <= 1 / features


def test_overlap_is_that_of_independent_placements() -> None:
    """Two masks of m ones over m S positions share m / S of them on average."""
    features, rate = 20_000, 0.5
    masks = generate_masks(features, rate, generator=torch.Generator().manual_seed(1))
    ones = float(masks[0].sum())
    overlap = float((masks[0] * masks[1]).sum())
    deviation = (ones * rate * (1 - rate) * rate) ** 0.5  # hypergeometric
    assert abs(overlap - ones / scale_of(rate)) < 5 * deviation


@pytest.mark.parametrize("samples", [1, 3, 4, 8, 10])
def test_contiguous_chunks_meet_their_masks(samples: int) -> None:
    layer = Masksembles(32, drop_rate=0.5)
    y = layer(torch.ones(samples, 32))
    met = [int((layer.masks == row).all(1).nonzero()[0, 0]) for row in y]
    assert met == sorted(met)
    sizes = [met.count(mask) for mask in range(4)]
    assert max(sizes) - min(sizes) <= 1
    assert torch.equal(layer.eval()(torch.ones(samples, 32)), y)


def test_other_dimensions() -> None:
    layer = Masksembles(6, feature_dim=1)
    x = torch.ones(4, 6, 5, 5)
    torch.testing.assert_close(layer(x), layer.masks[:, :, None, None].expand_as(x))
    assert Masksembles(6)(torch.ones(4, 7, 6)).shape == (4, 7, 6)
    assert Masksembles(6)(torch.ones(0, 6)).shape == (0, 6)


def test_ensemble_prediction_averages_over_the_masks() -> None:
    layer = Masksembles(16, drop_rate=0.5)
    model = nn.Sequential(layer, nn.Linear(16, 3))
    x = torch.randn(5, 16)
    expected = torch.stack([model[1](x * mask) for mask in layer.masks]).mean(0)
    torch.testing.assert_close(ensemble_predict(model, x), expected)


def test_masks_are_saved() -> None:
    a, b = Masksembles(16), Masksembles(16)
    assert not torch.equal(a.masks, b.masks)
    b.load_state_dict(a.state_dict())
    assert torch.equal(a.masks, b.masks)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"in \[1, 6\], got 10 for drop_rate 0.9: choose a rate of at most 0.833"):
        Masksembles(64, drop_rate=0.9)
    with pytest.raises(ValueError, match="at least 1 feature and 1 mask"):
        generate_masks(0, 0.5)
    with pytest.raises(ValueError, match="batch with 64 features"):
        Masksembles(64)(torch.ones(3, 63))


@pytest.mark.parametrize("masks", [2, 8])
def test_ensemble_prediction_knows_how_many_masks_there_are(masks: int) -> None:
    """And it does not matter that a model computes its batch in parts, or stands behind a function."""
    layer = Masksembles(16, drop_rate=0.3, masks=masks)
    head, x = nn.Linear(16, 3), torch.randn(5, 16)

    class InParts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([head(self.layer(part)) for part in x.split(2)])

    expected = torch.stack([head(x * mask) for mask in layer.masks]).mean(0)
    for model in (nn.Sequential(layer, head), InParts(), lambda x: head(layer(x))):
        torch.testing.assert_close(ensemble_predict(model, x), expected)
        torch.testing.assert_close(ensemble_predict(model, x, masks), expected)
        assert layer.only is None
        with pytest.raises(ValueError, match=f"masks must be what the model has, {masks}, got 3"):
            ensemble_predict(model, x, 3)
        assert layer.only is None
    with pytest.raises(ValueError, match=f"got layers of {min(masks, 4)} and {max(masks, 4)} masks"):
        ensemble_predict(nn.Sequential(layer, Masksembles(16)), x)
    with pytest.raises(ValueError, match="got no Masksembles layer"):
        ensemble_predict(head, x)


def test_a_handle_that_an_earlier_release_has_pickled_finds_its_regularizer() -> None:
    assert pickle.loads(b"cpernodedrop.regularizers\nMasksembles\n.") is REGULARIZERS["masksembles"]
