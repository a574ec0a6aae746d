"""Studies with known results, built without a database."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from search_spaces import parse_definition, variant_of
from service.storage.records import CurvePoint, StudyRecord, TrialRecord
from service.storage.states import RunState, StudyState

BEGIN = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SEARCH_SPACE = {
    "regularizer": {"type": "categorical", "choices": ["dropout", "gaussian_dropout", "dropconnect", "pernodedrop"]},
    "stir_type": {
        "type": "categorical",
        "choices": ["bernoulli", "gaussian", "partial_gaussian"],
        "when": {"regularizer": "pernodedrop"},
    },
    "mask_mode": {"type": "categorical", "choices": ["dynamic", "fixed"], "when": {"regularizer": "pernodedrop"}},
    "drop_rate": {"type": "float", "low": 0.0, "high": 0.9, "step": 0.1},
    "units": {"type": "categorical", "choices": [32, 64, 128]},
}
GAIN = {  # how far below Dropout's validation loss a variant comes in these invented results
    "dropout": 0.0,
    "gaussian_dropout": -0.01,
    "dropconnect": -0.04,
    "pernodedrop-bernoulli-dynamic": 0.03,
    "pernodedrop-gaussian-dynamic": 0.035,
    "pernodedrop-partial_gaussian-dynamic": 0.025,
    "pernodedrop-bernoulli-fixed": -0.02,
    "pernodedrop-gaussian-fixed": -0.025,
    "pernodedrop-partial_gaussian-fixed": -0.03,
}


def study_of(
    trials: Sequence[TrialRecord] = (), state: StudyState = StudyState.COMPLETE, **changes: Any
) -> StudyRecord:
    """A study record that agrees with its trials; `changes` go into the definition."""
    given = {
        "name": "digits-noise",
        "description": "Which noise serves a small network best?",
        "task": {"name": "digits", "epochs": 8},
        "search_space": SEARCH_SPACE,
        "fixed": {"learning_rate": 0.001, "batch_size": 64},
        "sampler": {"name": "tpe", "seed": 7},
        "budget": {"trials": max(1, len(trials))},
    }
    counts = {run_state.value: sum(trial.state is run_state for trial in trials) for run_state in RunState}
    return StudyRecord(
        id=1,
        name=changes.get("name", "digits-noise"),
        definition=parse_definition(given | changes),
        state=state,
        created_at=BEGIN,
        started_at=BEGIN + timedelta(seconds=2) if trials else None,
        finished_at=BEGIN + timedelta(seconds=95) if state is StudyState.COMPLETE else None,
        counts=counts,
        best=None,
        optuna_study_id=1,
    )


def trial_of(number: int, values: list[float] | None, **changes: Any) -> TrialRecord:
    """A complete trial of Dropout unless `changes` say otherwise."""
    params = changes.pop("params", {"regularizer": "dropout", "drop_rate": 0.3, "units": 64})
    given: dict[str, Any] = {
        "run_id": 100 + number,
        "number": number,
        "state": RunState.COMPLETE,
        "params": params,
        "variant": variant_of(params),
        "values": values,
        "best_epoch": 8,
        "epoch": 8,
        "attempts": 1,
        "reason": None,
        "worker": "node:17",
        "started_at": BEGIN + timedelta(seconds=3 * number),
        "finished_at": BEGIN + timedelta(seconds=3 * number + 3),
        "duration_s": 3.0,
        "spent_s": 2.5,
        "facts": {"backend": "mask", "parameters": 9098, "device": "cpu"},
    }
    return TrialRecord(**given | changes)


def params_of(variant: str, **more: Any) -> dict[str, Any]:
    """The parameters that make a variant."""
    if not variant.startswith("pernodedrop"):
        return {"regularizer": variant} | more
    regularizer, stir_type, mask_mode = variant.split("-")
    return {"regularizer": regularizer, "stir_type": stir_type, "mask_mode": mask_mode} | more


def curve_of(final: float, epochs: int, *, repeat: int = 0, gap: float = 0.1) -> list[CurvePoint]:
    """Losses that fall towards `final`, training `gap` below validation, with accuracies and times."""
    points = []
    for epoch in range(1, epochs + 1):
        validation = final + 1.5 * float(np.exp(-0.7 * epoch)) - 1.5 * float(np.exp(-0.7 * epochs))
        measured = {
            ("val", "loss"): validation,
            ("val", "accuracy"): 1 - validation / 3,
            ("train", "loss"): validation - gap * epoch / epochs,
            ("train", "accuracy"): 1 - (validation - gap * epoch / epochs) / 3,
            ("train", "seconds"): 0.4 if epoch == 1 else 0.2,
        }
        points += [CurvePoint(epoch, repeat, split, metric, value) for (split, metric), value in measured.items()]
    return points


def searched(
    count: int = 40, repeats: int = 1, seed: int = 0, gains: Mapping[str, float] = GAIN
) -> tuple[StudyRecord, list[TrialRecord], dict[int, list[CurvePoint]]]:
    """A study of `count` trials with some pruned and failed ones and a best rate of 0.4."""
    random = np.random.default_rng(seed)
    luck = random.normal(0, 0.02, size=repeats)
    trials: list[TrialRecord] = []
    curves: dict[int, list[CurvePoint]] = {}
    for number in range(count):
        variant = list(gains)[number % len(gains)]
        rate = round(0.1 * int(random.integers(0, 10)), 1)
        units = int(random.choice([32, 64, 128]))
        params = params_of(variant, drop_rate=rate, units=units, learning_rate=0.001, batch_size=64)
        finals = 0.3 - gains[variant] + 0.25 * (rate - 0.4) ** 2 + 0.5 / units + luck + random.normal(0, 0.01, repeats)
        if number % 11 == 10:
            reason = "training loss became infinite in epoch 1, step 17 (learning_rate 0.001): lower the learning rate"
            trials.append(trial_of(number, None, params=params, state=RunState.FAILED, epoch=1, reason=reason))
            continue
        pruned = number % 7 == 6
        epochs = 3 if pruned else 8
        backend = "mask" if variant.startswith("pernodedrop") else "torch"
        trial = trial_of(
            number,
            [float(finals.mean())],
            params=params,
            state=RunState.PRUNED if pruned else RunState.COMPLETE,
            epoch=epochs,
            facts={"backend": backend, "parameters": 150 * units, "device": "cpu"},
        )
        trials.append(trial)
        curves[trial.run_id] = [
            point
            for repeat, final in enumerate(finals)
            for point in curve_of(float(final), epochs, repeat=repeat, gap=0.15 - 0.1 * rate)
        ]
    return study_of(trials, repeats=repeats), trials, curves
