"""The study that is confirmed under faults, and what its confirmation is held against."""

from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from search_spaces import parse_definition
from search_spaces.variants import variants_of
from service.storage.records import StudyRecord, TrialRecord
from service.storage.states import RunState, Stage
from tests.chaos.confirmations import shortfalls
from tests.chaos.definitions import definitions, poison
from tests.reports.samples import params_of, study_of, trial_of

VARIANTS = ("dropout", "dropconnect")
SEARCHED = [trial_of(place, [0.3], params=params_of(variant)) for place, variant in enumerate(VARIANTS)]
CONFIRMED = [
    replace(
        trial,
        run_id=200 + number,
        number=None,
        stage=Stage.CONFIRMATION,
        first_seed=first,
        seeds=seeds,
        facts={"confirmed_on": "test"},
    )
    for number, (trial, first, seeds) in enumerate(
        [(SEARCHED[0], 1, 2), (SEARCHED[1], 1, 2), (SEARCHED[0], 3, 1), (SEARCHED[0], 4, 1)]
    )
]
VERDICT = {"outcome": "winner", "seeds": 4, "recommended": 200, "left": [200]}
LOOKS = ((2, "sequential"), (3, "sequential"), (4, "sequential"))


def confirmed_study(winner: TrialRecord | None, **changes: Any) -> StudyRecord:
    study = study_of(SEARCHED, confirmation={"top": 1, "repeats": 2, "until": "decided"})
    return replace(study, **{"winner": winner, "decision": VERDICT, "looks": LOOKS, **changes})


def test_the_first_studies_are_valid_and_one_confirms_each_of_its_variants() -> None:
    first = [parse_definition(data) for data in (poison(7), *islice(definitions(7), 6))]
    [study] = [definition for definition in first if definition.confirmation is not None]
    assert study.trials == len(variants_of(study.search_space, study.fixed)) > 1
    assert study.confirmation is not None
    assert study.confirmation.top == 1


def test_a_whole_confirmation_lacks_nothing() -> None:
    assert shortfalls(confirmed_study(CONFIRMED[0]), SEARCHED, CONFIRMED) == []


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        (CONFIRMED[:1] + CONFIRMED[2:], "confirmed {'dropout': 4} in 3 runs, expected ['dropconnect', 'dropout']"),
        ([*CONFIRMED[:3], replace(CONFIRMED[3], state=RunState.FAILED, seeds=0)], "in 4 runs, expected"),
        (CONFIRMED[:3], "has {'dropout': 3} seeds, expected 4 of each that is left"),
        ([*CONFIRMED[:3], replace(CONFIRMED[3], facts={})], "run 203 was confirmed on None, expected test"),
    ],
)
def test_every_other_confirmation_is_told(runs: list[TrialRecord], words: str) -> None:
    problem = shortfalls(confirmed_study(CONFIRMED[0]), SEARCHED, runs)[0]
    assert problem.startswith("digits-noise ")
    assert words in problem


def test_a_confirmation_has_a_winner() -> None:
    assert shortfalls(confirmed_study(None), SEARCHED, CONFIRMED) == ["digits-noise has no winner"]


def test_a_decided_confirmation_has_a_verdict_after_its_last_look_and_was_extended() -> None:
    [problem] = shortfalls(confirmed_study(CONFIRMED[0], decision=None), SEARCHED, CONFIRMED)
    assert problem.startswith("digits-noise has the verdict None and the looks ((2, 'sequential'), (3, ")
    three = {"outcome": "undecided", "seeds": 2, "recommended": 200, "left": [200, 201]}
    study = confirmed_study(CONFIRMED[0], decision=three, looks=LOOKS[:1])
    assert shortfalls(study, SEARCHED, CONFIRMED[:2]) == ["digits-noise was not extended: it has 2 seeds, expected 4"]
