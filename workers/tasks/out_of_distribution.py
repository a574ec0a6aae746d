"""Sets of inputs that a task's training never showed, to ask a model what it does not know."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, overload

from torch import Tensor

from pernodedrop.near import did_you_mean
from search_spaces import TaskSpec
from search_spaces.evaluation import HELD_OUT
from workers.tasks.errors import DataUnavailable, InvalidOptions
from workers.tasks.inputs import Inputs, inputs_of
from workers.tasks.pairs import require_targets


@dataclass(frozen=True)
class InputSet:
    """Inputs out of the training's distribution, on one device.

    `kind` is "shift" for inputs of the task that were spoiled, "semantic" for classes that the training left out, and
    "far" for inputs of another task.
    """

    name: str  # "held_out", "gaussian_noise_3": letters, digits and _
    kind: Literal["shift", "semantic", "far"]
    level: int  # 1 to 5 of a shift, 5 the strongest; else 0
    x: Inputs  # (N, ...), as the model takes them; also a dictionary or tuple of tensors
    y: Tensor | None  # (N, ...); None where no label of the model's fits: semantic, far

    def __post_init__(self) -> None:
        x = inputs_of(self.x, f"the inputs {self.name}")
        object.__setattr__(self, "x", x)
        if self.y is not None:
            require_targets(x, self.y, "x", "y", of=f"the inputs {self.name}")


class Levels(Sequence[InputSet]):
    """A shift at its levels, from 1. Each is computed when it is asked for, because each is as large as the split."""

    def __init__(self, name: str, count: int, spoiled: Callable[[int], Inputs], y: Tensor) -> None:
        """`spoiled(level)` gives the inputs (N, ...) at that level, `y` are their targets (N, ...)."""
        self._name, self._count, self._spoiled, self._y = name, count, spoiled, y

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, chosen: int) -> InputSet: ...
    @overload
    def __getitem__(self, chosen: slice) -> Sequence[InputSet]: ...
    def __getitem__(self, chosen: int | slice) -> InputSet | Sequence[InputSet]:
        levels = range(1, self._count + 1)[chosen]
        return self._at(levels) if isinstance(levels, int) else [self._at(level) for level in levels]

    def _at(self, level: int) -> InputSet:
        return InputSet(f"{self._name}_{level}", "shift", level, self._spoiled(level), self._y)


Sets = Mapping[str, Callable[[], Sequence[InputSet]]]


def sets_of(spec: TaskSpec, name: str, offered: Sets) -> Sequence[InputSet]:
    """The sets of this name among those that the task offers.

    Raises:
        ValueError: it offers none of that name.
        InvalidOptions: they need the option `held_out`, which the study does not set.
    """
    if name not in offered:
        remedy = did_you_mean(name, offered, f"it has {', '.join(offered)}")
        raise ValueError(f"task {spec.name} has no inputs out of distribution named {name!r}: {remedy}")
    if name == HELD_OUT and HELD_OUT not in spec.options:
        raise InvalidOptions(
            f"the inputs held_out of task {spec.name} need task.options.held_out: "
            "name there the classes that the training shall leave out"
        )
    return offered[name]()


def semantic(x: Inputs, what: str) -> list[InputSet]:
    """The inputs (N, ...) of the test split whose classes are held out; `what` names them.

    Raises:
        DataUnavailable: there are none.
    """
    if not len(x):
        raise DataUnavailable(f"no test sample is of the held-out {what}: hold out others")
    return [InputSet(HELD_OUT, "semantic", 0, x, None)]
