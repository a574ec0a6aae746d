"""The rule of `--slots auto`: measurements in, a number of slots out."""

from dataclasses import replace

import pytest

from service.storage.assignments.progress import EpochDone
from workers.device.measurements import FORGOTTEN_S, REMEMBERED, Measurements
from workers.device.sizing import Load, slots_wanted
from workers.trial.devices import Reading
from workers.trial.messages import Finished, Started

# Room for nine trials of 10 bytes beside the margin of 10; two train now.
LOAD = Load(slots=2, at_most=16, total=100, free=80, held=20, largest=10, rates={1: 1.0, 2: 1.9})


def test_another_slot_is_tried_while_it_fits_and_the_last_one_paid() -> None:
    assert slots_wanted(LOAD) == 3


def test_the_first_step_needs_a_measurement() -> None:
    assert slots_wanted(replace(LOAD, slots=1, rates={})) == 1
    assert slots_wanted(replace(LOAD, slots=1, rates={1: 1.0})) == 2


@pytest.mark.parametrize(("largest", "wanted"), [(30, 3), (31, 2), (45, 2), (46, 1), (90, 1), (200, 1)])
def test_the_largest_trial_times_the_slots_must_fit_with_a_margin(largest: int, wanted: int) -> None:
    assert slots_wanted(replace(LOAD, largest=largest)) == wanted


def test_memory_that_others_hold_is_not_counted_on() -> None:
    assert slots_wanted(replace(LOAD, free=10)) == 2


def test_cores_are_a_limit() -> None:
    assert slots_wanted(replace(LOAD, at_most=2)) == 2


@pytest.mark.parametrize(("rate", "wanted"), [(0.8, 1), (1.04, 1), (1.06, 3)])
def test_a_slot_that_brings_too_little_goes(rate: float, wanted: int) -> None:
    assert slots_wanted(replace(LOAD, rates={1: 1.0, 2: rate})) == wanted


def test_a_slot_that_brought_too_little_is_not_tried_again_at_once() -> None:
    assert slots_wanted(replace(LOAD, rates={2: 1.9, 3: 1.9})) == 2
    assert slots_wanted(replace(LOAD, rates={2: 1.9, 3: 2.1})) == 3


@pytest.mark.parametrize(("utilisation", "wanted"), [(None, 3), (0.9, 3), (0.97, 2)])
def test_a_busy_device_gets_no_further_slot(utilisation: float | None, wanted: int) -> None:
    assert slots_wanted(replace(LOAD, utilisation=utilisation)) == wanted


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def measurements_of(clock: Clock, slots: int) -> Measurements:
    measurements = Measurements(measured_s=10, clock=clock)
    measurements.resized(slots)
    for slot in range(slots):
        measurements.note(slot, Reading(total=1000, free=700, held=50, peak=100))
    return measurements


def train(
    measurements: Measurements, clock: Clock, slots: int, *, seconds: float, epochs: int, facts: dict[str, int]
) -> None:
    for slot in range(slots):
        measurements.note(slot, Started(facts))
    for epoch in range(1, epochs + 1):
        clock.now += seconds
        for slot in range(slots):
            measurements.note(slot, EpochDone(0, epoch, {}))


def test_a_rate_is_that_of_all_slots_together(clock: Clock) -> None:
    measurements = measurements_of(clock, 2)
    train(measurements, clock, 2, seconds=2.0, epochs=6, facts={})
    load = measurements.load(8)
    assert load is not None
    assert (load.slots, load.at_most, load.free, load.held, load.largest) == (2, 8, 700, 100, 100)
    assert load.rates[2] == pytest.approx(1.0, rel=0.1)


def test_epochs_of_an_earlier_holder_are_not_work_done(clock: Clock) -> None:
    measurements = measurements_of(clock, 1)
    train(measurements, clock, 1, seconds=2.0, epochs=6, facts={"resumed_after_epoch": 6})
    load = measurements.load(8)
    assert load is not None
    assert load.rates == {}


def test_a_slot_without_work_ends_the_measurement(clock: Clock) -> None:
    measurements = measurements_of(clock, 1)
    train(measurements, clock, 1, seconds=2.0, epochs=4, facts={})
    measurements.interrupted()
    train(measurements, clock, 1, seconds=2.0, epochs=4, facts={})
    load = measurements.load(8)
    assert load is not None
    assert load.rates == {}


def test_rates_of_other_numbers_are_forgotten(clock: Clock) -> None:
    measurements = measurements_of(clock, 1)
    train(measurements, clock, 1, seconds=2.0, epochs=8, facts={})
    measurements.resized(2)
    clock.now += FORGOTTEN_S - 1
    load = measurements.load(8)
    assert load is not None
    assert set(load.rates) == {1}
    clock.now += 2
    load = measurements.load(8)
    assert load is not None
    assert load.rates == {}


def test_a_giant_counts_until_enough_others_have_ended(clock: Clock) -> None:
    measurements = measurements_of(clock, 1)
    for trial in range(REMEMBERED + 1):
        measurements.note(0, Reading(total=1000, free=700, held=50, peak=900 if trial == 0 else 100))
        measurements.note(0, Finished())
        load = measurements.load(8)
        assert load is not None
        assert load.largest == (900 if trial < REMEMBERED else 100)
