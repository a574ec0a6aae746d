"""The data that a report is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from search_spaces import Objective
from service.reports.found.epochs import Best, Epoch, Epochs, epochs_of
from service.reports.found.knowledge import Knowledge, knowledge_of
from service.reports.found.ranking import RankingRow, by_variant, in_order, pareto_front, ranking
from service.storage.provenance import Provenance
from service.storage.records import CurvePoint, Examination, StudyRecord, TrialRecord, Weights
from service.storage.states import RunState
from service.storage.studies.columns import CurveColumns


@dataclass(frozen=True)
class Results:
    """A study, its trials and their learning curves, with what several sections need from them.

    The trials are those of the search; the runs of the confirmation are apart, and few sections read them.
    """

    study: StudyRecord
    trials: Sequence[TrialRecord]
    curves: Mapping[int, Sequence[CurvePoint]] | CurveColumns  # by run id; runs without one may be missing
    confirmations: Sequence[TrialRecord] = ()
    every_trial: int = 1  # only each such one of the search's queue is here, and the best ones
    every_curve: int = 1  # only each such one of them has its curve here, and the best ones
    examinations: Sequence[Examination] = ()  # what the confirmation's models say of sets of inputs
    provenances: Mapping[str, Provenance] = field(default_factory=dict)  # where runs came from, by digest
    weights: Mapping[int, Sequence[Weights]] = field(default_factory=dict)  # what runs have kept, by run

    @property
    def objective(self) -> Objective:
        """The first objective, which decides."""
        return self.study.definition.objectives[0]

    @property
    def maximize(self) -> bool:
        return self.objective.maximizes

    @cached_property
    def epochs(self) -> Epochs:
        """What every epoch of every run measured."""
        return epochs_of(self.curves)

    @cached_property
    def best_values(self) -> Best:
        """The first objective at the best epoch of every training."""
        return self.epochs.best(self.objective)

    @cached_property
    def best_first(self) -> list[TrialRecord]:
        """The complete trials with finite values, the best first."""
        return in_order(self.study, self.trials)

    @cached_property
    def front(self) -> list[TrialRecord]:
        """The complete trials that no other dominates, by the first objective; [] with a single objective."""
        return pareto_front(self.study, self.best_first)

    @cached_property
    def ranking(self) -> list[RankingRow]:
        return ranking(self.study, self.trials, self.best_first)

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
        return self._complete.get(variant, [])

    @property
    def complete(self) -> Mapping[str, list[TrialRecord]]:
        """The complete trials of every compared variant, in the order of the ranking, the best first."""
        return {variant: self.complete_of(variant) for variant in self.compared}

    @cached_property
    def _complete(self) -> Mapping[str, list[TrialRecord]]:
        return by_variant(self.best_first)

    @cached_property
    def knowledge(self) -> Knowledge | None:
        """What the examinations found; None where the study has none."""
        return knowledge_of(self.study.definition, self.confirmations, self.examinations)

    def count(self, state: RunState) -> int:
        return self.study.counts.get(state, 0)

    def mean_epochs(self, trial: TrialRecord) -> list[Epoch]:
        """The trial's epochs, each the mean over its repeats."""
        return self.epochs.mean_of(trial.run_id)


def value_of(trial: TrialRecord) -> float:
    """The first objective of a complete trial."""
    if trial.values is None:
        raise ValueError(f"trial {trial.number} has no value: it is {trial.state}")
    return trial.values[0]
