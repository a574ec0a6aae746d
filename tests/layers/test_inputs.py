"""What layers accept: types of numbers, shapes and settings as torch's own layers have them, or a refusal."""

import os
import subprocess
import sys

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
from pernodedrop.backends import base, kernel
from pernodedrop.backends.cpu import threads
from pernodedrop.backends.factors import Factors
from pernodedrop.layers.dropout import Dropout

pytestmark = [
    pytest.mark.filterwarnings("ignore:Using padding='same'", "ignore:.*nested tensors is in prototype stage"),
]
KINDS = [torch.uint8, torch.int64, torch.bool, torch.float16, torch.float64, torch.complex64]


@pytest.mark.parametrize("backend", ["auto", "mask", "kernel", "flipout", "moment_matched"])
@pytest.mark.parametrize("dtype", KINDS)
def test_types_that_a_dense_layer_refuses_are_refused(backend: str, dtype: torch.dtype) -> None:
    layer = PerNodeDropLinear(8, 2, backend=backend)
    with pytest.raises(RuntimeError):
        layer.eval()(torch.ones(3, 8, dtype=dtype))
    with pytest.raises(RuntimeError, match=r"x must be floating point|x, weight and bias must have one dtype"):
        layer.train()(torch.ones(3, 8, dtype=dtype))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", [PerNodeDropLinear, DropConnectLinear, PerNodeDropConv2d])
def test_what_is_no_tensor_is_refused_with_the_remedy(kind: type[nn.Module], training: bool) -> None:
    layer = (kind(6, 4, 3) if kind is PerNodeDropConv2d else kind(6, 4)).train(training)
    packed = nn.utils.rnn.pack_sequence([torch.ones(3, 6), torch.ones(2, 6)])
    with pytest.raises(TypeError, match=r"^x must be a tensor, got PackedSequence: pad it by .*pad_packed_sequence$"):
        layer(packed)
    for given in (torch.ones(2, 6).numpy(), [1.0], None):
        with pytest.raises(TypeError, match=rf"^x must be a tensor, got {type(given).__name__}: call torch.as_tensor$"):
            layer(given)


def test_a_convolution_refuses_nested_tensors_of_any_dimension() -> None:
    x = torch.nested.nested_tensor([torch.ones(3, 6), torch.ones(2, 6)])
    with pytest.raises(ValueError, match=r"^x must be \(B, C, H, W\) or \(C, H, W\), got a nested tensor$"):
        PerNodeDropConv2d(3, 4, 1)(x)


@pytest.mark.parametrize("dtype", KINDS[:3])
def test_layers_without_weights_refuse_integers(dtype: torch.dtype) -> None:
    for layer in (GaussianDropout(), DropBlock2d(0.1, 2)):
        with pytest.raises(RuntimeError, match="x must be floating point"):
            layer(torch.ones(2, 3, 4, 4, dtype=dtype))
    with pytest.raises(RuntimeError, match="x must be one dense tensor, got layout"):
        GaussianDropout()(torch.eye(3).to_sparse())
    with pytest.raises(RuntimeError, match="x must be one dense tensor, got layout"):
        PerNodeDropLinear(3, 2)(torch.eye(3).to_sparse())


@pytest.mark.parametrize("stir_type", ["bernoulli", "gaussian"])
def test_complex_numbers_meet_real_factors(stir_type: str) -> None:
    linear = PerNodeDropLinear(8, 2, stir_type=stir_type, bias=False, dtype=torch.complex64)
    convolution = PerNodeDropConv2d(2, 2, 2, stir_type=stir_type, bias=False, dtype=torch.complex64)
    for layer, shape in ((linear, (3, 8)), (convolution, (3, 2, 4, 4))):
        layer.weight.data = torch.ones_like(layer.weight)
        y = layer((1 + 2j) * torch.ones(shape, dtype=torch.complex64))
        torch.testing.assert_close(y.imag, 2 * y.real)
        assert layer.backend_used == "mask"
    y = GaussianDropout()((1 + 2j) * torch.ones(3, dtype=torch.complex64))
    torch.testing.assert_close(y.imag, 2 * y.real)


@pytest.mark.parametrize("padding", ["same", "valid", 1, (2, 0)])
def test_a_convolution_is_torch_s_with_factors(padding: str | int | tuple[int, int]) -> None:
    geometry = {"padding": padding, "dilation": (1, 2)}
    layer = PerNodeDropConv2d(2, 3, (2, 3), **geometry, drop_rate=1e-7, backend="mask")
    x = torch.randn(4, 2, 7, 8)
    torch.testing.assert_close(layer(x), layer.eval()(x))
    torch.testing.assert_close(layer.train()(x[0]), layer.eval()(x[0]))
    assert layer.train()(x[:0]).shape == layer.eval()(x[:0]).shape
    with pytest.raises(ValueError, match=r"x must be \(B, C, H, W\) or \(C, H, W\), got shape \(7, 8\)"):
        layer.train()(x[0, 0])


def test_blocks_are_drawn_for_every_map_of_any_leading_dimensions() -> None:
    layer = DropBlock2d(0.3, 3)
    assert layer(torch.ones(2, 14, 14)).shape == (2, 14, 14)
    dropped = layer(torch.ones(4, 4, 4, 14, 14)) == 0
    assert dropped.flatten(0, 2).unique(dim=0).shape[0] == 64
    with pytest.raises(ValueError, match=r"x must hold maps .* got shape \(14, 14\)"):
        layer(torch.ones(14, 14))


@pytest.mark.parametrize(
    "regularizer", ["masksembles", "pernodedrop", "gaussian_dropout", "dropconnect", "dropout", "standout"]
)
def test_an_encoder_with_padding_makes_nested_tensors(regularizer: str) -> None:
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True), 1)
    regularize(encoder, regularizer, drop_rate=0.3)
    padded = torch.zeros(4, 6, dtype=torch.bool)
    padded[:, 4:] = True
    x = torch.randn(4, 6, 16)
    with torch.no_grad():
        fast = encoder.eval()(x, src_key_padding_mask=padded)
    slow = encoder(x, src_key_padding_mask=padded)
    torch.testing.assert_close(fast[:, :4], slow[:, :4])


@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_nested_samples_keep_their_own_masks(layout: torch.layout) -> None:
    parts = [torch.ones(3, 8), torch.ones(5, 8)]
    x = torch.nested.nested_tensor(parts, layout=layout, requires_grad=True)
    y = PerNodeDropLinear(8, 4)(x)
    first, second = y.unbind()
    assert torch.equal(first, first[:1].expand_as(first))
    assert torch.equal(second, second[:1].expand_as(second))
    assert not torch.equal(first[0], second[0])
    first.sum().backward()
    assert x.grad is not None


def test_every_layer_checks_the_rate_that_is_set() -> None:
    linear, convolution = PerNodeDropLinear(4, 2), PerNodeDropConv2d(2, 2, 2)
    for layer in (linear, convolution, DropConnectLinear(4, 2), GaussianDropout(), DropBlock2d(), Dropout()):
        layer.drop_rate = 0.25
        assert layer.drop_rate == 0.25
        with pytest.raises(ValueError, match=r"drop_rate must lie in \[0, 1\), got 1.5"):
            layer.drop_rate = 1.5
        switch = getattr(layer, "noise", layer)
        switch.p = 0.125  # as code does that looks for nn.Dropout
        assert layer.drop_rate == 0.125
    for layer in (Masksembles(8), PerNodeDropLinear(4, 2, mask_mode="fixed")):
        with pytest.raises(ValueError, match="its drop rate must stay"):
            layer.drop_rate = 0.25


def test_scripting_is_refused_in_one_line() -> None:
    for layer in (PerNodeDropLinear(4, 2), Masksembles(8), Dropout()):
        with pytest.raises(RuntimeError, match=f"torch.jit.script cannot compile {type(layer).__name__}: use"):
            torch.jit.script(nn.Sequential(layer))


@pytest.mark.usefixtures("every_thread")
def test_backward_sums_in_few_copies_of_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[int, ...]] = []
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda shape, **options: made.append(shape) or empty(shape, **options))
    torch.set_num_threads(64)
    x, weight, grad = (torch.randn(shape).numpy() for shape in ((2, 3, 32), (2000, 32), (2, 3, 2000)))
    threads.gradients(grad, x, weight, 1, Factors(1, 1))
    assert [shape[0] for shape in made if len(shape) == 4] == [threads.COPIES]


_TRAINS = """
import sys, warnings, torch
from pernodedrop import PerNodeDropLinear
layers = [PerNodeDropLinear(8, 4), PerNodeDropLinear(8, 4, backend="kernel")]
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for layer in layers * 2:
        layer(torch.ones(3, 8)).sum().backward()
assert [layer.backend_used for layer in layers] == ["mask"] * 2
(warning,) = [str(each.message) for each in caught if each.category is RuntimeWarning]
assert warning.startswith("the kernel does not run on 'cpu' (") and "backend 'mask' runs instead" in warning, warning
"""


def test_a_compiler_that_does_not_work_is_warned_of_once() -> None:
    subprocess.run([sys.executable, "-c", _TRAINS], check=True, env=os.environ | {"NUMBA_DISABLE_JIT": "1"})


def test_a_compiler_that_cannot_be_imported_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pernodedrop.backends.cpu", None)
    monkeypatch.setattr(base, "_WARNED", set())
    kernel._TRIED.clear()
    layer = PerNodeDropLinear(8, 4)
    try:
        with pytest.warns(RuntimeWarning, match=r"the kernel does not run on 'cpu' \(ModuleNotFoundError"):
            layer(torch.ones(3, 8))
    finally:
        kernel._TRIED.clear()
    assert layer.backend_used == "mask"


_EXPORTS = """
import torch
import warnings

from pernodedrop import PerNodeDropLinear

model, x = torch.nn.Sequential(PerNodeDropLinear(8, 4)), torch.ones(3, 8)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    torch.export.export(model, (x,), strict=False)
(warning,) = [str(each.message) for each in caught if each.category is RuntimeWarning]
assert warning.endswith("which is slow; call the layer once before the export"), warning
model(x)
assert model[0].backend_used == "kernel"
graph = torch.export.export(model, (x,), strict=False).graph
assert "pernodedrop.stirred_product.default" in [str(node.target) for node in graph.nodes]
"""


def test_a_layer_that_was_exported_first_has_the_kernel_afterwards() -> None:
    """The first use imports numba, which cannot be while torch.export has functions of its own in Python's place."""
    subprocess.run([sys.executable, "-c", _EXPORTS], check=True)


def test_a_layer_trains_after_it_has_predicted_without_gradients() -> None:
    layer, x = PerNodeDropLinear(8, 4, drop_rate=0.37, backend="kernel"), torch.randn(3, 8)
    with torch.inference_mode():
        layer(x)
    layer(x).sum().backward()
    assert layer.weight.grad is not None


def test_a_kernel_s_memory_is_the_cpu_s_whatever_the_default_device() -> None:
    layer, x = PerNodeDropLinear(8, 4, drop_rate=0.37, backend="kernel"), torch.randn(3, 8, requires_grad=True)
    with torch.device("meta"):
        layer(x).sum().backward()
    assert layer.backend_used == "kernel"
    assert x.grad is not None
    assert x.grad.device.type == "cpu"
