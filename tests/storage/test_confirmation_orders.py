"""One run of a confirmation, shown and cancelled by its place."""

import pytest

from service.storage.audit import findings
from service.storage.database.database import Database
from service.storage.errors import LeaseLost, TrialEnded, UnknownTrial
from service.storage.runs import holding
from service.storage.runs.endings import close_finished_studies
from service.storage.states import RunState, Stage, StudyState
from service.storage.studies import cancellation, extension, studies, trials
from tests.storage.queueing import claimed, nothing
from tests.storage.test_confirmation import confirming, dropconnect, end, searched


def test_a_place_counts_from_the_first_that_confirms_and_stays_when_the_study_is_extended(db: Database) -> None:
    study = searched(db)
    close_finished_studies(db)
    for _ in range(2):
        holding.finish(db, claimed(db), RunState.COMPLETE, values=[0.5], tell=nothing)
    extension.extend(db, "found", 1)
    end(db, study, [dropconnect(0.5, 0.1)])
    close_finished_studies(db)
    for place, (_, variant, rate) in enumerate(confirming(db, study)):
        run = trials.get(db, study, place, Stage.CONFIRMATION)
        assert (run.place, run.number, run.variant, run.params["drop_rate"]) == (place, None, variant, rate)
    assert [run.place for run in trials.page(db, study)] == [None] * 5 + [0, 1, None, 2]
    with pytest.raises(UnknownTrial, match="study 'found' has no confirmation run 3"):
        trials.get(db, study, 3, Stage.CONFIRMATION)


def test_one_that_waits_is_cancelled_and_not_confirmed_again(db: Database) -> None:
    study = searched(db)
    close_finished_studies(db)
    cancellation.cancel(db, "found", 1, Stage.CONFIRMATION)
    cancellation.cancel(db, "found", 1, Stage.CONFIRMATION)  # again changes nothing
    first, second = trials.page(db, study, stage=Stage.CONFIRMATION)
    assert (first.state, second.state, second.reason) == (RunState.WAITING, RunState.CANCELLED, "cancelled by hand")
    holding.finish(db, claimed(db), RunState.COMPLETE, values=[0.5], tell=nothing)
    now = studies.get(db, "found")
    assert now.state is StudyState.COMPLETE
    assert now.winner == trials.get(db, study, 0, Stage.CONFIRMATION)
    assert [run.place for run in trials.page(db, study, stage=Stage.CONFIRMATION)] == [0, 1]


def test_the_holder_of_a_cancelled_one_is_refused(db: Database) -> None:
    searched(db)
    close_finished_studies(db)
    lease = claimed(db)
    cancellation.cancel(db, "found", 0, Stage.CONFIRMATION)
    with pytest.raises(LeaseLost):
        holding.renew(db, lease, 60)
    with db.engine.connect() as connection:
        rules = {finding.rule for finding in findings(connection) if finding.run == lease.run_id}
    assert rules == set()


def test_what_has_ended_or_is_not_there_is_not_cancelled(db: Database) -> None:
    searched(db)
    close_finished_studies(db)
    holding.finish(db, claimed(db), RunState.COMPLETE, values=[0.5], tell=nothing)
    with pytest.raises(TrialEnded, match="confirmation run 0 of study 'found' is complete and cannot be cancelled"):
        cancellation.cancel(db, "found", 0, Stage.CONFIRMATION)
    with pytest.raises(UnknownTrial):
        cancellation.cancel(db, "found", 2, Stage.CONFIRMATION)
