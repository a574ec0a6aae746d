"""Chooses the backend: the requested one where it is valid, else the fastest that is exact.

To add a backend, write a class in a new file and a line in BACKENDS.
"""

import torch
from torch import Tensor

from pernodedrop.backends.base import Backend, positions, warn_once
from pernodedrop.backends.flipout import Flipout
from pernodedrop.backends.kernel import Kernel
from pernodedrop.backends.mask import Mask
from pernodedrop.backends.moment_matched import MomentMatched
from pernodedrop.backends.reparameterized import Reparameterized
from pernodedrop.compiling import constant
from pernodedrop.laws import Law
from pernodedrop.registry import Registry

AUTO = "auto"
REFERENCE = Mask()

# "auto" takes the first that suits. The mask always does, so those behind it run only where they are requested.
BACKENDS: Registry[Backend] = Registry(
    "backend",
    "pernodedrop.backends",
    {each.name: each for each in (Reparameterized(), Kernel(), REFERENCE, Flipout(), MomentMatched())},
)


def check_backend(backend: str, law: Law, *, over_time: bool = False) -> None:
    """Raises ValueError where the name is unknown or the backend can never compute this noise.

    `over_time`: the masks change slowly over the positions of a sample.
    """
    if backend == AUTO:
        return
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join((AUTO, *BACKENDS))}, got {backend!r}")
    chosen = BACKENDS[backend]
    refusal = chosen.refusal(law) or (chosen.refusal_over_time(law) if over_time else None)
    if refusal is not None:
        raise ValueError(refusal)


def chosen_backend(backend: str, x: Tensor, weight: Tensor, law: Law) -> Backend:
    """The backend that runs for x (B, T, I) or (B, I) and weight (J, I); warns once where it is not the requested one.

    Raises:
        ValueError: as `check_backend`.
    """
    check_backend(backend, law)
    if backend == AUTO:
        return _fastest_exact(x, weight, law)
    asked = BACKENDS[backend]
    if not asked.shares_masks and positions(x) > 1:
        # positions of one sample or group share their mask, and these backends would draw it independently
        exact = _fastest_exact(x, weight, law)
        warn_once(f"backend {backend!r} is wrong for masks shared over time or in groups: {exact.name!r} runs instead")
        return exact
    return asked if asked.is_available(x) else REFERENCE


def backend_of_groups(backend: str, x: Tensor, weight: Tensor, law: Law) -> Backend:
    """The backend that runs for x (B, T, I) and weight (J, I) of each of many groups; warns as `chosen_backend`.

    Raises:
        ValueError: as `check_backend`.
    """
    chosen = chosen_backend(backend, x, weight, law)
    # The masks of all groups are one tensor, no larger than the patches where positions are as many as a group's units;
    # the others compute one group after the other, which takes many times as long for small ones.
    is_asked = chosen.name == backend
    return chosen if is_asked or positions(x) < weight.shape[0] else REFERENCE


def backend_over_time(backend: str, x: Tensor, weight: Tensor, law: Law) -> Backend:
    """The backend that runs for x (B, T, I) and weight (J, I) where masks change slowly over time.

    Raises:
        ValueError: as `check_backend`.
    """
    check_backend(backend, law, over_time=True)
    if backend == AUTO:
        if torch.compiler.is_compiling():
            _find_all()
        return next(each for each in BACKENDS.values() if each.suits_over_time(x, weight, law))
    asked = BACKENDS[backend]
    return asked if asked.is_available(x) else REFERENCE


def _fastest_exact(x: Tensor, weight: Tensor, law: Law) -> Backend:
    if torch.compiler.is_compiling():
        _find_all()
    return next(backend for backend in BACKENDS.values() if backend.suits(x, weight, law))


@constant
def _find_all() -> int:
    """Import those of other distributions, which `torch.compile` cannot trace."""
    return len(list(BACKENDS.values()))
