"""Whether a training step that is recorded as a CUDA graph does what the step does without."""

from collections.abc import Sequence
from functools import partial
from statistics import fmean

import torch
from torch import Tensor

from benchmarks.gpu.findings import Findings
from benchmarks.gpu.networks import BASELINE, VARIANTS, Variant, with_variant
from benchmarks.gpu.recording import need_gpu
from benchmarks.gpu.samples import Samples, Task
from benchmarks.gpu.steps import LEARNING_RATE, EagerStep, RecordedStep, Step

_COMPARED = (Variant("none"), BASELINE, Variant("pernodedrop"), Variant("pernodedrop", "gaussian"))
_STEPS = 60
_LAST = 10  # steps at the end, whose mean loss says what was learned
_ALIKE = 5  # first steps in which two trainings without noise have not drifted apart


def check_graphs(findings: Findings, task: Task, samples: Samples) -> None:
    """Which masks replays draw, and what a training by replays learns."""
    if not findings.check("CUDA graphs can be recorded", partial(need_gpu, samples.x.device)):
        return
    for variant in VARIANTS:
        draws = "draws other masks in every replay" if variant.draws else "draws nothing in a replay"
        findings.check(f"CUDA graph: {variant.name} {draws}", partial(_check_draws, variant, task, samples))
    for variant in _COMPARED:
        name = f"CUDA graph: {variant.name} trains as without one"
        findings.check(name, partial(_check_training, variant, task, samples))


def step_of(
    task: Task, variant: Variant, batch: Samples, *, graph: bool, bfloat16: bool, rate: float = LEARNING_RATE
) -> Step:
    """The variant's training step from the task's first weights; recorded where `graph` says so."""
    model = with_variant(task.network().to(batch.x.device), variant)
    step = EagerStep(model, rate, bfloat16=bfloat16, recorded=graph)
    return RecordedStep(step, *batch) if graph else step


def losses(step: Step, samples: Samples, batches: Sequence[Tensor]) -> list[float]:
    """A training's loss at every step."""
    found = [step(samples.x[batch], samples.y[batch]).loss.clone() for batch in batches]
    return [float(loss) for loss in torch.stack(found).tolist()]


def compared(eager: Sequence[float], replayed: Sequence[float], *, noisy: bool) -> str:
    """What the trainings' losses came to; an assertion fails where they tell of different trainings."""
    ends = fmean(eager[-_LAST:]), fmean(replayed[-_LAST:])
    said = f"loss {eager[0]:.3g} to {ends[0]:.3g} without, {replayed[0]:.3g} to {ends[1]:.3g} by replays"
    assert ends[0] < 0.7 * eager[0], f"the training without a graph does not learn: {said}"
    assert ends[1] < 0.7 * replayed[0], f"the training by replays does not learn: {said}"
    apart = abs(fmean(eager) - fmean(replayed))
    assert apart <= 0.15 * eager[0], f"the mean losses are {apart:.3g} apart: {said}"
    if not noisy:
        for number, (one, other) in enumerate(zip(eager[:_ALIKE], replayed, strict=False), start=1):
            assert abs(one - other) <= 0.02 * one, f"step {number} has loss {one} without, {other} by a replay"
    return said


def _check_draws(variant: Variant, task: Task, samples: Samples) -> None:
    """At a learning rate of 0 only the noise can change what a step computes."""
    batch = samples.first(task.batch)
    step = step_of(task, variant, batch, graph=True, bfloat16=False, rate=0.0)
    first, second, third = (step(*batch).logits.clone() for _ in range(3))
    if variant.draws:
        assert not torch.equal(first, second), "two replays on the same batch computed the same"
        assert not torch.equal(second, third), "a later replay drew what the one before had drawn"
    else:
        torch.testing.assert_close(second, first, rtol=1e-4, atol=1e-5)


def _check_training(variant: Variant, task: Task, samples: Samples) -> str:
    """From the same weights on the same batches, by replays and without."""
    batch, batches = samples.first(task.batch), samples.batches(task.batch, _STEPS)
    eager, replayed = (
        losses(step_of(task, variant, batch, graph=graph, bfloat16=False), samples, batches) for graph in (False, True)
    )
    return compared(eager, replayed, noisy=variant.draws)
