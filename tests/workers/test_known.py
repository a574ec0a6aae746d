"""Known configurations on their way through the real queue and Optuna, and what a sampler knows of earlier trials."""

from functools import partial
from typing import Any

import pytest

from search_spaces import Known, StudyDefinition, TrialConfig, parse_definition
from search_spaces.optuna import build_pruner, build_sampler
from service.storage import audited_starts
from service.storage.assignments.assignment import Ended
from service.storage.assignments.confirmation_run import ConfirmationRun
from service.storage.assignments.progress import EpochDone
from service.storage.assignments.search_trial import SearchTrial
from service.storage.audit import Finding, audit
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.optuna import trials as optuna_trials
from service.storage.records import TrialRecord
from service.storage.runs import claiming, holding
from service.storage.states import Origin, RunState, Stage
from service.storage.studies import enqueueing, studies, trials
from tests.search_spaces.studies import categorical, raw, real
from tests.workers.test_order import Fleet, loss, table

INSIDE = {"regularizer": "dropconnect", "drop_rate": 0.4}
OUTSIDE = {"params": {"regularizer": "gaussian_dropout", "drop_rate": 0.95, "learning_rate": 0.3}, "outside": True}


def definition(name: str = "s", *, trials: int = 6, **changes: Any) -> StudyDefinition:
    fields = {
        "task": {"name": "digits", "epochs": 3},
        "search_space": {
            "regularizer": categorical("none", "dropout", "dropconnect"),
            "drop_rate": real(0.0, 0.5, step=0.1),
            "learning_rate": real(0.001, 0.1, log=True),
        },
        "seed": 5,
        "sampler": {"name": "tpe", "n_startup_trials": 2},
        "budget": {"trials": trials},
        "start_with": [INSIDE, OUTSIDE],
    }
    return parse_definition(raw(name=name, **{**fields, **changes}))


def broken(db: Database) -> list[Finding]:
    """What breaks the audit's rules for starts; these trainings write no curves, which other rules ask for."""
    return [finding for finding in audit(db) if finding.rule in audited_starts.RULES]


def played(db: Database, study: StudyDefinition) -> list[TrialRecord]:
    """The study's search by one worker, every trial whole, in one epoch."""
    studies.create(db, study)
    worker = workers.register(db, "host", 1, "cpu")
    for _ in range(study.trials):
        lease = claiming.claim(db, worker, 60)
        assert lease is not None
        trial = SearchTrial(db, lease)
        assert trial.adopt() is None
        config = TrialConfig.from_params(trial.prepare())
        holding.record_epoch(db, lease, 1, [], trial.take_in(EpochDone(0, 1, {"val_loss": loss(config, 1)})))
        holding.finish(db, lease, RunState.COMPLETE, tell=partial(trial.tell, Ended(RunState.COMPLETE)))
    return trials.page(db, studies.get(db, study.name), stage=Stage.SEARCH)


@pytest.mark.parametrize(
    "changes",
    [
        {"search": "race"},
        {"search": "free", "sampler": {"name": "cmaes", "lag": 2}},
    ],
    ids=["race", "cmaes with a lag"],
)
def test_a_study_begins_with_what_is_known_and_the_sampler_sees_only_what_is_inside(
    db: Database, changes: dict[str, Any]
) -> None:
    study = definition(**changes)
    inside, outside, *others = played(db, study)
    assert len(others) == study.trials - 2
    assert inside.params.items() >= INSIDE.items()
    assert inside.params.keys() == study.search_space.keys()  # the sampler drew the rest
    assert outside.params == OUTSIDE["params"]
    assert (inside.origin, outside.origin, others[0].origin) == (Origin.GIVEN, Origin.OUTSIDE, Origin.SAMPLER)
    assert [outside.number, outside.state] == [1, RunState.COMPLETE]
    record = studies.get(db, "s")
    loaded = optuna_trials.load_study(db, record.optuna_study_id, build_sampler(study, 1), build_pruner(study))
    assert [each.number for each in loaded.get_trials()] == [0, *range(2, study.trials)]
    assert sum(record.counts.values()) == study.trials
    assert broken(db) == []


def test_the_configuration_of_a_lost_worker_is_trained_again_as_it_was(db: Database) -> None:
    """Its worker dies before it asks for a trial, and another one after that."""
    studies.create(db, definition())
    for _ in range(2):
        configs: list[TrialConfig] = []
        for attempt in range(3):
            lease = claiming.claim(db, workers.register(db, "host", attempt, "cpu"), seconds=0.0)
            assert lease is not None
            if attempt:
                trial = SearchTrial(db, lease)
                assert trial.adopt() is None
                configs.append(TrialConfig.from_params(trial.prepare()))
        assert configs[0] == configs[1]
        holding.finish(db, lease, RunState.FAILED, tell=partial(trial.tell, Ended(RunState.FAILED)))
    first, second, *_ = trials.page(db, studies.get(db, "s"))
    assert first.params.items() >= INSIDE.items()
    assert second.params == OUTSIDE["params"]
    assert broken(db) == []


def test_what_is_outside_is_ranked_and_confirmed_with_its_own_parameters(db: Database) -> None:
    """It is a variant of its own here, of which the search has no other trial."""
    assert len(played(db, definition(confirmation={"top": 1, "repeats": 2}, trials=4))) == 4
    confirming = {each.variant: each for each in trials.confirming(db, studies.get(db, "s"))}
    assert confirming["gaussian_dropout"].params == OUTSIDE["params"]
    assert confirming["gaussian_dropout"].origin is Origin.OUTSIDE
    while (lease := claiming.claim(db, workers.register(db, "host", 1, "cpu"), 60)) is not None:
        config = TrialConfig.from_params(ConfirmationRun(db, lease).prepare())
        assert config.as_params().items() >= confirming[config.variant].params.items()
        holding.finish(db, lease, RunState.COMPLETE, values=[0.5], tell=lambda: None)
    assert broken(db) == []


def test_any_fleet_finds_the_same_with_all_that_is_known(db: Database) -> None:
    """A configuration at the start and one that is enqueued, and an earlier study, which is deleted meanwhile."""
    pruner = {"name": "median", "n_startup_trials": 1, "n_warmup_epochs": 0}
    studies.create(db, definition("earlier", pruner=pruner))
    Fleet(db, 1, seed=1).work()
    ended = trials.page(db, studies.get(db, "earlier"))
    assert {each.state for each in ended} == {RunState.COMPLETE, RunState.PRUNED}
    tables = []
    for size in (1, 3):
        tpe = {"name": "tpe", "n_startup_trials": 2, "lag": 4}
        study = definition(f"study-{size}", sampler=tpe, start_from="earlier", trials=4)
        studies.create(db, study)
        enqueueing.enqueue(db, study.name, Known(params={"drop_rate": 0.1, "regularizer": "dropout"}))
        if size == 3:
            studies.delete(db, "earlier")
        Fleet(db, size, seed=size).work()
        tables.append(table(db, study.name))
        record = studies.get(db, study.name)
        assert record.knows == len(ended) - 1  # all but the one outside
        assert sum(record.counts.values()) == 4
    assert tables[0] == tables[1]
    assert tables[0][2][2]["drop_rate"] == 0.1  # type: ignore[index]
    assert broken(db) == []
