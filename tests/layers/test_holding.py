"""One draw for several calls."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import DropConnectLinear, GaussianDropout, PerNodeDropLinear, held_noise
from pernodedrop.layers.noisy import Noisy

LAYERS: dict[str, Callable[[torch.Generator | None], nn.Module]] = {
    "pernodedrop": lambda generator: PerNodeDropLinear(6, 5, generator=generator),
    "one group": lambda generator: PerNodeDropLinear(6, 5, mask_groups=1, backend="mask", generator=generator),
    "gaussian": lambda generator: PerNodeDropLinear(6, 5, stir_type="gaussian", generator=generator),
    "dropconnect": lambda generator: DropConnectLinear(6, 5, generator=generator),
    "gaussian_dropout": lambda generator: GaussianDropout(generator=generator),
    "dropout": lambda generator: nn.Dropout(),
}


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_all_calls_have_the_noise_of_the_first(name: str, own: bool) -> None:
    layer = LAYERS[name](torch.Generator().manual_seed(3) if own else None)
    x = torch.ones(4, 6, requires_grad=True)
    with held_noise(nn.Sequential(layer)):
        one, _, two = layer(x), torch.rand(3), layer(x)
        assert torch.equal(one, two)
        gradients = [torch.autograd.grad(y.square().sum(), x)[0] for y in (one, two)]
        assert torch.equal(*gradients)
    with held_noise(layer):
        assert not torch.equal(layer(x), one)
    assert not torch.equal(layer(x), layer(x))
    assert not [*layer._forward_hooks, *(hook for hook in layer._forward_pre_hooks.values() if "call" in str(hook))]


def test_a_later_call_leaves_the_random_numbers_as_they_are() -> None:
    first, second = PerNodeDropLinear(6, 6), nn.Dropout()
    model, x = nn.Sequential(first, second), torch.ones(4, 6)
    torch.manual_seed(1)
    model(x)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with held_noise(model):
        y = model(x)
        assert torch.equal(model(x), y)
        assert torch.equal(torch.rand(3), expected)


def test_a_cell_of_one_group_is_one_weight_for_the_whole_sequence() -> None:
    cell = PerNodeDropLinear(3, 3, bias=False, mask_groups=1)
    states: list[Tensor] = [torch.eye(3)]
    with held_noise(cell):
        for _ in range(3):
            states.append(cell(states[-1]))
    weight = states[1]
    torch.testing.assert_close(states[3], weight @ weight @ weight)
    assert isinstance(cell, Noisy)
