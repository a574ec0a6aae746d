"""The page of one run, as HTTP shows it: whatever went wrong with it, and whatever it wrote."""

from collections.abc import Iterator

import httpx
import pytest

from search_spaces import parse_definition
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import CurvePoint, StudyRecord, Weights
from service.storage.runs import claiming, holding
from service.storage.states import RunState
from service.storage.studies import studies
from tests.api.fleet import definition_data, work
from tests.browser.hard_run import EPOCHS, LINES, failed_twice
from tests.storage.examined import examination


@pytest.fixture
def page(unguarded: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=unguarded, timeout=60) as client:
        yield client


def test_a_failed_run_tells_all(page: httpx.Client, database: Database) -> None:
    study = failed_twice(database)
    text = page.get("/studies/hard/trials/0").text
    for said in ("&lt;b&gt;training loss&lt;/b&gt; became nan", "Attempt 1", "Attempt 2", "preempted", "node-1:11"):
        assert said in text, said
    for raw in ("<script>alert", "<img", "<b>", "<i>cuda", "\x1b", "\u202e"):
        assert raw not in text, raw
    assert "\\x1b[2J \\u202e" in text
    assert "ValueError: &lt;script&gt;" in text
    assert f"line {LINES - 1} " in text
    assert f"line {LINES - 200} " in text
    assert f"line {LINES - 201} " not in text
    assert "the last 200 lines of" in text
    assert "pernodedrop-gaussian-dynamic" in text
    assert "3fa1c2d4e5f6" * 5 in text
    assert "9b1c2d dirty" in text
    assert "1.2 GB" in text
    assert "0 to 2" in text  # its seeds
    assert f"{EPOCHS} of {3 * EPOCHS}" in text
    assert "Not finite: train of seed 2 from epoch 21; val of seed 2 from epoch 25." in text
    assert text.count('aria-label="loss by epoch, on a logarithmic scale"') == 1
    assert 'aria-label="accuracy by epoch"' in text
    assert f'href="dashboard/studies/{study.optuna_study_id}/trials?numbers=0"' in text
    assert "data-live" not in text


def test_a_run_in_training_shows_what_there_is(page: httpx.Client, database: Database) -> None:
    failed_twice(database)
    text = page.get("/studies/hard/trials/1").text
    assert " data-live>" in text
    assert "still holds it" in text
    assert "node-3:13" in text
    assert f"1 of {3 * EPOCHS}" in text
    assert "It has said nothing of what it trains on." in text


def test_a_complete_a_pruned_and_a_bare_run(page: httpx.Client, study: StudyRecord) -> None:
    assert "pruned" in page.get("/studies/digits-1/trials/3").text
    complete = page.get("/studies/digits-1/trials/0").text
    assert "They were chosen by the sampler" in complete
    assert 'class="best"' in complete  # the rule at the best epoch
    assert "It has written nothing." in complete
    assert "Where it comes from is not recorded." in complete


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("trials/99", "study &#x27;digits-1&#x27; has no trial 99"),
        ("trials/x", "a number from 0"),
        ("trials/-1", "a number from 0"),
        ("trials/99999999999", "a number from 0"),
        ("confirmation/0", "has no confirmation run 0"),
        ("trials/%3Cscript%3E", "&lt;script&gt;"),
    ],
)
def test_a_run_that_there_is_not(page: httpx.Client, study: StudyRecord, path: str, said: str) -> None:
    answer = page.get(f"/studies/digits-1/{path}")
    assert answer.status_code == 404
    assert said in answer.text


def test_a_confirmation_shows_weights_and_examinations(page: httpx.Client, database: Database) -> None:
    parts = {"confirmation": {"top": 1, "repeats": 2}, "keep": "confirmed"}
    study = studies.create(database, parse_definition(definition_data("confirmed", 2, **parts)))
    work(database, study, limit=2)
    lease = claiming.claim(database, workers.register(database, "node-1", 1, "cpu"), 600)
    assert lease is not None
    holding.attach(database, lease, None, None)
    holding.record_epoch(database, lease, 1, [CurvePoint(1, seed, "test", "loss", 0.5) for seed in (0, 1)])
    holding.record_examination(database, lease, examination(lease, 1, inputs="<b>noise</b>"))
    kept = [
        Weights(lease.run_id, 0, 1, "ab" * 32, 4_200_000),
        Weights(lease.run_id, 1, 1, None, 0, "<i>the disk is full</i>"),
    ]
    holding.finish(database, lease, RunState.COMPLETE, best_epoch=1, values=[0.5], kept=kept, tell=lambda: None)
    text = page.get("/studies/confirmed/confirmation/0").text
    for said in (
        "Confirmation run 0",
        "ab" * 32,
        "4.2 MB",
        "&lt;i&gt;the disk is full&lt;/i&gt;",
        "&lt;b&gt;noise&lt;/b&gt;",
        "epistemic",
        ">nan<",
        "1 to 2",  # the seeds after the search's
    ):
        assert said in text, said
    assert 'href="studies/confirmed/confirmation/0"' in page.get("/studies/confirmed/trials?stage=confirmation").text
