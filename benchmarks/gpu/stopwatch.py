"""What calls take on a device that works behind the processor's back."""

from collections.abc import Callable
from time import perf_counter

import torch

_CALLS = 50  # at most, between two looks at the clock
_LOOK_S = 0.2  # about the time between two of them


def finish(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(call: Callable[[], object], device: torch.device) -> float:
    """What the device takes for the call's work, by its own clock where it has one."""
    finish(device)
    if device.type != "cuda":
        started = perf_counter()
        call()
        return perf_counter() - started
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]  # of torch
    start.record()
    call()
    end.record()
    finish(device)
    return float(start.elapsed_time(end)) / 1000.0


def calls_a_second(call: Callable[[], object], device: torch.device, seconds: float) -> float:
    """How often a call is done a second, over at least as many seconds; one call goes ahead and is not counted."""
    finish(device)
    started = perf_counter()
    call()
    finish(device)
    between = max(1, min(_CALLS, int(_LOOK_S / (perf_counter() - started))))
    calls, started = 0, perf_counter()
    while perf_counter() - started < seconds:
        for _ in range(between):
            call()
        finish(device)
        calls += between
    return calls / (perf_counter() - started)
