"""The global minimizer of the expected loss under PerNodeDrop's masks of the connections."""

import math

import torch
from torch import Tensor

from pernodedrop.linear_theory.checks import check_data, check_number
from pernodedrop.linear_theory.minimizer import Optimum, least_singular_values
from pernodedrop.linear_theory.roots import roots

CHECKED = 10  # steps from one look at the gap to the next


class NotConverged(ArithmeticError):
    """The iteration used up its steps."""


def connection_matrix(x: Tensor, *, first: float, second: float) -> Tensor:
    """M (a, a) of the penalty sum_j |u_j|^2 v_j^T M v_j: second X X^T + (first + first second) diag(X X^T).

    `first` and `second` are the variances of the masks of V and of U, as in `connection_penalty`.

    Raises:
        ValueError: a variance below 0.
    """
    check_number("first", first, least=0.0)
    check_number("second", second, least=0.0)
    gram = x.double() @ x.double().T
    return second * gram + (first + first * second) * torch.diag(gram.diagonal())


def minimize_by_connections(
    y: Tensor,
    x: Tensor,
    *,
    width: int,
    first: float,
    second: float,
    tolerance: float = 1e-12,
    steps: int = 100_000,
) -> Optimum:
    """The A that minimizes |Y - A X|^2 + |A M^(1/2)|_*^2 / width, with M = `connection_matrix(x, ...)`.

    This is the least expected loss of all factors U (b, width) and V (a, width) whose connections PerNodeDrop or
    DropConnect masks; `balanced(product, width, M)` are such factors. Accelerated proximal gradient steps (Beck and
    Teboulle 2009, restarted where the objective rises) end when the duality gap is at most tolerance * |Y|^2.

    Raises:
        NotConverged: the gap is larger after so many steps.
        ValueError: shapes that do not fit, M is not positive definite, a variance below 0, a tolerance not above 0, or
            a width below the rank of the minimizer, whose factors would not fit into the network.
    """
    check_data(y, x)
    check_number("tolerance", tolerance, above=0.0)
    check_number("width", width, least=1)
    y, x = y.double(), x.double()
    _, inverse = roots(connection_matrix(x, first=first, second=second))
    found = _descend(y, inverse @ x, 1.0 / width, tolerance, steps)
    if found.rank > width:
        raise ValueError(f"width must be at least the rank {found.rank} of the minimizer, got {width}")
    return Optimum(found.product @ inverse, found.values, found.objective, found.gap, found.steps)


def _descend(y: Tensor, z: Tensor, weight: float, tolerance: float, steps: int) -> Optimum:
    """min over B of |Y - B Z|^2 + weight |B|_*^2."""
    gram, cross, whole = z @ z.T, y @ z.T, float(y.square().sum())
    size = 0.5 / float(torch.linalg.eigvalsh(gram)[-1])
    now = ahead = torch.zeros_like(cross)
    momentum, gap = 1.0, math.inf
    for step in range(1, steps + 1):
        new, values = _shrunk(ahead - 2.0 * size * (ahead @ gram - cross), 2.0 * size * weight)
        if bool(((ahead - new) * (new - now)).sum() > 0):  # the momentum leads uphill (O'Donoghue and Candes 2015)
            momentum = 1.0
        following = 0.5 * (1.0 + math.sqrt(1.0 + 4.0 * momentum * momentum))
        ahead, now, momentum = new + (momentum - 1.0) / following * (new - now), new, following
        if step % CHECKED == 0 or step == steps:
            downhill = 2.0 * (cross - now @ gram)
            penalty = weight * float(values.sum()) ** 2
            conjugate = float(torch.linalg.matrix_norm(downhill, 2)) ** 2 / (4.0 * weight)
            gap = max(0.0, penalty + conjugate - float((downhill * now).sum()))
            if gap <= tolerance * whole:
                objective = float((y - now @ z).square().sum()) + penalty
                return Optimum(now, values, objective, gap / whole if whole else 0.0, step)
    raise NotConverged(
        f"the duality gap is {gap / whole:.3g} of |Y|^2 after {steps} steps, more than {tolerance:g}: "
        "allow more steps or a larger tolerance"
    )


def _shrunk(matrix: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """The B with the least |matrix - B|^2 + beta |B|_*^2, and its singular values."""
    left, singular, right = torch.linalg.svd(matrix, full_matrices=False)
    values = least_singular_values(singular, beta=beta)
    return (left * values) @ right, values
