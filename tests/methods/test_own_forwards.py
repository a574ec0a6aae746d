"""A dense layer with a forward of its own has the noise once, however a method computes it, compiled or not."""

import pytest
import torch
from torch import nn

from pernodedrop import regularize
from tests.layers.subjects import Doubled


@pytest.mark.parametrize(
    "method",
    ["shakeout", "standout", "concrete_dropout", "variational_dropout", "sparse_variational_dropout", "pernodedrop"],
)
@pytest.mark.parametrize("is_compiled", [False, True])
def test_the_noise_is_drawn_once(method: str, is_compiled: bool) -> None:
    """Twice the output has four times the variance; noise within noise has more."""
    own, plain = nn.Sequential(Doubled(16, 8, bias=False)), nn.Sequential(nn.Linear(16, 8, bias=False))
    plain.load_state_dict(own.state_dict())
    regularize(own, method, where=Doubled)
    regularize(plain, method, where=nn.Linear)
    x = torch.randn(16).expand(20_000, 16)
    torch._dynamo.reset()
    called = torch.compile(own, backend="eager") if is_compiled else own
    for _ in range(2):  # the first forward is watched
        ratio = called(x).var(0) / plain(x).var(0)
        torch.testing.assert_close(ratio.mean(), torch.tensor(4.0), rtol=0.05, atol=0.0)
