"""What is made of a whole study: once for each of its states, one at a time for a study, few at once, and bounded."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from search_spaces import parse_definition
from service.reports import Results
from service.storage.database.database import Database
from service.storage.studies import columns, curves, studies
from service.storage.studies.extent import extent_of, mark_of
from service.web import report, reports
from service.web.report import results_of
from service.web.reports import Reports, ReportsBusy
from tests.api.fleet import EPOCHS, definition_data, work

PATIENCE_S = 30


@pytest.fixture
def worked(database: Database) -> Iterator[Database]:
    """A database with the finished study digits-1 of 8 trials."""
    study = studies.create(database, parse_definition(definition_data(trials=8)))
    work(database, study)
    yield database


class Maker:
    """Makes a report that waits until it is allowed to end."""

    def __init__(self) -> None:
        self.made = 0
        self.begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self, results: Results) -> bytes:
        self.made += 1
        self.begun.set()
        assert self.may_end.wait(PATIENCE_S)
        return f"{results.study.name} {len(results.trials)}".encode()


def test_requests_for_one_study_share_one_making(worked: Database) -> None:
    made, maker = Reports(worked), Maker()
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(made.made, "digits-1", "page", maker) for _ in range(5)]
        assert maker.begun.wait(PATIENCE_S)
        maker.may_end.set()
        assert {answer.result(PATIENCE_S) for answer in answers} == {b"digits-1 8"}
    assert maker.made == 1


def test_a_report_is_kept_until_its_study_changes(worked: Database) -> None:
    made, maker = Reports(worked), Maker()
    maker.may_end.set()
    for _ in range(2):
        made.made("digits-1", "page", maker)
    assert maker.made == 1
    made.made("digits-1", "another", maker)
    assert maker.made == 2
    studies.amend(worked, "digits-1", priority=5)
    made.made("digits-1", "page", maker)
    assert maker.made == 3


def test_a_failed_making_is_not_kept_and_holds_nobody_back(worked: Database) -> None:
    made, maker = Reports(worked), Maker()
    maker.may_end.set()
    for _ in range(reports.AT_ONCE + 1):
        with pytest.raises(ZeroDivisionError):
            made.made("digits-1", "page", lambda _: bytes(1 // 0))
    assert made.made("digits-1", "page", maker) == b"digits-1 8"


def test_beyond_the_room_to_wait_the_answer_is_busy(
    worked: Database, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "AT_ONCE", 1)
    monkeypatch.setattr(reports, "WAITING", 0)
    studies.create(worked, parse_definition(definition_data("digits-2")))
    made, maker = Reports(worked), Maker()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(made.made, "digits-1", "page", maker)
        assert maker.begun.wait(PATIENCE_S)
        for name in ("digits-1", "digits-2"):
            with pytest.raises(ReportsBusy):
                made.made(name, "page", maker)
        maker.may_end.set()
        first.result(PATIENCE_S)
    monkeypatch.setattr(reports, "AT_ONCE", 0)
    response = api.get("/v1/studies/digits-1/report")
    assert (response.status_code, response.json()["error"]) == (503, "busy")
    assert int(response.headers["Retry-After"]) > 0
    assert "\n" not in response.json()["message"]


def test_memory_keeps_what_was_used_last(worked: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "KEPT_BYTES", 20)  # one of them
    made, maker = Reports(worked), Maker()
    maker.may_end.set()
    for what in ("a", "b", "b", "a"):
        made.made("digits-1", what, maker)
    assert maker.made == 3


def test_the_mark_changes_with_every_change_of_a_run(database: Database) -> None:
    study = studies.create(database, parse_definition(definition_data(trials=2)))
    marks = [mark_of(database, study.id)]
    work(database, study, limit=1)
    marks.append(mark_of(database, study.id))
    work(database, study, limit=1)
    marks.append(mark_of(database, study.id))
    assert marks[-1] == mark_of(database, study.id)
    assert len(set(marks)) == 3
    assert mark_of(database, study.id + 1) is None


def test_curves_in_columns_are_those_of_the_runs(worked: Database) -> None:
    study = studies.get(worked, "digits-1")
    epochs = results_of(worked, study).epochs
    by_run = curves.of_study(worked, study.id)
    assert sorted(set(epochs.run.tolist())) == sorted(by_run)
    for run, points in by_run.items():
        found = {
            (repeat, epoch.number, name): value
            for repeat, several in epochs.of(run).items()
            for epoch in several
            for name, value in epoch.metrics.items()
        }
        assert found == {(p.repeat, p.epoch, f"{p.split}_{p.metric}"): p.value for p in points}
    nothing = columns.of_study(worked, study.id + 1)
    assert (len(nothing.run), len(nothing.value), nothing.names) == (0, 0, ())


def test_a_study_beyond_the_bounds_is_read_in_part_and_says_so(
    worked: Database, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = studies.get(worked, "digits-1")
    assert extent_of(worked, study.id).runs == 8
    assert extent_of(worked, study.id).points == 8 * EPOCHS * 3
    best = results_of(worked, study).best_first[0].number
    monkeypatch.setattr(report, "ALWAYS", 1)
    monkeypatch.setattr(report, "MOST_RUNS", 4)
    monkeypatch.setattr(report, "MOST_POINTS", 24)
    part = results_of(worked, study)
    assert {trial.number for trial in part.trials} == {0, 2, 4, 6, best}
    assert (part.every_trial, part.every_curve) == (2, 4)
    assert {0, 4} <= {trial.number for trial in part.trials if part.mean_epochs(trial)}
    assert best in {trial.number for trial in part.trials if part.mean_epochs(trial)}
    page = api.get("/v1/studies/digits-1/report").text
    assert "one of 2 trials was read" in page
    assert "one of 4 trials were read" in page
    assert len(api.get("/v1/studies/digits-1/records.csv").text.splitlines()) == 1 + 8 * EPOCHS  # a table is whole
