"""A trial killed in the middle and resumed, by the workers' own code: does it end in the bits it would have ended in?

In torch's deterministic mode it must. Whether it does without that mode is written down as well.
"""

import os
import tempfile
import time
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from benchmarks.gpu import needs
from benchmarks.gpu.findings import Findings
from benchmarks.gpu.setting import Setting

if TYPE_CHECKING:
    from benchmarks.gpu.takeovers import Takeover
    from workers.trial.messages import Order

REPLAYS = 20  # of a step, to find what differs
SPARE_S = 3.0  # for what is left to do when the trials are through
PRECISIONS = ("float32", "bfloat16")
VARIANTS: tuple[dict[str, Any], ...] = (
    {"regularizer": "pernodedrop"},
    {"regularizer": "pernodedrop", "stir_type": "gaussian"},
    {"regularizer": "pernodedrop", "mask_mode": "fixed"},
    {"regularizer": "masksembles"},
    {"regularizer": "dropout"},
)


def run(findings: Findings, setting: Setting) -> None:
    with needs.wheels():
        from benchmarks.gpu.determinism import VARIABLE, WORKSPACE, open_as_usual, open_deterministic
        from benchmarks.gpu.takeovers import Crew
    if setting.device.type == "cuda":
        os.environ[VARIABLE] = WORKSPACE  # before CUDA starts in the children
    until = time.monotonic() + findings.seconds_left - SPARE_S
    orders = _orders(setting)
    usual = list(orders)[: setting.pick(2, 0)]  # a CPU's algorithms are deterministic in any mode
    device, heirs = setting.device, setting.pick(4, 1)
    with (
        tempfile.TemporaryDirectory(prefix="gpu-check-") as folder,
        Crew.of(device, open_deterministic, Path(folder, "deterministic"), until, heirs) as strict,
        Crew.of(device, open_as_usual, Path(folder, "usual"), until, min(1, len(usual))) as free,
    ):
        certain = strict.disturb(list(orders.values()))
        hoped = free.disturb([orders[name] for name in usual])
        for (name, order), taken in zip(orders.items(), certain, strict=True):
            findings.check(f"{name}: resumed as if never killed", partial(_check, taken, order, setting))
        for name, taken in zip(usual, hoped, strict=True):
            findings.check(f"{name}: resumed without deterministic mode", partial(_resumes, taken, orders[name]))
            if taken.exception() is None:
                findings.note(f"without torch's deterministic mode, {name}: {_told(taken, orders[name], setting)}")
    _note_what_torch_warns_of(findings, orders, setting)


def _orders(setting: Setting) -> "dict[str, Order]":
    """Trials of the paper's network on the digits, by name; on a CPU one in each precision."""
    from search_spaces import TaskSpec, TrialConfig
    from workers.trial.messages import Order

    spec = TaskSpec(name="digits", epochs=setting.pick(8, 4), train_size=setting.pick(None, 256))
    configs = [TrialConfig(**variant, units=64, batch_size=64) for variant in VARIANTS]
    pairs = [(config, precision) for precision in PRECISIONS for config in configs]
    if setting.small:
        pairs = list(zip(configs, PRECISIONS, strict=False))
    return {
        f"{config.variant}, {precision}": Order(
            task=spec.model_copy(update={"precision": precision}),
            config=config,
            study_seed=7,
            repeats=1,
            data_folder=Path(),
            checkpoint_every=0.0,  # after every epoch
        )
        for config, precision in pairs
    }


def _resumes(taken: "Future[Takeover]", order: "Order") -> None:
    """Raises unless the trial was carried on from a checkpoint, to its end."""
    takeover = taken.result()
    done = len(takeover.resumed.epochs)
    assert done == order.task.epochs, f"{order.task.epochs} epochs were to be trained, {done} were: see the log above"
    after = takeover.resumed_after
    assert 0 < after < done, f"the heir must carry on in the middle of {done} epochs, it did so after {after}"


def _check(taken: "Future[Takeover]", order: "Order", setting: Setting) -> None:
    """Raises unless the resumed trial's figures and last state equal the undisturbed one's, bit for bit."""
    from benchmarks.gpu.determinism import be_deterministic

    _resumes(taken, order)
    if (difference := taken.result().difference()) is not None:
        be_deterministic()
        raise AssertionError(f"every bit must be the same, they differ at {difference}: {_culprit(order, setting)}")


def _told(taken: "Future[Takeover]", order: "Order", setting: Setting) -> str:
    difference = taken.result().difference()
    if difference is None:
        return "the same bits as well"
    torch.use_deterministic_algorithms(False)
    return f"other bits at {difference}; {_culprit(order, setting)}"


def _culprit(order: "Order", setting: Setting) -> str:
    """The first operation of a step that gives other bits when it is done again, in words."""
    from benchmarks.gpu.replays import Step

    name = Step(order.task, order.config, setting.device).unstable(REPLAYS)
    if name is None:
        return f"{REPLAYS} replays of a training step gave the same bits, so look at what happens between two steps"
    return f"in replays of a training step the first to differ is the {name}"


def _note_what_torch_warns_of(findings: Findings, orders: "dict[str, Order]", setting: Setting) -> None:
    from benchmarks.gpu.determinism import be_deterministic
    from benchmarks.gpu.replays import Step

    be_deterministic()
    order = next(iter(orders.values()))
    if names := Step(order.task, order.config, setting.device).without_deterministic_algorithm():
        findings.note(f"torch says of these that they have no deterministic algorithm: {', '.join(names)}")
