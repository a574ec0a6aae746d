"""The purpose of a run: the interface between whoever has it trained and the search or the confirmation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from search_spaces import Evaluation, Objective
from search_spaces.dimensions import Value
from service.storage.assignments.progress import EpochDone, Progress
from service.storage.states import RunState

Step = tuple[int, float]  # a step of Optuna's and the value reported there


@dataclass(frozen=True)
class Ended:
    """The work on a lease has ended its run."""

    state: RunState
    reason: str | None = None
    infeasible: bool = False  # it does not fit into the memory: a sampler should avoid its neighbourhood

    @property
    def word(self) -> str:
        """The outcome, for the log."""
        return str(self.state)


@dataclass(frozen=True)
class HandedBack:
    """The work on a lease has ended, its run goes back to the queue."""

    reason: str | None = None  # for the run's history; None if the worker only had to leave
    attempted: bool = False  # the attempt counts, as a lost worker's does
    word: ClassVar[str] = "handed back"


@dataclass(frozen=True)
class Paused:
    """The work on a lease has come to the end of its leg: its run waits at a rung, and may go on later."""

    epoch: int
    reason: None = None
    word: ClassVar[str] = "paused"


Outcome = Ended | HandedBack | Paused


class Assignment(Protocol):
    """Decides what to train and receives the results. Its holder handles lease, training, clock and curves.

    Every method may be called again after a database outage, and raises LeaseLost where it writes.
    """

    progress: Progress
    seeds: range  # the seeds of the study that the repeats are trained with, one after another
    tested_by: Objective | None  # test the model where this improves; None: the test split is not for this run
    evaluation: Evaluation | None  # examine the best model of each repeat; if none is tested, see that one could

    keeps: bool  # the weights of each repeat's best epoch

    def adopt(self) -> Ended | None:
        """Take over what earlier holders left; return how the run ended if one of them only failed to record that."""

    def prepare(self) -> Mapping[str, Value]:
        """Choose the parameters to train and record them with the run, whose curves start again.

        Those that are fixed are among them.
        """

    def take_in(self, done: EpochDone) -> Step | None:
        """Add the epoch to `progress`; return what to record for a pruner, if anything.

        Raises:
            UnusableObjective: see `Progress.add`.
        """

    def is_hopeless(self, report: Step) -> bool:
        """Return whether to end the training after this report, which has been recorded."""

    def tell(self, ended: Ended) -> None:
        """Record the end of the run; called while its row is locked."""
