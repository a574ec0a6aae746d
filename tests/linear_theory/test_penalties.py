"""The penalties against the mean over all masks, and against the layers themselves."""

import math
from collections.abc import Callable, Iterator
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import regularize
from pernodedrop.linear_theory import (
    block_norms,
    block_penalty,
    connection_matrix,
    connection_penalty,
    dropout_penalty,
    keep_rate_at,
    mask_penalty,
    strength,
)
from tests.linear_theory.problems import drawn

RATE = 0.3
VARIANCE = RATE / (1 - RATE)
U, V, X, Y = drawn(2, 2, seed=1), drawn(3, 2, seed=2), drawn(3, 4, seed=3), drawn(2, 4, seed=4)
PLAIN = float((Y - U @ V.T @ X).square().sum())


def masks(*shapes: tuple[int, ...]) -> Iterator[tuple[float, list[Tensor]]]:
    """Every value of independent masks of these shapes at the drop rate, with its probability."""
    sizes = [math.prod(shape) for shape in shapes]
    for kept in product((0, 1), repeat=sum(sizes)):
        chance = math.prod(1 - RATE if one else RATE for one in kept)
        parts = torch.tensor(kept, dtype=torch.float64).div(1 - RATE).split(sizes)
        yield chance, [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def increase(outputs: Callable[..., Tensor], *shapes: tuple[int, ...]) -> float:
    """The mean over all masks of the sum of squared errors, less that without masks."""
    return sum(chance * float((Y - outputs(*mask)).square().sum()) for chance, mask in masks(*shapes)) - PLAIN


def by_sample(outputs: Callable[..., Tensor], *shapes: tuple[int, ...]) -> float:
    """`increase` with masks of its own for every sample: the errors of a column depend on that column's masks alone."""
    total = 0.0
    for chance, mask in masks(*shapes):
        total += chance * float((Y - torch.stack([outputs(x, *mask) for x in X.T], 1)).square().sum())
    return total - PLAIN


def test_any_law_over_the_hidden_units() -> None:
    """Unequal means and correlated entries: eight values of three masks with probabilities of their own."""
    u, v = drawn(2, 3, seed=7), drawn(3, 3, seed=8)
    chances = torch.softmax(drawn(8, seed=9), 0)
    values = torch.tensor([*product((0.0, 1.0, 2.0), (0.5, 1.5), (0.0, 1.0))], dtype=torch.float64)[:8]
    mean = chances @ values
    covariance = (values - mean).T @ ((values - mean) * chances[:, None])
    assert float(covariance[0, 1].abs()) > 0.01
    losses = torch.stack([(Y - u @ torch.diag(r / mean) @ v.T @ X).square().sum() for r in values])
    expected = float(chances @ losses) - float((Y - u @ v.T @ X).square().sum())
    assert float(mask_penalty(u, v, X, mean, covariance)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("block", [1, 2, 3])
def test_blocks(block: int) -> None:
    u, v = drawn(2, 6, seed=7), drawn(3, 6, seed=8)
    plain = float((Y - u @ v.T @ X).square().sum())
    losses = 0.0
    for chance, (mask,) in masks((6 // block,)):
        losses += chance * float((Y - u @ torch.diag(mask.repeat_interleave(block)) @ v.T @ X).square().sum())
    found = float(block_penalty(u, v, X, VARIANCE, block))
    assert found == pytest.approx(losses - plain, rel=1e-12)
    same = torch.block_diag(*[torch.ones(block, block, dtype=torch.float64)] * (6 // block))
    assert found == pytest.approx(float(mask_penalty(u, v, X, torch.ones(6).double(), VARIANCE * same)), rel=1e-12)
    pieces = [u[:, at : at + block] @ v[:, at : at + block].T @ X for at in range(0, 6, block)]
    assert block_norms(u, v, X, block).tolist() == pytest.approx([float(piece.norm()) for piece in pieces])


def test_all_masks_of_a_batch() -> None:
    """One mask for the batch, as DropConnect and Dropout of the hidden units have it here: the means are the same."""
    both = increase(lambda m, n: (U * m) @ (V * n).T @ X, (2, 2), (3, 2))
    assert both == pytest.approx(float(connection_penalty(U, V, X, first=VARIANCE, second=VARIANCE)), abs=1e-12)
    hidden = increase(lambda r: U @ torch.diag(r) @ V.T @ X, (2,))
    second = increase(lambda m: (U * m) @ V.T @ X, (2, 2))
    expected = float(dropout_penalty(U, V, X, inputs=0.0, hidden=VARIANCE))
    assert hidden == pytest.approx(expected, abs=1e-12)
    assert second == pytest.approx(expected, abs=1e-12)
    assert expected == pytest.approx(float(block_penalty(U, V, X, VARIANCE)), abs=1e-12)


def test_all_masks_of_a_sample() -> None:
    def check(found: float, expected: Tensor) -> None:
        assert found == pytest.approx(float(expected), abs=1e-12)

    check(by_sample(lambda x, m: (U * m) @ V.T @ x, (2, 2)), connection_penalty(U, V, X, first=0.0, second=VARIANCE))
    check(by_sample(lambda x, n: U @ (V * n).T @ x, (3, 2)), connection_penalty(U, V, X, first=VARIANCE, second=0.0))
    inputs = by_sample(lambda x, r: U @ V.T @ (x * r), (3,))
    check(inputs, dropout_penalty(U, V, X, inputs=VARIANCE, hidden=0.0))
    check(inputs, VARIANCE * (U @ V.T @ torch.diag(X.square().sum(1).sqrt())).square().sum())  # a ridge
    both = by_sample(lambda x, r, h: U @ (h * (V.T @ (x * r))), (3,), (2,))
    check(both, dropout_penalty(U, V, X, inputs=VARIANCE, hidden=VARIANCE))


def test_the_matrix_of_the_connections() -> None:
    m = connection_matrix(X, first=0.4, second=0.7)
    by_matrix = (U.square().sum(0) * (V * (m @ V)).sum(0)).sum()
    assert float(connection_penalty(U, V, X, first=0.4, second=0.7)) == pytest.approx(float(by_matrix), rel=1e-13)


@pytest.mark.parametrize("stir_type", ["bernoulli", "gaussian"])
def test_the_layers_have_these_penalties(stir_type: str) -> None:
    """PerNodeDrop on both layers, 60,000 copies of one sample, by 4 standard errors."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 2, bias=False), nn.Linear(2, 2, bias=False)).double()
    with torch.no_grad():
        model[0].weight.copy_(V.T)
        model[1].weight.copy_(U)
        regularize(model, "pernodedrop", drop_rate=RATE, stir_type=stir_type, backend="mask")
        x, y = X[:, :1], Y[:, :1]
        losses = (y.T - model(x.T.expand(60_000, 3))).square().sum(1)
    expected = float((y - U @ V.T @ x).square().sum() + connection_penalty(U, V, x, first=VARIANCE, second=VARIANCE))
    assert abs(float(losses.mean()) - expected) < 4 * float(losses.std()) / math.sqrt(60_000)


def test_the_rate_of_a_width() -> None:
    for width, block in ((4, 1), (6, 3), (12, 2)):
        theta = keep_rate_at(width, block, 0.4)
        assert (1 - theta) / theta == pytest.approx(width / block * strength(0.4))
    assert keep_rate_at(3, 3, 0.4) == pytest.approx(0.4)
    assert strength(1.0) == 0.0


def test_with_one_rate_for_all_widths_splitting_a_block_halves_its_penalty() -> None:
    split_u, split_v = torch.cat([U, U], 1) / math.sqrt(2), torch.cat([V, V], 1) / math.sqrt(2)
    torch.testing.assert_close(split_u @ split_v.T, U @ V.T)
    halved = float(block_penalty(split_u, split_v, X, VARIANCE))
    assert halved == pytest.approx(float(block_penalty(U, V, X, VARIANCE)) / 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: block_penalty(U, V, X, 1.0, 3), "block must divide the 2 hidden units, got 3: choose another"),
        (lambda: block_penalty(U, V, X, 1.0, 0), "block must be a whole number of at least 1, got 0"),
        (lambda: block_penalty(U, V, X, -1.0), "variance must be finite and at least 0, got -1.0"),
        (
            lambda: block_penalty(U, X, V, 1.0),
            r"must have shapes \(b, d\), \(a, d\) and \(a, N\), got \(2, 2\), \(3, 4",
        ),
        (
            lambda: connection_penalty(U, V, X, first=math.nan, second=0.0),
            "first must be finite and at least 0, got nan",
        ),
        (lambda: dropout_penalty(U, V, X, inputs=0.0, hidden=-0.1), "hidden must be finite and at least 0, got -0.1"),
        (lambda: mask_penalty(U, V, X, torch.zeros(2), torch.eye(2)), "mask must differ from 0"),
        (
            lambda: mask_penalty(U, V, X, torch.ones(3), torch.eye(2)),
            r"must have shapes \(2,\) and \(2, 2\), got \(3,\)",
        ),
        (lambda: keep_rate_at(5, 2, 0.5), "block must divide the 5 hidden units, got 2"),
        (lambda: keep_rate_at(4, 2, 0.0), r"keep must lie in \(0, 1\], got 0.0"),
        (lambda: strength(1.1), r"keep must lie in \(0, 1\], got 1.1"),
    ],
)
def test_what_does_not_fit_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
