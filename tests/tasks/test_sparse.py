import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array, random_array
from torch import nn

from workers.tasks import SparseLinear, SparseRows
from workers.training.batches import batches

CPU = torch.device("cpu")


def matrix(rows: int, columns: int = 30, seed: int = 0) -> csr_array:
    return random_array((rows, columns), density=0.2, format="csr", dtype=np.float32, rng=np.random.default_rng(seed))


def dense(rows: SparseRows, columns: int = 30) -> torch.Tensor:
    shape = (len(rows), columns)
    found = csr_array((rows.values.numpy(), rows.columns.numpy(), rows.offsets.numpy()), shape=shape)
    return torch.from_numpy(found.toarray())


@pytest.mark.parametrize(
    "chosen", [slice(2, 7), slice(None, 3), slice(5, None), slice(-2, None), slice(4, 4), slice(9, 2)]
)
def test_a_slice_holds_the_rows_that_a_tensors_slice_does(chosen: slice) -> None:
    x = matrix(10)
    assert torch.equal(dense(SparseRows.from_scipy(x, CPU)[chosen]), torch.from_numpy(x.toarray())[chosen])


def test_a_step_is_refused_with_its_remedy() -> None:
    with pytest.raises(ValueError, match="step 1, got 2: use indices"):
        SparseRows.from_scipy(matrix(10), CPU)[::2]


@given(st.integers(1, 30), st.integers(0, 100), st.data())
def test_indices_hold_the_rows_that_a_tensors_do(count: int, seed: int, data: st.DataObject) -> None:
    x = matrix(count, seed=seed)
    chosen = torch.tensor(data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=40)), dtype=torch.int64)
    rows = SparseRows.from_scipy(x, CPU)[chosen]
    assert torch.equal(dense(rows), torch.from_numpy(x.toarray())[chosen])
    for part, whole in zip(rows.split(7), dense(rows).split(7), strict=True):
        assert torch.equal(dense(part), whole)


def test_the_size_counts_entries_not_cells() -> None:
    x = matrix(50)
    rows = SparseRows.from_scipy(x, CPU)
    assert rows.nbytes == 8 * x.nnz + 4 * 51
    assert rows.device == CPU


def test_a_slice_of_a_slice_shares_memory() -> None:
    rows = SparseRows.from_scipy(matrix(20), CPU)
    inner = rows[5:15][2:4]
    assert inner.values.untyped_storage().data_ptr() == rows.values.untyped_storage().data_ptr()
    assert torch.equal(dense(inner), dense(rows)[7:9])


@pytest.mark.parametrize("size", [4, 10, 100])
def test_batches_pair_every_sample_with_its_target_once_in_order(size: int) -> None:
    x = matrix(23)
    rows, whole = SparseRows.from_scipy(x, CPU), torch.from_numpy(x.toarray())
    y, order = torch.arange(23), torch.randperm(23, generator=torch.Generator().manual_seed(1))
    sparse_ones = [(dense(part), targets) for part, targets in batches(rows, y, order, size)]
    dense_ones = list(batches(whole, y, order, size))
    assert len(sparse_ones) == len(dense_ones) == -(-23 // size)
    for (x1, y1), (x2, y2) in zip(sparse_ones, dense_ones, strict=True):
        assert torch.equal(x1, x2)
        assert torch.equal(y1, y2)


def test_the_layer_equals_a_dense_one_in_value_and_gradient() -> None:
    x = matrix(12)
    layer, plain = SparseLinear(30, 5), nn.Linear(30, 5)
    with torch.no_grad():
        plain.weight.copy_(layer.weight.T)
        plain.bias.copy_(layer.bias)
    found, expected = layer(SparseRows.from_scipy(x, CPU)), plain(torch.from_numpy(x.toarray()))
    assert torch.allclose(found, expected, atol=1e-6)
    found.square().sum().backward()
    expected.square().sum().backward()
    assert layer.weight.grad is not None
    assert torch.allclose(layer.weight.grad, plain.weight.grad.T, atol=1e-5)
    assert torch.allclose(layer.bias.grad, plain.bias.grad, atol=1e-5)


def test_an_empty_row_gives_the_bias() -> None:
    x = csr_array((3, 30), dtype=np.float32)
    layer = SparseLinear(30, 5)
    assert torch.equal(layer(SparseRows.from_scipy(x, CPU)), layer.bias.expand(3, 5))


def test_the_layer_starts_as_a_dense_one_does() -> None:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        layer, plain = SparseLinear(400, 300), nn.Linear(400, 300)
    for name in ("weight", "bias"):
        one, other = getattr(layer, name), getattr(plain, name)
        assert one.abs().max().item() == pytest.approx(1 / 20, rel=0.02)
        assert one.std().item() == pytest.approx(other.std().item(), rel=0.1)
    assert "400, 300" in repr(layer)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu_batches_are_cut_without_waiting_for_it() -> None:
    gpu = torch.device("cuda:0")
    rows, layer = SparseRows.from_scipy(matrix(64), gpu), SparseLinear(30, 5).to(gpu)
    shuffled = rows[torch.randperm(64).to(gpu)]
    torch.cuda.set_sync_debug_mode("error")
    try:
        for part in shuffled.split(16):
            layer(part).sum().backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert layer.weight.grad is not None
