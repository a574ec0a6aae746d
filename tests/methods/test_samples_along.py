"""Where the samples lie in (T, B, C): what acts on a branch or a map draws for each sample, not for each step."""

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import regularize
from pernodedrop.methods.spatial_dropout import SpatialDropout
from pernodedrop.methods.stochastic_depth import StochasticDepth


class Recurrent(nn.Module):
    """A recurrence, and a place behind it."""

    def __init__(self, place: str, *, batch_first: bool) -> None:
        super().__init__()
        self.recurrence = nn.GRU(8, 8, batch_first=batch_first)
        self.place = place
        self.add_module(place, nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        return self.get_submodule(self.place)(self.recurrence(x)[0])


@pytest.mark.parametrize(("regularizer", "place"), [("stochastic_depth", "branch"), ("spatial_dropout", "map")])
@pytest.mark.parametrize(
    ("batch_first", "said", "samples"), [(False, None, 1), (False, 0, 0), (True, None, 0), (True, 1, 1), (False, 1, 1)]
)
def test_a_mask_is_a_samples_for_all_its_positions(
    regularizer: str, place: str, batch_first: bool, said: int | None, samples: int
) -> None:
    options = {"layout": "sequence"} if place == "map" else {}
    torch.manual_seed(1)
    model = Recurrent(place, batch_first=batch_first)
    regularize(model, regularizer, drop_rate=0.5, batch_dim=said, options=options)
    dropped = model(torch.randn(40, 40, 8)) == 0
    along, across = dropped.movedim(samples, 0), dropped.movedim(1 - samples, 0)
    assert torch.equal(along, along[:, :1].expand_as(along))  # the positions of a sample share it
    assert not torch.equal(across, across[:, :1].expand_as(across))  # the samples at a position do not


def test_maps_beside_a_sequence_are_refused_where_their_samples_are_unknown() -> None:
    branch = StochasticDepth(0.5, batch_dim=1)
    with pytest.raises(ValueError, match=r"x must be \(T, B, C\) where batch_dim is 1, got shape \(2, 3, 4, 4\)"):
        branch(torch.ones(2, 3, 4, 4))
    assert branch(torch.ones(200, 3)).amin(1).unique().numel() == 2  # (B, I)


@pytest.mark.parametrize("layout", ["maps", "signal"])
def test_samples_and_channels_of_maps_may_change_places(layout: str) -> None:
    x = torch.ones(30, 20, 4, 4) if layout == "maps" else torch.ones(30, 20, 4)
    drawn = [
        SpatialDropout(0.5, layout, batch_dim=at, generator=torch.Generator().manual_seed(3))(x)  # type: ignore[arg-type]
        for at in (0, 1)
    ]
    assert torch.equal(*drawn)
