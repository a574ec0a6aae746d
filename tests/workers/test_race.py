"""A race over the real queue: every run is dealt to a variant once, also where its holder dies."""

from collections import Counter

from search_spaces import Confirmation, StudyDefinition, TrialConfig, parse_definition
from search_spaces.budget import Budget
from service.storage.assignments.assignment import Ended
from service.storage.assignments.progress import EpochDone
from service.storage.assignments.search_trial import SearchTrial
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import Lease
from service.storage.runs import claiming, holding
from service.storage.states import RunState, Stage
from service.storage.studies import extension, studies, trials
from tests.search_spaces.studies import categorical, raw, real

COSTS = {"dropout": 1.0, "dropconnect": 2.0, "gaussian_dropout": 3.0, "none": 4.0}
NOISY = ["dropout", "dropconnect", "gaussian_dropout"]


def race() -> StudyDefinition:
    space = {"regularizer": categorical(*COSTS), "drop_rate": real(0.0, 0.9, when={"regularizer": NOISY})}
    task = {"name": "digits", "epochs": 1}
    return parse_definition(raw(search="race", task=task, search_space=space, budget={"trials": 20}))


def test_a_race_deals_the_runs_of_a_queue_and_a_lost_one_keeps_its_variant(db: Database) -> None:
    study = studies.create(db, race())
    worker = workers.register(db, "host", 1, "cpu")

    def claimed() -> Lease:
        lease = claiming.claim(db, worker, 60)
        assert lease is not None
        return lease

    dealt = []
    for ordinal in range(20):
        lease = claimed()
        trial = SearchTrial(db, lease)
        config = TrialConfig.from_params(trial.prepare())
        if ordinal % 7 == 3:  # its worker leaves, and the next one takes the same trial over
            holding.hand_back(db, lease)
            lease = claimed()
            trial = SearchTrial(db, lease)
            assert TrialConfig.from_params(trial.prepare()) == config
        value = COSTS[config.regularizer] + config.drop_rate / 10
        trial.take_in(EpochDone(0, 1, {"val_loss": value}))
        holding.finish(db, lease, RunState.COMPLETE, tell=lambda trial=trial: trial.tell(Ended(RunState.COMPLETE)))
        dealt.append(config.regularizer)
    assert Counter(dealt[:9]) == {"none": 1, "dropout": 3, "dropconnect": 3, "gaussian_dropout": 2}
    assert Counter(dealt[9:14]) == {"dropout": 3, "dropconnect": 2}
    assert set(dealt[14:]) == {"dropout"}
    assert len(db.optuna.get_all_trials(study.optuna_study_id)) == 20
    assert all(trial.state is RunState.COMPLETE for trial in trials.page(db, study))


def test_phases_do_not_count_the_runs_of_a_confirmation(db: Database) -> None:
    definition = race().model_copy(update={"confirmation": Confirmation(top=1, repeats=2)})
    definition = definition.model_copy(update={"budget": Budget(trials=10)})
    studies.create(db, definition)
    worker = workers.register(db, "host", 1, "cpu")
    dealt, confirmed = [], 0
    for number in range(10 + 4 + 10):
        if number == 14:
            extension.extend(db, definition.name, 10)
        lease = claiming.claim(db, worker, 60)
        assert lease is not None
        if lease.stage is Stage.CONFIRMATION:
            holding.finish(db, lease, RunState.COMPLETE, tell=lambda: None)
            confirmed += 1
            continue
        assert lease.place == len(dealt)
        trial = SearchTrial(db, lease)
        config = TrialConfig.from_params(trial.prepare())
        trial.take_in(EpochDone(0, 1, {"val_loss": COSTS[config.regularizer] + config.drop_rate / 10}))
        holding.finish(db, lease, RunState.COMPLETE, tell=lambda trial=trial: trial.tell(Ended(RunState.COMPLETE)))
        dealt.append(config.regularizer)
    assert (len(dealt), confirmed) == (20, 4)
    assert "dropconnect" in dealt[10:14]  # the second phase of 20 runs keeps two variants, up to run 14
    assert set(dealt[14:]) == {"dropout"}
