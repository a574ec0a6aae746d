"""The data that a report is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from search_spaces import Objective
from service.reports.found.epochs import Epoch, mean_epochs
from service.reports.found.ranking import RankingRow, in_order, ranking
from service.storage.records import CurvePoint, StudyRecord, TrialRecord
from service.storage.states import RunState


@dataclass(frozen=True)
class Results:
    """A study, its trials and their learning curves, with what several sections need from them.

    The trials are those of the search; the runs of the confirmation are apart, and few sections read them.
    """

    study: StudyRecord
    trials: Sequence[TrialRecord]
    curves: Mapping[int, Sequence[CurvePoint]]  # by run id; runs without one may be missing
    confirmations: Sequence[TrialRecord] = ()

    @property
    def objective(self) -> Objective:
        """The first objective, which decides."""
        return self.study.definition.objectives[0]

    @property
    def maximize(self) -> bool:
        return self.objective.maximizes

    @cached_property
    def best_first(self) -> list[TrialRecord]:
        """The complete trials with finite values, the best first."""
        return in_order(self.study, self.trials)

    @cached_property
    def ranking(self) -> list[RankingRow]:
        return ranking(self.study, self.trials)

    @property
    def variants(self) -> list[str]:
        """All variants, in the order of the ranking."""
        return [row.variant for row in self.ranking]

    @property
    def compared(self) -> list[str]:
        """The variants with a complete trial, in the order of the ranking."""
        return [row.variant for row in self.ranking if row.best_values is not None]

    def complete_of(self, variant: str) -> list[TrialRecord]:
        """The variant's complete trials, the best first."""
        return [trial for trial in self.best_first if trial.variant == variant]

    def count(self, state: RunState) -> int:
        return self.study.counts.get(state, 0)

    def mean_epochs(self, trial: TrialRecord) -> list[Epoch]:
        """The trial's epochs, each the mean over its repeats."""
        return mean_epochs(self.curves.get(trial.run_id, ()))


def value_of(trial: TrialRecord) -> float:
    """The first objective of a complete trial."""
    if trial.values is None:
        raise ValueError(f"trial {trial.number} has no value: it is {trial.state}")
    return trial.values[0]
