"""Curves in columns say what their points say."""

import math
import random
from collections import defaultdict

import pytest

from search_spaces.objective import Objective, best_epoch
from service.reports.found.epochs import epochs_of
from service.reports.found.importance import MOST_TRIALS
from service.reports.found.pareto import front_numbers
from service.reports.found.responses import MOST_RATES, grouping, responses
from service.reports.found.results import Results
from service.reports.sections import charts_of
from service.storage.records import CurvePoint
from tests.reports.samples import curve_of, study_of, trial_of

METRICS = (("val", "loss"), ("val", "accuracy"), ("train", "loss"))
WORST = (math.nan, math.inf, -math.inf)


def scattered(seed: int) -> dict[int, list[CurvePoint]]:
    """Runs of several repeats of unequal length, some numbers missing and some not finite, in any order."""
    draw = random.Random(seed)
    curves = {}
    for run in (7, 3, 12):
        points = [
            CurvePoint(epoch, repeat, split, metric, draw.choice([*WORST, draw.random(), draw.random(), 0.5]))
            for repeat in range(draw.randrange(1, 4))
            for epoch in range(1, draw.randrange(2, 6))
            for split, metric in METRICS
            if draw.random() < 0.9
        ]
        curves[run] = draw.sample(points, len(points))
    return curves


@pytest.mark.parametrize("seed", range(20))
def test_single_epochs_means_and_best_values_are_those_of_the_points(seed: int) -> None:
    curves = scattered(seed)
    epochs = epochs_of(curves)
    for objective in (Objective(metric="val_loss"), Objective(metric="val_accuracy", direction="maximize")):
        best = epochs.best(objective)
        for run, points in curves.items():
            repeats = epochs_of({0: points}).of(0)
            found = [best_epoch(several, objective) for _, several in sorted(repeats.items())]
            assert best.of(run) == [one.metrics[objective.metric] for one in found if one is not None]
            given: dict[tuple[int, int, str], float] = {
                (p.repeat, p.epoch, f"{p.split}_{p.metric}"): p.value for p in points
            }
            held = {
                (repeat, epoch.number, name): value
                for repeat, several in epochs.of(run).items()
                for epoch in several
                for name, value in epoch.metrics.items()
            }
            assert repr(sorted(held.items())) == repr(sorted(given.items()))
            several_of: dict[tuple[int, str], list[float]] = defaultdict(list)
            for (_, epoch_number, name), value in sorted(given.items()):
                several_of[epoch_number, name].append(value)
            means = {(one.number, name): v for one in epochs.mean_of(run) for name, v in one.metrics.items()}
            expected = {key: sum(values) / len(values) for key, values in several_of.items()}
            assert means == pytest.approx(expected, rel=1e-15, nan_ok=True)
    assert (epochs.of(99), epochs.mean_of(99), epochs.best(Objective(metric="val_none")).of(7)) == ({}, [], [])


def test_fronts_are_those_of_the_definition() -> None:
    for seed in range(60):
        draw = random.Random(seed)
        width, values = draw.choice([2, 3]), draw.choice([3, 6, 20])
        points = [tuple(float(draw.randrange(values)) for _ in range(width)) for _ in range(draw.randrange(1, 40))]
        expected, left, front = dict[int, int](), set(range(len(points))), 0
        while left:
            best = {i for i in left if not any(dominates(points[j], points[i]) for j in left)}
            expected |= dict.fromkeys(best, front)
            left, front = left - best, front + 1
        assert front_numbers(points) == [expected[i] for i in range(len(points))]


def dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def test_many_rates_are_put_together_and_many_trials_weighed_in_part_and_the_captions_say_so() -> None:
    count = max(MOST_TRIALS, MOST_RATES) + 100
    params = [{"regularizer": "dropout", "drop_rate": 0.9 * i / count, "units": (32, 64)[i % 2]} for i in range(count)]
    trials = [trial_of(i, [0.2 + (i % 97) / 100], params=one) for i, one in enumerate(params)]
    results = Results(study_of(trials), trials, {trial.run_id: curve_of(0.3, 1) for trial in trials[:3]})
    assert grouping(results) == f" Means are taken over rates rounded to 0.01, because {count:,} rates were tried."
    found = responses(results, "dropout")
    assert len(found) == 91
    assert sum(response.trials for response in found) == count
    charts = charts_of(results)
    assert "rounded to 0.01" in charts["rate_response"].caption
    assert f"Of {count:,} trials {MOST_TRIALS:,} are weighed" in charts["importance"].caption
