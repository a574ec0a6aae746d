"""The CPU kernel: any shape, any number of threads, the same factors."""

import math
import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pernodedrop.backends.cpu import threads
from pernodedrop.backends.factors import Chain, Factors, chained, quantized
from pernodedrop.backends.stirred_product import stirred_product
from pernodedrop.functional import pernode_linear  # registers the operators


@settings(max_examples=30, deadline=None)
@given(
    samples=st.integers(1, 5),
    positions=st.integers(1, 3),
    connections=st.integers(1, 1100),
    units=st.integers(1, 40),
    seed=st.integers(0, 2**62),
)
def test_gradients_agree_with_the_output_at_any_shape(
    samples: int, positions: int, connections: int, units: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(samples, positions, connections, dtype=torch.float64, generator=generator, requires_grad=True)
    weight = torch.randn(units, connections, dtype=torch.float64, generator=generator, requires_grad=True)
    y = pernode_linear(x, weight, None, 0.3, backend="kernel", generator=generator)
    g = torch.randn(y.shape, dtype=torch.float64, generator=generator)
    y.backward(g)
    torch.testing.assert_close((x.grad * x).sum(), (g * y).sum())
    torch.testing.assert_close((weight.grad * weight).sum(), (g * y).sum())


@pytest.mark.usefixtures("every_thread")
@pytest.mark.parametrize("samples, connections, units", [(7, 2000, 10), (1, 100, 900), (3, 513, 3)])
@pytest.mark.parametrize("sigma", [0.0, 0.5])
def test_threads_do_not_change_the_factors(samples: int, connections: int, units: int, sigma: float) -> None:
    connections += -connections % 32
    x = torch.randn(samples, 2, connections, dtype=torch.float64).numpy()
    weight = torch.randn(units, connections, dtype=torch.float64).numpy()
    grad = torch.randn(samples, 2, units, dtype=torch.float64).numpy()
    factors = Factors(3, 2, sigma)
    results = []
    for count in (1, 2, 5):
        torch.set_num_threads(count)
        results.append((threads.product(x, weight, 9, factors), *threads.gradients(grad, x, weight, 9, factors)))
    for other in results[1:]:
        for mine, theirs in zip(results[0], other, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("factors", [quantized(0.3), quantized(0.7, sigma=0.5), chained(0.6, 0.4, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("samples, positions", [(1, None), (7, None), (5, 3)])
def test_a_first_layer_has_the_weight_s_gradient_alone(
    samples: int, positions: int | None, dtype: torch.dtype, factors: Factors | Chain
) -> None:
    """Whether anybody wants the input's gradient changes no bit of the others."""
    shape = (samples, 70) if positions is None else (samples, positions, 70)
    x, weight, bias = torch.randn(shape, dtype=dtype), torch.randn(33, 70, dtype=dtype), torch.randn(33, dtype=dtype)
    found = []
    for is_first in (True, False):
        leaves = [each.clone().requires_grad_() for each in (weight, bias)]
        inputs = x.clone().requires_grad_(not is_first)
        y = stirred_product(inputs, leaves[0], torch.tensor(3), factors, divisor=0.7, bias=leaves[1])
        torch.autograd.backward(y, torch.ones_like(y))
        found.append((y.detach(), *(each.grad for each in leaves)))
        assert (inputs.grad is None) == is_first
    for first, other in zip(*found, strict=True):
        assert torch.equal(first, other)


@pytest.mark.parametrize("factors", [quantized(0.3), quantized(0.3, sigma=0.8)])
def test_samples_without_positions_are_samples_of_one(factors: Factors) -> None:
    x, weight, bias = (torch.randn(shape, dtype=torch.float64) for shape in ((6, 40), (9, 40), (9,)))
    found = []
    for rows in (x, x.unsqueeze(1)):
        leaves = [each.clone().requires_grad_() for each in (rows, weight, bias)]
        y = stirred_product(leaves[0], leaves[1], torch.tensor(3), factors, bias=leaves[2])
        grads = torch.autograd.grad((y**2).sum(), leaves, create_graph=True)
        second = torch.autograd.grad(sum((each**2).sum() for each in grads), leaves)
        found.append([y, *grads, *second])
    for plain, with_one in zip(*found, strict=True):
        torch.testing.assert_close(plain, with_one.reshape(plain.shape))


@pytest.mark.parametrize("in_dims", [(0, None, None), (None, 0, None), (None, None, 0), (0, 1, 1)])
def test_vmap_and_forward_mode_know_every_operand(in_dims: tuple[int | None, ...]) -> None:
    """The product divided and with its bias is that of each entry; its tangent is linear in each operand's."""
    x, weight, bias = (torch.randn(shape, dtype=torch.float64) for shape in ((4, 40), (9, 40), (9,)))
    operands = [
        each if dim is None else torch.stack([each, 2 * each, -each], dim)
        for each, dim in zip((x, weight, bias), in_dims, strict=True)
    ]

    def call(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return stirred_product(x, weight, torch.tensor(3), quantized(0.3), divisor=0.3, bias=bias)

    mapped = torch.func.vmap(call, in_dims)(*operands)
    for at in range(3):
        entry = [each if dim is None else each.select(dim, at) for each, dim in zip(operands, in_dims, strict=True)]
        torch.testing.assert_close(mapped[at], call(*entry))
        value, tangent = torch.func.jvp(call, tuple(entry), (torch.zeros_like(x), weight, bias))
        torch.testing.assert_close(value, call(*entry))
        torch.testing.assert_close(tangent, call(entry[0], weight, bias))


@pytest.mark.parametrize("operator", ["stirred_product", "stirred_product_gradients"])
def test_operators_keep_torch_s_rules(operator: str) -> None:
    """Schema, shapes under fake tensors, autograd registration and tracing, as torch itself checks them."""
    x, weight = torch.randn(3, 2, 40, requires_grad=True), torch.randn(5, 40, requires_grad=True)
    inputs = (x, weight, torch.tensor([3]), torch.tensor([3, 2, 0]))
    if operator.endswith("gradients"):
        inputs = (torch.randn(3, 2, 5, requires_grad=True), *inputs)
    torch.library.opcheck(getattr(torch.ops.pernodedrop, operator).default, inputs)


@pytest.mark.parametrize("count, parts", [(10, 3), (2, 5), (0, 4), (7, 1)])
def test_spans_cover_the_range_once(count: int, parts: int) -> None:
    cut = threads.spans(count, parts)
    assert 1 <= len(cut) <= max(parts, 1)
    assert [i for start, stop in cut for i in range(start, stop)] == list(range(count))


@pytest.mark.parametrize("connections, shared", [(64, 1), (4096, 2)])
def test_a_small_product_starts_no_thread(monkeypatch: pytest.MonkeyPatch, connections: int, shared: int) -> None:
    """A thread's start takes longer than a small layer."""
    parts: list[int] = []
    monkeypatch.setattr(threads, "each", lambda work, pieces: parts.append(len(pieces)) or [work(p) for p in pieces])
    torch.set_num_threads(2)
    x, weight, grad = (torch.randn(shape).numpy() for shape in ((64, 1, connections), (64, connections), (64, 1, 64)))
    threads.product(x, weight, 1, Factors(1, 1))
    threads.gradients(grad, x, weight, 1, Factors(1, 1))
    assert parts == [shared, shared]


@pytest.mark.usefixtures("every_thread")
def test_calls_from_several_threads_at_once() -> None:
    torch.set_num_threads(2)
    x, weight = torch.randn(16, 1, 256).numpy(), torch.randn(32, 256).numpy()
    expected = threads.product(x, weight, 1, Factors(1, 1))
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(threads.product, x, weight, 1, Factors(1, 1)) for _ in range(20)]
    for call in calls:
        np.testing.assert_array_equal(call.result(), expected)


@pytest.mark.usefixtures("every_thread")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no processes")
def test_kernel_in_a_forked_child() -> None:
    torch.set_num_threads(2)
    x, weight = torch.randn(16, 1, 256).numpy(), torch.randn(32, 256).numpy()
    expected = threads.product(x, weight, 1, Factors(1, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads: what is tested here
        child = os.fork()
    if child == 0:
        same = np.array_equal(threads.product(x, weight, 1, Factors(1, 1)), expected)
        os._exit(0 if same else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize("samples", [1, 3, 5])
@pytest.mark.parametrize("connections, units", [(8, 8), (40, 33)])
@pytest.mark.parametrize("normal", [False, True])
def test_an_infinite_number_stays_where_it_belongs(samples: int, connections: int, units: int, normal: bool) -> None:
    """Padding, and the samples that a group lacks, are no factor of it: 0 times infinite would be nan."""
    factors = Factors(1, 0, normal)
    for sample in range(samples):
        for target in ("x", "weight"):
            x, weight = torch.randn(samples, 1, connections), torch.randn(units, connections)
            (x[sample, 0] if target == "x" else weight[-1])[3] = math.inf
            inputs = x.requires_grad_(), weight.requires_grad_()
            y = stirred_product(x, weight, torch.tensor(5), factors)
            grads = torch.autograd.grad(y, inputs, torch.ones_like(y))
            assert torch.isinf(y).any()
            assert not any(torch.isnan(each).any() for each in (y, *grads))
            assert torch.isinf(grads[1 if target == "x" else 0]).any()
