"""What masks add to the expected loss E |Y - Ytilde|^2 - |Y - U V^T X|^2, for given factors.

Each is exact for every law of the masks with mean 1 and the stated variance, for example p / (1 - p) at the drop rate
p, and differentiable.
"""

import torch
from torch import Tensor

from pernodedrop.linear_theory.checks import check_block, check_factors, check_number
from pernodedrop.linear_theory.factors import block_norms


def mask_penalty(u: Tensor, v: Tensor, x: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """The penalty of any random r over the hidden units, where Ytilde = U diag(r / mean) V^T X; a scalar.

    It is < C / (mean mean^T), (U^T U) * (V^T X X^T V) > for `mean` (d) and `covariance` C (d, d) of r.

    Raises:
        ValueError: shapes that do not fit, or a mean of 0, with which no unit can be rescaled.
    """
    check_factors(u, v, x)
    width = u.shape[1]
    if tuple(mean.shape) != (width,) or tuple(covariance.shape) != (width, width):
        raise ValueError(
            f"mean and covariance must have shapes ({width},) and ({width}, {width}), "
            f"got {tuple(mean.shape)}, {tuple(covariance.shape)}"
        )
    if bool((mean == 0).any()):
        raise ValueError("the mean of every hidden unit's mask must differ from 0")
    hidden = v.T @ x
    return (covariance / torch.outer(mean, mean) * (u.T @ u) * (hidden @ hidden.T)).sum()


def block_penalty(u: Tensor, v: Tensor, x: Tensor, variance: float, block: int = 1) -> Tensor:
    """variance * sum_g |U_g V_g^T X|^2, g over blocks of neighbouring hidden units; a scalar.

    Each block has one mask: DropBlock over hidden units, and with blocks of 1 Dropout (Pal et al. 2020).

    Raises:
        ValueError: shapes or a block that do not fit, or a variance below 0.
    """
    check_number("variance", variance, least=0.0)
    return variance * block_norms(u, v, x, block).square().sum()


def connection_penalty(u: Tensor, v: Tensor, x: Tensor, *, first: float, second: float) -> Tensor:
    """The penalty of masks on the connections by PerNodeDrop or DropConnect; a scalar.

    `first` is the variance of the masks of V, `second` of U, each 0 without masks. With D^2 = diag(X X^T) it is
    sum_j |u_j|^2 (second |X^T v_j|^2 + (first + first second) |D v_j|^2). Of U alone it is Dropout's over the hidden
    units; of V alone it is that with X X^T replaced by its diagonal.

    Raises:
        ValueError: shapes that do not fit, or a variance below 0.
    """
    check_factors(u, v, x)
    check_number("first", first, least=0.0)
    check_number("second", second, least=0.0)
    own, shared = _diagonal(v, x), (v.T @ x).square().sum(1)
    return (u.square().sum(0) * (second * shared + (first + first * second) * own)).sum()


def dropout_penalty(u: Tensor, v: Tensor, x: Tensor, *, inputs: float, hidden: float) -> Tensor:
    """The penalty of Dropout on the inputs and on the hidden units, with these variances, each 0 without; a scalar.

    On the inputs alone it is inputs |U V^T D|^2, a ridge on the product: it asks for no balance and no low rank. On
    both it adds hidden sum_j |u_j|^2 (|X^T v_j|^2 + inputs |D v_j|^2).

    Raises:
        ValueError: shapes that do not fit, or a variance below 0.
    """
    check_factors(u, v, x)
    check_number("inputs", inputs, least=0.0)
    check_number("hidden", hidden, least=0.0)
    ridge = ((u @ v.T).square() * x.square().sum(1)).sum()
    return (
        inputs * ridge
        + connection_penalty(u, v, x, first=0.0, second=hidden)
        + hidden * inputs * (u.square().sum(0) * _diagonal(v, x)).sum()
    )


def keep_rate_at(width: int, block: int, keep: float) -> float:
    """The keep rate theta at `width` hidden units whose penalty is that of `keep` at one block (Pal et al. 2020).

    theta = keep r / (d - (d - r) keep), so that (1 - theta) / theta = (d / r) (1 - keep) / keep. With one rate for all
    widths the penalty of the best factorization would vanish as the width grows.

    Raises:
        ValueError: a block that does not divide the width, or a rate outside (0, 1].
    """
    check_block(block, width)
    _check_keep(keep)
    return keep * block / (width - (width - block) * keep)


def strength(keep: float) -> float:
    """beta = (1 - keep) / keep, the weight of the squared norm that a keep rate at one block induces.

    Raises:
        ValueError: a rate outside (0, 1].
    """
    _check_keep(keep)
    return (1.0 - keep) / keep


def _check_keep(keep: float) -> None:
    if not 0.0 < keep <= 1.0:
        raise ValueError(f"keep must lie in (0, 1], got {keep}")


def _diagonal(v: Tensor, x: Tensor) -> Tensor:
    """|D v_j|^2 (d)."""
    return x.square().sum(1) @ v.square()
