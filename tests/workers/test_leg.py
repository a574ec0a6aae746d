"""What the worker says of a leg's beginning."""

import pytest

from service.storage.database.database import Database
from service.storage.runs import claiming, holding
from service.storage.studies import studies
from tests.storage.climbing import Climber, ladder
from workers.runs.leg import Leg


def test_a_trial_that_no_rung_has_seen_is_not_said_to_be_trained_again(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """A whole trial of two repeats, by its second holder, ends beyond every rung."""
    studies.create(db, ladder(pruner={"name": "none"}, repeats=2, budget={"epochs": 100}))
    climber = Climber(db)
    climber.move()
    assert climber.lease is not None
    holding.hand_back(db, climber.lease)
    lease = claiming.claim(db, climber.worker, 60)
    assert lease is not None
    assert (lease.token, lease.until) == (2, 18)
    assert Leg(db, lease, lambda call: call()).repetition({}) == {}
    assert not [line for line in caplog.messages if "trained again" in line]


def test_a_promoted_trial_without_its_checkpoint_is_trained_again(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    studies.create(db, ladder())
    climber = Climber(db)
    while climber.until != 3 or climber.epoch > 0:
        climber.move()
    assert climber.lease is not None
    leg = Leg(db, climber.lease, lambda call: call())
    assert leg.repetition({"resumed_after_epoch": 1}) == {}
    assert leg.repetition({}) == {"trained_again": 1}
    [line] = [line for line in caplog.messages if "trained again" in line]
    assert "1 epochs" in line
