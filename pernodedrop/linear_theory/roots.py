"""Square roots of positive definite matrices."""

import torch
from torch import Tensor

LEAST = 1e-12  # the smallest eigenvalue as a share of the largest that counts as positive


def roots(gram: Tensor) -> tuple[Tensor, Tensor]:
    """M^(1/2) and M^(-1/2), symmetric, of a symmetric matrix M (a, a).

    Raises:
        ValueError: M is not positive definite; X X^T is not where the rows of X (a, N) depend on each other.
    """
    values, vectors = torch.linalg.eigh(gram.double())
    if not float(values[0]) > LEAST * float(values[-1]):
        raise ValueError(
            f"x must have full row rank: an eigenvalue of its {len(values)} x {len(values)} matrix is "
            f"{float(values[0]):.3g} and the largest {float(values[-1]):.3g}; "
            "take more samples, or leave out the inputs that are combinations of others"
        )
    root = values.sqrt()
    return (vectors * root) @ vectors.T, (vectors / root) @ vectors.T
