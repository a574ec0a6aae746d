"""`regularize` on convolutions: chosen when they are asked for, with the weights and the evaluation of nn.Conv2d."""

import copy
import io
import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from pernodedrop import PerNodeDropConv2d, mc_predict, regularize


class Residual(nn.Module):
    """Two convolutions and what they are added to."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.gate = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(self.norm(self.conv1(x)).relu())
        return x + y * self.gate(y.mean((2, 3))).sigmoid()[:, :, None, None]


class Net(nn.Module):
    """A small residual network with a depthwise separable convolution behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1, padding_mode="circular")
        self.block = Residual()
        self.depthwise = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8)
        self.pointwise = nn.Conv2d(8, 16, 1)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pointwise(self.depthwise(self.block(self.stem(x))).relu()).mean((2, 3)))


CONVOLUTIONS = ["stem", "block.conv1", "block.conv2", "depthwise", "pointwise"]


def inputs() -> Tensor:
    return torch.randn(4, 3, 12, 12, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "where, expected",
    [
        (None, ["block.gate", "head"]),
        ("*", ["block.gate", "head"]),  # a pattern that matches dense layers means these
        ("block.*", ["block.gate"]),
        (nn.Conv2d, CONVOLUTIONS),
        (
            [nn.Conv2d, nn.Linear],
            ["stem", "block.conv1", "block.conv2", "block.gate", "depthwise", "pointwise", "head"],
        ),
        ("block.conv2", ["block.conv2"]),
        ("*wise", ["depthwise", "pointwise"]),
        (re.compile(r".*conv\d"), ["block.conv1", "block.conv2"]),
        (["stem", "head"], ["stem", "head"]),
        (lambda _, layer: layer.kernel_size == (1, 1), ["pointwise"]),  # which a dense layer has not
        (lambda _, layer: layer.bias is None, ["block.conv1", "block.conv2"]),
        (lambda name, layer: name == "stem" or layer.in_features == 1000, ["stem"]),
    ],
)
def test_a_convolution_is_chosen_when_it_is_asked_for(where: Any, expected: list[str]) -> None:
    assert list(regularize(Net(), where=where).layers) == expected


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_it_stays_the_same_module_with_the_same_evaluation(memory_format: torch.memory_format) -> None:
    model, x = Net().eval().to(memory_format=memory_format), inputs().contiguous(memory_format=memory_format)
    plain, modules, parameters = model(x), dict(model.named_modules()), list(model.parameters())
    state = copy.deepcopy(model.state_dict())
    handle = regularize(model, where=nn.Conv2d, drop_rate=0.3, generator=torch.Generator().manual_seed(2))
    assert torch.equal(model(x), plain)
    assert list(model.state_dict()) == list(state)
    assert all(model.get_submodule(name) is module for name, module in modules.items())
    assert all(mine is theirs for mine, theirs in zip(model.parameters(), parameters, strict=True))
    Net().load_state_dict(model.state_dict())
    model.load_state_dict(state)
    assert "dilation=(2, 2), groups=8, drop_rate=0.3" in repr(model)
    model.train()
    noisy = model(x)
    assert not torch.allclose(noisy, model(x))
    noisy.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    handle.set_drop_rate(0.1)
    assert model.stem.drop_rate == 0.1
    handle.merge()
    assert all(type(layer) is nn.Conv2d for layer in handle.layers.values())
    model.load_state_dict(state)
    assert torch.equal(model.eval()(x), plain)


@pytest.mark.parametrize("name", ["stem", "depthwise", "pointwise"])
def test_it_computes_as_the_layer_that_is_built(name: str) -> None:
    """The same masks, with the same gradients."""
    model = Net().double()
    regularize(model, where=name, drop_rate=0.3, backend="mask", generator=torch.Generator().manual_seed(4))
    layer = model.get_submodule(name)
    assert isinstance(layer, PerNodeDropConv2d)
    built = PerNodeDropConv2d(
        layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding, dilation=layer.dilation,
        groups=layer.groups, padding_mode=layer.padding_mode, drop_rate=0.3, backend="mask",
        generator=torch.Generator().manual_seed(4),
    ).double()  # fmt: skip
    built.load_state_dict(layer.state_dict())
    x = torch.randn(3, layer.in_channels, 9, 9, dtype=torch.float64)
    for each in (layer, built):
        each(x).square().sum().backward()
    assert torch.equal(layer.weight.grad, built.weight.grad)
    assert not torch.allclose(layer(x[:1].expand(2, -1, -1, -1))[0], layer(x[:1].expand(2, -1, -1, -1))[1])


def test_settings_reach_it() -> None:
    model = Net()
    settings: dict[str, Any] = {"stir_type": "partial_gaussian", "noisy_fraction": 0.5, "backend": "flipout"}
    regularize(model, where="depthwise", drop_rate=0.2, options={"mask_groups": 1}, **settings)
    y = model.depthwise(torch.randn(1, 8, 4, 4).expand(3, -1, -1, -1))
    assert model.depthwise.backend_used == "flipout"
    torch.testing.assert_close(y, y[:1].expand_as(y))  # one group: one mask
    assert (model.depthwise.stir.variance, model.depthwise.padding_mode) == (0.125, "zeros")


def test_it_follows_autocast_compiles_and_is_exported_pickled_and_traced() -> None:
    model, x = Net(), inputs()
    regularize(model, where=nn.Conv2d)
    with torch.autocast("cpu", torch.bfloat16):
        assert model(x).dtype == torch.bfloat16
    assert mc_predict(model, x, passes=2).shape == (2, 4, 5)
    buffer = io.BytesIO()
    torch.save(model, buffer)
    read = torch.load(io.BytesIO(buffer.getvalue()), weights_only=False)
    assert type(read.stem) is PerNodeDropConv2d
    assert torch.equal(read.eval()(x), model.eval()(x))
    exported = torch.export.export(model, (x,)).module()
    torch.testing.assert_close(exported(x), model(x))
    traced = torch.fx.symbolic_trace(model.train())
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    for each in (traced, compiled):
        assert not torch.allclose(each(x), each(x))


@pytest.mark.parametrize(
    "how",
    [
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
        lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
    ],
)
def test_what_computes_its_weight_stays(how: Any) -> None:
    model, x = nn.Sequential(nn.Conv2d(4, 8, 3)), torch.randn(3, 4, 6, 6)
    how(model[0])
    model.eval()(x)
    plain, kind = model(x), type(model[0]).__name__
    handle = regularize(model, where="*", drop_rate=0.4)
    assert torch.equal(model(x), plain)
    noisy = model.train()(x)
    assert not torch.allclose(noisy, plain, atol=1e-3)
    noisy.square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    handle.undo()
    assert type(model[0]).__name__ == kind


def test_shared_weights_and_modules_are_each_regularized() -> None:
    model = nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
    model[2].weight = model[0].weight
    model.append(model[0])
    handle = regularize(model, where=nn.Conv2d)
    model(torch.randn(2, 4, 8, 8)).sum().backward()
    assert model[2].weight is model[0].weight is model[3].weight
    second = regularize(model, where=nn.Conv2d, drop_rate=0.1)
    handle.undo()
    assert model[0].drop_rate == 0.1
    second.undo()
    assert type(model[0]) is type(model[2]) is nn.Conv2d


def test_a_lazy_one_is_regularized_from_its_first_forward() -> None:
    model, x = nn.Sequential(nn.LazyConv2d(4, 3, groups=2)), torch.ones(2, 6, 5, 5)
    regularize(model, where="0")
    y = model(x)
    assert not torch.equal(y[0], y[1])
    assert [type(model[0]), model[0].in_channels, model[0].weight.shape] == [PerNodeDropConv2d, 6, (4, 3, 3, 3)]


class Standardized(nn.Conv2d):
    """A forward of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.weight - self.weight.mean(), self.bias)


class Renamed(nn.Conv2d):
    """No forward of its own."""


def test_subclasses_without_a_forward_are_taken() -> None:
    for where in ("0", Renamed):
        model = nn.Sequential(Renamed(4, 4, 3))
        handle = regularize(model, where=where)
        y = model(torch.ones(2, 4, 5, 5))
        assert not torch.equal(y[0], y[1])
        handle.undo()
        assert type(model[0]) is Renamed


@pytest.mark.parametrize(
    "layer, settings, message",
    [
        (Standardized(4, 4, 3), {"where": "0"}, "layer '0' is a Standardized, whose forward is its own"),
        (
            Renamed(4, 4, 3),
            {"where": "*"},
            "no nn.Linear or nn.Conv2d .*: Renamed is chosen by its class or an exact name",
        ),
        (PerNodeDropConv2d(4, 4, 3), {"where": nn.Conv2d}, "layer '0' is a PerNodeDropConv2d already: leave it out"),
        (PerNodeDropConv2d(4, 4, 3), {"where": "*"}, "PerNodeDropConv2d has a regularizer already"),
        (nn.Conv1d(4, 4, 3), {"where": 0}, "Conv1d is no nn.Conv2d, the only convolution that takes a regularizer"),
        (nn.Conv3d(4, 4, 3), {"where": nn.Conv3d}, "got Conv3d: Conv3d is no nn.Conv2d"),
        (nn.ConvTranspose2d(4, 4, 3), {"where": "*"}, "ConvTranspose2d is no nn.Conv2d"),
        (nn.Conv2d(4, 4, 3), {"where": None}, "where=None chooses no nn.Linear of Sequential: say where=nn.Conv2d"),
        (nn.Conv2d(4, 4, 3), {"where": "0", "regularizer": "dropout"}, "no nn.Linear of .*: only pernodedrop takes"),
        (nn.Conv2d(4, 4, 3), {"where": nn.Conv2d, "regularizer": "dropconnect"}, "got Conv2d: only pernodedrop takes"),
        (nn.Conv2d(4, 4, 3), {"where": 0, "mask_mode": "fixed"}, "mask_mode must be 'dynamic' for a convolution"),
        (nn.Conv2d(4, 4, 3), {"where": 0, "share_time": False}, "share_time must be True for a convolution"),
        (nn.Conv2d(4, 4, 3), {"where": 0, "options": {"time_correlation": 0.5}}, "share_time must be True for a conv"),
        (nn.Conv2d(4, 4, 3), {"where": 0, "backend": "reparameterized"}, "needs Gaussian noise"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_changed(
    layer: nn.Module, settings: dict[str, Any], message: str
) -> None:
    model = nn.Sequential(layer)
    kind, kept = type(layer), set(vars(layer))
    with pytest.raises(ValueError, match=message) as refused:
        regularize(model, **settings)
    assert "\n" not in str(refused.value)
    assert (type(layer), set(vars(layer))) == (kind, kept)


def test_one_that_does_not_run_is_named() -> None:
    class Reading(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.conv2d(x, self.conv.weight)

    model = Reading()
    regularize(model, where="conv")
    with pytest.warns(UserWarning, match="conv did not run in the first training forward of Reading"):
        model(torch.ones(1, 4, 5, 5))


def test_a_predicate_that_no_layer_can_answer_is_not_passed_over() -> None:
    with pytest.raises(AttributeError, match="kernel_sise"):
        regularize(Net(), where=lambda _, layer: layer.kernel_sise == (1, 1))
