"""A training's first step, in which its model is watched, computes what every other does."""

import pytest
import torch
from torch import nn

from pernodedrop import regularize
from pernodedrop.names import REGULARIZERS


@pytest.mark.parametrize("method", sorted(name for name in REGULARIZERS if REGULARIZERS[name].place == "slot"))
def test_a_watched_step_is_any_other(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit: a training that is resumed has such a step again.

    The loss reads the weight too, as a divergence does: gradients that meet in another order are other ones.
    """

    def gradients(is_watched: bool) -> list[torch.Tensor]:
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(24, 16), nn.Tanh(), nn.Linear(16, 4))
        with monkeypatch.context() as patch:
            if not is_watched:
                patch.setattr("pernodedrop.insertion.Watch", lambda *_: None)
            regularize(model, method, drop_rate=0.3, generator=torch.Generator().manual_seed(2))
        x = torch.randn(32, 24)
        loss = model(x).square().sum() + sum((p * 7.3).sin().sum() for p in model.parameters())
        loss.backward()
        return [p.grad for p in model.parameters() if p.grad is not None]

    first, later = gradients(True), gradients(False)
    assert len(first) == len(later) > 0
    assert all(torch.equal(*pair) for pair in zip(first, later, strict=True))
