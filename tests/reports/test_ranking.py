"""The order of variants and trials."""

import pytest

from service.reports import RankingRow, ranking
from service.reports.found.pareto import front_numbers
from service.reports.found.ranking import in_order
from service.reports.words.tuning import want_of_trials
from service.storage.records import TrialRecord
from service.storage.states import RunState
from tests.reports.samples import params_of, study_of, trial_of

DROPOUT = params_of("dropout", drop_rate=0.2)
GAUSSIAN = params_of("pernodedrop-gaussian-dynamic", drop_rate=0.4)
MAXIMIZE = [{"metric": "val_accuracy", "direction": "maximize"}]
TWO = [{"metric": "val_loss"}, {"metric": "val_accuracy", "direction": "maximize"}]


def test_a_row_says_what_its_variant_reached() -> None:
    losses = [0.5, 0.3, 0.6, 0.4]
    trials = [trial_of(number, [loss], params=DROPOUT) for number, loss in enumerate(losses)]
    trials += [trial_of(4, [0.2], params=DROPOUT, state=RunState.PRUNED), trial_of(5, [0.35], params=GAUSSIAN)]
    assert ranking(study_of(trials), trials) == [
        RankingRow(1, "dropout", 4, 1, [0.3], (0.3 + 0.4 + 0.5) / 3, DROPOUT, 1, 5, 40, few=False),
        RankingRow(2, "pernodedrop-gaussian-dynamic", 1, 0, [0.35], 0.35, GAUSSIAN, 5, 1, 8, few=True),
    ]


def complete(counts: dict[str, int]) -> list[TrialRecord]:
    """So many complete trials of every variant, all of different configurations."""
    variants = [variant for variant, count in counts.items() for _ in range(count)]
    return [
        trial_of(number, [0.3], params=params_of(variant, units=32 * (1 + number % 3), drop_rate=number / 100))
        for number, variant in enumerate(variants)
    ]


@pytest.mark.parametrize(
    ("counts", "few"),
    [
        ({"dropout": 9, "dropconnect": 3, "gaussian_dropout": 2}, {"gaussian_dropout"}),
        ({"dropout": 3, "dropconnect": 2, "gaussian_dropout": 1}, {"gaussian_dropout"}),
        ({"dropout": 1, "dropconnect": 1}, set()),
        ({"dropout": 6}, set()),
    ],
)
def test_a_variant_with_few_complete_trials_is_marked(counts: dict[str, int], few: set[str]) -> None:
    trials = complete(counts)
    assert {row.variant for row in ranking(study_of(trials), trials) if row.few} == few


def test_a_variant_whose_configurations_were_all_trained_had_its_chance() -> None:
    space = {
        "regularizer": {"type": "categorical", "choices": ["none", "dropout"]},
        "drop_rate": {"type": "float", "low": 0.1, "high": 0.9, "when": {"regularizer": "dropout"}},
    }
    params = [{"regularizer": "none"}, *({"regularizer": "dropout", "drop_rate": rate / 10} for rate in range(1, 7))]
    trials = [trial_of(number, [0.3], params=each) for number, each in enumerate(params)]
    assert not any(row.few for row in ranking(study_of(trials, search_space=space), trials))
    assert want_of_trials(ranking(study_of(trials), trials)) == [
        "For want of complete trials, beside 6 of dropout, these may have lost: none (1)."
    ]


def test_maximizing_turns_the_order_round() -> None:
    trials = [trial_of(0, [0.9], params=DROPOUT), trial_of(1, [0.95], params=GAUSSIAN)]
    assert [row.variant for row in ranking(study_of(trials, objectives=MAXIMIZE), trials)] == [
        "pernodedrop-gaussian-dynamic",
        "dropout",
    ]


def test_a_variant_without_a_complete_trial_comes_last() -> None:
    trials = [
        trial_of(0, None, params=GAUSSIAN, state=RunState.FAILED, reason="out of memory"),
        trial_of(1, [9.0], params=DROPOUT),
    ]
    first, last = ranking(study_of(trials), trials)
    assert (first.variant, last.variant, last.rank) == ("dropout", "pernodedrop-gaussian-dynamic", 2)
    assert (last.trials, last.best_values, last.mean_of_top, last.best_params, last.best_number) == (0, *[None] * 4)


def test_trials_without_configuration_or_finite_value_do_not_count() -> None:
    trials = [
        trial_of(0, None, params={}, variant="", state=RunState.FAILED),
        trial_of(1, [float("nan")], params=DROPOUT),
        trial_of(2, [0.5], params=DROPOUT),
    ]
    assert [(row.variant, row.trials) for row in ranking(study_of(trials), trials)] == [("dropout", 1)]


def test_of_equal_trials_the_earlier_one_is_the_best() -> None:
    trials = [trial_of(3, [0.5], params=DROPOUT), trial_of(1, [0.5], params=DROPOUT)]
    assert ranking(study_of(trials), trials)[0].best_number == 1


def test_no_trials_no_rows() -> None:
    assert ranking(study_of(), []) == []


def test_with_several_objectives_fronts_come_before_values() -> None:
    values = [[0.30, 0.90], [0.28, 0.80], [0.29, 0.70]]  # the last one is dominated by the one before
    trials = [trial_of(number, pair, params=DROPOUT) for number, pair in enumerate(values)]
    assert [trial.number for trial in in_order(study_of(trials, objectives=TWO), trials)] == [1, 0, 2]


def test_front_numbers() -> None:
    assert front_numbers([]) == []
    assert front_numbers([(3.0,), (1.0,)]) == [0, 0]
    assert front_numbers([(1, 4), (2, 2), (4, 1), (3, 3), (5, 5), (1, 4)]) == [0, 0, 0, 1, 2, 0]
