"""Several studies side by side, as HTTP shows them: as far as they measure the same, and no further."""

import csv
import io
import re
from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa

from search_spaces import parse_definition
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import CurvePoint
from service.storage.runs import claiming, holding
from service.storage.states import RunState
from service.storage.studies import studies, trials
from tests.api.fleet import definition_data, work
from tests.browser.many import many_trials

LOSSES = {0: (0.3, 0.5), 1: (0.2, 0.4)}  # of two configurations under two seeds


@pytest.fixture
def page(unguarded: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=unguarded, timeout=60) as client:
        yield client


def compared(page: httpx.Client, *names: str, status: int = 200) -> str:
    answer = page.get("/compare", params=[("study", name) for name in names])
    assert answer.status_code == status
    return answer.text


def test_variants_stand_side_by_side(page: httpx.Client, database: Database) -> None:
    for name, endings in (("first", {}), ("second", dict.fromkeys(range(8), RunState.FAILED))):
        work(database, studies.create(database, parse_definition(definition_data(name, 8))), endings)
    studies.create(database, parse_definition(definition_data("waiting", 8)))
    text = compared(page, "first", "second", "waiting")
    assert "Not all of these" not in text
    assert 'href="studies/first"' in text
    best = studies.get(database, "first").best
    assert best is not None
    assert f'href="studies/first/trials/{best.number}"' in text
    rows = re.findall(r"<td>(\d+)</td><td><span class=\"variant\">.*?</svg>([\w-]+)</span></td>(.*?)</tr>", text)
    assert [row[0] for row in rows] == [str(rank) for rank in range(1, len(rows) + 1)]
    assert rows[0][1] == best.variant
    assert "none complete" in rows[0][2]  # of the second, whose trials have failed
    assert "second and waiting: no complete trial yet." in text
    assert 'aria-label="best val_loss by trials ended"' in text
    assert 'aria-label="best val_loss by device time of ended trials in s"' in text


def test_the_time_that_a_trial_waited_is_no_device_time(page: httpx.Client, database: Database) -> None:
    """A trial that paused at a rung, or lost its worker, has begun long before it was trained to its end."""
    for name in ("first", "second"):
        work(database, studies.create(database, parse_definition(definition_data(name, 4))))
    with database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE fleet.runs SET started_at = started_at - interval '2 hours'"))
    first = studies.get(database, "first")
    assert first.device_time_s < 60
    trial = trials.get(database, first, 0)
    assert trial.duration_s is not None
    assert (trial.duration_s > 7200, 0 < trial.spent_s < 60) == (True, True)
    assert "2 h 00 min, of which workers had it for" in page.get("/studies/first/trials/0").text
    rows = list(csv.DictReader(io.StringIO(page.get("/studies/first/trials.csv").text)))
    assert all(float(row["seconds"]) > 7200 and 0 < float(row["spent_seconds"]) < 60 for row in rows)
    text = compared(page, "first", "second")
    assert 'aria-label="best val_loss by device time of ended trials in s"' in text


def test_what_measures_something_else_stands_by_itself(page: httpx.Client, database: Database) -> None:
    accuracy = [{"metric": "val_accuracy", "direction": "maximize"}]
    longer = {"name": "digits", "epochs": 9}
    for name, parts in (("first", {}), ("longer", {"task": longer}), ("other", {"objectives": accuracy})):
        many_trials(database, name, 40, **parts)
    text = compared(page, "first", "longer", "other")
    assert "first and longer measure val_loss of task digits (less is better)" in text
    assert "other measures val_accuracy of task digits (more is better)" in text
    assert "other is alone with its metric and task" in text
    assert "epochs is 4 in first, 9 in longer" in text


def test_confirmations_have_means_with_intervals(page: httpx.Client, database: Database) -> None:
    space = {"drop_rate": {"type": "float", "low": 0.0, "high": 0.9, "step": 0.1}}
    parts = {"search_space": space, "fixed": {"regularizer": "dropout"}, "confirmation": {"top": 2, "repeats": 2}}
    for name in ("first", "second"):
        work(database, studies.create(database, parse_definition(definition_data(name, 3, **parts))), limit=3)
        for losses in LOSSES.values():
            lease = claiming.claim(database, workers.register(database, "node-1", 1, "cpu"), 600)
            assert lease is not None
            holding.attach(database, lease, None, None)
            points = [
                CurvePoint(1, seed, split, "loss", loss)
                for seed, loss in enumerate(losses)
                for split in ("val", "test")
            ]
            holding.record_epoch(database, lease, 1, points)
            holding.finish(
                database, lease, RunState.COMPLETE, best_epoch=1, values=[sum(losses) / 2], tell=lambda: None
            )
    text = compared(page, "first,second")
    assert "Confirmed" in text
    assert text.count("<td>test_loss</td>") == 4
    # Student's t interval of 0.2 and 0.4: 0.3 -+ 12.706 * 0.1
    assert '>0.3</a></td><td class="number">−0.9706 to 1.571</td>' in text
    assert 'href="studies/second/confirmation/1"' in text
    listed = list(csv.DictReader(io.StringIO(page.get("/studies/first/trials.csv").text)))
    assert [row["test_loss"] for row in listed if row["stage"] == "confirmation"] == ["0.4", "0.30000000000000004"]
    assert all((row["val_loss"] == "") is (row["stage"] == "confirmation") for row in listed)
    assert "<small>test </small>0.4" in page.get("/studies/first/trials").text


def test_names_are_checked(page: httpx.Client, database: Database) -> None:
    for number in range(10):
        studies.create(database, parse_definition(definition_data(f"study-{number}", 4)))
    empty = compared(page)
    assert 'type="checkbox" name="study" value="study-9"' in empty
    one = compared(page, "study-1")
    assert 'value="study-1" checked' in one
    assert 'role="alert"' not in one
    assert "did you mean study-1?" in compared(page, "study-1", "studi-1", status=422)
    some = compared(page, "study-1", "study-2", "studi-1")
    assert "did you mean study-1?" in some
    assert "waiting" not in some
    hostile = compared(page, "<script>alert(1)</script>", status=422)
    assert "&lt;script&gt;" in hostile
    assert "<script>alert" not in hostile
    many = compared(page, *(f"study-{number}" for number in range(10)))
    assert "a comparison takes 2 to 8 studies, got 10: the first 8 are shown" in many
    assert 'href="studies/study-7"' in many
    assert 'href="studies/study-8"' not in many
    studies.delete(database, "study-1")
    assert "no study is named" in compared(page, "study-1", "study-2", status=422)
