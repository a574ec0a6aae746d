"""The study that is confirmed under faults, and what its confirmation is held against."""

from dataclasses import replace
from itertools import islice

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
    replace(trial, run_id=200 + trial.run_id, number=None, stage=Stage.CONFIRMATION, facts={"confirmed_on": "test"})
    for trial in SEARCHED
]


def confirmed_study(winner: TrialRecord | None) -> StudyRecord:
    return replace(study_of(SEARCHED, confirmation={"top": 1, "repeats": 2}), winner=winner)


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
        ([], "confirmed {} in 0 runs, expected {'dropout': 1, 'dropconnect': 1}"),
        (CONFIRMED[:1], "confirmed {'dropout': 1} in 1 runs"),
        ([*CONFIRMED, CONFIRMED[0]], "'dropout': 2"),
        ([CONFIRMED[0], CONFIRMED[0]], "confirmed {'dropout': 2} in 2 runs"),
        ([CONFIRMED[0], replace(CONFIRMED[1], state=RunState.FAILED)], "confirmed {'dropout': 1} in 2 runs"),
        ([CONFIRMED[0], replace(CONFIRMED[1], facts={})], "run 301 was confirmed on None, expected test"),
    ],
)
def test_every_other_confirmation_is_told(runs: list[TrialRecord], words: str) -> None:
    [problem] = shortfalls(confirmed_study(CONFIRMED[0]), SEARCHED, runs)
    assert problem.startswith("digits-noise ")
    assert words in problem


def test_a_confirmation_has_a_winner() -> None:
    assert shortfalls(confirmed_study(None), SEARCHED, CONFIRMED) == ["digits-noise has no winner"]
