"""Many small networks on one device: as one batched model, one after another, and by processes beside each other.

All train the paper's network for cifar10 with dropout, on one batch that lies on the device.
"""

from functools import partial

import torch

from benchmarks.gpu.batched import BatchedStep
from benchmarks.gpu.comparison import Comparison, optional
from benchmarks.gpu.findings import Findings
from benchmarks.gpu.networks import DROP_RATE
from benchmarks.gpu.samples import Samples, Task, cifar10, drawn
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.steps import EagerStep
from benchmarks.gpu.trainers import Trainers

_LOADING_S = 25.0  # at most, for the processes to get ready
_COUNT_S = 6.0  # without which no further batched model is begun
_NETWORKS, _STEPS = 3, 3  # compared one by one


def run(findings: Findings, setting: Setting) -> None:
    """First whether a batched model trains what separate networks train, then how fast the ways are."""
    task, count = cifar10(setting), setting.pick(8, 2)
    batch = drawn(task, setting.device, count=task.batch)
    comparison = Comparison(findings, task, batch, seconds=setting.pick(1.5, 0.2))
    with Trainers(count, task, setting.device) as trainers:  # they load while the checks run
        findings.check("batched steps are the networks' separate steps", partial(check_steps, task, batch))
        findings.check("every network of a batched model draws masks of its own", partial(check_masks, task, batch))
        _measure_others(findings, comparison, trainers)
    for networks in setting.pick((8, 32, 128), (2, 3)):
        if findings.seconds_left > _COUNT_S:
            comparison.batched(networks)
    findings.note(
        "One after another, or by processes, any number of networks gets as many samples a second: one network, and "
        "one in each process, were measured. Memory is that of the tensors of the networks that train at the same "
        "time; every process takes some hundred MiB more for itself."
    )


def check_steps(task: Task, batch: Samples) -> None:
    """Without dropout, from the same weights on the same batch; in double precision, which leaves no doubt."""
    x, y = batch.x.double(), batch.y
    networks = [task.network(seed).double().to(x.device) for seed in range(_NETWORKS)]
    learning_rates = torch.logspace(-4, -2, _NETWORKS, dtype=x.dtype, device=x.device)
    together = BatchedStep(networks, torch.zeros_like(learning_rates), learning_rates)
    apart = [EagerStep(network, rate) for network, rate in zip(networks, learning_rates.tolist(), strict=True)]
    for _ in range(_STEPS):
        losses = together(x, y).loss
        for loss, step in zip(losses, apart, strict=True):
            torch.testing.assert_close(loss, step(x, y).loss, rtol=1e-5, atol=1e-7)
    for stacked, *separate in zip(together.weights, *(step.weights for step in apart), strict=True):
        torch.testing.assert_close(stacked.detach(), torch.stack(separate).detach(), rtol=1e-5, atol=1e-7)


def check_masks(task: Task, batch: Samples) -> None:
    """Copies of one network compute the same at rate 0, and each its own at a rate above."""
    rates = torch.tensor([0.0, 0.0, DROP_RATE, DROP_RATE], device=batch.x.device)
    step = BatchedStep([task.network().to(batch.x.device) for _ in rates], rates, torch.full_like(rates, 0.001))
    with torch.no_grad():
        dense, same, noisy, other = step.logits(batch.x)
    torch.testing.assert_close(dense, same, rtol=1e-3, atol=1e-4)
    assert not torch.allclose(noisy, other, rtol=1e-3, atol=1e-4), "two networks drew the same masks"
    assert not torch.allclose(noisy, dense, rtol=1e-3, atol=1e-4), "dropout dropped nothing"


def _measure_others(findings: Findings, comparison: Comparison, trainers: Trainers) -> None:
    """The ways that a batched model is compared with; what fails is left out of the comparison."""
    wait = min(_LOADING_S, findings.seconds_left / 2.0)
    ready = findings.check(f"{trainers} get ready", lambda: optional(lambda: trainers.wait_until_ready(wait)))
    for name, graph in (("one after another", False), ("one after another, graph", True)):
        measure = partial(comparison.in_turn, name, graph=graph)
        findings.check(f"networks train {name}", partial(optional, measure))
    if ready:
        train = partial(comparison.processes, str(trainers), trainers)
        findings.check(f"{trainers} train at once", partial(optional, train))
