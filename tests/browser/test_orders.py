"""Orders on the pages, as HTTP shows them: the rules of the API, each form done once, and nothing typed is lost."""

from collections.abc import Iterator
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
from service.storage.fleet import workers
from service.storage.records import StudyRecord
from service.storage.states import RunState, StudyState
from service.storage.studies import studies, trials
from tests.api.configuring import NO_DATABASE, settings_for
from tests.api.fleet import definition_data, work
from tests.api.serving import served
from tests.browser.conftest import TRIALS
from tests.browser.forms import post, value_of

TEXT = """name: typed
task: {name: digits, epochs: 2}
search_space:
  regularizer: {type: categorical, choices: [dropout, gaussian_dropout]}
  drop_rate: {type: float, low: 0.1, high: 0.5}
budget: {trials: 3}
"""


@pytest.fixture
def visitor(unguarded: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=unguarded, timeout=60) as client:
        yield client


@pytest.fixture
def waiting(database: Database) -> StudyRecord:
    """A study that no worker has begun."""
    return studies.create(database, parse_definition(definition_data("waiting-1", 4)))


def test_pause_resume_and_stop(visitor: httpx.Client, waiting: StudyRecord, database: Database) -> None:
    for order, state in (("pause", "paused"), ("resume", "running"), ("stop", "stopped")):
        page = visitor.get("/studies/waiting-1").text
        assert f'action="studies/waiting-1/orders/{order}"' in page
        done = post(visitor, f"/studies/waiting-1/orders/{order}")
        assert done.status_code == 303
        assert studies.get(database, "waiting-1").state == state
        shown = visitor.get(done.url.join(done.headers["Location"])).text
        assert 'role="status"' in shown
    assert 'orders/pause"' not in visitor.get("/studies/waiting-1").text
    refused = post(visitor, "/studies/waiting-1/orders/pause")
    assert refused.status_code == 409
    assert "study &#x27;waiting-1&#x27; is stopped and cannot become paused" in refused.text


def test_a_form_is_done_once(visitor: httpx.Client, study: StudyRecord, database: Database) -> None:
    shown = visitor.get("/studies/digits-1/orders/extend").text
    form = {name: value_of(name, shown) for name in ("token", "number", "seen")} | {"trials": "5"}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: visitor.post("/studies/digits-1/orders/extend", data=form), range(4)))
    assert {answer.status_code for answer in answers} == {303}
    assert studies.get(database, "digits-1").definition.trials == TRIALS + 5
    again = [answer for answer in answers if "again=1" in answer.headers["Location"]]
    assert len(again) == 3
    said = visitor.get(again[0].url.join(again[0].headers["Location"])).text
    assert "Extended by 5 trials, to 17 in all. The form was sent twice, and done once." in said


def test_a_form_of_a_page_that_is_old_adds_nothing(
    visitor: httpx.Client, study: StudyRecord, database: Database
) -> None:
    shown = visitor.get("/studies/digits-1/orders/extend").text
    form = {name: value_of(name, shown) for name in ("token", "number", "seen")}
    assert visitor.post("/studies/digits-1/orders/extend", data={**form, "trials": "1"}).status_code == 303
    # The dashboard was started again since, or the number is another one's: the budget tells.
    late = visitor.post("/studies/digits-1/orders/extend", data={**form, "number": "another", "trials": "7"})
    assert late.status_code == 409
    assert "it had 12 trials when you looked, and has 13 now: look again" in late.text
    assert 'value="7"' in late.text
    assert value_of("seen", late.text) == "13"
    assert studies.get(database, "digits-1").definition.trials == TRIALS + 1


@pytest.mark.parametrize("typed", ["0", "-3", "many", "", "1.5", "9" * 40, "<b>"])
def test_what_was_typed_comes_back_with_the_rule(
    visitor: httpx.Client, study: StudyRecord, database: Database, typed: str
) -> None:
    refused = post(visitor, "/studies/digits-1/orders/extend", trials=typed, seen=str(TRIALS))
    assert refused.status_code == 422
    assert "trials must be" in refused.text
    assert f'value="{typed.replace("<b>", "&lt;b&gt;")}"' in refused.text
    assert studies.get(database, "digits-1").definition.trials == TRIALS


def test_tags_note_and_priority(visitor: httpx.Client, waiting: StudyRecord, database: Database) -> None:
    done = post(visitor, "/studies/waiting-1/orders/note", tags="paper, digits paper", note="after <b>\r\nthe fix ")
    assert done.status_code == 303
    assert post(visitor, "/studies/waiting-1/orders/prioritize", priority="-7").status_code == 303
    now = studies.get(database, "waiting-1")
    assert (now.tags, now.note, now.priority) == (("digits", "paper"), "after <b>\nthe fix", -7)
    assert "after &lt;b&gt;" in visitor.get("/studies/waiting-1/orders/note").text
    assert post(visitor, "/studies/waiting-1/orders/prioritize", priority="101").status_code == 422
    assert post(visitor, "/studies/waiting-1/orders/note", tags="ü", note="").status_code == 422
    assert post(visitor, "/studies/waiting-1/orders/note", tags="", note="").status_code == 303
    assert studies.get(database, "waiting-1").note == ""


def test_deletion_takes_the_typed_name(visitor: httpx.Client, study: StudyRecord, database: Database) -> None:
    refused = post(visitor, "/studies/digits-1/orders/delete", typed="digits-2")
    assert refused.status_code == 422
    assert "typed must be the study&#x27;s name, digits-1, got &quot;digits-2&quot;" in refused.text
    assert studies.get(database, "digits-1") == study
    done = post(visitor, "/studies/digits-1/orders/delete", typed=" digits-1 ")
    assert done.url.join(done.headers["Location"]).path == "/studies"
    assert studies.count(database) == 0
    gone = visitor.get("/studies/digits-1/orders/delete")
    assert gone.status_code == 404
    assert "no study is named" in gone.text


def test_confirm_and_retry(visitor: httpx.Client, study: StudyRecord, database: Database) -> None:
    assert 'action="studies/digits-1/orders/retry"' in visitor.get("/studies/digits-1").text
    assert post(visitor, "/studies/digits-1/orders/retry").status_code == 303
    assert studies.get(database, "digits-1").counts[RunState.WAITING] == 1
    work(database, study)
    fields = {"top": "1", "repeats": "2", "until": "fixed", "most_repeats": "30", "indifference": "0"}
    assert post(visitor, "/studies/digits-1/orders/confirm", **{**fields, "repeats": "1"}).status_code == 422
    done = post(visitor, "/studies/digits-1/orders/confirm", **fields)
    assert done.status_code == 303, done.text
    confirmed = studies.get(database, "digits-1").definition.confirmation
    assert confirmed is not None
    assert confirmed.repeats == 2
    assert 'orders/extend"' not in visitor.get("/studies/digits-1").text  # not while it is confirmed
    decided = {**fields, "until": "decided", "most_repeats": "5", "indifference": "0.01"}
    assert post(visitor, "/studies/digits-1/orders/confirm", **decided).status_code == 303


def test_a_trial_is_cancelled_and_tried_again(visitor: httpx.Client, study: StudyRecord, database: Database) -> None:
    assert post(visitor, "/studies/digits-1/trials/5/orders/retry").status_code == 303
    assert studies.get(database, "digits-1").counts[RunState.WAITING] == 1
    again = post(visitor, "/studies/digits-1/trials/5/orders/retry")
    assert again.status_code in {404, 409}
    ended = post(visitor, "/studies/digits-1/trials/0/orders/cancel")
    assert ended.status_code == 409
    assert "is complete and cannot be cancelled" in ended.text
    for number in ("99", "9" * 30):
        assert visitor.get(f"/studies/digits-1/trials/{number}/orders/cancel").status_code == 404
        assert visitor.get(f"/studies/digits-1/confirmation/{number}/orders/cancel").status_code == 404


def test_a_worker_is_drained(visitor: httpx.Client, database: Database) -> None:
    worker = workers.register(database, "node-1", 4711, "cpu")
    assert post(visitor, f"/workers/{worker}/orders/drain").status_code == 303
    assert not workers.may_stay(database, worker)
    for unknown in ("00000000-0000-0000-0000-000000000000", "none", "%00"):
        assert visitor.get(f"/workers/{unknown}/orders/drain").status_code == 404


def test_unknown_orders_and_studies_are_pages(visitor: httpx.Client, study: StudyRecord) -> None:
    near = visitor.get("/studies/digits-1/orders/paus")
    assert (near.status_code, "did you mean pause?" in near.text) == (404, True)
    for name in ("digits-2", "%00", "a%2Fb", "UPPER", "x" * 5000):
        assert visitor.get(f"/studies/{name}/orders/pause").status_code == 404
        assert visitor.post(f"/studies/{name}/orders/pause").status_code in {403, 404, 405}
    assert "did you mean digits-1?" in visitor.get("/studies/digits-2/orders/pause").text


def test_an_order_leads_back_to_pages_of_ours_alone(visitor: httpx.Client, waiting: StudyRecord) -> None:
    for back in ("https://evil.org", "//evil.org", "/\\evil.org", "javascript:alert(1)", "a/../../x", "a\nb"):
        shown = visitor.get("/studies/waiting-1/orders/note").text
        form = {"token": value_of("token", shown), "number": value_of("number", shown), "back": back}
        done = visitor.post("/studies/waiting-1/orders/note", data=form)
        assert done.url.join(done.headers["Location"]).path == "/studies/waiting-1"


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
