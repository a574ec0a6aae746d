"""The audit finds what is planted in a real database, and nothing in a sound one."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from search_spaces import parse_definition
from service.cli import main
from service.storage.audit import audit, findings
from service.storage.database.database import Database
from service.storage.states import RunState
from service.storage.studies import studies
from tests.api.fleet import definition_data, work

# What each rule is to find: a statement that plants it, the run's place in the queue or None, part of the values.
PLANTED = {
    "a study has as many runs as its budget": ("DELETE FROM fleet.runs WHERE ordinal = 4", None, "4 runs, budget 5"),
    "no gaps in the queue": ("UPDATE fleet.runs SET ordinal = 7 WHERE ordinal = 0", None, "the last is number 7"),
    "a finished study has no open runs": ("UPDATE fleet.runs SET state = 'waiting' WHERE ordinal = 1", 1, "waiting"),
    "the counts are those of the runs": (
        "UPDATE fleet.run_counts SET pruned = pruned + 1 WHERE ctid = (SELECT min(ctid) FROM fleet.run_counts)",
        None, "1 pruned runs of the search, the counts say 2",
    ),
    "a run goes a legal path": (
        "UPDATE fleet.runs SET token = token + 2 WHERE ordinal = 1", 1, "token 1, attempts 1 -> complete, token 3",
    ),
    "a run stands where its history ends": ("UPDATE fleet.runs SET attempts = 2 WHERE ordinal = 1", 1, "attempts 2"),
    "a run is begun no more often than its retries allow": (
        "UPDATE fleet.runs SET attempts = 9 WHERE ordinal = 1", 1, "9 attempts, retries 2",
    ),
    "an ended run is one Optuna trial in the same state": (
        "UPDATE trials SET state = 'RUNNING' WHERE number = 1", 1, "complete, trial 1 is RUNNING",
    ),
    "an Optuna trial belongs to a run": (
        "UPDATE fleet.runs SET trial_id = NULL WHERE ordinal = 1", 1, "trial 1 is COMPLETE",
    ),
    "curves have every epoch, and none beyond": (
        "DELETE FROM fleet.curves USING fleet.runs r WHERE r.id = run_id AND r.ordinal = 1 AND curves.epoch = 2",
        1, "repeat 0 has 3 to 4 points of 4 epochs",
    ),
    "what Optuna was told of ends where the curve does": (
        "DELETE FROM fleet.curves USING fleet.runs r WHERE r.id = run_id AND r.ordinal = 2 AND curves.epoch > 1",
        2,
        "pruned, reports up to epoch 4, the curve ends at 1",
    ),
    "a value is the mean over repeats of the best epoch's": (
        "UPDATE trial_values SET value = value - 1 WHERE trial_id = (SELECT trial_id FROM trials WHERE number = 1)",
        1, "objective 0",
    ),
}  # fmt: skip

MORE = [
    ("a finished study has no open runs", "UPDATE fleet.studies SET to_come = 1"),
    ("a study has as many runs as its budget", "UPDATE fleet.studies SET dropped = 1"),
    ("a run belongs to a study, or to one that was deleted", "UPDATE fleet.runs SET study_id = 0 WHERE ordinal = 4"),
    ("the counts are those of the runs", "DELETE FROM fleet.run_counts"),
    ("the counts are those of the runs", "UPDATE fleet.run_counts SET spent_s = spent_s + 1"),
    ("a run goes a legal path", "UPDATE fleet.runs SET state = 'pruned' WHERE ordinal = 1"),  # ended twice
    ("a run goes a legal path", "UPDATE fleet.run_history SET attempts = 0 WHERE state = 'complete'"),
    ("a run stands where its history ends", "DELETE FROM fleet.run_history WHERE state = 'complete'"),
    (
        "an ended run is one Optuna trial in the same state",
        "UPDATE trials SET state = 'FAIL' WHERE number = 1",
    ),
    ("curves have every epoch, and none beyond", "DELETE FROM fleet.curves"),
    ("curves have every epoch, and none beyond", "UPDATE fleet.runs SET epoch = 3 WHERE ordinal = 1"),
    ("curves have every epoch, and none beyond", "UPDATE fleet.curves SET repeat = 1"),
    (
        "curves have every epoch, and none beyond",
        "DELETE FROM fleet.curves WHERE (split, metric) = ('val', 'accuracy') AND epoch = 4",
    ),
    (
        "curves have every epoch, and none beyond",
        "INSERT INTO fleet.curves SELECT run_id, repeat, 5, split, metric, value FROM fleet.curves WHERE epoch = 4",
    ),
    ("a value is the mean over repeats of the best epoch's", "UPDATE fleet.curves SET value = value / 2"),
    ("a value is the mean over repeats of the best epoch's", "UPDATE fleet.runs SET best_epoch = 1"),
]


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """Five runs that went the whole way: three complete, one pruned, one failed."""
    with Database.open(database_url) as database:
        study = studies.create(database, parse_definition(definition_data("books", trials=5)))
        work(database, study, {2: RunState.PRUNED, 3: RunState.FAILED})
        yield database


@contextmanager
def planted(db: Database, statement: str) -> Iterator[sa.Connection]:
    """The books with a defect, until the end of the block."""
    with db.engine.connect() as connection:
        connection.execute(sa.text(statement))
        yield connection
        connection.rollback()


def test_sound_books_have_no_findings_also_while_a_study_waits(db: Database) -> None:
    assert audit(db) == []
    studies.create(db, parse_definition(definition_data("waits")))
    assert audit(db) == []


def test_what_is_planted_is_found(db: Database) -> None:
    with db.engine.connect() as connection:
        ids = {row.ordinal: row.id for row in connection.execute(sa.text("SELECT ordinal, id FROM fleet.runs"))}
    for rule, (statement, ordinal, values) in PLANTED.items():
        with planted(db, statement) as connection:
            [found] = [finding for finding in findings(connection) if finding.rule == rule]
        assert (found.study, found.run) == ("books", None if ordinal is None else ids[ordinal])
        assert values in found.values
        assert str(found).startswith("books")
    assert audit(db) == []


def test_other_ways_to_break_a_rule_are_found(db: Database) -> None:
    for rule, statement in MORE:
        with planted(db, statement) as connection:
            assert rule in {finding.rule for finding in findings(connection)}, statement


def test_the_command_tells_what_it_found(
    db: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", db.url)
    assert main(["db", "audit"]) == 0
    assert capsys.readouterr().out == "the books are sound\n"
    with db.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM fleet.runs WHERE ordinal = 4"))
    assert main(["db", "audit"]) == 1
    said = capsys.readouterr()
    assert "books: a study has as many runs as its budget: 4 runs, budget 5\n" in said.out
    assert said.err == "error: 2 findings\n"
