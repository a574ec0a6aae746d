"""A study whose confirmation was examined, with predictions that are drawn and figures that follow from them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from search_spaces import variant_of
from service.reports.found.results import Results
from service.storage.records import Examination, TrialRecord
from service.storage.states import RunState
from tests.reports.samples import study_of, trial_of
from tests.reports.test_confirmation import points_of, run_of

Floats = NDArray[np.float64]
INPUTS, CLASSES, PASSES = 120, 8, 20
SETS = {"test": ("test", 0), "held_out": ("semantic", 0), "noise_1": ("shift", 1), "noise_3": ("shift", 3)}
STRANGENESS = {"test": 0.0, "held_out": 0.8, "noise_1": 0.2, "noise_3": 0.5}  # of the sets: logits shrink
SKILL = {"none": 2.0, "dropconnect": 2.2, "pernodedrop-bernoulli-dynamic": 2.4, "pernodedrop-bernoulli-fixed": 1.9}


def logits_of(skill: float, inputs: str, repeat: int, noise: float, seed: int) -> tuple[Floats, NDArray[np.int64]]:
    """Logits (S, N, C) of the passes, and the labels; what is hard about an input is the same for all models."""
    hard = np.random.default_rng([7, list(SETS).index(inputs)])
    labels = hard.integers(0, CLASSES, INPUTS)
    shared = hard.normal(size=(INPUTS, CLASSES))
    random = np.random.default_rng([seed, repeat, list(SETS).index(inputs)])
    known = (1 - STRANGENESS[inputs]) * 2 * skill * np.eye(CLASSES)[labels]
    dense = known + shared + 0.3 * random.normal(size=(INPUTS, CLASSES))
    passes = PASSES if noise else 1
    return dense + noise * random.normal(size=(passes, INPUTS, CLASSES)), labels


def examined(run: TrialRecord, repeat: int, inputs: str, *, noise: float, sigmoid: bool = False) -> Examination:
    kind, _ = SETS[inputs]
    logits, labels = logits_of(SKILL.get(run.variant, 2.0), inputs, repeat, noise, run.run_id)
    if sigmoid:
        return _of_topics(run, repeat, inputs, logits, np.eye(CLASSES)[labels])
    each = special.log_softmax(logits, axis=-1)
    mean = special.logsumexp(each, axis=0) - np.log(len(each))
    total = special.entr(np.exp(mean)).sum(axis=-1)
    aleatoric = special.entr(np.exp(each)).sum(axis=-1).mean(axis=0)
    confidence, correct = np.exp(mean).max(axis=-1), (mean.argmax(axis=-1) == labels).astype(float)
    nll = -np.take_along_axis(mean, labels[:, None], axis=1)[:, 0]
    labelled = kind != "semantic"
    figures = {"size": 2.0 * INPUTS, "total": total.mean(), "aleatoric": aleatoric.mean()}
    figures |= {"epistemic": (total - aleatoric).mean(), "plug_in": (total - aleatoric).mean() * 0.9}
    if labelled:
        figures |= {"loss": nll.mean(), "loss_evaluated": nll.mean() + 0.01, "mean_loss": nll.mean() + 0.1}
        figures |= {"accuracy": correct.mean(), "ece": abs(confidence.mean() - correct.mean()), "brier": 0.2}
    if noise:
        figures |= {"joint_nll": nll.mean() * 0.99 if labelled else np.nan, "pass_correlation": 0.1}
    missing = np.full(INPUTS, np.nan)
    scores = {"confidence": confidence, "entropy": total, "epistemic": total - aleatoric}
    scores |= {"energy": -special.logsumexp(logits.mean(axis=0), axis=-1)}
    scores |= {"nll": nll if labelled else missing, "correct": correct if labelled else missing}
    if kind == "test":
        scores |= {"log_probabilities": mean, "targets": labels}
    return _examination(run, repeat, inputs, figures, scores, passes=len(logits), outputs="softmax")


def _of_topics(run: TrialRecord, repeat: int, inputs: str, logits: Floats, truth: Floats) -> Examination:
    mean = special.expit(logits).mean(axis=0)
    entropy = (special.entr(mean) + special.entr(1 - mean)).sum(axis=-1)
    correct = (mean.argmax(axis=-1) == truth.argmax(axis=-1)).astype(float)
    figures = {"size": float(INPUTS), "loss": float(((mean - truth) ** 2).mean()), "accuracy": correct.mean()}
    scores = {"confidence": mean.max(axis=-1), "entropy": entropy, "epistemic": 0 * entropy, "correct": correct}
    if inputs == "test":
        scores |= {"log_probabilities": np.log(mean), "targets": truth}
    return _examination(run, repeat, inputs, figures, scores, passes=len(logits), outputs="sigmoid")


def _examination(
    run: TrialRecord, repeat: int, inputs: str, figures: Mapping[str, Any], scores: Mapping[str, Any], **more: Any
) -> Examination:
    kind, level = SETS[inputs]
    return Examination(
        run_id=run.run_id,
        repeat=repeat,
        epoch=2,
        inputs=inputs,
        kind=kind,
        level=level,
        figures={name: float(value) for name, value in figures.items()},
        scores={name: np.asarray(value, np.float32) for name, value in scores.items()},
        **more,
    )


def known(
    variants: Sequence[str] = tuple(SKILL),
    repeats: int = 3,
    sets: Sequence[str] = tuple(SETS),
    *,
    sigmoid: bool = False,
) -> Results:
    """The results of a study that confirmed and examined these variants; those without noise predict by one pass."""
    runs = [run_of(place, variant) for place, variant in enumerate(variants)]
    searched = [trial_of(place, [0.1], params=dict(run.params)) for place, run in enumerate(runs)]
    curves = {
        run.run_id: points_of([0.3 - place / 100 + i / 50 for i in range(repeats)]) for place, run in enumerate(runs)
    }
    study = study_of(searched, confirmation={"repeats": repeats}, evaluation={"passes": PASSES})
    noises = {run.run_id: 0.0 if run.variant == "none" or run.variant.endswith("-fixed") else 1.0 for run in runs}
    examinations = [
        examined(run, repeat, inputs, noise=noises[run.run_id], sigmoid=sigmoid)
        for run in runs
        for repeat in range(repeats)
        for inputs in sets
    ]
    assert all(variant_of(run.params) == run.variant and run.state is RunState.COMPLETE for run in runs)
    return Results(study, searched, curves, runs, examinations=examinations)
