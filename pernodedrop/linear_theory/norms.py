"""The squared k-support norm and its dual, of vectors or of singular values."""

import torch
from torch import Tensor

from pernodedrop.linear_theory.checks import check_block


def support_norm_squared(values: Tensor, k: int) -> Tensor:
    """The squared k-support norm of values (n), or its spectral form of a matrix (b, a); a scalar.

    Its unit ball is the convex hull of the vectors with at most k entries and Euclidean length 1. With k = 1 it is the
    l1 norm, of a matrix the nuclear norm; with k >= n the Euclidean norm. With the values' sizes a in falling order it
    is sum_(i < rho) a_i^2 + (sum_(i >= rho) a_i)^2 / (k - rho + 1), where rho is the one index with a_(rho-1) >
    sum_(i >= rho) a_i / (k - rho + 1) >= a_rho (Argyriou et al. 2012). Over rho the expression does not fall, so that
    neither its least nor its largest value is the norm.

    Raises:
        ValueError: k is no whole number of at least 1.
    """
    check_block(k)
    sizes = falling(values, k)
    tails = sizes.flip(0).cumsum(0).flip(0)[:k]  # sum over i >= rho
    shares = tails / torch.arange(k, 0, -1, dtype=sizes.dtype, device=sizes.device)
    rho = int((shares >= sizes[:k]).to(torch.int8).argmax())  # from 0; the first has both sides of the rule
    return sizes[:rho].square().sum() + tails[rho] * shares[rho]


def dual_norm_squared(values: Tensor, k: int) -> Tensor:
    """The square of the dual norm, for values (n) or a matrix (b, a): the sum of the k largest squares; a scalar.

    Raises:
        ValueError: k is no whole number of at least 1.
    """
    check_block(k)
    return falling(values, k)[:k].square().sum()


def effective_rank(values: Tensor) -> Tensor:
    """exp of the entropy of the shares that singular values (n), or a matrix's, have in their sum; 0 of zeros.

    n equal values among zeros have n (Roy and Vetterli 2007).
    """
    sizes = falling(values)
    total = sizes.sum()
    if float(total) == 0.0:
        return total
    shares = sizes / total
    entropy: Tensor = torch.special.entr(shares).sum()
    return entropy.exp()


def falling(values: Tensor, least: int = 0) -> Tensor:
    """The sizes of the values, or a matrix's singular values, in falling order, with zeros up to `least` entries."""
    values = values.double()
    sizes = torch.linalg.svdvals(values) if values.dim() == 2 else values.abs().sort(descending=True).values
    return torch.cat([sizes, sizes.new_zeros(max(0, least - len(sizes)))])
