"""Copies of layers whose weights are computed, and layers that are made without memory."""

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.optim.swa_utils import AveragedModel

from pernodedrop import DropConnectLinear, Masksembles, PerNodeDropConv2d, PerNodeDropLinear, regularize

BUILT = {
    "linear": (lambda generator: PerNodeDropLinear(6, 4, generator=generator), (5, 6)),
    "dropconnect": (lambda generator: DropConnectLinear(6, 4, generator=generator), (5, 6)),
    "convolution": (lambda generator: PerNodeDropConv2d(3, 4, 3, generator=generator), (5, 3, 6, 6)),
}
NORMS = [parametrizations.weight_norm, parametrizations.spectral_norm]


def check_copies(model: nn.Module, layer: str, x: torch.Tensor) -> None:
    """A copy has the weights, and noise of its own."""
    for twin in (copy.deepcopy(model), AveragedModel(model).module):
        one, other = model.get_submodule(layer), twin.get_submodule(layer)
        assert other.generator is not one.generator
        assert other.noise._layer[0] is other
        assert not torch.allclose(model(x), twin(x))
        weights = [each.parametrizations.weight.original0 for each in (one, other) if hasattr(each, "parametrizations")]
        assert len({weight.data_ptr() for weight in weights}) == len(weights)
        other.eval()
        assert torch.equal(twin(x), twin(x))


@pytest.mark.parametrize("norm", NORMS[:1])
@pytest.mark.parametrize("kind", BUILT)
def test_a_copy_of_a_parametrized_layer_draws_other_noise(kind: str, norm: object) -> None:
    build, shape = BUILT[kind]
    model = nn.Sequential(build(torch.Generator().manual_seed(3)))
    norm(model[0])
    check_copies(model, "0", torch.randn(shape))


@pytest.mark.parametrize("regularizer", ["pernodedrop", "dropconnect", "ninr", "tabu"])
@pytest.mark.parametrize("is_first", [True, False])
def test_so_does_one_of_a_layer_of_a_finished_model(regularizer: str, is_first: bool) -> None:
    model, x = nn.Sequential(nn.Linear(6, 4)), torch.randn(5, 6)
    if is_first:
        parametrizations.weight_norm(model[0])
    handle = regularize(model, regularizer, generator=torch.Generator().manual_seed(3))
    if not is_first:
        parametrizations.weight_norm(model[0])
    check_copies(model, "0", x)
    handle.undo()
    twin = copy.deepcopy(model)  # as torch copies a parametrized layer
    assert twin[0].parametrizations.weight.original0 is not model[0].parametrizations.weight.original0
    torch.testing.assert_close(twin(x), model(x))
    nn.utils.parametrize.remove_parametrizations(twin[0], "weight")
    assert type(twin[0]) is nn.Linear


@pytest.mark.parametrize("regularizer", ["zoneout", "variational_rnn_dropout"])
def test_a_recurrence_whose_weight_is_computed_is_copied(regularizer: str) -> None:
    model, x = nn.Sequential(nn.LSTM(4, 4)), torch.randn(3, 2, 4)
    parametrizations.weight_norm(model[0], "weight_hh_l0")
    regularize(model, regularizer)
    twin = copy.deepcopy(model)
    twin(x)[0].sum().backward()
    one, other = (each[0].parametrizations.weight_hh_l0.original0 for each in (model, twin))
    assert one.grad is None and bool(other.grad.any())
    assert torch.equal(model.eval()(x)[0], twin.eval()(x)[0])


@pytest.fixture
def undefined_memory_is_nan() -> Iterator[None]:
    """What is left undefined shows."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("undefined_memory_is_nan")
def test_masks_that_are_drawn_once_are_drawn_when_the_memory_is_there() -> None:
    """Who fills the weights himself knows nothing of a mask."""
    layer = nn.utils.skip_init(PerNodeDropLinear, 6, 4, mask_mode="fixed", drop_rate=0.3)
    assert bool(layer.weight.isnan().all())
    assert set(layer.mask.unique().tolist()) <= {0.0, torch.tensor(1.0).div(0.7).item()}
    masks = nn.utils.skip_init(Masksembles, 16).masks
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    with torch.device("meta"):
        model = nn.Sequential(Masksembles(6), nn.Linear(6, 4), nn.Linear(4, 2))
        regularize(model, "tabu", where="1")
        regularize(model, mask_mode="fixed", where="2")
    model.to_empty(device="cpu")
    for parameter in model.parameters():
        nn.init.ones_(parameter)
    assert bool(model(torch.ones(3, 6)).isfinite().all())
    kept = model[2].mask
    assert model.to(torch.float64)[2].mask.equal(kept.double())  # nothing else draws it again
