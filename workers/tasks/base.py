"""The interface of a task: data, a model with slots for a regularizer, a loss and metrics."""

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pernodedrop.objectives import Outputs
from search_spaces import TaskSpec, TrialConfig
from workers.tasks.errors import InvalidInputs, InvalidOptions
from workers.tasks.inputs import Inputs, inputs_of
from workers.tasks.metrics import single_label
from workers.tasks.out_of_distribution import InputSet
from workers.tasks.pairs import require_samples, require_targets
from workers.tasks.seams import Seams
from workers.tasks.splitting import Division
from workers.tasks.structure import Batch, described


@dataclass(frozen=True)
class Splits:
    """A data set, whole, on one device: inputs (N, ...) and targets (N, ...) of each split.

    Inputs may be sparse (`SparseRows`), or several tensors of the same samples in a dictionary or a tuple, which is
    kept as `Structured`, or be read from where they lie when a batch needs them (`Streamed`).

    Trials are compared on the validation split. The test split is for a final figure on which no choice depends; it is
    None where there is none.

    Raises:
        InvalidInputs: inputs or targets are of no kind that a training takes, they have different numbers of samples,
            or a split has none; the message is one line.
    """

    train_x: Inputs
    train_y: Tensor
    val_x: Inputs
    val_y: Tensor
    test_x: Inputs | None = None
    test_y: Tensor | None = None

    def __post_init__(self) -> None:
        for split in ("train", "val", "test"):
            given, y = getattr(self, f"{split}_x"), getattr(self, f"{split}_y")
            if given is None:
                continue
            x = inputs_of(given, f"{split}_x of Splits")
            object.__setattr__(self, f"{split}_x", x)
            if y is not None or split != "test":
                require_targets(x, y, f"{split}_x", f"{split}_y", of="Splits")
            require_samples(x, split, of="Splits")


class Task(abc.ABC):
    """Derive from this to train your own model on your own data; only `load` and `build` are needed.

    `spec` is the task's part of the study definition, with `spec.options` for the options that the class defines.
    Raise an error of one line in `__init__` or `load` for options or data that do not fit. `augmentations` are those of
    `workers.training.augmentations` that suit the inputs.
    """

    augmentations: ClassVar[tuple[str, ...]] = ()
    division: Division | None = None  # of the repeat that this object is for, where repeats differ in it

    def __init__(self, spec: TaskSpec, data_folder: Path) -> None:
        self.spec = spec
        self.data_folder = data_folder
        self._splits: dict[torch.device, Splits] = {}

    @abc.abstractmethod
    def load(self, device: torch.device) -> Splits:
        """Read the data and put them on `device`; called once per process and device, before `build`.

        The same spec must give the same splits in every worker: draw from generators with a fixed seed.
        """

    def split(self, device: torch.device, division: Division) -> Splits:
        """The data on `device` as one repeat has them, called in place of `load`; by default a task cannot say.

        Studies with `repeats_vary: [seed, split]` give a `division.seed`: draw the validation split by it, out of all
        that is not tested, and leave the test split as it is. Studies with `folds` give a `division.fold`: the test
        split is what `division.fold.cut` says, and training and validation are of the rest. Compute again what follows
        from the training split, such as means. Every division has a task object of its own.

        Raises:
            ValueError: the task cannot divide its data in that way; the message is one line with the remedy.
        """
        raise InvalidOptions(_cannot_split(self.spec))

    @abc.abstractmethod
    def build(self, config: TrialConfig) -> nn.Module:
        """Return a fresh model, on the CPU; torch's global generator is seeded for it.

        Give the dense layers that are to be regularized the name `slot`, by `self.slot` or
        `Sequential(OrderedDict(slot=...))`. Each is a plain `nn.Linear`, or a `SharedNoiseLinear` before a recurrence.
        The training puts the trial's regularizer there when all weights are drawn, so that with the same seed every
        variant starts from the same weights.
        """

    def seams(self, config: TrialConfig) -> Seams:
        """The changes to the training loop for this trial; by default none."""
        return Seams()

    def optimizer(self, model: nn.Module, config: TrialConfig) -> Optimizer | None:
        """The optimizer of `model`, which has the trial's regularizer and lies on its device; None: the study's.

        The study's `optimizer`, `momentum` and `weight_decay` are yours to read then. Schedules of the learning rate
        multiply the rate that each group of parameters begins with, so that groups keep their ratios. What the
        optimizer remembers must be tensors, numbers or texts in its `state_dict`, which every checkpoint has.

        One whose `step` must be given a closure, as torch's LBFGS, or that has `needs_closure = True`, as SAM, is given
        one that computes the batch's loss and gradient anew, each time with the noise of the first. One with methods
        `train` and `eval`, as schedule-free ones and those that average weights, is told when steps begin and end: what
        lies in the model between them is evaluated and kept.
        """
        return None

    def augment(self, x: Batch, generator: torch.Generator) -> Batch:
        """A training batch's inputs, changed at random before every step; by default they stay.

        They lie on the device, and so does `generator`, from which all draws must come; it begins anew in every epoch
        by the training's seed. Return the same number of samples in the same dictionaries and tuples, of the same
        types. Evaluations and measurements see the inputs as they are.
        """
        return x

    @property
    def augments(self) -> bool:
        """Return whether `augment` is the task's own."""
        return type(self).augment is not Task.augment

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss over a batch, a scalar; by default the cross-entropy of logits (B, classes)."""
        return nn.functional.cross_entropy(outputs, targets)

    def smoothed_loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        """`loss` of a training batch with a share `smoothing` of every target spread over all classes.

        Raises:
            NotImplementedError: the task has a loss of its own and does not define its smoothed loss.
        """
        if not self._has_the_default_loss:
            raise NotImplementedError(_needs(self.spec, "label_smoothing above 0", "smoothed_loss"))
        return nn.functional.cross_entropy(outputs, targets, label_smoothing=smoothing)

    def combined(self, outputs: Tensor) -> Tensor:
        """The outputs (B, ...) whose probabilities are the mean of those of S passes (S, B, ...).

        By default of logits (S, B, classes): the logarithm of the mean softmax.

        Raises:
            NotImplementedError: the task has a loss of its own and does not define the mean of its outputs.
        """
        if not self._has_the_default_loss:
            raise NotImplementedError(_needs(self.spec, "a mean over several passes", "combined"))
        return outputs.log_softmax(-1).logsumexp(0) - math.log(len(outputs))

    @property
    def can_combine(self) -> bool:
        """Return whether `combined` is defined for the task's outputs."""
        return self._has_the_default_loss or type(self).combined is not Task.combined

    @property
    def outputs(self) -> Outputs | None:
        """What the outputs are to the loss; None where a loss of its own does not say.

        "softmax" for logits of one class of several, "sigmoid" for a logit of every label, "squared" for numbers. A
        task may set `outputs = "squared"`. The regularizers that replace dropout by a formula need it.
        """
        return "softmax" if self._has_the_default_loss else None

    @property
    def _has_the_default_loss(self) -> bool:
        return type(self).loss is Task.loss

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Scalars by name, from the outputs for a whole split at once; the loop adds the loss itself.

        By default accuracy, ece and brier of logits (B, classes): see `workers.tasks.metrics.single_label`.
        """
        return single_label(outputs, targets)

    def model_metrics(self, model: nn.Module, inputs: Any) -> dict[str, Tensor]:
        """Scalars by name of the model itself, in evaluation mode, beside those of its outputs; by default none.

        They are recorded for each split, whose inputs (N, ...) these are: a tensor, or the dictionary or tuple that the
        model takes, or SparseRows or Streamed.
        """
        return {}

    def out_of_distribution(self, name: str, device: torch.device) -> Sequence[InputSet]:
        """The inputs of this name that the training never showed, on `device`; of a shift a set for each level.

        Studies name them in `evaluation.out_of_distribution`. By default there are none. The same spec must give the
        same inputs in every worker: draw from generators with a fixed seed, and bring the inputs to the model's form by
        what the training split alone says.

        Raises:
            ValueError: the task has no inputs of that name, or its options leave none.
        """
        raise ValueError(f"task {self.spec.name} offers no inputs out of distribution, got {name!r}")

    def splits(self, device: torch.device) -> Splits:
        """The data on `device`, loaded at the first call and kept."""
        if device not in self._splits:
            found = self.load(device) if self.division is None else self._divided(device, self.division)
            if not isinstance(found, Splits):
                raise InvalidInputs(f"load of task {self.spec.name} must return Splits, got {described(found)}")
            self._splits[device] = found
        return self._splits[device]

    def _divided(self, device: torch.device, division: Division) -> Splits:
        found = self.split(device, division)
        if division.fold is not None and isinstance(found, Splits) and (found.test_x is None or found.test_y is None):
            raise InvalidOptions(f"split of task {self.spec.name} must give test_x and test_y, those of division.fold")
        return found


def _cannot_split(spec: TaskSpec) -> str:
    return f"task {spec.name} cannot split its data anew: define its method split, or leave out repeats_vary and folds"


def _needs(spec: TaskSpec, wish: str, method: str) -> str:
    return f"task {spec.name} has a loss of its own: {wish} needs its method {method}"
