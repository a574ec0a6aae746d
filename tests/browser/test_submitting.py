"""Submissions on the pages, as HTTP shows them: the rules of the API, with the line of each problem."""

from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any

import httpx
import pytest

from search_spaces import parse_definition
from search_spaces.task_modules import TaskModules
from service.dashboard import create_app
from service.dashboard.app import DATABASE_CONNECTIONS, ORDERS
from service.storage.database.database import Database
from service.storage.records import StudyRecord
from service.storage.states import StudyState
from service.storage.studies import studies, trials
from tests.api.configuring import NO_DATABASE, settings_for
from tests.api.fleet import definition_data
from tests.api.serving import served
from tests.browser.forms import post, value_of

TEXT = """name: typed
task: {name: digits, epochs: 2}
search_space:
  regularizer: {type: categorical, choices: [dropout, gaussian_dropout]}
  drop_rate: {type: float, low: 0.1, high: 0.5}
budget: {trials: 3}
"""
LOOP = {"name": "external", "epochs": 2}


def test_a_text_is_submitted(visitor: httpx.Client, database: Database) -> None:
    shown = visitor.get("/submit").text
    form = {"token": value_of("token", shown), "number": value_of("number", shown), "scale": "full"}
    text = TEXT.replace("\n", "\r\n")
    sent = [visitor.post("/submit", data={**form, "text": text}) for _ in range(2)]
    assert [answer.status_code for answer in sent] == [303, 303]
    assert sent[0].url.join(sent[0].headers["Location"]).path == "/studies/typed"
    assert studies.get(database, "typed").definition.trials == 3
    taken = post(visitor, "/submit", text=TEXT)
    assert taken.status_code == 409
    assert "study &#x27;typed&#x27; exists already" in taken.text
    assert "gaussian_dropout]}" in taken.text


def test_a_file_is_submitted_without_scripts(visitor: httpx.Client, database: Database) -> None:
    shown = visitor.get("/submit").text
    form = {"token": value_of("token", shown), "number": value_of("number", shown), "text": "ignored", "scale": "full"}
    sent = visitor.post("/submit", data=form, files={"file": ("ü.yaml", TEXT.encode())})
    assert sent.status_code == 303, sent.text
    assert studies.get(database, "typed").state == StudyState.RUNNING
    typed = visitor.post("/submit", data={**form, "text": TEXT}, files={"file": ("", b"")})
    assert typed.status_code == 409  # no file was chosen, so the text counts


def test_a_wrong_text_comes_back_with_its_lines(visitor: httpx.Client, database: Database) -> None:
    wrong = TEXT.replace("trials: 3", "trails: 3").replace("high: 0.5", "high: 1.5")
    refused = post(visitor, "/submit", text=wrong)
    assert refused.status_code == 422
    assert "line 6: budget.trails is no known field: did you mean trials?" in refused.text
    assert "trails: 3" in refused.text
    assert studies.count(database) == 0
    assert post(visitor, "/submit", text=TEXT, scale="smal").status_code == 422
    scaled = post(visitor, "/submit", text=TEXT.replace("trials: 3", "trials: 99"), scale="small")
    assert scaled.status_code == 303
    assert studies.get(database, "typed-scaled").definition.trials == 30


def test_a_text_is_looked_at(visitor: httpx.Client, study: StudyRecord, database: Database) -> None:
    token = value_of("token", visitor.get("/submit").text)

    def looked(text: str, scale: str = "full") -> dict[str, Any]:
        answer = visitor.post("/submit/check", data={"token": token, "text": text, "scale": scale})
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    right = looked(TEXT)
    assert right["problems"] == []
    assert right["plan"][0] == "`typed` would have 3 trials of digits, each of 2 epochs."
    assert right["plan"][-1] == "1 worker would serve it."
    wrong = TEXT.replace("digits,", "digts,").replace("dropout,", "dropot,")
    assert [problem["line"] for problem in looked(wrong)["problems"]] == [2, 4]
    unread = looked("name: x\n  task: y")["problems"]
    assert unread[0]["line"] == 2
    assert looked("")["problems"][0]["message"].endswith("got nothing")
    taken = looked(TEXT.replace("typed", "digits-1"))["problems"]
    assert taken[0]["message"].startswith("study 'digits-1' exists already")
    assert studies.count(database) == 1


def test_a_clone_has_a_free_name(visitor: httpx.Client, study: StudyRecord, database: Database) -> None:
    shown = visitor.get("/submit?like=digits-1").text
    assert "name: digits-2" in shown
    text = shown.split('name="text"')[1].split(">", 1)[1].split("</textarea>")[0]
    assert post(visitor, "/submit", text=unescape(text)).status_code == 303
    clone = studies.get(database, "digits-2").definition
    assert clone.model_copy(update={"name": "digits-1"}) == study.definition
    assert "name: digits-3" in visitor.get("/submit?like=digits-2").text
    assert visitor.get("/submit?like=none").status_code == 404
    assert visitor.get("/submit?preset=quickstar").status_code == 404


@pytest.mark.parametrize(
    "choices",
    [
        pytest.param([[*range(250)]] * 45, id="of too many values"),
        pytest.param([[f"{'c' * 60}{number}" for number in range(100)]] * 40, id="of too many characters"),
    ],
)
def test_a_study_too_long_for_yaml_is_cloned_as_json(
    visitor: httpx.Client, database: Database, choices: list[list[int | str]]
) -> None:
    space = {f"x{n}": {"type": "categorical", "choices": each} for n, each in enumerate(choices)}
    noise = {"regularizer": {"type": "categorical", "choices": ["dropout", "none"]}}
    study = studies.create(
        database, parse_definition(definition_data("long", 2, task=LOOP, search_space=space | noise))
    )
    shown = visitor.get("/submit?like=long").text
    text = unescape(shown.split('name="text"')[1].split(">", 1)[1].split("</textarea>")[0])
    assert post(visitor, "/submit", text=text).status_code == 303
    clone = studies.get(database, "long-2").definition
    assert clone.model_copy(update={"name": "long"}) == study.definition


def test_a_text_is_bounded(visitor: httpx.Client) -> None:
    refused = post(visitor, "/submit", text="a" * (1 << 20) + "b")
    assert refused.status_code == 413
    assert visitor.post("/submit", content=b"a=" + b"b" * (4 << 20)).status_code == 413
    assert visitor.post("/submit", json={"a": 1}).status_code == 400


def test_only_what_the_operator_allows_is_submitted(database_url: str) -> None:
    settings = settings_for(database_url, task_modules=TaskModules.from_environment({"PERNODEDROP_TASK_MODULES": "-"}))
    with served(create_app(settings)) as address, httpx.Client(base_url=address, timeout=60) as visitor:
        refused = post(visitor, "/submit", text=TEXT.replace("digits", "mylab.tasks:Task"))
        assert refused.status_code == 422
        assert "line 2: task.name" in refused.text


def test_nothing_is_lost_while_the_database_is_away() -> None:
    with served(create_app(settings_for(NO_DATABASE))) as address, httpx.Client(base_url=address) as visitor:
        assert visitor.get("/submit").status_code == 503
        refused = post(visitor, "/submit", text=TEXT)
        assert refused.status_code == 503
        assert "gaussian_dropout]}" in refused.text
        form = {"token": value_of("token", refused.text), "tags": "paper", "note": "kept"}
        noted = visitor.post("/studies/x/orders/note", data=form)
        assert noted.status_code == 503
        assert 'value="paper"' in noted.text and "kept</textarea>" in noted.text


def test_many_submissions_need_no_further_connections(visitor: httpx.Client, database: Database) -> None:
    assert ORDERS < DATABASE_CONNECTIONS
    token = value_of("token", visitor.get("/submit").text)

    def send(number: int) -> int:
        text = TEXT.replace("typed", f"typed-{number}")
        return visitor.post("/submit", data={"token": token, "number": str(number), "text": text}).status_code

    with ThreadPoolExecutor(12) as pool:
        pages = [pool.submit(visitor.get, "/studies") for _ in range(12)]
        assert set(pool.map(send, range(12))) == {303}
        assert {page.result().status_code for page in pages} == {200}
    assert studies.count(database) == 12
    assert len(trials.page(database, studies.get(database, "typed-3"))) == 3


def test_the_form_writes_into_the_text(visitor: httpx.Client) -> None:
    token = value_of("token", visitor.get("/submit").text)
    fields = {"token": token, "text": TEXT + "# kept\n", "scale": "full"}
    changed = {"set.budget.trials": "7", "set.name": "typed", "set.search_space.drop_rate.low": "2e-1"}
    boxes = {"many": "search_space.regularizer.choices", "set.search_space.regularizer.choices": ["dropout", "none"]}
    by_script = visitor.post(
        "/submit/fields", data={**fields, **changed, **boxes}, headers={"Accept": "application/json"}
    )
    assert by_script.status_code == 200, by_script.text
    told = by_script.json()
    assert (
        told["text"]
        == TEXT.replace("trials: 3", "trials: 7")
        .replace("0.1", "0.2")
        .replace("[dropout, gaussian_dropout]", "[dropout, none]")
        + "# kept\n"
    )
    assert 'value="7"' in told["fields"]
    assert "7 trials" in told["plan"][0]
    whole = visitor.post("/submit/fields", data={**fields, "set.confirmation.top": "2", "set.budget.trials": "many"})
    assert whole.status_code == 200
    assert "confirmation: {top: 2}" in unescape(whole.text)
    assert "trials: many" in whole.text  # the rules refuse it, with its line
    wrong = visitor.post("/submit/fields", data={**fields, "text": "a: [", **changed})
    assert (wrong.status_code, "a: [" in wrong.text) == (422, True)
