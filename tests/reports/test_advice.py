"""The remedy fits the state of the study."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from service.reports.found.comparison import compare
from service.reports.found.results import Results
from service.reports.words.advice import to_decide
from service.reports.words.conclusion import conclusion
from service.storage.records import TrialRecord
from service.storage.states import RunState, StudyState
from tests.reports.samples import params_of, study_of, trial_of
from tests.reports.test_confirmation import CLEAR, CLOSE, results_of

RUNNING, PAUSED, STOPPED, COMPLETE = StudyState.RUNNING, StudyState.PAUSED, StudyState.STOPPED, StudyState.COMPLETE
VARIANTS = ("dropout", "dropconnect")
ASKED = {"confirmation": {"repeats": 4}}
TWO = {"objectives": [{"metric": "val_loss"}, {"metric": "val_accuracy", "direction": "maximize"}]}
GRID = {"sampler": {"name": "grid"}, "search_space": {"regularizer": {"type": "categorical", "choices": [*VARIANTS]}}}
CONFIRM = "`pernodedrop confirm digits-noise --repeats 10`"
RESUME = "`pernodedrop resume digits-noise` lets it go on."
AGAIN = "submit it under another name with confirmation: {top: 1, repeats: 10}."


def searched(
    state: StudyState, states: Mapping[str, RunState], confirming: Mapping[str, int] | None = None, **changes: Any
) -> Results:
    """A study whose variants have one trial each; of its confirmation nothing is complete."""
    trials: list[TrialRecord] = []
    for number, (variant, ended) in enumerate(states.items()):
        reason = "out of memory" if ended is RunState.FAILED else None
        values = [0.3] * len(changes.get("objectives", [0])) if ended is RunState.COMPLETE else None
        trials.append(trial_of(number, values, params=params_of(variant), state=ended, reason=reason))
    study = replace(study_of(trials, state, **changes), confirmation=confirming or {})
    begun = [trial for trial in trials if trial.state is not RunState.WAITING]
    return Results(study, begun, {})


BOTH = dict.fromkeys(VARIANTS, RunState.COMPLETE)
OPEN = {**BOTH, "gaussian_dropout": RunState.WAITING}

# What the last sentence is of a study without a figure of a confirmation.
ADVICE: dict[str, tuple[Results, str]] = {
    "searching": (searched(RUNNING, OPEN), f"have the best of each trained again .* has ended: {CONFIRM}."),
    "paused": (searched(PAUSED, OPEN), f"{CONFIRM}. The study is paused: {RESUME}"),
    "ended": (searched(COMPLETE, BOTH), f"train the best configuration of each again .*: {CONFIRM}."),
    "stopped": (searched(STOPPED, BOTH), f"cannot be confirmed. To find out which variant is better, {AGAIN}"),
    "to be confirmed": (
        searched(RUNNING, OPEN, **ASKED),
        "When the search has ended, the best configurations are trained again under 4 fresh seeds: that will decide.",
    ),
    "to be confirmed, paused": (searched(PAUSED, OPEN, **ASKED), f"that will decide. It is paused: {RESUME}"),
    "confirming": (
        searched(RUNNING, BOTH, {"running": 1, "failed": 1, "waiting": 1}, **ASKED),
        "The best configurations are being confirmed: 1 of 3 runs have ended.",
    ),
    "confirming, paused": (searched(PAUSED, BOTH, {"waiting": 2}, **ASKED), f"0 of 2 runs have ended. .*{RESUME}"),
    "confirmed in vain": (
        searched(COMPLETE, BOTH, {"failed": 2}, **ASKED),
        "mend what makes them fail, then .* `pernodedrop confirm digits-noise --top 2`.",
    ),
    "several objectives": (searched(COMPLETE, BOTH, **TWO), "none can be confirmed: choose from the front yourself"),
    "one variant": (
        searched(COMPLETE, {"dropout": RunState.COMPLETE}),
        "submit a study that has others beside it, such as none, the control without noise.",
    ),
    "one variant so far": (
        searched(RUNNING, {"dropout": RunState.COMPLETE, "dropconnect": RunState.WAITING}),
        "1 trial of the search may still bring another.",
    ),
    "one variant of two": (
        searched(COMPLETE, {"dropout": RunState.COMPLETE, "dropconnect": RunState.PRUNED}),
        "To give the others more trials: `pernodedrop extend digits-noise --trials 2`.",
    ),
    "one variant of two in a grid": (
        searched(COMPLETE, {"dropout": RunState.COMPLETE, "dropconnect": RunState.FAILED}, **GRID),
        "submit the study under another name with more trials.",
    ),
    "all failed": (
        searched(COMPLETE, dict.fromkeys(VARIANTS, RunState.FAILED)),
        "2 trials failed. Mend .* add as many trials: `pernodedrop extend digits-noise --trials 2`.",
    ),
    "all failed, stopped": (
        searched(STOPPED, dict.fromkeys(VARIANTS, RunState.FAILED)),
        "Mend what makes them fail, then submit the study under another name.",
    ),
    "all pruned": (
        searched(COMPLETE, dict.fromkeys(VARIANTS, RunState.PRUNED)),
        "submit the study under another name with another pruner, or one that begins later.",
    ),
    "all cancelled": (
        searched(STOPPED, dict.fromkeys(VARIANTS, RunState.CANCELLED)),
        "No trial was trained to its end: submit the study under another name.",
    ),
    "to be confirmed, stopped": (searched(STOPPED, BOTH, **ASKED), "better, submit it under another name."),
    "confirming, stopped": (
        searched(STOPPED, BOTH, {"cancelled": 2}, **ASKED),
        "cannot be confirmed. To find out which variant is better, submit it under another name.",
    ),
}


@pytest.mark.parametrize("name", ADVICE)
def test_the_remedy_fits_the_study(name: str) -> None:
    results, words = ADVICE[name]
    assert told(words, conclusion(results, compare(results))[-1])


ASKS_FOR_ONE = ("pernodedrop confirm", "with confirmation:")


@pytest.mark.parametrize("state", StudyState)
@pytest.mark.parametrize("confirming", [{}, {"running": 1, "waiting": 1}, {"complete": 1, "waiting": 1}])
def test_a_study_with_a_confirmation_is_never_told_to_add_one(state: StudyState, confirming: dict[str, int]) -> None:
    trials = OPEN if state in (RUNNING, PAUSED) else BOTH
    if state is COMPLETE:
        confirming = {"failed": 2}  # what has ended without a result is asked for further configurations
    results = searched(state, trials, confirming, **ASKED)
    advised = to_decide(results.study)
    if state is COMPLETE:
        assert "--top 2" in advised
    else:
        assert not any(words in advised for words in ASKS_FOR_ONE), advised


def told(words: str, said: str) -> bool:
    """Whether the parts of `words` between ".*" stand in the sentence, one after the other."""
    place = 0
    for part in words.split(".*"):
        place = said.find(part.strip(), place)
        if place < 0:
            return False
    return True


def test_nothing_is_advised_while_a_search_has_no_complete_trial() -> None:
    results = searched(RUNNING, {"dropout": RunState.FAILED, "dropconnect": RunState.WAITING})
    assert conclusion(results, None) == []


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (STOPPED, "submit it under another name."),
        (PAUSED, RESUME),
        (RUNNING, "The best configurations are being confirmed"),
    ],
)
def test_a_confirmation_that_has_not_ended_says_what_it_waits_for(state: StudyState, words: str) -> None:
    results = results_of(CLEAR, state)
    results = replace(results, study=replace(results.study, confirmation={"complete": 1, "waiting": 1}))
    *_, last = conclusion(results, None)
    assert words in last


def test_a_confirmation_that_has_ended_is_not_asked_for_again() -> None:
    decided, undecided = (" ".join(conclusion(results_of(values), None)) for values in (CLEAR, CLOSE))
    assert "pernodedrop" not in decided
    assert "`pernodedrop confirm digits-noise --" in undecided
    assert "add confirmation" not in undecided


def test_a_study_that_is_searched_further_confirms_what_that_adds() -> None:
    study = replace(study_of([], RUNNING, **ASKED), counts={"waiting": 3}, confirmation={"complete": 2})
    assert to_decide(study).startswith("When the search has ended, the best configurations are trained again")
