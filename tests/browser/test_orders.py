"""Orders on the pages, as HTTP shows them: the rules of the API, each form done once, and nothing typed is lost."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from starlette.requests import Request

from service.dashboard import create_app, shell
from service.dashboard.access import door
from service.dashboard.orders import tokens
from service.dashboard.orders.buttons import drain_button, trial_buttons
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.fleet.members import members
from service.storage.records import StudyRecord
from service.storage.states import RunState
from service.storage.studies import studies, trials
from service.web import access
from service.web.access import Caller, Role
from tests.api.configuring import settings_for
from tests.api.fleet import work
from tests.api.proxying import proxied
from tests.api.serving import served
from tests.browser.conftest import TRIALS
from tests.browser.forms import post, value_of
from tests.browser.test_submitting import TEXT


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


def test_runs_and_workers_have_the_buttons_that_suit_them(
    database_url: str, study: StudyRecord, database: Database
) -> None:
    scope = {"type": "http", "app": create_app(settings_for(database_url)), "path": "/fleet", "query_string": b""}
    request = Request({**scope, "headers": []})
    access.note_caller(request, access.LOCAL)
    shown = {run.state: trial_buttons(request, study, run) for run in trials.page(database, study)}
    assert 'action="studies/digits-1/trials/5/orders/retry"' in str(shown[RunState.FAILED])
    assert 'name="back" value="fleet"' in str(shown[RunState.FAILED])
    assert shown[RunState.COMPLETE] is None
    [worker] = members(database)
    assert f'action="workers/{worker.id}/orders/drain"' in str(drain_button(request, worker))
    access.note_caller(request, Caller("submitter", Role.SUBMIT))
    assert drain_button(request, worker) is None


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


@pytest.mark.parametrize(("role", "may_not"), [(Role.READ, ("pause", "delete")), (Role.SUBMIT, ("delete",))])
def test_orders_are_for_who_may(  # noqa: PLR0917 (fixtures, given by name)
    visitor: httpx.Client,
    waiting: StudyRecord,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    role: Role,
    may_not: tuple[str, ...],
) -> None:
    token, reader = value_of("token", visitor.get("/submit").text), Caller("reader", role)
    for module in (door, tokens, shell):  # each has the name of its own
        monkeypatch.setattr(module, "LOCAL", reader)
    page = visitor.get("/studies/waiting-1").text
    for order in ("pause", "delete"):
        assert (f'orders/{order}"' in page) is (order not in may_not)
    for order in may_not:
        refused = visitor.post(f"/studies/waiting-1/orders/{order}", data={"token": token, "typed": "waiting-1"})
        wanted = "admin" if order == "delete" else "submit"
        assert refused.status_code == 403
        assert f"this takes the role {wanted}, and reader has {role}" in refused.text
        assert visitor.get(f"/studies/waiting-1/orders/{order}").status_code == 403
    may_submit = role is Role.SUBMIT
    assert ('href="submit"' in page) is ("?like=" in page) is may_submit
    for path in ("/submit", "/submit/check", "/submit/fields"):
        refused = visitor.post(path, data={"token": token, "text": TEXT})
        assert (refused.status_code == 403) is not may_submit
    assert visitor.get("/submit").status_code == (200 if may_submit else 403)
    assert studies.get(database, "waiting-1") == waiting
    assert studies.count(database) == 1 + may_submit


@pytest.mark.parametrize("strips", [True, False])
def test_orders_are_given_under_a_path(
    database_url: str, waiting: StudyRecord, database: Database, strips: bool
) -> None:
    root = "" if strips else "/lab/tools"
    app = create_app(settings_for(database_url, root_path=root))
    with (
        served(app) as address,
        proxied(address, "/lab/tools", strips=strips) as outside,
        httpx.Client(timeout=60, follow_redirects=True) as visitor,
    ):
        for page in (f"{outside}/studies/waiting-1", f"{outside}/studies/waiting-1/orders/pause"):
            shown = visitor.get(page)
            order = "pause" if studies.get(database, "waiting-1").state == "running" else "resume"
            fields = {name: value_of(name, shown.text) for name in ("token", "number", "back")}
            target = str(shown.url.join(value_of_base(shown.text))) + f"studies/waiting-1/orders/{order}"
            done = visitor.post(target, data=fields)
            assert done.status_code == 200
            assert done.url.path == "/lab/tools/studies/waiting-1"
            assert 'role="status"' in done.text
    assert studies.get(database, "waiting-1").state == "running"


def value_of_base(page: str) -> str:
    return page.split('<base href="')[1].partition('"')[0]
