"""The global minimizer of the expected loss under Dropout or DropBlock over the hidden units (Pal et al. 2020)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pernodedrop.linear_theory.checks import check_block, check_data, check_number
from pernodedrop.linear_theory.norms import dual_norm_squared, falling, support_norm_squared
from pernodedrop.linear_theory.roots import roots


@dataclass(frozen=True)
class Optimum:
    """The product A = U V^T with the least expected loss.

    `gap` is the certificate: the objective exceeds the least one of all matrices by at most gap * |Y|^2.
    """

    product: Tensor  # (b, a)
    values: Tensor  # the singular values of A M^(1/2), falling, with M = X X^T for blocks
    objective: float  # loss and penalty, sums over the samples
    gap: float
    steps: int = 0  # of the iteration; a closed form has none

    @property
    def rank(self) -> int:
        """The rank of the product."""
        return int((self.values > 0).sum())


def minimize_by_blocks(y: Tensor, x: Tensor, *, beta: float, block: int = 1) -> Optimum:
    """The A that minimizes |Y - A X|^2 + beta |A (X X^T)^(1/2)|^2 in the spectral k-support norm, k = block.

    It is the least expected loss over all widths d and factors U, V, where every block of the d hidden units is kept
    at the rate `keep_rate_at(d, block, keep)` and beta is `strength(keep)`. X (a, N) of full row rank is the case of
    the identity, by V' = (X X^T)^(1/2) V and Y' = Y X^T (X X^T)^(-1/2).

    Raises:
        ValueError: X has no full row rank, shapes that do not fit, beta not above 0, or a block below 1.
    """
    check_data(y, x)
    y, x = y.double(), x.double()
    _, inverse = roots(x @ x.T)
    reduced = y @ x.T @ inverse
    left, singular, right = torch.linalg.svd(reduced, full_matrices=False)
    values = least_singular_values(singular, beta=beta, block=block)
    penalty = float(beta * support_norm_squared(values, block))
    product = (left * values) @ right @ inverse
    objective = float((y - product @ x).square().sum()) + penalty
    whole = float(y.square().sum())
    return Optimum(product, values, objective, _gap(singular, values, beta, block) / whole if whole else 0.0)


def least_singular_values(singular: Tensor, *, beta: float, block: int = 1) -> Tensor:
    """The a that minimizes |m - a|^2 + beta |a|^2 in the k-support norm, k = block, for m = `singular` (n), falling.

    For 1 <= rho <= k and rho <= last <= n the candidate has a_i = m_i / (1 + beta) before rho, m_i - beta S / (k - rho
    + 1 + beta (last - rho + 1)) up to last, S the sum of these m_i, and 0 behind it. The minimizer is the least of the
    candidates that do not rise and are not negative.

    Raises:
        ValueError: beta not above 0, or a block below 1.
    """
    check_number("beta", beta, above=0.0)
    check_block(block)
    count = len(singular)
    m = falling(singular, block)
    slack = 1e-13 * float(m[0])  # neighbouring candidates meet where a rule holds with equality
    best, least = torch.zeros_like(m), float(m.square().sum())
    for rho in range(1, block + 1):
        for last in range(rho, len(m) + 1):
            part = m[rho - 1 : last]
            shift = beta * part.sum() / (block - rho + 1 + beta * len(part))
            a = torch.cat([m[: rho - 1] / (1.0 + beta), part - shift, m.new_zeros(len(m) - last)])
            if bool((a < -slack).any()) or bool((a.diff() > slack).any()):
                continue
            a = a.clamp_min(0.0)
            objective = float((m - a).square().sum() + beta * support_norm_squared(a, block))
            if objective < least:
                best, least = a, objective
    return best[:count]


def _gap(m: Tensor, a: Tensor, beta: float, block: int) -> float:
    """How far the objective of a can lie above the least one: Fenchel's inequality for the gradient 2 (m - a).

    It is 0 just where u = (m - a) / beta has <u, a> = |a|^2 = the sum of the `block` largest squares of u.
    """
    gradient = 2.0 * (m - a)
    conjugate = dual_norm_squared(gradient, block) / (4.0 * beta)
    return max(0.0, float(beta * support_norm_squared(a, block) + conjugate - gradient @ a))
