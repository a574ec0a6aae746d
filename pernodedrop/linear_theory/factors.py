"""Factorizations A = U V^T: the norms of their blocks, how unequal they are, and the ones where all are equal."""

import math

import torch
from torch import Tensor

from pernodedrop.linear_theory.checks import check_block, check_factors
from pernodedrop.linear_theory.roots import roots


def block_norms(u: Tensor, v: Tensor, x: Tensor, block: int = 1) -> Tensor:
    """|U_g V_g^T X| for each block g of neighbouring hidden units, (d / block).

    Raises:
        ValueError: shapes or a block that do not fit.
    """
    check_factors(u, v, x)
    check_block(block, u.shape[1])
    hidden = v.T @ x
    pairs = (u.T @ u) * (hidden @ hidden.T)
    blocks = len(pairs) // block
    squares = pairs.reshape(blocks, block, blocks, block).diagonal(dim1=0, dim2=2).sum((0, 1))
    return squares.clamp_min(0.0).sqrt()


def imbalance(u: Tensor, v: Tensor, x: Tensor, block: int = 1) -> Tensor:
    """The standard deviation of the blocks' norms over their mean: 0 where all are equal; a scalar.

    The minimizers of Dropout's and DropBlock's expected loss have 0. With b blocks it is at most sqrt(b - 1).

    Raises:
        ValueError: shapes or a block that do not fit.
    """
    norms = block_norms(u, v, x, block)
    return norms.std(correction=0) / norms.mean() if bool((norms > 0).any()) else norms.sum()


def balanced(product: Tensor, width: int, gram: Tensor) -> tuple[Tensor, Tensor]:
    """U (b, width) and V (a, width) with U V^T = product (b, a) whose every |u_j| |M^(1/2) v_j| is the same.

    M is `gram` (a, a), symmetric and positive definite: X X^T for Dropout over the hidden units, `connection_matrix`
    for PerNodeDrop. They have the least sum_j |u_j|^2 v_j^T M v_j of all factorizations, |product M^(1/2)|_*^2 / width.

    Raises:
        ValueError: width is below the rank of the product, or M is not positive definite.
    """
    root, inverse = roots(gram)
    left, values, right = torch.linalg.svd(product.double() @ root, full_matrices=False)
    values = torch.where(values > values[0] * 1e-12, values, 0.0)
    rank = int((values > 0).sum())
    if width < rank:
        raise ValueError(f"width must be at least the rank {rank} of the product, got {width}")
    turn = _equalizing(values[:rank], width)
    scale = values[:rank].sqrt()
    return (left[:, :rank] * scale) @ turn, inverse @ (right[:rank].T * scale) @ turn


def _equalizing(values: Tensor, width: int) -> Tensor:
    """R (n, width) with R R^T = I for which the diagonal of R^T diag(values) R is constant.

    Plane rotations set one entry of the diagonal after the other to the mean (Bendel and Mickey 1978).
    """
    turned = torch.diag(torch.cat([values, values.new_zeros(width - len(values))]))
    turn = torch.eye(width, dtype=values.dtype, device=values.device)
    mean = float(values.sum()) / width
    for _ in range(width - 1):
        diagonal = turned.diagonal()
        low, high = int(diagonal.argmin()), int(diagonal.argmax())
        below, above, cross = (float(turned[place]) for place in ((low, low), (high, high), (low, high)))
        if above - mean <= 1e-15 * mean or mean - below <= 1e-15 * mean:
            break
        tangent = (math.sqrt(cross * cross + (above - mean) * (mean - below)) - cross) / (above - mean)
        cosine = 1.0 / math.hypot(1.0, tangent)
        plane = values.new_tensor([[cosine, -tangent * cosine], [tangent * cosine, cosine]])
        places = [low, high]
        turned[:, places] = turned[:, places] @ plane
        turned[places] = plane.T @ turned[places]
        turn[:, places] = turn[:, places] @ plane
    return turn[: len(values)]
