"""What an epoch costs."""

import pytest

from service.reports.found.results import Results
from service.reports.sections.epoch_time import epoch_times
from service.storage.records import CurvePoint
from tests.reports.samples import study_of, trial_of


def seconds(*values: float, repeat: int = 0) -> list[CurvePoint]:
    return [CurvePoint(n, repeat, "train", "seconds", value) for n, value in enumerate(values, start=1)]


def test_the_first_epoch_of_every_training_is_left_out() -> None:
    trials = [trial_of(0, [0.3])]
    (time,) = epoch_times(Results(study_of(trials), trials, {100: seconds(9, 1, 3) + seconds(9, 2, 2, repeat=1)}))
    assert (time.variant, time.mean, time.epochs) == ("dropout", 2.0, 4)
    assert time.deviation == pytest.approx((2 / 3) ** 0.5)


def test_a_single_epoch_counts() -> None:
    trials = [trial_of(0, [0.3])]
    (time,) = epoch_times(Results(study_of(trials), trials, {100: seconds(9)}))
    assert (time.mean, time.deviation, time.epochs) == (9, None, 1)
