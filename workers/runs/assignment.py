"""What a run is trained for: the interface between a lease's execution and those who want its result."""

from dataclasses import dataclass
from typing import Protocol

from search_spaces import Objective, TrialConfig
from service.storage.states import RunState
from workers.trial.messages import EpochDone
from workers.trial.progress import Progress

Step = tuple[int, float]  # a step of Optuna's and the value reported there


@dataclass(frozen=True)
class Ended:
    """The work on a lease has ended its run."""

    state: RunState
    reason: str | None = None
    infeasible: bool = False  # it fits into no memory here: a sampler should turn away from it


@dataclass(frozen=True)
class HandedBack:
    """The work on a lease has ended, its run goes back to the queue."""

    reason: str | None = None  # for the run's history; None if the worker was only told to leave
    attempted: bool = False  # the attempt counts, as a lost worker's does


Outcome = Ended | HandedBack


class Assignment(Protocol):
    """Says what to train and hears what came of it. Lease, process, clock and curves are not its concern.

    Every method may be called again after a database that was away, and raises LeaseLost where it writes.
    """

    progress: Progress
    seeds: range  # the seeds of the study that the repeats are trained with, one after another
    tested_by: Objective | None  # test the model where this improves; None: the test split is not for this run

    def adopt(self) -> Ended | None:
        """Take over what earlier holders left; return how the run ended if one of them had only that left to note."""

    def prepare(self) -> TrialConfig:
        """Settle what to train and note it with the run, whose curves begin anew."""

    def take_in(self, done: EpochDone) -> Step | None:
        """Add the epoch to `progress`; return what to write down for a pruner, if anything.

        Raises:
            UnusableObjective: as `Progress.add`.
        """

    def is_hopeless(self, report: Step) -> bool:
        """Whether to end the training after this report, which has been written down."""

    def tell(self, ended: Ended) -> None:
        """Note the end of the run; called while its row is locked."""
