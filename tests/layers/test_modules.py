"""The modules: state, copies, modes, compilation, and what they print."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.backends.common import aot_autograd
from torch._functorch.aot_autograd import make_boxed_func

from pernodedrop import (
    DropBlock2d,
    DropConnectLinear,
    GaussianDropout,
    Masksembles,
    PerNodeDropConv2d,
    PerNodeDropLinear,
    regularized_linear,
)
from pernodedrop.functional import dropconnect_average
from pernodedrop.layers import ChoosesBackend, RoundsDropRate, dropout
from pernodedrop.layers.regularizing import noise_parameters
from pernodedrop.names import ELSEWHERE, REGULARIZERS
from pernodedrop.regularizers import Regularizer
from tests.layers.evidence import assert_mean

SLOTS = [
    name for name, kind in REGULARIZERS.items() if name not in ELSEWHERE and kind.objective is Regularizer.objective
]


def test_importing_the_package_imports_no_torch_and_using_it_not_its_compiler() -> None:
    code = """
import sys, pernodedrop, pernodedrop.names
assert "torch" not in sys.modules
import torch
model = torch.nn.Sequential(torch.nn.Linear(4, 4))
pernodedrop.regularize(model, "dropconnect")
model(torch.ones(2, 4))
assert "torch._dynamo" not in sys.modules  # it takes over a second; torch's optimizers import it too
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_exported_name_exists() -> None:
    import pernodedrop

    for name in pernodedrop.__all__:
        assert getattr(pernodedrop, name) is not None
    assert dir(pernodedrop) == sorted(pernodedrop.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'dropout'"):
        pernodedrop.dropout  # noqa: B018


@pytest.mark.parametrize("regularizer", SLOTS)
def test_slot_has_the_parameters_of_a_dense_layer(regularizer: str) -> None:
    module = regularized_linear(regularizer, 12, 5, drop_rate=0.4)
    own = sum(p.numel() for p in noise_parameters(module))
    assert sum(p.numel() for p in module.parameters()) == 12 * 5 + 5 + own
    assert module(torch.randn(8, 12)).shape == (8, 5)


def test_slot_refuses_what_cannot_be() -> None:
    with pytest.raises(ValueError, match=r"regularizer must be one of .* got 'earthquake'"):
        regularized_linear("earthquake", 12, 5, drop_rate=0.4)
    for regularizer in REGULARIZERS:
        with pytest.raises(ValueError, match=r"drop_rate must lie in \[0, 1\), got 1.0"):
            regularized_linear(regularizer, 12, 5, drop_rate=1.0)


@pytest.mark.parametrize("regularizer", sorted({*SLOTS} - {"masksembles", "standout"}))
def test_evaluation_is_dense(regularizer: str) -> None:
    module = regularized_linear(regularizer, 12, 5, drop_rate=0.4).eval()
    x = torch.randn(8, 12)
    weight, bias, *_ = module.parameters()
    assert torch.equal(module(x), nn.functional.linear(x, weight, bias))


@pytest.mark.parametrize("stir_type", ["bernoulli", "gaussian", "partial_gaussian"])
def test_fixed_mask_stays_and_is_saved(stir_type: str) -> None:
    layer = PerNodeDropLinear(12, 5, mask_mode="fixed", stir_type=stir_type, noisy_fraction=0.5)
    x = torch.randn(8, 12)
    y = layer(x)
    assert layer.backend_used == "mask"
    assert torch.equal(y, layer(x))
    assert torch.equal(y, layer.eval()(x))
    torch.testing.assert_close(y, nn.functional.linear(x, layer.weight * layer.mask, layer.bias))
    other = PerNodeDropLinear(12, 5, mask_mode="fixed", stir_type=stir_type, noisy_fraction=0.5)
    assert not torch.equal(other(x), y)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x), y)


def test_dynamic_state_is_that_of_a_dense_layer() -> None:
    layer, dense = PerNodeDropLinear(12, 5), nn.Linear(12, 5)
    assert list(layer.state_dict()) == list(dense.state_dict())
    layer.load_state_dict(dense.state_dict())
    x = torch.randn(3, 12)
    assert torch.equal(layer.eval()(x), dense(x))


def test_bias_is_never_masked() -> None:
    bias = torch.randn(5)
    for layer in (PerNodeDropLinear(12, 5, drop_rate=0.9), DropConnectLinear(12, 5, drop_rate=0.9)):
        layer.bias.data = bias
        assert torch.equal(layer(torch.zeros(4, 12)), bias.expand(4, 5))
    assert PerNodeDropLinear(12, 5, bias=False)(torch.zeros(4, 12)).abs().max() == 0


def test_copies_draw_other_noise_that_follows_from_the_seed() -> None:
    def drawn() -> list[Tensor]:
        generator = torch.Generator().manual_seed(3)
        model = nn.Sequential(PerNodeDropLinear(12, 5, generator=generator), GaussianDropout(generator=generator))
        copies = [model, copy.deepcopy(model), copy.deepcopy(model)]
        assert all(twin[0].generator is twin[1].generator for twin in copies)
        assert copies[1][0].weight is not model[0].weight
        return [twin(torch.ones(4, 12)) for twin in copies]

    torch.manual_seed(1)
    first = drawn()
    assert len({str(y.tolist()) for y in first}) == 3
    torch.manual_seed(1)
    assert all(torch.equal(a, b) for a, b in zip(first, drawn(), strict=True))


def test_custom_stir() -> None:
    def uniform(shape, *, generator, dtype, device):
        return 2 * torch.rand(shape, generator=generator, dtype=dtype, device=device)

    layer = PerNodeDropLinear(12, 2, stir_type=uniform)
    x = torch.randn(1, 12).expand(20_000, 12)
    y = layer(x)
    assert layer.backend_used == "mask"
    assert_mean(y, layer.eval()(x[:1]))
    with pytest.raises(ValueError, match="must have mean 1"):
        PerNodeDropLinear(12, 2, stir_type=torch.rand)


def test_rows_printed() -> None:
    assert repr(PerNodeDropLinear(3, 2, drop_rate=0.25, stir_type="gaussian")) == (
        "PerNodeDropLinear(in_features=3, out_features=2, bias=True, drop_rate=0.25, stir_type=gaussian, "
        "mask_mode=dynamic, backend=auto)"
    )
    partial = PerNodeDropLinear(3, 2, stir_type="partial_gaussian", noisy_fraction=0.3, share_time=False)
    assert "noisy_fraction=0.3" in repr(partial)
    assert repr(partial).endswith("share_time=False)")
    assert repr(GaussianDropout(0.2)) == "GaussianDropout(drop_rate=0.2)"
    assert repr(DropConnectLinear(3, 2, drop_rate=0.2)).endswith("bias=True, drop_rate=0.2)")
    assert repr(DropBlock2d(0.2, 3)) == "DropBlock2d(drop_rate=0.2, block_size=3)"
    assert repr(Masksembles(8, drop_rate=0.5)) == "Masksembles(8, drop_rate=0.5, masks=4)"
    assert repr(PerNodeDropConv2d(3, 4, 3)).endswith("drop_rate=0.5, stir_type=bernoulli)")


COMPILED = {
    "kernel": (lambda: PerNodeDropLinear(8, 4), (6, 8)),
    "kernel over time": (lambda: PerNodeDropLinear(8, 4), (6, 3, 8)),
    "reparameterized": (lambda: PerNodeDropLinear(8, 4, stir_type="gaussian"), (6, 8)),
    "partial": (lambda: PerNodeDropLinear(8, 4, stir_type="partial_gaussian", noisy_fraction=0.5), (6, 8)),
    "mask": (lambda: PerNodeDropLinear(8, 4, backend="mask"), (6, 8)),
    "flipout": (lambda: PerNodeDropLinear(8, 4, stir_type="gaussian", backend="flipout"), (6, 8)),
    "fixed": (lambda: PerNodeDropLinear(8, 4, mask_mode="fixed"), (6, 8)),
    "dropconnect": (lambda: DropConnectLinear(8, 4), (6, 8)),
    "gaussian dropout": (lambda: GaussianDropout(0.3), (6, 8)),
    "masksembles": (lambda: Masksembles(8), (6, 8)),
    "convolution": (lambda: PerNodeDropConv2d(2, 3, 3), (2, 2, 6, 6)),
    "dropblock": (lambda: DropBlock2d(0.3, 3), (2, 2, 6, 6)),
}


@pytest.mark.parametrize("case", COMPILED)
def test_compiles_without_graph_breaks(case: str) -> None:
    torch._dynamo.reset()
    build, shape = COMPILED[case]
    module = build()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    x = torch.randn(shape, requires_grad=True)
    y = compiled(x)
    y.sum().backward()
    assert y.shape == module(x).shape
    assert bool(x.grad.isfinite().all())
    if isinstance(module, PerNodeDropLinear):
        assert module.backend_used is not None


RATES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.25, 0.35, 0.45, 0.15, 0.0, 0.55]


@pytest.mark.parametrize("case", [name for name in COMPILED if name not in {"fixed", "masksembles"}])
def test_another_drop_rate_needs_no_other_graph(case: str) -> None:
    """A schedule sets a rate for every step; torch.compile gives up at the eighth graph."""
    torch._dynamo.reset()
    build, shape = COMPILED[case]
    module, graphs = build(), []

    def counted(graph: torch.fx.GraphModule, _: object) -> object:
        graphs.append(graph)
        return make_boxed_func(graph.forward)

    compiled = torch.compile(module, fullgraph=True, backend=aot_autograd(fw_compiler=counted))
    x = torch.randn(shape)
    for rate in RATES:
        module.drop_rate = rate
        torch.manual_seed(1)
        y = compiled(x)
        torch.manual_seed(1)
        assert torch.equal(y, module(x))
    assert len(graphs) <= 3  # the first rate as a constant, any rate, and 0, which is dense


def test_compiled_dropout_keeps_its_law_at_every_rate() -> None:
    torch._dynamo.reset()
    module, x = dropout.Dropout(0.5), torch.full((400, 500), 2.0)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    for rate in RATES:
        module.p = rate
        y = compiled(x)
        assert set(y.unique().tolist()) <= {0.0, float(torch.tensor(2.0) / (1.0 - rate))}
        assert_mean(y.double(), 2.0)
        torch.manual_seed(1)
        eager = module(x)
        torch.manual_seed(1)
        assert torch.equal(eager, nn.functional.dropout(x, rate))
    module.eval()
    assert torch.equal(compiled(x), x)


def test_the_first_use_in_a_process_may_be_a_compiled_one() -> None:
    script = (
        "import torch, pernodedrop.functional as F\n"
        "call = torch.compile(lambda x, w: F.pernode_linear(x, w, None, 0.3), fullgraph=True, backend='aot_eager')\n"
        "assert call(torch.ones(4, 5), torch.ones(3, 5)).shape == (4, 3)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_gaussian_dropout_moments() -> None:
    x = torch.full((200_000,), 3.0, dtype=torch.float64)
    y = GaussianDropout(0.3)(x)
    assert_mean(y, 3.0)
    assert_mean((y - 3.0) ** 2, 9 * 0.3 / 0.7)
    assert torch.equal(GaussianDropout(0.0)(x), x)


def test_dropconnect_average_is_the_mean_of_the_activation() -> None:
    """Against the exact mean of a rectified Gaussian, and linear activations average to the dense layer."""
    x, weight, bias = (torch.randn(shape, dtype=torch.float64) for shape in ((4, 9), (3, 9), (3,)))
    mean = nn.functional.linear(x, weight, bias)
    deviation = ((x**2) @ (weight**2).T * 0.4 / 0.6).sqrt()
    normal = torch.distributions.Normal(0.0, 1.0)
    ratio = mean / deviation
    exact = mean * normal.cdf(ratio) + deviation * normal.log_prob(ratio).exp()
    samples = 20_000
    error = 5 * deviation / samples**0.5

    def averaged(activation) -> Tensor:
        return dropconnect_average(x, weight, bias, 0.4, activation, samples=samples)

    assert bool(((averaged(torch.relu) - exact).abs() < error).all())
    assert bool(((averaged(lambda y: y) - mean).abs() < error).all())
    layer = DropConnectLinear(9, 3, drop_rate=0.4).double()
    assert layer.averaged(x, torch.relu, samples=3).shape == (4, 3)
    with pytest.raises(ValueError, match="samples must be at least 1, got 0"):
        layer.averaged(x, torch.relu, samples=0)


def test_layers_say_how_they_run_by_protocols() -> None:
    layers = [
        PerNodeDropLinear(4, 2),
        PerNodeDropConv2d(1, 1, 2),
        Masksembles(16),
        DropConnectLinear(4, 2),
        nn.Linear(4, 2),
    ]
    assert [isinstance(layer, ChoosesBackend) for layer in layers] == [True, True, False, False, False]
    assert [isinstance(layer, RoundsDropRate) for layer in layers] == [False, False, True, False, False]
