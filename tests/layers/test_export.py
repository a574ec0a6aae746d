"""Models of the layers that leave Python: dense in evaluation, refused in one line where a graph cannot draw."""

import io
from contextlib import nullcontext
from importlib.util import find_spec

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import DropConnectLinear, PerNodeDropConv2d, PerNodeDropLinear, regularize

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of what torch has newer ways for, but people use
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
    pytest.mark.filterwarnings("ignore:It is recommended that constant folding be turned off:UserWarning"),
]


def _regularized() -> nn.Module:
    model = nn.Sequential(nn.Linear(16, 8))
    regularize(model)
    return model[0]


LAYERS = {
    "linear": (lambda: PerNodeDropLinear(16, 8), (5, 16), "aten.linear.default"),
    "partial gaussian": (
        lambda: PerNodeDropLinear(16, 8, stir_type="partial_gaussian", noisy_fraction=0.5),
        (5, 16),
        "aten.linear.default",
    ),
    "convolution": (lambda: PerNodeDropConv2d(2, 4, 3), (5, 2, 6, 6), "aten.conv2d.default"),
    "regularize": (_regularized, (5, 16), "aten.linear.default"),
}


def _onnx(model: nn.Module, x: Tensor, *, training: bool) -> None:
    mode = torch.onnx.TrainingMode.TRAINING if training else torch.onnx.TrainingMode.EVAL
    torch.onnx.export(model, (x,), io.BytesIO(), dynamo=False, training=mode)


@pytest.mark.parametrize("name", LAYERS)
def test_evaluation_leaves_as_one_dense_product(name: str) -> None:
    build, shape, operator = LAYERS[name]
    model, x = nn.Sequential(build()).eval(), torch.randn(shape)
    exported = torch.export.export(model, (x,))
    called = [str(node.target) for node in exported.graph.nodes if node.op == "call_function"]
    assert [each for each in called if each != "aten.view_as.default"] == [operator]
    traced, file = torch.jit.trace(model, (x,)), io.BytesIO()
    torch.jit.save(traced, file)
    file.seek(0)
    assert torch.equal(torch.jit.load(file)(x), model(x))


@pytest.mark.parametrize("name", LAYERS)
def test_a_kernel_s_noise_leaves_for_no_onnx(name: str) -> None:
    build, shape, _ = LAYERS[name]
    model, x = nn.Sequential(build()), torch.randn(shape)
    with pytest.raises(RuntimeError, match=r"^ONNX has no operator that draws a kernel's masks: export .*$"):
        _onnx(model, x, training=True)
    model(x).sum().backward()  # and the layer goes on
    torch.export.export(model, (x,))


@pytest.mark.parametrize("training", [True, False])
def test_what_has_operators_of_its_own_leaves(training: bool) -> None:
    """As far as the last step, which takes the package onnx."""
    absent = find_spec("onnx") is None
    kernel = [] if training else [_regularized()]
    for model in (PerNodeDropLinear(16, 8, backend="mask"), DropConnectLinear(16, 8), *kernel):
        with pytest.raises(Exception, match="Module onnx is not installed!") if absent else nullcontext():
            _onnx(model.train(training), torch.randn(5, 16), training=training)


def test_a_traced_training_draws_at_every_call() -> None:
    model, x = nn.Sequential(PerNodeDropLinear(16, 8)), torch.randn(5, 16)
    traced = torch.jit.trace(model, (x,), check_trace=False)
    other = torch.randn(7, 16)
    assert not torch.equal(traced(other), traced(other))
    assert traced(other).shape == (7, 8)


@pytest.mark.parametrize("regularizer, settings", [("pernodedrop", {"mask_mode": "fixed"}), ("masksembles", {})])
def test_weights_alone_may_be_cast(regularizer: str, settings: dict) -> None:
    """As FSDP2 does in mixed precision, which leaves buffers as they are."""
    model = nn.Sequential(nn.Linear(16, 8))
    regularize(model, regularizer, **settings)
    cast = {name: parameter.to(torch.bfloat16) for name, parameter in model.named_parameters()}
    x = torch.randn(5, 16)
    y = torch.func.functional_call(model, cast, (x.to(torch.bfloat16),))
    torch.testing.assert_close(y.float(), model(x), rtol=0.05, atol=0.05)
    assert y.dtype == torch.bfloat16
