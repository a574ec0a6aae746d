"""What a task can do to its process, by name."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook


def _raises(error: BaseException) -> Callable[[], NoReturn]:
    def act() -> NoReturn:
        raise error

    return act


def _sets(owner: Any, name: str, made: Callable[[Any], object]) -> Callable[[], None]:
    """Replace `owner.name` by what `made` makes of it."""
    return lambda: setattr(owner, name, made(getattr(owner, name)))


def _draw_for_ever() -> None:
    while True:
        torch.rand(1)
        time.sleep(0.001)


LEFT_STATE: dict[str, Callable[[], object]] = {
    "dtype": lambda: torch.set_default_dtype(torch.float64),
    "device": lambda: torch.set_default_device("meta"),
    "no_grad": lambda: torch.set_grad_enabled(False),
    "recursion": lambda: sys.setrecursionlimit(60),
    "hook": lambda: register_module_forward_hook(lambda module, inputs, output: output * 2),
    "relu": _sets(nn.functional, "relu", lambda usual: lambda x, inplace=False: x),
    "loss": _sets(nn.functional, "cross_entropy", lambda usual: lambda *args, **named: 3 * usual(*args, **named)),
    "adam": _sets(torch.optim.Adam, "step", lambda usual: lambda self, closure=None: None),
    "draws": lambda: threading.Thread(target=_draw_for_ever, daemon=True).start(),
}
LEFT_PROCESSES: dict[str, Callable[[], object]] = {
    "fork": os.fork,  # both go on
    "child": lambda: subprocess.Popen(["sleep", "600"]),
}
ENDS: dict[str, Callable[[], object]] = {
    "exit": lambda: sys.exit(0),
    "interrupt": _raises(KeyboardInterrupt()),
    "end-of-file": _raises(EOFError("Ran out of input")),
    "broken-pipe": _raises(BrokenPipeError()),
    "abort": os.abort,
}
MODES = LEFT_STATE | LEFT_PROCESSES | ENDS
