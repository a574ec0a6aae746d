"""Databases of earlier versions are upgraded with their contents."""

from datetime import UTC, datetime

import optuna
import sqlalchemy as sa
from alembic import command

from search_spaces import Confirmation, StudyDefinition
from service.storage.audit import audit
from service.storage.database import schema
from service.storage.database.database import Database, initialise
from service.storage.fleet import workers
from service.storage.runs import claiming, history, holding
from service.storage.states import RunState, StudyState
from service.storage.studies import extension, studies, trials
from service.web.elapsed import elapsed_s
from tests.storage.conftest import make_definition


def suggested(trial: optuna.Trial) -> None:
    trial.suggest_categorical("regularizer", ["dropout", "pernodedrop"])
    trial.suggest_float("drop_rate", 0.0, 0.9, step=0.1)
    trial.suggest_int("depth", 1, 4)
    trial.suggest_categorical("bias", [True, False])


def test_the_second_version_fills_in_parameters_and_values(empty_database_url: str) -> None:
    optuna_study = optuna.create_study(storage=optuna.storages.RDBStorage(empty_database_url), study_name="old")
    told = [optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED, optuna.trial.TrialState.FAIL]
    for number, state in enumerate(told):
        trial = optuna_study.ask()
        suggested(trial)
        if state is optuna.trial.TrialState.PRUNED:
            trial.report(0.5, 1)
        optuna_study.tell(trial, 0.25 if number == 0 else None, state=state)
    with Database.open(empty_database_url) as db:
        _make_first_version(db, optuna_study)
        initialise(empty_database_url)
        db.check()
        study = studies.get(db, "old")
        assert (study.state, study.priority, study.device_time_s) == (StudyState.RUNNING, 0, 0.0)
        assert {state: runs for state, runs in study.counts.items() if runs} == dict.fromkeys(
            ("complete", "pruned", "failed", "waiting"), 1
        )
        assert study.best is not None
        assert study.best.number == 0
        assert [finding for finding in audit(db) if "counts" in finding.rule or "budget" in finding.rule] == []
        records = trials.page(db, study)
        assert [record.values for record in records] == [[0.25], [0.5], None, None]
        with db.engine.connect() as connection:
            stored = connection.execute(sa.text("SELECT params FROM fleet.runs ORDER BY ordinal")).scalars().all()
        assert stored == [*(trial.params for trial in optuna_study.trials), None]
        assert {type(value) for value in stored[0].values()} == {str, float, int, bool}
        lease = claiming.claim(db, workers.register(db, "host", 1, "cpu"), 60)
        assert lease is not None
        assert [attempt.state for attempt in history.of_run(db, lease.run_id)] == ["running"]
        holding.finish(db, lease, RunState.COMPLETE, values=[0.1], tell=lambda: None)
        assert studies.get(db, "old").state is StudyState.COMPLETE
        assert extension.extend(db, "old", 1).counts["waiting"] == 1


def test_the_sixth_version_knows_the_seeds_of_a_confirmation_and_extends_it(empty_database_url: str) -> None:
    optuna_study = optuna.create_study(storage=optuna.storages.RDBStorage(empty_database_url), study_name="old")
    with Database.open(empty_database_url) as db:
        _make_version(
            db, "0005", make_definition("old", trials=1, repeats=2, confirmation={"repeats": 3}), optuna_study
        )
        runs = """
            INSERT INTO fleet.runs (study_id, ordinal, state, stage, values, params, finished_at)
            SELECT id, n, 'complete', CASE n WHEN 0 THEN 'search' ELSE 'confirmation' END, '{0.5}',
                '{"regularizer": "dropout", "drop_rate": 0.1}', now() FROM fleet.studies, generate_series(0, 1) n
        """
        with db.engine.begin() as connection:
            connection.execute(sa.text(runs))
            connection.execute(sa.text("UPDATE fleet.studies SET finished_at = now(), stage = 'confirmation'"))
        initialise(empty_database_url)
        study = studies.get(db, "old")
        assert (study.looks, study.decision) == ((), None)
        assert [(run.first_seed, run.seeds) for run in trials.page(db, study)] == [(None, None), (2, 3)]
        assert study.winner == trials.page(db, study)[1]
        extension.confirm(db, "old", Confirmation(repeats=5))
        assert [(run.first_seed, run.seeds) for run in trials.page(db, study)[2:]] == [(5, 1), (6, 1)]
        assert studies.get(db, "old").looks == ((3, "fixed"),)


def test_the_ninth_version_lets_a_pause_begin_after_the_last_move(empty_database_url: str) -> None:
    optuna_study = optuna.create_study(storage=optuna.storages.RDBStorage(empty_database_url), study_name="old")
    definition = make_definition("old", budget={"trials": 2, "wall_time": 3600})
    with Database.open(empty_database_url) as db:
        _make_version(db, "0008", definition, optuna_study)
        for statement in (
            "INSERT INTO fleet.runs (study_id, ordinal) SELECT id, n FROM fleet.studies, generate_series(0, 1) n",
            "UPDATE fleet.runs SET state = 'running', token = 1, attempts = 1 WHERE ordinal = 0",
            "UPDATE fleet.runs SET state = 'failed', finished_at = now() WHERE ordinal = 0",
            "UPDATE fleet.run_history SET at = at - interval '9 hours'",
            "UPDATE fleet.studies SET state = 'paused', started_at = now() - interval '9 hours 10 minutes'",
        ):
            with db.engine.begin() as connection:
                connection.execute(sa.text(statement))
        initialise(empty_database_url)
        assert 590 < elapsed_s(studies.get(db, "old"), datetime.now(UTC)) < 610
        studies.set_state(db, "old", "running")
        assert claiming.claim(db, workers.register(db, "host", 1, "cpu"), 60) is not None
        assert [finding for finding in audit(db) if "paused" in finding.rule] == []


def _make_first_version(db: Database, optuna_study: optuna.Study) -> None:
    """The tables of the first version, with a study of three ended runs and a waiting one."""
    _make_version(db, "0001", make_definition("old"), optuna_study)
    with db.engine.connect() as connection:
        for trial, state in zip(optuna_study.trials, ("complete", "pruned", "failed"), strict=True):
            run = {"number": trial.number, "id": trial._trial_id, "state": state}
            connection.execute(
                sa.text(
                    """
                    INSERT INTO fleet.runs (study_id, ordinal, state, trial_id, trial_number)
                    SELECT id, :number, :state, :id, :number FROM fleet.studies
                    """
                ),
                run,
            )
        connection.execute(sa.text("INSERT INTO fleet.runs (study_id, ordinal) SELECT id, 3 FROM fleet.studies"))
        connection.commit()


def _make_version(db: Database, version: str, definition: StudyDefinition, optuna_study: optuna.Study) -> None:
    """The tables of an earlier version, with a study."""
    with db.engine.connect() as connection:
        connection.execute(sa.text("CREATE SCHEMA fleet"))
        config = schema.alembic()
        config.attributes["connection"] = connection
        command.upgrade(config, version)
        study = """
            INSERT INTO fleet.studies (name, optuna_study_id, definition)
            VALUES (:name, :optuna, cast(:definition AS jsonb))
        """
        values = {"optuna": optuna_study._study_id, "definition": definition.model_dump_json()}
        connection.execute(sa.text(study), {"name": definition.name, **values})
        connection.commit()
