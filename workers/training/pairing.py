"""Whether a loss compares each output with its own target, or by broadcasting every output with every target."""

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
import torch
from torch import Tensor

from workers.tasks.base import Task

FEW = 256  # samples, at the most


class PairsAll(ValueError):
    """A loss of outputs (N, 1) and targets (N,), or the other way round, compares all N x N pairs."""


@torch.no_grad()
def require_pairs(task: Task, outputs: Tensor, y: Tensor) -> None:
    """Return if the task's loss depends on which target is whose; only shapes that broadcast are tried.

    The loss sees outputs that rise through the targets' range, with the targets in rising and in falling order. A loss
    of pairs differs; the mean over all pairs is the same, up to rounding.

    Raises:
        PairsAll: it does not.
    """
    if (
        outputs.shape == y.shape
        or _longer_than_one(outputs) != _longer_than_one(y)
        or len(outputs) != len(y)
        or len(y) < 3
    ):
        return
    if outputs.is_complex() or y.is_complex() or not outputs.is_floating_point():
        return
    rising = y[:FEW].flatten(1).sum(1).argsort() if y.dim() > 1 else y[:FEW].argsort()
    up, down = y[:FEW][rising], y[:FEW][rising.flip(0)]
    shape = (len(up), *outputs.shape[1:])
    share = torch.linspace(0.1, 0.9, len(up), dtype=outputs.dtype, device=outputs.device)
    least, most = (each.to(outputs) for each in up.aminmax())
    tried = torch.lerp(least, most, share).reshape(-1, *[1] * (outputs.dim() - 1)).expand(shape).contiguous()
    tries = [(tried, up), (tried, down), (tried, up[:1].expand_as(up))]
    with _generators(y.device):
        try:
            one, other, constant = (float(task.loss(*each)) for each in tries)
            paired, crossed = (
                _first_of(task, [(tried.reshape(y.shape), y), (tried, y.reshape(tried.shape))]) for y in (up, down)
            )
        except Exception:
            return  # it takes no such numbers, so nothing is known
    close = 1e-5 * max(abs(one), abs(other))
    # A loss of pairs of equal shape gives the same where order means nothing to it, as to a distance of distributions.
    if abs(one - other) <= close < min(abs(one - constant), abs(one - paired), abs(paired - crossed)):
        given, wanted = tuple(y.shape), tuple(outputs.shape)
        raise PairsAll(
            f"the loss of task {task.spec.name} compares every output with every target, since outputs {wanted} and "
            f"targets {given} broadcast: give the targets the shape of the outputs, or squeeze the outputs"
        )


def _first_of(task: Task, tries: list[tuple[Tensor, Tensor]]) -> float:
    """The loss of the first of these outputs and targets that it takes; raises what it raises of the last."""
    *others, last = tries
    for each in others:
        with suppress(Exception):  # it may know outputs of its own number of dimensions only
            return float(task.loss(*each))
    return float(task.loss(*last))


@contextmanager
def _generators(device: torch.device) -> Iterator[None]:
    """Nobody's random numbers move, whatever a loss draws from."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)


def _longer_than_one(tensor: Tensor) -> list[int]:
    return [side for side in tensor.shape if side != 1]
