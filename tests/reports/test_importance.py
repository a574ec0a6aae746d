"""Which parameters matter."""

from dataclasses import replace

import numpy as np
import pytest

from service.reports.found.importance import FEWEST_TRIALS, importances
from service.reports.found.results import Results
from service.reports.sections.importance import importance
from service.storage.records import TrialRecord
from service.storage.states import Origin
from tests.reports.samples import params_of, study_of, trial_of

DROPOUT = {"regularizer": "dropout"}
SPACE = {
    "drop_rate": {"type": "float", "low": 0.0, "high": 0.9},
    "units": {"type": "int", "low": 8, "high": 64},
    "activation": {"type": "categorical", "choices": ["relu", "tanh"]},
}


def trials_where_the_rate_decides(count: int) -> list[TrialRecord]:
    random = np.random.default_rng(5)
    trials = []
    for number in range(count):
        rate = float(random.uniform(0, 0.9))
        more = {"units": int(random.integers(8, 65)), "activation": str(random.choice(["relu", "tanh"]))}
        trials.append(trial_of(number, [(rate - 0.3) ** 2], params=params_of("dropout", drop_rate=rate, **more)))
    return trials


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_parameter_that_decides_comes_first(direction: str) -> None:
    trials = trials_where_the_rate_decides(60)
    study = study_of(
        trials, search_space=SPACE, fixed=DROPOUT, objectives=[{"metric": "val_loss", "direction": direction}]
    )
    shares = importances(study.definition, trials)
    assert next(iter(shares)) == "drop_rate"
    assert set(shares) == set(SPACE)
    assert sum(shares.values()) == pytest.approx(1)


def test_too_few_trials_tell_nothing() -> None:
    trials = trials_where_the_rate_decides(FEWEST_TRIALS - 1)
    assert importances(study_of(trials, search_space=SPACE, fixed=DROPOUT).definition, trials) == {}


def test_parameters_that_did_not_vary_are_left_out() -> None:
    trials = [trial_of(n, [n / 7], params=params_of("dropout", drop_rate=0.5)) for n in range(20)]
    assert importances(study_of(trials, search_space=SPACE, fixed=DROPOUT).definition, trials) == {}


def test_one_parameter_with_several_ranges() -> None:
    space = {
        "regularizer": {"type": "categorical", "choices": ["dropout", "dropconnect"]},
        "mild": {
            "type": "float",
            "low": 0.0,
            "high": 0.3,
            "parameter": "drop_rate",
            "when": {"regularizer": "dropout"},
        },
        "wild": {
            "type": "float",
            "low": 0.5,
            "high": 0.9,
            "parameter": "drop_rate",
            "when": {"regularizer": "dropconnect"},
        },
    }
    random = np.random.default_rng(1)
    trials = []
    for number in range(40):
        variant, low, high = (("dropout", 0.0, 0.3), ("dropconnect", 0.5, 0.9))[number % 2]
        rate = float(random.uniform(low, high))
        trials.append(trial_of(number, [rate], params=params_of(variant, drop_rate=rate)))
    assert set(importances(study_of(trials, search_space=space).definition, trials)) == {"regularizer", "drop_rate"}


def test_why_nothing_is_weighed_is_said() -> None:
    """Not that nothing was varied, where all trials are alike."""
    alike = [replace(trial, values=[0.5]) for trial in trials_where_the_rate_decides(20)]
    said = str(importance(Results(study_of(alike, search_space=SPACE, fixed=DROPOUT), alike, {})))
    assert "Fewer than two parameters" not in said
    assert "Nothing tells the parameters of the best trials" in said
    same = [trial_of(n, [n / 7], params=params_of("dropout", drop_rate=0.5)) for n in range(20)]
    study = study_of(same, search_space=SPACE, fixed=DROPOUT)
    assert "Fewer than two parameters" in str(importance(Results(study, same, {})))


def test_trials_outside_of_the_search_space_do_not_count() -> None:
    trials = trials_where_the_rate_decides(20)
    given = [replace(trial, origin=Origin.OUTSIDE) if place else trial for place, trial in enumerate(trials)]
    said = str(importance(Results(study_of(given, search_space=SPACE, fixed=DROPOUT), given, {})))
    assert "1 complete trial cannot show it: at least 10 are needed" in said
