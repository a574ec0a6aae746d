"""Values that a layer cannot take: one line that names the rule, and not what torch or Python trips over."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pernodedrop import (
    DropBlock2d,
    DropConnectLinear,
    GaussianDropout,
    Masksembles,
    PerNodeDropConv2d,
    PerNodeDropLinear,
    regularize,
)
from pernodedrop.methods.concrete_dropout import ConcreteDropoutLinear
from pernodedrop.methods.stochastic_depth import StochasticDepth
from pernodedrop.methods.tabu import TabuLinear
from pernodedrop.methods.variational_dropout import VariationalDropoutLinear
from pernodedrop.methods.zoneout import ZoneoutGRU
from pernodedrop.names import REGULARIZERS

REAL = ["dropout", "shakeout", "standout", "concrete_dropout", "variational_dropout", "sparse_variational_dropout"]
AROUND = ["r_drop", "averaged"]  # of dropout, unless another noise is chosen
LAYERS: dict[str, Callable[[Any], nn.Module]] = {
    "PerNodeDropLinear": lambda rate: PerNodeDropLinear(4, 4, drop_rate=rate),
    "PerNodeDropConv2d": lambda rate: PerNodeDropConv2d(1, 1, 1, drop_rate=rate),
    "DropConnectLinear": lambda rate: DropConnectLinear(4, 4, drop_rate=rate),
    "GaussianDropout": GaussianDropout,
    "DropBlock2d": lambda rate: DropBlock2d(rate, 1),
    "StochasticDepth": StochasticDepth,
    "TabuLinear": lambda rate: TabuLinear(4, 4, drop_rate=rate),
    "ConcreteDropoutLinear": lambda rate: ConcreteDropoutLinear(4, 4, drop_rate=rate),
    "VariationalDropoutLinear": lambda rate: VariationalDropoutLinear(4, 4, drop_rate=rate),
    "ZoneoutGRU": lambda rate: ZoneoutGRU(4, 4, drop_rate=rate),
    "regularize": lambda rate: regularize(nn.Sequential(nn.Linear(4, 4)), drop_rate=rate)._model,
}


@pytest.mark.parametrize("rate", ["0.5", None, [0.5], 0.5j, np.array([0.1, 0.2]), torch.tensor([0.1, 0.2])], ids=str)
@pytest.mark.parametrize("name", LAYERS)
def test_a_drop_rate_that_is_no_number_is_refused(name: str, rate: Any) -> None:
    with pytest.raises(ValueError, match=r"^drop_rate must be one number in \[0, 1\), got .*$"):
        LAYERS[name](rate)


def test_numbers_of_other_libraries_are_drop_rates() -> None:
    for rate in (
        np.float32(0.5),
        torch.tensor(0.5),
        torch.tensor([0.5]),
        np.array([0.5]),
        torch.tensor(0.5, requires_grad=True),
        False,
    ):
        for make in (LAYERS["PerNodeDropLinear"], LAYERS["GaussianDropout"], LAYERS["regularize"]):
            assert make(rate)(torch.ones(3, 4)).shape == (3, 4)
    for stir_type in ("bernoulli", "gaussian", "partial_gaussian"):
        tensors: dict[str, Any] = {"drop_rate": torch.tensor(0.5), "noisy_fraction": torch.tensor(0.5)}
        layer = PerNodeDropLinear(4, 4, stir_type=stir_type, **tensors)
        layer(torch.ones(3, 4)).sum().backward()
        assert layer.stir == PerNodeDropLinear(4, 4, stir_type=stir_type, noisy_fraction=0.5).stir
    dropout = GaussianDropout()
    with pytest.raises(ValueError, match="one number in"):
        dropout.drop_rate = "0.5"  # type: ignore[assignment]
    with pytest.raises(ValueError, match=r"noisy_fraction must be one number in \[0, 1\], got '1'"):
        PerNodeDropLinear(4, 4, stir_type="partial_gaussian", noisy_fraction="1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"z_cell must lie in \[0, 1\), got '0.5'"):
        ZoneoutGRU(4, 4, z_cell="0.5")


@pytest.mark.parametrize("kind", [PerNodeDropLinear, Masksembles])
def test_where_the_samples_lie_is_checked(kind: type[nn.Module]) -> None:
    make: Callable[[Any], nn.Module] = lambda batch_dim: (  # noqa: E731
        kind(4, batch_dim=batch_dim) if kind is Masksembles else kind(4, 4, batch_dim=batch_dim)
    )
    for wrong in (-1, "0", 1.0, True):
        with pytest.raises(ValueError, match=rf"^batch_dim must be a whole number of at least 0, got {wrong!r}: 0 for"):
            make(wrong)
    for batch_dim in (2, 5):
        with pytest.raises(
            ValueError, match=rf"^x must have its samples .* got shape \(2, 3, 4\) with batch_dim={batch_dim}"
        ):
            make(batch_dim)(torch.ones(2, 3, 4))
    assert make(2)(torch.ones(2, 3, 5, 4)).shape == (2, 3, 5, 4)
    assert make(5)(torch.ones(5, 4)).shape == (5, 4)  # samples and features


@pytest.mark.parametrize("name", ["PerNodeDropLinear", "PerNodeDropConv2d", "DropConnectLinear", "GaussianDropout"])
def test_a_seed_is_no_generator(name: str) -> None:
    layer = LAYERS[name](0.5)
    layer.generator = 42
    x = torch.ones(1, 1, 2, 2) if name == "PerNodeDropConv2d" else torch.ones(2, 4)
    said = r"^generator must be a torch.Generator or None, got 42: say torch.Generator\(\).manual_seed\(42\)$"
    with pytest.raises(TypeError, match=said):
        layer(x)
    model = nn.Sequential(nn.Linear(4, 4))
    seed: Any = 42
    with pytest.raises(TypeError, match=said):
        regularize(model, generator=seed)
    assert type(model[0]) is nn.Linear
    with pytest.raises(TypeError, match=said):
        Masksembles(4, generator=seed)


def test_what_is_no_model_is_refused() -> None:
    for model, kind in (([nn.Linear(4, 4)], "list"), (None, "NoneType"), (nn.Sequential, "type")):
        wrong: Any = model
        with pytest.raises(TypeError, match=f"^model must be an nn.Module, got {kind}: pass the model itself$"):
            regularize(wrong)
    for where in (None, nn.Linear, "0"):
        with pytest.raises(ValueError, match=r"of Linear: it is one itself, put it into an nn.Sequential$"):
            regularize(nn.Linear(4, 4), where=where)


def test_another_number_of_channels_is_refused_by_its_name() -> None:
    layer = PerNodeDropConv2d(3, 2, 3)
    for shape in ((2, 5, 8, 8), (5, 8, 8)):
        with pytest.raises(ValueError, match=r"^x must have 3 channels \(B, C, H, W\), got shape \(\d, 5, 8, 8\)$"):
            layer(torch.randn(shape))


@pytest.mark.parametrize("name", [each for each in REGULARIZERS if REGULARIZERS[each].place == "slot"])
def test_complex_numbers_are_computed_or_refused_in_one_line(name: str) -> None:
    model, x = nn.Sequential(nn.Linear(6, 6, dtype=torch.complex64)), torch.randn(5, 6, dtype=torch.complex64)
    regularize(model, name, drop_rate=0.4)
    if name not in REAL + AROUND:
        assert model(x).is_complex()
        return
    with pytest.raises(RuntimeError, match=r"^\w+ takes real numbers, got torch.complex64: choose block_dropout .*$"):
        model(x)


def test_the_remedy_is_dropout_of_complex_numbers() -> None:
    model = nn.Sequential(nn.Linear(1, 1, bias=False, dtype=torch.complex64))
    nn.init.ones_(model[0].weight)
    regularize(model, "block_dropout", drop_rate=0.5, options={"block_size": 1})
    torch.manual_seed(0)
    drawn = model(torch.full((4000, 1), 1j))
    assert sorted(drawn.detach().imag.unique().tolist()) == [0.0, 2.0]
