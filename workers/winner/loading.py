"""From a folder of weights to models that predict."""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pernodedrop.passes import Passes
from search_spaces import TrialConfig
from search_spaces.dimensions import Value
from search_spaces.objective import SNAPSHOTS
from workers.tasks import Task, load_task
from workers.tasks.code import code_of
from workers.tasks.errors import UnknownTask
from workers.tasks.inputs import Inputs, inputs_of
from workers.training.evaluation import evaluate, prediction
from workers.training.exporting import rebuilt
from workers.training.figures import figures_of
from workers.training.randomness import Randomness
from workers.training.seeds import repeat_seed, streams
from workers.trial.dividing import divided
from workers.winner.models import Averaged, SeveralPasses
from workers.winner.reading import BadWinner, File, Head, read_folder


class _Judged(NamedTuple):
    """A model, and the passes by which it is judged; None: one."""

    module: nn.Module
    passes: Passes | None
    learned: tuple[nn.Parameter, ...]  # those that did; none of a winner's learns any more

    def predictor(self, task: Task) -> nn.Module:
        return self.module if self.passes is None else SeveralPasses(task, self.module, self.passes)

    def predicted(self, task: Task, x: Inputs) -> Tensor:
        with self.as_trained():
            return prediction(task, self.module, x, self.passes)

    def figures(self, task: Task, x: Inputs, y: Tensor) -> dict[str, float]:
        with self.as_trained():
            return evaluate(task, self.module, x, y, self.passes)

    @contextmanager
    def as_trained(self) -> Iterator[None]:
        """Within it the parameters learn as in training: torch multiplies some matrices otherwise where they do not."""
        try:
            for parameter in self.learned:
                parameter.requires_grad_()
            yield
        finally:
            for parameter in self.learned:
                parameter.requires_grad_(False)


@dataclass(frozen=True)
class _Seed:
    """One seed's model, and its snapshots."""

    head: Head
    task: Task
    model: _Judged
    snapshots: tuple[_Judged, ...]

    @property
    def judged(self) -> tuple[_Judged, ...]:
        """Those that the study's figure is of."""
        return self.snapshots if self.head.judged_by == "snapshots" and self.snapshots else (self.model,)

    @property
    def predictor(self) -> nn.Module:
        """The module that predicts as the study's figure does."""
        several = [one.predictor(self.task) for one in self.judged]
        return several[0] if len(several) == 1 else Averaged(self.task, several)

    def predicted(self, x: Inputs) -> Tensor:
        """The outputs (N, ...) by which the study judges this seed."""
        return mean_of(self.task, [one.predicted(self.task, x) for one in self.judged])

    def figures(self, x: Inputs, y: Tensor) -> dict[str, float]:
        """What the training measures of a split."""
        found = self.model.figures(self.task, x, y)
        if self.head.has_snapshots:
            several = [one.predicted(self.task, x) for one in self.snapshots or (self.model,)]
            with torch.inference_mode():
                of_mean = figures_of(self.task, mean_of(self.task, several), y)
            found |= {f"{name}{SNAPSHOTS}": float(figure) for name, figure in of_mean.items()}
        return found


@torch.inference_mode()
def mean_of(task: Task, outputs: Sequence[Tensor]) -> Tensor:
    """The outputs (N, ...) whose probabilities are the mean of those of several predictions."""
    return outputs[0] if len(outputs) == 1 else task.combined(torch.stack(list(outputs)))


@dataclass(frozen=True)
class Winner:
    """A configuration's model, or one of the models of all its seeds together.

    `model` is in evaluation mode and learns no more. Its inputs (B, ...) and outputs (B, ...) are those of the task, so
    inputs must be prepared as the task prepares them. `figures` are those of the epoch that it was kept at, by
    "<split>_<metric>"; of several seeds the means. `seed` is None for the average of all seeds.
    """

    model: nn.Module = field(repr=False)
    study: str
    variant: str
    configuration: Mapping[str, Value]
    figures: Mapping[str, float]
    seed: int | None
    seeds: tuple[int, ...]
    digest: str  # of the configuration's weights, as in the report
    _each: tuple[_Seed, ...] = field(repr=False)

    @property
    def config(self) -> TrialConfig:
        """The configuration, typed."""
        return self._each[0].head.config

    @property
    def task(self) -> Task:
        """The task, whose data are read when they are asked for."""
        return self._each[0].task

    @property
    def input(self) -> Mapping[str, object] | None:
        """The shape and dtype of one input, or of each of its tensors; None where inputs are sparse."""
        return self._each[0].head.input

    def predict(self, x: Any) -> Tensor:
        """The outputs (N, ...) for inputs x (N, ...), in batches, with the precision of the task.

        Inputs are what the task's `Splits` take: a tensor, a dictionary or tuple of tensors, SparseRows or Streamed.

        Raises:
            InvalidInputs: they are something else.
        """
        inputs = inputs_of(x, "x")
        with Randomness(self._test_seed, inputs.device).active():
            return mean_of(self.task, [each.predicted(inputs) for each in self._each])

    def measured(self, split: str = "test") -> dict[str, float]:
        """The figures of a split of the task's data, train, val or test, measured anew by "<split>_<metric>".

        Those of a single seed are the report's, on a CPU of the same kind to the last bit.

        Raises:
            BadWinner: the task has no such split, or its seeds are of different data.
            Whatever the task raises, whose data must be there.
        """
        if self.seed is None and any(each.task is not self.task for each in self._each):
            raise BadWinner("the seeds were trained on different data: measure one by seed=")
        device = next((parameter.device for parameter in self.model.parameters()), torch.device("cpu"))
        data = self.task.splits(device)
        x, y = getattr(data, f"{split}_x", None), getattr(data, f"{split}_y", None)
        if x is None or y is None:
            raise BadWinner(f"task {self.task.spec.name} has no split {split!r}: choose train, val or test")
        with Randomness(self._test_seed, device).active():
            if self.seed is not None:
                found = self._each[0].figures(x, y)
            else:
                with torch.inference_mode():
                    figures = figures_of(self.task, mean_of(self.task, [each.predicted(x) for each in self._each]), y)
                found = {name: float(figure) for name, figure in figures.items()}
        return {f"{split}_{name}": value for name, value in found.items()}

    @property
    def _test_seed(self) -> int:
        head = self._each[0].head
        return streams(repeat_seed(head.study_seed, head.seed), 5)[3]


def load_winner(
    folder: str | os.PathLike[str],
    *,
    seed: int | None = None,
    ensemble: bool | None = None,
    device: str | torch.device = "cpu",
    data_folder: str | os.PathLike[str] = ".",
) -> Winner:
    """Build the model of a folder that `pernodedrop weights STUDY -o FOLDER` has written, in evaluation mode.

    `seed` chooses among the study's seeds; by default the one that is best by validation. `ensemble` averages the
    probabilities of all seeds; by default it does where the folder was written with --ensemble. A built-in task's data
    are not needed, and `data_folder` is only where `measured` finds them. An own task's module must be importable.

    Raises:
        BadWinner: the folder holds no such model, its task is not here, or the device is not; the message is one line.
    """
    place = _device(device)
    read = read_folder(Path(folder))
    if not read.files:
        raise BadWinner(f"{folder} lists no weights: get them again")
    together = bool(read.told.get("ensemble")) if ensemble is None else ensemble
    if together and seed is not None:
        raise BadWinner("ensemble is of all seeds: leave seed out")
    seeds = tuple(file.head.seed for file in read.files)
    if seed is not None and seed not in seeds:
        raise BadWinner(f"{folder} has the seeds {', '.join(map(str, seeds))}, got {seed}")
    best = min(read.files, key=lambda file: file.head.cost)
    chosen = read.files if together else tuple(f for f in read.files if f.head.seed == seed) or (best,)
    each = tuple(_built(file, Path(data_folder), place) for file in chosen)
    task = each[0].task
    if together and len(each) > 1 and not task.can_combine:
        raise BadWinner(f"task {task.spec.name} does not say in its method combined what the mean of outputs is")
    predictors = [one.predictor for one in each]
    shared = set(each[0].head.figures).intersection(*(one.head.figures for one in each))
    return Winner(
        model=(predictors[0] if len(predictors) == 1 else Averaged(task, predictors)).eval(),
        study=str(read.told["study"]),
        variant=str(read.told["variant"]),
        configuration=dict(each[0].head.config.as_params()),
        figures={name: sum(one.head.figures[name] for one in each) / len(each) for name in sorted(shared)},
        seed=None if together else each[0].head.seed,
        seeds=seeds,
        digest=str(read.told["digest"]),
        _each=each,
    )


def _built(file: File, data_folder: Path, device: torch.device) -> _Seed:
    head = file.head
    try:
        task = load_task(head.task, data_folder, divided(head.study_seed, head.seed, head.splits_anew, head.folds))
    except UnknownTask as error:
        raise BadWinner(str(error) if head.task.is_built_in else _not_here(head.task.name, error)) from error
    if head.code and code_of(type(task)) != head.code:
        warnings.warn(f"the source of task {head.task.name} is another one than that which trained", stacklevel=3)
    states = (file.model, *file.snapshots)
    made = []
    for state in states:
        model, passes = rebuilt(task, head.config, head.form, head.drop_rate)
        try:
            model.load_state_dict(dict(state))
        except RuntimeError as error:
            what = str(error).partition("\n")[2].strip().partition("\n")[0]
            raise BadWinner(f"task {head.task.name} builds another model here than it did: {what}") from None
        model = model.to(device).eval()
        learned = tuple(parameter for parameter in model.parameters() if parameter.requires_grad)
        made.append(_Judged(model.requires_grad_(requires_grad=False), passes, learned))
    return _Seed(head, task, made[0], tuple(made[1:]))


def _not_here(name: str, error: UnknownTask) -> str:
    module = name.partition(":")[0]
    fix = f"name the folder of {module} in PERNODEDROP_TASKS"
    return f"the model is of the own task {name}, whose module must be importable: {fix} ({error})"


def _device(device: str | torch.device) -> torch.device:
    """The device, on which a tensor was made."""
    try:
        found = torch.device(device)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        here = f"cuda (0 to {torch.cuda.device_count() - 1}) and cpu" if torch.cuda.is_available() else "cpu"
        reason = str(error).strip().partition("\n")[0]
        raise BadWinner(f"device {device} cannot be used, here are {here}: {reason}") from None
    return found
