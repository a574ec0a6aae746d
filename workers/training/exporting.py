"""A training's kept model as tensors that a model built anew takes: plain layers wherever these predict alike."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from pernodedrop.passes import Passes
from search_spaces import TrialConfig
from workers.tasks.base import Task
from workers.training.model import model_of, passes_of
from workers.training.randomness import Randomness
from workers.training.states import State

Form = Literal["plain", "regularized"]


@dataclass(frozen=True)
class Exported:
    """The states of a model, and of the snapshots that predict beside it, by the names that they have in `form`.

    A plain model is what the task builds. A regularized one has the trial's regularizer in its places, since its
    evaluation is one that plain layers cannot compute: `why` says which, in words.
    """

    form: Form
    why: str | None
    drop_rate: float | None  # of the kept epoch, where the trial has a schedule for it
    model: State
    snapshots: tuple[State, ...] = ()


def exported(task: Task, config: TrialConfig, states: Sequence[State], drop_rate: float | None) -> Exported:
    """The states of a trial's model, the kept one first, then its snapshots, in the plainest form; on the CPU."""
    plain: list[State | str] = [_as_plain(task, config, state) for state in states]
    refusal = next((one for one in plain if isinstance(one, str)), None)
    if refusal is None:
        first, *others = [one for one in plain if not isinstance(one, str)]
        return Exported("plain", None, None, first, tuple(others))
    kept: list[State] = [{name: tensor.detach().cpu() for name, tensor in state.items()} for state in states]
    return Exported("regularized", refusal, drop_rate, kept[0], tuple(kept[1:]))


def rebuilt(task: Task, config: TrialConfig, form: Form, drop_rate: float | None) -> tuple[nn.Module, Passes | None]:
    """A model on the CPU that takes tensors of this form, and the passes by which it is judged; None: one."""
    with _aside():
        if form == "plain":
            model, regularized = task.build(config), None
        else:
            model, regularized = model_of(task, config)
            if regularized is not None and drop_rate is not None:
                regularized.set_drop_rate(drop_rate)
        passes = passes_of(task, task.seams(config), regularized)
    return model, passes


def _as_plain(task: Task, config: TrialConfig, state: State) -> Mapping[str, Tensor] | str:
    """The state of the plain model that predicts as this one does in evaluation, or why there is none."""
    with _aside():
        model, regularized = model_of(task, config)
        model.load_state_dict(state)
        if regularized is not None:
            try:
                regularized.merge()
            except ValueError as error:
                return str(error).partition(":")[0]
        merged, names = model.state_dict(), task.build(config).state_dict().keys()
    missing = [name for name in names if name not in merged]
    return f"its plain model has no {missing[0]}" if missing else {name: merged[name].detach() for name in names}


@contextmanager
def _aside() -> Iterator[None]:
    """Draw other random numbers than the training does, and say nothing that it has said."""
    with Randomness(0, torch.device("cpu")).active(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
