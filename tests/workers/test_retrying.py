"""Failed runs that are tried again: the same configurations, the same budget, and in a search with a lag the same
study for whatever fleet."""

import pytest

from service.storage.assignments.assignment import Ended
from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.errors import NotRetryable, UnknownTrial
from service.storage.runs import holding
from service.storage.states import RunState, StudyState
from service.storage.studies import retrying, studies, trials
from tests.workers.test_order import SAMPLERS, Fleet, definition

FAILING = 3


class Broken(Fleet):
    """Workers on machines that lack something, until it pauses the study."""

    def _turn(self, place: int) -> None:
        worker, lease, trial, _, _ = self._busy.pop(place)
        ended = Ended(RunState.FAILED, f"no data set on machine {place}")
        holding.finish(self._db, lease, ended.state, reason=ended.reason, tell=lambda: trial.tell(ended))
        self._idle.append(worker)


def record(db: Database, name: str) -> list[tuple[object, ...]]:
    return [
        (run.number, run.params, run.state, run.values, run.epoch) for run in trials.page(db, studies.get(db, name))
    ]


def mended(db: Database, name: str, sampler: dict[str, object], size: int, seed: int) -> list[tuple[object, ...]]:
    """The study after its first runs have failed on a fleet of one, and were tried again by one of this size."""
    studies.create(db, definition(name, sampler))
    Broken(db, 1, 0).work()
    paused = studies.get(db, name)
    assert (paused.state, paused.counts["failed"]) == (StudyState.PAUSED, FAILING)
    failed = [run.params for run in trials.page(db, paused, RunState.FAILED)]
    assert retrying.retry(db, name)[1] == FAILING
    Fleet(db, size, seed).work()
    after = trials.page(db, studies.get(db, name))
    assert [run.params for run in after[:FAILING]] == failed
    assert [run.number for run in after[:FAILING]] == list(range(FAILING))
    assert studies.get(db, name).state is StudyState.COMPLETE
    return record(db, name)


def compare(db: Database, sampler: dict[str, object]) -> None:
    one = mended(db, "one", sampler, 1, 1)
    studies.delete(db, "one")
    several = mended(db, "one", sampler, 4, 2)
    assert [run[1:] for run in one] == [run[1:] for run in several]
    assert len({run[0] for run in several}) == len(several)
    assert [found for found in audit(db) if "curve" not in found.rule] == []


@pytest.mark.wide
def test_what_follows_a_retry_is_the_same_for_every_fleet(db: Database) -> None:
    compare(db, {"name": "random"})


@pytest.mark.wide
@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler["name"])
def test_every_sampler_goes_on_the_same(db: Database, sampler: dict[str, object]) -> None:
    compare(db, sampler)


def test_one_trial_of_a_study_that_has_ended(db: Database) -> None:
    studies.create(db, definition("s", {"name": "random"}))
    Broken(db, 1, 0).work()
    studies.set_state(db, "s", "running")
    Fleet(db, 1, 0).work()
    ended = studies.get(db, "s")
    assert (ended.state, ended.counts["failed"]) == (StudyState.COMPLETE, FAILING)
    with pytest.raises(UnknownTrial):
        retrying.retry(db, "s", [99])
    with pytest.raises(NotRetryable, match="only failed ones are tried again"):
        retrying.retry(db, "s", [5])
    study, again = retrying.retry(db, "s", [1])
    assert (again, study.state, study.finished_at) == (1, StudyState.RUNNING, None)
    Fleet(db, 1, 0).work()
    study = studies.get(db, "s")
    assert (study.state, study.counts["failed"], sum(study.counts.values())) == (StudyState.COMPLETE, 2, 12)
    retrying.retry(db, "s")
    Fleet(db, 1, 0).work()
    with pytest.raises(NotRetryable, match="none of its runs has failed"):
        retrying.retry(db, "s")
    assert [found for found in audit(db) if "curve" not in found.rule] == []
