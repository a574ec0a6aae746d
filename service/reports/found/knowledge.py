"""What the models of the confirmation know: of the test split, and of inputs that they were not trained for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from search_spaces import StudyShape
from service.reports.found.configurations import configurations, in_order
from service.statistics import (
    Ensemble,
    Estimate,
    Interval,
    Reliability,
    RiskCoverage,
    average_precision,
    detection,
    ensemble_of,
    mean_interval,
    over_seeds_and_inputs,
    prevalence,
    reliability,
    resampled,
    risk_coverage,
)
from service.storage.records import Examination, TrialRecord, seeds_of
from service.storage.states import RunState

HOME = "test"  # the kind of the model's own inputs
SHIFT = "shift"
SCORES = ("confidence", "entropy", "epistemic", "energy")
CONTROLS = ("none", "dropout")  # variants that the others are compared with; the first that was examined
Floats = NDArray[np.float64]
Estimates = dict[str, tuple[Estimate, Estimate | None]]  # by figure: it, and its difference to the control's


@dataclass(frozen=True)
class InputSet:
    """A set of inputs that models were examined on."""

    name: str
    kind: str  # test, shift, semantic, far
    level: int  # 1 to 5 of a shift, else 0

    @property
    def family(self) -> str:
        """The shift that it is a level of: "gaussian_noise" of "gaussian_noise_3"."""
        return self.name.removesuffix(f"_{self.level}") if self.kind == SHIFT else self.name


@dataclass(frozen=True)
class Examined:
    """One configuration with what the model of every seed says of each set."""

    trial: TrialRecord
    seeds: Mapping[str, tuple[Examination, ...]]  # by the set's name, in the order of the seeds

    def values(self, inputs: str, figure: str) -> list[float]:
        """The figure under each seed; empty where a seed lacks it."""
        each = [seed.figures.get(figure, np.nan) for seed in self.seeds.get(inputs, ())]
        return each if np.isfinite(each).all() else []

    def mean(self, inputs: str, figure: str) -> float | None:
        values = self.values(inputs, figure)
        return float(np.mean(values)) if values else None

    def interval(self, inputs: str, figure: str) -> Interval | None:
        """The interval of the mean over seeds; None with one."""
        values = self.values(inputs, figure)
        return mean_interval(values) if len(values) > 1 else None

    def passes(self, inputs: str) -> int:
        return max(seed.passes for seed in self.seeds[inputs])

    def scores(self, inputs: str, score: str) -> list[Floats] | None:
        """The scores of single inputs under each seed; None where one lacks them, or has one that is not finite."""
        each = [seed.scores.get(score) for seed in self.seeds.get(inputs, ())]
        found = [np.asarray(scores, np.float64) for scores in each if scores is not None and len(scores)]
        whole = bool(found) and len(found) == len(each) and all(np.isfinite(scores).all() for scores in found)
        return found if whole else None


@dataclass(frozen=True)
class Detected:
    """How well one score tells a set from the model's own inputs: (resamples + 1, seeds) each, the sample first."""

    auroc: Floats
    fpr: Floats  # of the set that is accepted where 95 % of the own inputs are
    aupr: float  # mean over seeds
    prevalence: float


@dataclass(frozen=True)
class Ensembled:
    """The deep ensemble of a configuration's seeds beside the mean of its single models, on the same inputs."""

    ensemble: Ensemble
    singles: tuple[Ensemble, ...]
    inputs: int


@dataclass(frozen=True)
class Knowledge:
    """Every configuration that was examined under all its seeds, the least loss on its own inputs first.

    Configurations have equally many seeds, or a decided confirmation has dropped some: those have the first of them.
    """

    found: tuple[Examined, ...]
    sets: tuple[InputSet, ...]  # the own inputs first
    repeats: int  # seeds of the configuration that has the most
    _detected: dict[tuple[int, str, str, bool], Detected | None] = field(default_factory=dict, compare=False)

    @property
    def home(self) -> str:
        """The name of the model's own inputs: test, or val where the task has no test split."""
        return self.sets[0].name

    @property
    def fewest(self) -> int:
        """The seeds of the configuration that has the fewest."""
        return min(len(one.seeds[self.home]) for one in self.found)

    @cached_property
    def control(self) -> Examined:
        """The configuration that others are compared with: without noise where there is one."""
        by_variant = {one.trial.variant: one for one in reversed(self.found)}
        return next((by_variant[name] for name in CONTROLS if name in by_variant), self.found[0])

    @property
    def best(self) -> list[Examined]:
        """The first configuration of every variant."""
        by_variant: dict[str, Examined] = {}
        for one in self.found:
            by_variant.setdefault(one.trial.variant, one)
        return list(by_variant.values())

    @property
    def strange(self) -> list[InputSet]:
        """The sets whose inputs belong to no class of the model's."""
        return [each for each in self.sets if each.kind not in (HOME, SHIFT)]

    @property
    def shifts(self) -> dict[str, list[InputSet]]:
        """The levels of every shift."""
        by_family: dict[str, list[InputSet]] = {}
        for each in sorted(self.sets, key=lambda each: each.level):
            if each.kind == SHIFT:
                by_family.setdefault(each.family, []).append(each)
        return by_family

    def sizes(self, inputs: str) -> tuple[int, int]:
        """How many inputs have scores, and how many the whole set has."""
        first = next(one.seeds[inputs][0] for one in self.found if inputs in one.seeds)
        scored = max((len(scores) for scores in first.scores.values()), default=0)
        size = first.figures.get("size", np.nan)
        return scored, int(size) if np.isfinite(size) else scored

    def detected(self, one: Examined, inputs: str, score: str, *, resamples: bool = True) -> Detected | None:
        """How well a score of this configuration tells a set from its own inputs; None where it has no such score.

        All configurations and seeds are judged by the same resamples of the inputs, so that they are paired.
        """
        key = (one.trial.run_id, inputs, score, resamples)
        if key not in self._detected:
            self._detected[key] = self._judged(one, inputs, score, resamples)
        return self._detected[key]

    def estimates(self, one: Examined, inputs: str, score: str) -> Estimates | None:
        """AUROC and false positive rate, each with its difference to the control's under the seeds of both.

        The control has no difference.
        """
        found, control = self.detected(one, inputs, score), self.detected(self.control, inputs, score)
        if found is None:
            return None
        told: Estimates = {}
        for name, drawn, other in (
            ("auroc", found.auroc, None if control is None else control.auroc),
            ("fpr", found.fpr, None if control is None else control.fpr),
        ):
            against = None if other is None or one is self.control else over_seeds_and_inputs(_paired(drawn, other))
            told[name] = (over_seeds_and_inputs(drawn).of_share, against)
        return told

    def detections(self) -> Iterator[tuple[Examined, InputSet, str, Detected, Estimates]]:
        """Every configuration, set other than its own inputs, and score, where it has that score."""
        for inputs in self.sets[1:]:
            for one in self.found:
                for score in SCORES:
                    found, told = self.detected(one, inputs.name, score), self.estimates(one, inputs.name, score)
                    if found is not None and told is not None:
                        yield one, inputs, score, found, told

    def ensemble(self, one: Examined) -> Ensembled | None:
        """The deep ensemble of the seeds; None with one seed, or where no predictions are kept."""
        seeds = one.seeds[self.home]
        kept = [(seed.scores.get("log_probabilities"), seed.scores.get("targets")) for seed in seeds]
        logs = [given for given, _ in kept if given is not None and np.isfinite(given).all()]
        targets = [given for _, given in kept if given is not None]
        alike = len(logs) == len(targets) == len(seeds) > 1
        if not alike or any(not np.array_equal(targets[0], other) for other in targets):
            return None
        stacked, kind = np.stack(logs), _kind(seeds[0])
        singles = tuple(ensemble_of(stacked[i : i + 1], targets[0], kind) for i in range(len(stacked)))
        return Ensembled(ensemble_of(stacked, targets[0], kind), singles, stacked.shape[1])

    def reliability(self, one: Examined) -> Reliability | None:
        """Confidence and frequency of the own inputs, all seeds' together; of sigmoids every decision is an event."""
        is_multi_label = _kind(one.seeds[self.home][0]) == "sigmoid"
        name, outcome = ("log_probabilities", "targets") if is_multi_label else ("confidence", "correct")
        confidence, correct = one.scores(self.home, name), one.scores(self.home, outcome)
        if confidence is None or correct is None:
            return None
        given = [np.exp(each) for each in confidence] if is_multi_label else confidence
        found = [reliability(c.ravel(), truth.ravel()) for c, truth in zip(given, correct, strict=True)]
        return sum(found[1:], start=found[0])

    def risks(self, one: Examined) -> list[RiskCoverage] | None:
        """The risk-coverage curve of the own inputs under each seed."""
        confidence, correct = one.scores(self.home, "confidence"), one.scores(self.home, "correct")
        if confidence is None or correct is None:
            return None
        return [risk_coverage(*seed) for seed in zip(confidence, correct, strict=True)]

    def _judged(self, one: Examined, inputs: str, score: str, resamples: bool) -> Detected | None:
        inside, outside = one.scores(self.home, score), one.scores(inputs, score)
        if inside is None or outside is None or len(inside) != len(outside):
            return None
        pairs = [(_strangeness(i, score), _strangeness(o, score)) for i, o in zip(inside, outside, strict=True)]
        counts = (resampled(len(inside[0]), 0), resampled(len(outside[0]), 1)) if resamples else (None, None)
        each = [detection(*pair, *counts) for pair in pairs]
        return Detected(
            np.stack([found.auroc for found in each], axis=1),
            np.stack([found.fpr for found in each], axis=1),
            float(np.mean([average_precision(*pair) for pair in pairs])),
            prevalence(*pairs[0]),
        )


def knowledge_of(
    definition: StudyShape, confirmations: Iterable[TrialRecord], examinations: Sequence[Examination]
) -> Knowledge | None:
    """What was found; None before the first configuration was examined under all its seeds on its own inputs."""
    home = next((each.inputs for each in examinations if each.kind == HOME), None)
    if home is None or definition.confirmation is None:
        return None
    by_set: dict[str, dict[int, dict[int, Examination]]] = {}
    for each in examinations:
        by_set.setdefault(each.inputs, {}).setdefault(each.run_id, {})[each.repeat] = each
    found = []
    for first, *later in configurations(definition, confirmations):
        runs = [first, *(run for run in later if run.state is RunState.COMPLETE)]
        sets = {name: tuple(in_order(definition, runs, by_run)) for name, by_run in by_set.items()}
        seeds = len(sets[home])
        if seeds >= max(1, len(seeds_of(definition, first))):
            found.append(Examined(first, {name: each[:seeds] for name, each in sets.items() if len(each) >= seeds}))
    if not found:
        return None
    found.sort(key=lambda one: (_loss(one, home), one.trial.run_id))
    names = {InputSet(e.inputs, e.kind, e.level): None for one in found for seeds in one.seeds.values() for e in seeds}
    ordered = sorted(
        names, key=lambda each: (each.kind != HOME, each.kind == SHIFT, each.kind, each.family, each.level)
    )
    return Knowledge(tuple(found), tuple(ordered), max(len(one.seeds[home]) for one in found))


def _paired(drawn: Floats, other: Floats) -> Floats:
    """The differences (resamples + 1, seeds) under the seeds that both have."""
    seeds = min(drawn.shape[1], other.shape[1])
    return drawn[:, :seeds] - other[:, :seeds]


def _kind(examination: Examination) -> Literal["softmax", "sigmoid"]:
    return "sigmoid" if examination.outputs == "sigmoid" else "softmax"


def _loss(one: Examined, home: str) -> float:
    loss = one.mean(home, "loss")
    return np.inf if loss is None else loss


def _strangeness(scores: Floats, score: str) -> Floats:
    """The score with the sign that makes more stranger."""
    return -scores if score == "confidence" else scores
