"""The messages between an agent and its trial process, over a pipe."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from search_spaces import Objective, TaskSpec, TrialConfig
from workers.trial.checkpoints import CheckpointRoot


@dataclass(frozen=True, kw_only=True)
class Order:
    """Train this: the only message that starts a trial."""

    task: TaskSpec
    config: TrialConfig
    study_seed: int
    repeats: int
    first_seed: int = 0  # of the study's seeds, for the first repeat
    tested_by: Objective | None = None  # test the model where this improves
    data_folder: Path
    run_id: int = 0
    token: int = 0
    checkpoints: CheckpointRoot | None = None  # None: a lost trial starts again
    checkpoint_every: float = 30.0  # s


@dataclass(frozen=True)
class Stop:
    """End the trial after the current epoch."""

    keep: bool = False  # write a checkpoint first: another worker will resume


@dataclass(frozen=True)
class Ready:
    """The process runs and has its device."""

    device: str


@dataclass(frozen=True)
class Unready:
    """The process cannot use its device, and ends."""

    reason: str
    out_of_memory: bool  # it may start once other processes hold less


@dataclass(frozen=True)
class Started:
    """Data and model are ready; `facts` name the backend, the parameter count and more."""

    facts: Mapping[str, str | int | float]


@dataclass(frozen=True)
class EpochDone:
    """One epoch of one repeat; `metrics` by "<split>_<metric>"."""

    repeat: int  # from 0
    epoch: int  # from 1
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Finished:
    """Every epoch of every repeat is done."""


@dataclass(frozen=True)
class Stopped:
    """The trial ended because of a `Stop`."""


@dataclass(frozen=True)
class Failed:
    """The trial raised; `reason` is one line, `traceback` for the log."""

    reason: str
    traceback: str
    out_of_memory: bool  # the process must not be used again


Report = Started | EpochDone | Finished | Stopped | Failed
