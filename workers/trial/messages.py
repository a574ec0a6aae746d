"""What an agent and its trial process say to each other over a pipe."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from search_spaces import Objective, TaskSpec, TrialConfig
from workers.trial.checkpoints import CheckpointRoot


@dataclass(frozen=True, kw_only=True)
class Order:
    """Train this: the agent's only word to start a trial."""

    task: TaskSpec
    config: TrialConfig
    study_seed: int
    repeats: int
    first_seed: int = 0  # of the study's seeds, for the first repeat
    tested_by: Objective | None = None  # test the model where this improves
    data_folder: Path
    run_id: int = 0
    token: int = 0
    checkpoints: CheckpointRoot | None = None  # None: a lost trial starts anew
    checkpoint_every: float = 30.0  # s


@dataclass(frozen=True)
class Stop:
    """Leave the trial at the next epoch."""

    keep: bool = False  # write a checkpoint before: somebody else will carry on


@dataclass(frozen=True)
class Ready:
    """The process is up and has its device."""

    device: str


@dataclass(frozen=True)
class Started:
    """Data and model stand; `facts` say which backend runs, the parameter count and the like."""

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
    """The trial was left after a `Stop`."""


@dataclass(frozen=True)
class Failed:
    """The trial raised; `reason` is one line, `traceback` for the log."""

    reason: str
    traceback: str
    out_of_memory: bool  # the process must not be used again


Report = Started | EpochDone | Finished | Stopped | Failed
