"""The winner is named from the confirmation, with as much certainty as its seeds allow."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.reports import html_report
from service.reports.found.comparison import compare
from service.reports.found.confirmed import Confirmation, Confirmed, confirmation_of
from service.reports.found.results import Results
from service.reports.words.conclusion import conclusion
from service.reports.words.naming import names
from service.reports.words.varying import spoken_of
from service.reports.words.winner import verdict_of
from service.storage.records import CurvePoint, TrialRecord
from service.storage.states import RunState, Stage, StudyState
from tests.reports.reading import Page
from tests.reports.samples import params_of, study_of, trial_of

EPOCHS = 3


def run_of(place: int, variant: str, drop_rate: float = 0.2) -> TrialRecord:
    run = trial_of(1000 + place, [0.0], params=params_of(variant, drop_rate=drop_rate))
    return replace(run, number=None, stage=Stage.CONFIRMATION)


def points_of(tested: Sequence[float], *, has_test: bool = True) -> list[CurvePoint]:
    """A training a seed whose second epoch is the best by validation; the test split knows better ones."""
    points = []
    for repeat, value in enumerate(tested):
        for epoch in range(1, EPOCHS + 1):
            points.append(CurvePoint(epoch, repeat, "val", "loss", 0.5 + abs(epoch - 2)))
            if has_test:
                points.append(CurvePoint(epoch, repeat, "test", "loss", value if epoch == 2 else value / 9))
                points.append(CurvePoint(epoch, repeat, "test", "accuracy", 1 - value))
    return points


def results_of(found: Mapping[str, Sequence[float]], state: StudyState = StudyState.COMPLETE) -> Results:
    """The searched best of every variant, and its confirmation with these test losses."""
    searched = [trial_of(place, [0.1], params=params_of(variant)) for place, variant in enumerate(found)]
    runs = [run_of(place, variant) for place, variant in enumerate(found)]
    curves = {run.run_id: points_of(found[run.variant]) for run in runs}
    seeds = len(next(iter(found.values())))
    return Results(study_of(searched, state, confirmation={"repeats": seeds}), searched, curves, runs)


def confirmed(results: Results) -> Confirmation:
    found = confirmation_of(results)
    assert found is not None
    return found


CLEAR = {"dropout": [0.30, 0.31, 0.29, 0.30, 0.30], "dropconnect": [0.11, 0.12, 0.10, 0.11, 0.10]}
CLOSE = {"dropout": [0.30, 0.10, 0.25, 0.15, 0.20], "dropconnect": [0.20, 0.22, 0.19, 0.16, 0.21]}


def test_the_test_split_counts_where_validation_is_best() -> None:
    found = confirmed(results_of(CLEAR))
    assert (found.metric, found.metrics, found.is_tested) == (
        "test_loss",
        ("test_loss", "test_accuracy"),
        True,
    )
    assert found.winner.trial.variant == "dropconnect"
    assert found.winner.figures["test_loss"] == tuple(CLEAR["dropconnect"])
    assert found.seeds == 5


def test_a_clear_winner_is_named_without_reserve() -> None:
    results = results_of(CLEAR)
    said = conclusion(results, compare(results))
    assert said[0].startswith("dropconnect wins the confirmation: mean test_loss 0.1080 (")
    assert "over 5 fresh seeds" in said[0]
    assert said[1].startswith("It is better than dropout: ")
    assert "test split" in said[2]


def test_overlapping_intervals_are_told() -> None:
    results = results_of(CLOSE)
    first, *rest = conclusion(results, compare(results))
    said = " ".join(rest)
    assert re.match(r"No winner yet\. drop\w+ is ahead: mean test_loss [\d.]+ \(", first)
    assert "Its lead over dropconnect may be luck" in said or "Its lead over dropout may be luck" in said
    assert "is better than" not in said


@pytest.mark.parametrize(
    ("state", "words"),
    [(StudyState.STOPPED, "stopped"), (StudyState.RUNNING, "has not ended"), (StudyState.PAUSED, "has not ended")],
)
def test_before_its_end_nobody_wins(state: StudyState, words: str) -> None:
    results = results_of(CLEAR, state)
    [said] = verdict_of(results, confirmed(results))
    assert words in said
    assert "no winner is named" in said


def test_a_run_without_every_seed_is_left_out() -> None:
    results = results_of(CLEAR)
    short = results.confirmations[1]
    curves = {**results.curves, short.run_id: points_of(CLEAR["dropconnect"][:3])}
    found = confirmed(Results(results.study, results.trials, curves, results.confirmations))
    assert [one.trial.variant for one in found.found] == ["dropout"]


def test_without_a_test_split_validation_counts_and_it_is_said() -> None:
    runs = [run_of(0, "dropout"), run_of(1, "dropconnect")]
    curves = {run.run_id: points_of([0.1, 0.2], has_test=False) for run in runs}
    study = study_of([trial_of(0, [0.1])], confirmation={"repeats": 2})
    results = Results(study, [trial_of(0, [0.1])], curves, runs)
    found = confirmed(results)
    assert (found.metric, found.is_tested) == ("val_loss", False)
    assert "no test split" in verdict_of(results, found)[-1]


def test_configurations_of_one_variant_are_told_apart() -> None:
    runs = [run_of(0, "dropout"), run_of(1, "dropout", 0.7)]
    curves = {run.run_id: points_of([0.1 + place, 0.2 + place]) for place, run in enumerate(runs)}
    study = study_of([trial_of(0, [0.1])], confirmation={"top": 2, "repeats": 2})
    results = Results(study, [trial_of(0, [0.1])], curves, runs)
    assert verdict_of(results, confirmed(results))[0].startswith("dropout (drop_rate 0.2) wins")


def test_equal_variants_seldom_have_a_loser() -> None:
    """The winner is chosen by the figures that judge it: its intervals must bear that. At most 5 % are promised."""
    random = np.random.default_rng(5)
    mistaken = 0
    for _ in range(300):
        values = random.normal(size=(5, 1)) + 0.5 * random.normal(size=(5, 6))  # (seeds, equal variants)
        found = [Confirmed(trial_of(i, None), {"test_loss": tuple(values[:, i].tolist())}) for i in range(6)]
        found.sort(key=lambda one: one.mean("test_loss"))
        differences = Confirmation("test_loss", ("test_loss",), maximize=False, found=tuple(found)).to_winner
        mistaken += any(difference.low > 0 for difference in differences)
    assert mistaken <= 0.05 * 300


def test_what_configurations_of_a_variant_share_is_not_told() -> None:
    runs = [replace(run_of(place, "dropout"), params=params_of("dropout", units=64, drop_rate=rate))
            for place, rate in enumerate([0.1, 0.3])]  # fmt: skip
    curves = {run.run_id: points_of([0.1 + place, 0.2 + place]) for place, run in enumerate(runs)}
    study = study_of([trial_of(0, [0.1])], confirmation={"top": 2, "repeats": 2})
    assert names(confirmed(Results(study, [trial_of(0, [0.1])], curves, runs))) == [
        "dropout (drop_rate 0.1)",
        "dropout (drop_rate 0.3)",
    ]


def test_a_figure_that_is_not_finite_is_no_result() -> None:
    results = results_of({**CLEAR, "masksembles": [0.1, 0.1, float("inf"), 0.1, 0.1]})
    assert [one.trial.variant for one in confirmed(results).found] == ["dropconnect", "dropout"]
    text = Page(html_report(results)).text
    assert "2 of 3 runs. Without a result: masksembles (test_loss not finite under some seed)." in text
    assert confirmation_of(results_of({"dropout": [float("nan")] * 5})) is None


def test_the_page_shows_the_confirmation() -> None:
    results = results_of(CLEAR)
    failed = replace(run_of(7, "masksembles"), state=RunState.FAILED, reason="ValueError: no such width")
    runs = [*results.confirmations, failed]
    text = Page(html_report(replace(results, confirmations=runs))).text
    assert "dropconnect wins the confirmation" in text
    assert "2 of 3 runs" in text
    assert "masksembles (ValueError: no such width)" in text
    assert "Simultaneous 95% interval" in text
    assert "the best 1 configuration of each variant, 5 fresh seeds" in text
    assert "Difference to the first" not in Page(html_report(Results(study_of(), [], {}))).text


@pytest.mark.parametrize(
    ("varied", "said", "measured"),
    [
        ({}, [], "Measured on the test split"),
        ({"repeats_vary": ["seed", "split"]}, ["judged by the same test split"], "Measured on the test split"),
        ({"folds": 5}, ["Each seed tests on one of 5 folds of the data, so"], "Measured on the fold that"),
        (
            {"folds": 5, "repeats_vary": ["seed", "split"]},
            ["draws its validation split anew from the rest, so the intervals"],
            "the search has used the same data",
        ),
    ],
)
def test_the_intervals_say_what_data_they_speak_of(varied: dict[str, Any], said: list[str], measured: str) -> None:
    found = results_of(CLEAR)
    definition = study_of(confirmation={"repeats": 5}, **varied).definition
    found = replace(found, study=replace(found.study, definition=definition))
    assert measured in verdict_of(found, confirmed(found))[-1]
    spoken = spoken_of(definition)
    assert len(spoken) == len(said)
    for part, sentence in zip(said, spoken, strict=True):
        assert part in sentence
        assert sentence.partition(";")[0] in html_report(found)
