"""What every backend must do on every device: laws, gradients, seeds, number formats, shapes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.gpu.evidence import mean_is, same_law
from pernodedrop.backends.choice import BACKENDS
from pernodedrop.functional import pernode_linear
from pernodedrop.laws import Stir

RATE, FRACTION = 0.5, 0.4
I, J = 32, 3  # noqa: E741 - the science's own names

EXACT: tuple[tuple[str, str], ...] = (
    ("mask", "bernoulli"),
    ("mask", "gaussian"),
    ("mask", "partial_gaussian"),
    ("kernel", "bernoulli"),
    ("kernel", "gaussian"),
    ("kernel", "partial_gaussian"),
    ("reparameterized", "gaussian"),
    ("reparameterized", "partial_gaussian"),
    ("flipout", "bernoulli"),
    ("flipout", "gaussian"),
    ("flipout", "partial_gaussian"),
)
EVERY = (*EXACT, ("moment_matched", "bernoulli"))
FEW = EVERY[::2] + EVERY[-1:]  # every backend, to see that the checks themselves work


@dataclass(frozen=True)
class Case:
    """One backend under one law on one device."""

    backend: str
    stir_type: str
    device: torch.device
    draws: int  # of a law's samples

    def __str__(self) -> str:
        return f"{self.backend}, {self.stir_type}"

    @property
    def variance(self) -> float:
        """Of a factor."""
        return RATE / (1.0 - RATE) * (FRACTION if self.stir_type == "partial_gaussian" else 1.0)

    @property
    def changes_over_time(self) -> bool:
        """Whether the backend has masks of this law that change slowly over the positions of a sample."""
        return BACKENDS[self.backend].refusal_over_time(Stir(RATE, self.stir_type, FRACTION)) is None

    def linear(self, x: Tensor, weight: Tensor, seed: int | None = None, share_time: bool | float = True) -> Tensor:
        """The layer, from a fresh generator with this seed, or from torch's global one."""
        generator = None if seed is None else torch.Generator(self.device).manual_seed(seed)
        return pernode_linear(
            x,
            weight,
            None,
            RATE,
            stir_type=self.stir_type,
            noisy_fraction=FRACTION,
            share_time=share_time,
            backend=self.backend,
            generator=generator,
        )

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, device=self.device)


Contract = Callable[[Case], object]


def contracts(case: Case) -> Iterator[tuple[str, Contract]]:
    """The checks that hold for this case, by their names."""
    yield "mean and covariance", mean_and_covariance
    if (case.backend, case.stir_type) in EXACT and case.backend != "mask":
        yield "the reference's law", law_of_the_reference
    yield "gradients", gradients
    yield "seeds", seeds
    yield "number formats", formats
    yield "autocast", autocast
    yield "shapes", shapes
    yield "rate 0 and rows of zeros", degenerate
    if case.changes_over_time and case.device.type == "cuda":  # Triton's interpreter takes long
        yield "masks that change over time", over_time


def mean_and_covariance(case: Case) -> None:
    """Cov(y_bj, y_ck) = [b=c][j=k] s^2 sum_i x_bi^2 W_ji^2."""
    x, weight = case.normal(2, I), case.normal(J, I)
    y = _draws(case, x, weight)
    mean_is(y, (x @ weight.T).double(), slack=1e-4)
    own = case.variance * (x**2) @ (weight**2).T
    deviation = y.double() - y.double().mean(0)
    mean_is(deviation**2, own.double(), slack=float(own.max()) * 2.0**-10)
    mean_is(deviation * deviation.roll(1, dims=2), 0.0)
    mean_is(deviation[:, 0] * deviation[:, 1], 0.0)


def law_of_the_reference(case: Case) -> None:
    """Six connections: far from Gaussian for Bernoulli noise."""
    x, weight = case.normal(1, 6), case.normal(1, 6)
    reference = Case("mask", case.stir_type, case.device, case.draws)
    same_law(_draws(case, x, weight), _draws(reference, x, weight, seed=5))


def gradients(case: Case) -> None:
    """The output is homogeneous in x and in W: <gW, W> = <gx, x> = <g, y>; a difference quotient agrees too."""
    x, weight, g = case.normal(6, 64).requires_grad_(), case.normal(9, 64).requires_grad_(), case.normal(6, 9)
    y = case.linear(x, weight, seed=1)
    of_x, of_weight = torch.autograd.grad(y, (x, weight), g)
    expected = (g * y).sum()
    torch.testing.assert_close((of_x * x).sum(), expected, rtol=1e-3, atol=1e-2)
    torch.testing.assert_close((of_weight * weight).sum(), expected, rtol=1e-3, atol=1e-2)
    u, v = case.normal(6, 64), case.normal(9, 64)
    with torch.no_grad():
        ahead = case.linear(x + 0.01 * u, weight + 0.01 * v, seed=1)
        behind = case.linear(x - 0.01 * u, weight - 0.01 * v, seed=1)
    slope = (g * (ahead - behind)).sum() / 0.02
    torch.testing.assert_close((of_x * u).sum() + (of_weight * v).sum(), slope, rtol=2e-2, atol=0.2)


def seeds(case: Case) -> None:
    """A seed repeats; another does not; torch's global seed is used where there is no generator."""
    x, weight = case.normal(6, 64), case.normal(9, 64)
    first = case.linear(x, weight, seed=1)
    assert torch.equal(first, case.linear(x, weight, seed=1)), "one seed gives two results"
    assert not torch.equal(first, case.linear(x, weight, seed=2)), "two seeds give one result"
    torch.manual_seed(4)
    third, fourth = case.linear(x, weight), case.linear(x, weight)
    assert not torch.equal(third, fourth), "two calls draw the same noise"
    torch.manual_seed(4)
    assert torch.equal(third, case.linear(x, weight)), "torch's seed does not repeat the noise"


def formats(case: Case) -> None:
    """float16 and bfloat16 compute what float32 computes from the same rounded inputs, where the noise is the same."""
    for dtype, precision in ((torch.float16, 2.0**-8), (torch.bfloat16, 2.0**-5)):
        x, weight = case.normal(6, 64).to(dtype).requires_grad_(), case.normal(9, 64).to(dtype).requires_grad_()
        y = case.linear(x, weight, seed=1)
        of_x, of_weight = torch.autograd.grad(y.float().sum(), (x, weight))
        assert y.dtype == of_x.dtype == of_weight.dtype == dtype
        assert all(bool(found.isfinite().all()) for found in (y, of_x, of_weight)), f"{dtype}: not finite"
        if case.backend == "kernel":
            wide = case.linear(x.float(), weight.float(), seed=1)
            torch.testing.assert_close(
                y.float(), wide, rtol=precision, atol=precision * float(wide.detach().abs().max())
            )


def autocast(case: Case) -> None:
    """Computes in bfloat16 under autocast, as torch's own layers do; gradients keep the weights' format."""
    x, weight = case.normal(6, 64).requires_grad_(), case.normal(9, 64).requires_grad_()
    with torch.autocast(case.device.type, torch.bfloat16):
        y = case.linear(x, weight)
    torch.autograd.backward(y.float().sum())
    assert y.dtype == torch.bfloat16
    assert x.grad is not None and x.grad.dtype == torch.float32


def shapes(case: Case) -> None:
    """Any leading dimensions, none at all, an empty batch, sizes that fill no tile, strides of any kind."""
    for leading in ((), (1,), (5,), (0,), (0, 4), (5, 2), (2, 3, 2)):
        if len(leading) > 1 and case.backend in ("reparameterized", "moment_matched"):
            continue  # masks shared over time have no such backend
        x, weight = case.normal(*leading, I).requires_grad_(), case.normal(J, I).requires_grad_()
        y = case.linear(x, weight)
        assert y.shape == (*leading, J), f"{leading}: {tuple(y.shape)}"
        of_x, of_weight = torch.autograd.grad(y.sum(), (x, weight))
        assert of_x.shape == x.shape and bool(of_weight.isfinite().all())
    x, weight = case.normal(I, 8).T, case.normal(I, 2 * J)[:, ::2].T
    straight = case.linear(x.contiguous(), weight.contiguous(), seed=9)
    torch.testing.assert_close(case.linear(x, weight, seed=9), straight, rtol=1e-4, atol=1e-4)


def degenerate(case: Case) -> None:
    """Rate 0 is the dense layer; rows of zeros give zeros and finite gradients."""
    x, weight = case.normal(4, I), case.normal(J, I).requires_grad_()
    if not (case.backend == "flipout" and case.stir_type == "bernoulli"):  # takes that at rate .5 only
        dense = pernode_linear(x, weight, None, 0.0, stir_type=case.stir_type, backend=case.backend)
        assert torch.equal(dense, nn.functional.linear(x, weight))
    x = torch.zeros_like(x).requires_grad_()
    y = case.linear(x, weight)
    assert not y.any(), "rows of zeros give noise"
    of_x, of_weight = torch.autograd.grad(y.sum(), (x, weight))
    assert bool(of_x.isfinite().all()) and not of_weight.any()


def over_time(case: Case) -> None:
    """Cov(m_t, m_t') = s^2 rho^|t-t'| of single connections, and gradients of the same factors."""
    rho = 0.6
    m = case.linear(torch.ones(1, 4, 1, device=case.device), torch.ones(case.draws, 1, device=case.device), 11, rho)
    noise = m[0].double() - 1.0  # T, N
    mean_is(noise.T, 0.0, slack=1e-4)
    for lag in range(4):
        product = (noise[lag:] * noise[: 4 - lag]).T
        mean_is(product, case.variance * rho**lag, slack=case.variance * 2.0**-10)
    x, weight, g = case.normal(6, 5, 70).requires_grad_(), case.normal(9, 70).requires_grad_(), case.normal(6, 5, 9)
    y = case.linear(x, weight, 1, rho)
    assert torch.equal(y, case.linear(x, weight, 1, rho)), "one seed gives two results"
    of_x, of_weight = torch.autograd.grad(y, (x, weight), g)
    expected = (g * y).sum()
    torch.testing.assert_close((of_x * x).sum(), expected, rtol=1e-3, atol=1e-2)
    torch.testing.assert_close((of_weight * weight).sum(), expected, rtol=1e-3, atol=1e-2)


def _draws(case: Case, x: Tensor, weight: Tensor, seed: int = 11) -> Tensor:
    """Independent outputs for one batch x (B, I): (draws, B, J)."""
    if case.backend != "flipout":
        tiled = x.repeat(case.draws, 1)
        return case.linear(tiled, weight, seed).reshape(case.draws, *x.shape[:-1], -1)
    torch.manual_seed(seed)  # samples of one call share |noise|
    return torch.stack([case.linear(x, weight) for _ in range(min(case.draws, 4000))])
