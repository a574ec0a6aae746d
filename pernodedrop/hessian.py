"""The curvature of a model's loss in its parameters, and the noise of its gradient.

H is the Hessian of the mean loss over fixed batches, the model in evaluation mode: without noise, penalty or weight
decay. H is never formed. A product H u is the gradient of <grad L, u> (Pearlmutter 1994). The kink of a ReLU is
invisible to it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from pernodedrop.methods.twice import (
    BagsByRows,
    differentiable_twice,
    failure_of,
    said_by,
    without_second_derivative,
)
from pernodedrop.unchanged import unchanged

X = TypeVar("X")
KEPT_BYTES = 2**29


class Estimate(NamedTuple):
    """A mean over random vectors, and its standard error."""

    mean: float
    error: float


class Traces(NamedTuple):
    """tr H over all parameters, and sum w^2 H_ww over the weights w: the entries of matrices and filters.

    The trace depends on how the weights are scaled: a ReLU network with W1 -> 10 W1, W2 -> W2 / 10 is the same function
    and has another trace. The second sum does not. It is 2 / s^2 times what noise of variance s^2 on every weight adds
    to the loss, to second order.
    """

    trace: Estimate
    weighted: Estimate


class Eigenvalue(NamedTuple):
    """<u, H u> for a unit vector u, and |H u - value u|: an eigenvalue lies no further from the value than that."""

    value: float
    residual: float


class Extremes(NamedTuple):
    """The largest and the smallest eigenvalue, each with its sign, by so many products with H.

    Where the products did not suffice the residuals are large.
    """

    top: Eigenvalue
    bottom: Eigenvalue
    products: int


class GradientMoments(NamedTuple):
    """tr Cov of a random gradient, and |E g|^2, both without bias; so the second may come out negative."""

    noise: float
    mean_square: float


@dataclass(frozen=True)
class Hessian(Generic[X]):
    """The Hessian (P, P) of the mean loss in the parameters that learn, all of them in one row.

    `loss(model(x), y)` is the mean loss of a batch, a scalar. Batches are weighted by the length of y. Every method
    leaves model, gradients and random states as they were, and takes its random numbers from its generator alone.
    Products are computed in the parameters' own precision and added in double precision.

    Raises:
        ValueError: no batch or no parameter that learns; in the methods, a function of the model or the loss has no
            second derivative, and the message names the module.
    """

    model: nn.Module
    batches: Sequence[tuple[X, Tensor]]
    loss: Callable[[Tensor, Tensor], Tensor]

    def __post_init__(self) -> None:
        if not (self.batches and self.parameters):
            raise ValueError(f"curvature needs a batch and a parameter that learns, got {len(self.batches)} batches")

    def gradient(self) -> Tensor:
        """The gradient (P,) of the mean loss, in double precision."""
        total = self._zeros()
        with unchanged(self.model):
            for share, gradient in self._gradients():
                total.add_(_row(gradient), alpha=share)
        return total

    def product(self, u: Tensor) -> Tensor:
        """H u (P,) for u (P,), in double precision."""
        total = self._zeros()
        with unchanged(self.model):
            for share, gradient in self._gradients():
                total.add_(self._second(gradient, u), alpha=share)
        return total

    def traces(self, vectors: int = 20, *, generator: torch.Generator) -> Traces:
        """Hutchinson's estimates by so many vectors v of random signs: v^T H v, and (v w)^T H (v w).

        One vector's variance is 2 (|H|_F^2 - sum H_ii^2), of normal numbers it would be 2 |H|_F^2.

        Raises:
            ValueError: fewer than 2 vectors, from which no standard error follows.
        """
        if vectors < 2:
            raise ValueError(f"vectors must be at least 2, for a standard error, got {vectors}")
        seeds = torch.randint(1 << 62, (vectors,), generator=generator, device=generator.device).tolist()
        weights = torch.cat([p.detach().reshape(-1) * float(p.dim() >= 2) for p in self.parameters])
        found = torch.zeros(2, vectors, dtype=torch.float64, device=self._device)
        with unchanged(self.model):
            for share, gradient in self._gradients():
                for number, seed in enumerate(seeds):  # drawn again for each batch: kept, they may need gigabytes
                    v = self._signs(seed).to(weights.dtype)
                    for kind, u in enumerate((v, v * weights)):
                        found[kind, number] += share * (self._second(gradient, u).double() @ u.double())
        errors = found.std(1) / math.sqrt(vectors)
        trace, weighted = (Estimate(*pair) for pair in zip(found.mean(1).tolist(), errors.tolist(), strict=True))
        return Traces(trace, weighted)

    def extremes(self, *, tolerance: float = 1e-3, most: int = 60, generator: torch.Generator) -> Extremes:
        """Both ends of the spectrum by Lanczos, until the top's residual is below `tolerance` times its value.

        At most `most` products are taken, and two more for the residuals. So many vectors (P,) are kept, but no more
        than 512 MiB of them, or four: then Lanczos starts again from the ends so far (thick restart, Wu and Simon
        2000). Unlike power iteration it does not take a negative eigenvalue of the largest magnitude for the top.

        Raises:
            ValueError: `most` is below 1.
        """
        if most < 1:
            raise ValueError(f"most must be at least 1 product, got {most}")
        dtype = self.parameters[0].dtype
        room = min(most, self.size, max(4, KEPT_BYTES // (self.size * dtype.itemsize)))
        basis = torch.empty(room, self.size, dtype=dtype, device=self._device)
        within = torch.zeros(room, room, dtype=torch.float64, device="cpu")  # H in the basis, the lower half
        start = torch.randn(self.size, dtype=torch.float64, generator=generator, device=generator.device)
        new, held = start.to(self._device), 0
        for products in range(1, most + 1):
            basis[held] = new / new.norm()
            new = self.product(basis[held])
            held += 1
            known = basis[:held]
            for _ in range(2):  # once is not enough against rounding errors
                overlap = known @ new.to(dtype)
                new -= known.T @ overlap
                within[held - 1, :held] += overlap.double().cpu()
            values, vectors = torch.linalg.eigh(within[:held, :held])
            beyond = float(new.norm())
            is_found = beyond * abs(float(vectors[-1, -1])) <= tolerance * abs(float(values[-1]))
            if is_found or held == self.size or beyond <= torch.finfo(dtype).eps * float(values.abs().max()):
                break
            if held == room and products < most:
                basis[:2] = vectors[:, [0, -1]].T.to(basis) @ known
                within.zero_()
                within[0, 0], within[1, 1] = values[0], values[-1]
                held = 2
        bottom, top = (self._rayleigh(basis, vectors[:, end]) for end in (0, -1))
        return Extremes(top, bottom, products)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Those that learn."""
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    @property
    def size(self) -> int:
        """P, the number of all entries of the parameters."""
        return sum(parameter.numel() for parameter in self.parameters)

    @property
    def _device(self) -> torch.device:
        return self.parameters[0].device

    def _signs(self, seed: int) -> Tensor:
        """-1 and 1 (P,), the same on every device."""
        drawn = torch.Generator("cpu").manual_seed(seed)
        bits = torch.randint(0, 2, (self.size,), generator=drawn, dtype=torch.int8, device="cpu")
        return (2 * bits - 1).to(self._device)

    def _zeros(self) -> Tensor:
        return torch.zeros(self.size, dtype=torch.float64, device=self._device)

    def _gradients(self) -> Iterator[tuple[float, Sequence[Tensor]]]:
        """Every batch's share of all samples and its gradient, which has gradients."""
        samples = sum(len(y) for _, y in self.batches)
        self.model.eval()
        for x, y in self.batches:
            yield len(y) / samples, self._gradient_of(x, y)

    def _gradient_of(self, x: X, y: Tensor) -> Sequence[Tensor]:
        with torch.inference_mode(False), torch.enable_grad():
            with differentiable_twice(self._device), BagsByRows():
                value = self.loss(self.model(x), y)
            gradient = torch.autograd.grad(
                value, self.parameters, create_graph=True, allow_unused=True, materialize_grads=True
            )
        self._check(gradient, x)
        return gradient

    def _check(self, gradient: Sequence[Tensor], x: X) -> None:
        slopes = [part.sum() for part in gradient if part.requires_grad]
        failure = failure_of(torch.stack(slopes).sum()) if slopes else None
        if failure is not None:
            where = without_second_derivative(self.model, x) or "the loss"
            raise ValueError(
                f"curvature needs second derivatives, and {where} has none ({said_by(failure)}): replace it"
            ) from failure

    def _second(self, gradient: Sequence[Tensor], u: Tensor) -> Tensor:
        """H u (P,) of the batch with this gradient."""
        sizes = [parameter.numel() for parameter in self.parameters]
        pairs = [
            (part, piece.reshape(part.shape).to(part.dtype))
            for part, piece in zip(gradient, u.split(sizes), strict=True)  # type: ignore[no-untyped-call]
            if part.requires_grad
        ]
        if not pairs:  # the loss is linear
            return self._zeros()
        parts, pieces = zip(*pairs, strict=True)
        return _row(
            torch.autograd.grad(
                parts, self.parameters, pieces, retain_graph=True, allow_unused=True, materialize_grads=True
            )
        )

    def _rayleigh(self, basis: Tensor, coefficients: Tensor) -> Eigenvalue:
        u = coefficients.to(basis) @ basis[: len(coefficients)]
        u = u.double() / u.double().norm()
        product = self.product(u)
        value = float(u @ product)
        return Eigenvalue(value, float((product - value * u).norm()))


def gradient_moments(draw: Callable[[], Sequence[Tensor]], count: int) -> GradientMoments:
    """The moments of a random gradient by `count` independent draws, each a list of tensors.

    Raises:
        ValueError: fewer than 2 draws.
    """
    if count < 2:
        raise ValueError(f"count must be at least 2, for a variance, got {count}")
    mean = _row(draw()).double()
    squares = torch.zeros_like(mean[0])
    for number in range(2, count + 1):  # Welford's sums, whose rounding errors do not grow with the mean
        new = _row(draw())
        away = new - mean
        mean += away / number
        squares += away @ (new - mean)
    noise = float(squares) / (count - 1)
    return GradientMoments(noise, float(mean @ mean) - noise / count)


def _row(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
