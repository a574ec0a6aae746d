import pytest
import torch
from torch import nn

from pernodedrop.layers.regularizing import noise_parameters
from pernodedrop.names import ELSEWHERE, REGULARIZERS
from search_spaces import ACTIVATIONS, TrialConfig
from tests.tasks.trainings import regularized
from workers.tasks import SparseRows
from workers.tasks.backbones.convolutional import convolutional
from workers.tasks.backbones.text import text_backbone

IN_SLOTS = [name for name in REGULARIZERS if name not in ELSEWHERE]


def build(seed: int = 0, shape: tuple[int, int, int] = (3, 32, 32), **settings: object) -> nn.Sequential:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        config = TrialConfig(**settings)  # type: ignore[arg-type]
        return regularized(convolutional(shape, 10, config), config, "paper")


def parameters(model: nn.Module) -> int:
    """The number of weights and biases."""
    return sum(p.numel() for p in model.parameters()) - sum(p.numel() for p in noise_parameters(model))


@pytest.mark.parametrize(("shape", "flat"), [((3, 32, 32), 4096), ((1, 8, 8), 256), ((1, 128, 128), 65536)])
def test_flattens_to_the_published_size(shape: tuple[int, int, int], flat: int) -> None:
    model = build(shape=shape)
    assert model.features(torch.zeros(2, *shape)).shape == (2, flat)
    assert model(torch.zeros(2, *shape)).shape == (2, 10)


@pytest.mark.parametrize("regularizer", IN_SLOTS)
def test_every_variant_has_the_same_parameters(regularizer: str) -> None:
    convolutions = 3 * 32 * 9 + 32 + 32 * 64 * 9 + 64
    dense = 4096 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10
    assert parameters(build(regularizer=regularizer, units=128)) == convolutions + dense


@pytest.mark.parametrize("regularizer", IN_SLOTS)
def test_every_variant_starts_from_the_same_weights(regularizer: str) -> None:
    plain, model = build(regularizer="none").state_dict(), build(regularizer=regularizer).state_dict()
    assert len(plain) == 10
    assert all(torch.equal(plain[name], model[name]) for name in plain)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_stands_behind_the_slot(activation: str) -> None:
    model = build(activation=activation).eval()
    x = torch.randn(4, 3, 32, 32)
    function = {"identity": lambda y: y, "tanh": torch.tanh, "sigmoid": torch.sigmoid}.get(
        activation, getattr(nn.functional, activation, None)
    )
    expected = model.logits(model.hidden(function(model.slot(model.features(x)))))
    assert torch.allclose(model(x), expected)


def test_pooling_before_the_relu_changes_no_value() -> None:
    model, x = build(), torch.randn(2, 3, 32, 32)
    first, _, _, second, *_ = model.features
    y = nn.functional.max_pool2d(nn.functional.relu(first(x)), 2)
    y = nn.functional.max_pool2d(nn.functional.relu(second(y)), 2).flatten(1)
    assert torch.equal(model.features(x), y)


def build_text(seed: int = 0, words: int = 300, **settings: object) -> nn.Sequential:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        config = TrialConfig(**settings)  # type: ignore[arg-type]
        return regularized(text_backbone(words, 25, config), config, "text")


@pytest.mark.parametrize("regularizer", IN_SLOTS)
@pytest.mark.parametrize("mask_mode", ["dynamic", "fixed"])
def test_every_variant_of_the_text_network_starts_from_the_same_weights(regularizer: str, mask_mode: str) -> None:
    plain, model = build_text(regularizer="none"), build_text(regularizer=regularizer, mask_mode=mask_mode)
    found = dict(model.named_parameters())
    assert all(torch.equal(one, found[name]) for name, one in plain.named_parameters())


def test_the_text_network_starts_as_in_keras() -> None:
    model, other = build_text(seed=1, units=128), build_text(seed=2, units=128)
    wide = model.wide.slot.weight
    assert wide.shape == (256, 1024)
    assert wide.abs().max().item() == pytest.approx((6 / (1024 + 256)) ** 0.5, rel=0.01)
    assert not model.wide.slot.bias.any()
    assert not torch.equal(wide, other.wide.slot.weight)


def test_the_text_network_takes_sparse_documents() -> None:
    documents = SparseRows(torch.tensor([3, 7, 299]).int(), torch.ones(3), torch.tensor([0, 2, 2, 3]).int())
    assert build_text(units=4)(documents).shape == (3, 25)
