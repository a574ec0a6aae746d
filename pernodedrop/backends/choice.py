"""Which backend runs: the asked one where it holds, else the fastest that is exact for the case."""

import warnings

from torch import Tensor

from pernodedrop.backends import kernel
from pernodedrop.names import BACKENDS, Backend
from pernodedrop.stir import Stir

_GAUSSIAN = ("gaussian", "partial_gaussian")
_SAID: set[str] = set()


def check_backend(backend: Backend, stir: Stir) -> None:
    """Raises ValueError where the name is unknown or the backend can never compute this noise."""
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
    if backend in ("auto", "mask"):
        return
    if stir.name == "custom":
        raise ValueError(f"backend {backend!r} knows no custom stir: use 'mask' or 'auto'")
    if backend == "reparameterized" and stir.name not in _GAUSSIAN:
        raise ValueError(f"backend 'reparameterized' needs Gaussian noise, got stir_type {stir.name!r}: use 'kernel'")
    if backend == "flipout" and stir.name == "bernoulli" and stir.drop_rate != 0.5:
        raise ValueError(
            f"backend 'flipout' needs symmetric noise, got stir_type 'bernoulli' with drop_rate {stir.drop_rate}: "
            "use 'kernel', or drop_rate 0.5"
        )


def chosen_backend(backend: Backend, x: Tensor, weight: Tensor, stir: Stir) -> Backend:
    """The backend that runs for x (B, T, I) and weight (J, I); says so once where it is not the one that was asked for.

    Raises:
        ValueError: as `check_backend`.
    """
    check_backend(backend, stir)
    if backend == "auto":
        return _fastest_exact(x, weight, stir)
    if backend in ("reparameterized", "moment_matched") and x.shape[1] > 1:
        # pre-activations of one sample share their mask, which these two would draw independently
        exact = _fastest_exact(x, weight, stir)
        _say_once(f"backend {backend!r} is wrong for masks shared over time: {exact!r} runs instead")
        return exact
    if backend == "kernel" and not _has_kernel(x):
        return "mask"
    return backend


def _fastest_exact(x: Tensor, weight: Tensor, stir: Stir) -> Backend:
    if stir.name == "custom":
        return "mask"
    positions = x.shape[1]
    if stir.name in _GAUSSIAN and positions == 1:
        return "reparameterized"
    if stir.name in _GAUSSIAN and positions >= min(weight.shape):
        return "mask"  # no larger than x or the output, and normals cost more to draw twice than to keep
    return "kernel" if _has_kernel(x) else "mask"


def _has_kernel(x: Tensor) -> bool:
    if kernel.is_available(x):
        return True
    _say_once(
        f"no kernel for {x.dtype} on {x.device.type!r} (numba serves cpu; triton cuda, without float64): "
        "backend 'mask' runs instead"
    )
    return False


def _say_once(message: str) -> None:
    if message in _SAID:
        return
    _SAID.add(message)
    warnings.warn(message, RuntimeWarning, stacklevel=2)
