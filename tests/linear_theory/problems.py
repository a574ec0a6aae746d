"""Small linear networks and data, in double precision, and the factors that a quasi-Newton descent finds."""

from collections.abc import Callable

import torch
from torch import Tensor


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def target(values: list[float], seed: int = 0) -> Tensor:
    """A square matrix with these singular values."""
    left, _ = torch.linalg.qr(drawn(len(values), len(values), seed=seed))
    right, _ = torch.linalg.qr(drawn(len(values), len(values), seed=seed + 1))
    return left @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ right.T


def descended(y: Tensor, x: Tensor, width: int, penalty: Callable[[Tensor, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """U and V after L-BFGS on |Y - U V^T X|^2 + penalty(U, V) from one random start."""
    u = drawn(len(y), width, seed=5).mul_(0.5).requires_grad_()
    v = drawn(len(x), width, seed=6).mul_(0.5).requires_grad_()
    options = {"max_iter": 2000, "tolerance_grad": 1e-5, "tolerance_change": 1e-12, "history_size": 20}
    descent = torch.optim.LBFGS([u, v], line_search_fn="strong_wolfe", **options)

    def closure() -> Tensor:
        descent.zero_grad()
        loss = (y - u @ v.T @ x).square().sum() + penalty(u, v)
        loss.backward()
        return loss

    descent.step(closure)
    return u.detach(), v.detach()
