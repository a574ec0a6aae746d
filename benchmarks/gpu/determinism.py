"""torch's deterministic mode in a trial process: put there by what opens its device, so that no worker changes."""

import os

import torch

from workers.trial.devices import Device, open_device

VARIABLE, WORKSPACE = "CUBLAS_WORKSPACE_CONFIG", ":4096:8"  # without it cuBLAS may add in another order each time


def open_deterministic(device: torch.device) -> Device:
    """The device, for a process whose environment had the variable from its start."""
    be_deterministic()
    return open_device(device)


def open_as_usual(device: torch.device) -> Device:
    """The device as workers have it, also where the parent's environment is meant for others: no product came yet."""
    os.environ.pop(VARIABLE, None)
    return open_device(device)


def be_deterministic() -> None:
    """Choose deterministic algorithms from here on.

    An operation that has none gives a warning: whether it is at fault shows in the bits, and the trial goes on.
    """
    os.environ.setdefault(VARIABLE, WORKSPACE)
    torch.use_deterministic_algorithms(True, warn_only=True)
