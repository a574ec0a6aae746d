"""Studies are created as a whole or not at all, and change state by the rules."""

import threading

import optuna
import pytest
import sqlalchemy as sa

from search_spaces import StudyDefinition
from service.storage.database.database import Database
from service.storage.errors import IllegalTransition, StudyExists, UnknownStudy
from service.storage.fleet import workers
from service.storage.runs import claiming
from service.storage.states import StudyState
from service.storage.studies import studies
from tests.storage.conftest import make_definition


def test_a_created_study_is_all_there(db: Database, definition: StudyDefinition) -> None:
    study = studies.create(db, definition)
    assert study.definition.model_dump() == definition.model_dump()
    assert study.state is StudyState.RUNNING
    assert study.counts["waiting"] == definition.trials == sum(study.counts.values())
    assert study.best is None
    assert optuna.load_study(study_name="storage", storage=db.optuna).directions == [
        optuna.study.StudyDirection.MINIMIZE
    ]
    assert studies.get(db, "storage") == study
    assert studies.page(db) == [study]
    assert studies.count(db) == 1


def test_of_eight_creations_of_one_name_one_wins(db: Database, database_url: str) -> None:
    outcomes: list[str] = []

    def create() -> None:
        with Database.open(database_url) as mine:
            try:
                studies.create(mine, make_definition("contested", trials=7))
                outcomes.append("created")
            except StudyExists:
                outcomes.append("exists")

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["created"] + ["exists"] * 7
    assert studies.get(db, "contested").counts["waiting"] == 7


def test_an_interrupted_creation_leaves_nothing_in_the_way(db: Database, definition: StudyDefinition) -> None:
    optuna.create_study(study_name="storage", storage=db.optuna, direction="maximize")  # all that a crash can leave
    assert studies.create(db, definition).counts["waiting"] == 4
    assert optuna.load_study(study_name="storage", storage=db.optuna).direction.name == "MINIMIZE"


def test_somebody_elses_optuna_study_is_left_alone(db: Database, definition: StudyDefinition) -> None:
    theirs = optuna.create_study(study_name="storage", storage=db.optuna)
    theirs.tell(theirs.ask(), 1.0)
    with pytest.raises(StudyExists):
        studies.create(db, definition)
    assert len(theirs.trials) == 1
    with pytest.raises(UnknownStudy):
        studies.get(db, "storage")


def test_a_failing_creation_takes_optunas_half_back(db: Database, definition: StudyDefinition) -> None:
    with db.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE fleet.runs ADD CHECK (ordinal < 2)"))
    with pytest.raises(sa.exc.IntegrityError):
        studies.create(db, definition)
    assert optuna.get_all_study_names(db.optuna) == []
    assert studies.count(db) == 0


def test_states(db: Database, definition: StudyDefinition) -> None:
    studies.create(db, definition)
    assert studies.set_state(db, "storage", "paused").state is StudyState.PAUSED
    assert studies.set_state(db, "storage", "running").state is StudyState.RUNNING
    stopped = studies.set_state(db, "storage", "stopped")
    assert stopped.state is StudyState.STOPPED
    assert (stopped.counts["cancelled"], stopped.finished_at is not None) == (4, True)
    assert studies.set_state(db, "storage", "stopped") == stopped
    with pytest.raises(IllegalTransition, match="'storage' is stopped and cannot become running"):
        studies.set_state(db, "storage", "running")
    with pytest.raises(UnknownStudy, match="no study is named 'other'"):
        studies.set_state(db, "other", "paused")


def test_a_deleted_study_is_gone_everywhere(db: Database, definition: StudyDefinition) -> None:
    studies.create(db, definition)
    studies.delete(db, "storage")
    with pytest.raises(UnknownStudy):
        studies.get(db, "storage")
    with pytest.raises(UnknownStudy):
        studies.delete(db, "storage")
    assert optuna.get_all_study_names(db.optuna) == []
    studies.create(db, definition)


def test_workers_come_and_go(db: Database) -> None:
    first = workers.register(db, "alpha", 11, "cpu")
    second = workers.register(db, "beta", 22, "cuda:0")
    assert [(w.name, w.device, w.state) for w in workers.alive(db)] == [
        ("alpha:11", "cpu", "idle"),
        ("beta:22", "cuda:0", "idle"),
    ]
    workers.check_in(db, first)
    studies.create(db, make_definition("busy"))
    assert claiming.claim(db, first, 60) is not None
    workers.leave(db, second)
    assert [(w.id, w.state) for w in workers.alive(db)] == [(first, "busy")]
    with db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE fleet.workers SET seen_at = now() - interval '2 minutes'"))
    assert workers.alive(db) == []
