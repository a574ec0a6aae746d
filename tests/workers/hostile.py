"""Own tasks that misbehave: what they leave behind, start, raise or return, by `options.mode`."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.module import register_module_forward_hook
from torch.utils.data import DataLoader, TensorDataset

from search_spaces import TrialConfig
from workers.tasks import Splits, Task


class Plain(Task):
    """A small classification with dropout, and with random numbers of Python's and numpy's."""

    calls = 0

    def load(self, device: torch.device) -> Splits:
        x = torch.randn(96, 8, generator=torch.Generator().manual_seed(1)).to(device)
        y = (x.sum(1) > 0).long()
        return Splits(x[:64], y[:64], x[64:], y[64:])

    def build(self, config: TrialConfig) -> nn.Module:
        slot, drop = nn.Linear(8, 4), nn.Dropout(config.drop_rate)
        return nn.Sequential(OrderedDict(slot=slot, relu=nn.ReLU(), drop=drop, out=nn.Linear(4, 2)))

    def metrics(self, outputs: Tensor, targets: Tensor) -> Any:
        self.calls += 1
        mode = self.spec.options.get("mode")
        changed = self.misbehave(str(mode)) if mode else None
        drawn = {"drawn": torch.tensor(random.random() + np.random.random())}
        return changed if changed is not None else {**super().metrics(outputs, targets), **drawn}

    def misbehave(self, mode: str) -> Any:
        """Called for two splits an epoch."""


class StrFails(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class Raises(Plain):
    def misbehave(self, mode: str) -> None:
        raise RAISED[mode]


RAISED: Mapping[str, BaseException] = {
    "EOFError: Ran out of input": EOFError("Ran out of input"),
    "BrokenPipeError": BrokenPipeError(),
    "ConnectionResetError: by peer": ConnectionResetError("by peer"),
    "KeyboardInterrupt": KeyboardInterrupt(),
    "SystemExit: 0": SystemExit(0),
    "BaseException: base": BaseException("base"),
    "GeneratorExit": GeneratorExit(),
    "StrFails: its text cannot be read (ValueError)": StrFails(),
    "RecursionError: deep": RecursionError("deep"),
}


class Leaves(Plain):
    """Leaves the state of its process changed."""

    def misbehave(self, mode: str) -> None:
        LEFT[mode]()


def _relu() -> None:
    functional.relu = torch.relu = lambda x, inplace=False: x  # type: ignore[assignment]


def _loss() -> None:
    original = functional.cross_entropy
    functional.cross_entropy = lambda *args, **named: original(*args, **named) * 3


def _adam() -> None:
    torch.optim.Adam.step = torch.optim.AdamW.step = lambda self, closure=None: None  # type: ignore[assignment]


def _draw_for_ever() -> None:
    def draw() -> None:
        while True:
            torch.rand(16)

    threading.Thread(target=draw, daemon=True).start()


def _double(module: nn.Module, args: object, output: object) -> object:
    return output * 2 if isinstance(output, Tensor) else output


LEFT: Mapping[str, Callable[[], object]] = {
    "dtype": lambda: torch.set_default_dtype(torch.float64),
    "device": lambda: torch.set_default_device("meta"),
    "no_grad": lambda: torch.set_grad_enabled(False),
    "recursion": lambda: sys.setrecursionlimit(60),
    "hook": lambda: register_module_forward_hook(_double),
    "relu": _relu,
    "loss": _loss,
    "adam": _adam,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16).__enter__(),
    "thread": _draw_for_ever,
    "threads": lambda: torch.set_num_threads(2),
    "deterministic": lambda: torch.use_deterministic_algorithms(True),
    "folder": lambda: os.chdir("/"),
    "files": lambda: os.closerange(3, 256),
}


class Starts(Plain):
    """Starts processes that would outlive its trial; their numbers are in the file `options.note`."""

    def misbehave(self, mode: str) -> None:
        if self.calls != 1:
            return
        if mode == "program":
            self._note(subprocess.Popen(["sleep", "600"], start_new_session=True).pid)
        if mode == "daemon" and os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                self._note(os.getpid())
                time.sleep(600)
            os._exit(0)
        if mode == "goes on" and os.fork() == 0:
            self._note(os.getpid())
            return  # into the training loop, which speaks of its epochs
        if mode == "parent":
            os.kill(os.getppid(), signal.SIGTERM)
            return
        while not Path(str(self.spec.options["note"])).exists():
            time.sleep(0.01)

    def _note(self, pid: int) -> None:
        with Path(str(self.spec.options["note"])).open("a") as file:
            file.write(f"{pid}\n")


class Ends(Plain):
    def misbehave(self, mode: str) -> None:
        if mode == "exits":
            os._exit(0)
        os.kill(os.getpid() if mode == "itself" else os.getppid(), signal.SIGKILL)
        time.sleep(60)


class Hangs(Plain):
    def misbehave(self, mode: str) -> None:
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                continue
        while True:
            time.sleep(1)


class Returns(Plain):
    """Its metrics are what `mode` names."""

    def misbehave(self, mode: str) -> Any:
        if mode == "changing":
            return {"always": 1.0, **({} if self.calls <= 2 else {"late": 2.0})}
        return RETURNED[mode]


RETURNED: Mapping[str, Any] = {
    "float": {"a": 0.5, "b": 2, "c": np.float32(0.25), "d": torch.ones(1)},
    "none": {"a": None},
    "list": {"a": [1.0]},
    "complex": {"a": 1j},
    "complex tensor": {"a": torch.tensor(1j)},
    "vector": {"a": torch.ones(2)},
    "no mapping": [1.0],
}


class FloatLoss(Plain):
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return super().loss(outputs, targets).item()  # type: ignore[return-value]


class Loads(Plain):
    """Reads its data, and something in each epoch, through processes of a DataLoader."""

    def load(self, device: torch.device) -> Splits:
        splits = super().load(device)
        rows = torch.cat([batch for (batch,) in DataLoader(TensorDataset(splits.train_x), 16, num_workers=2)])
        return Splits(rows, splits.train_y, splits.val_x, splits.val_y)

    def misbehave(self, mode: str) -> Any:
        return {"rows": sum(len(batch) for batch in DataLoader(range(10), 4, num_workers=2))}
