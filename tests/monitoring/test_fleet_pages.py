"""The fleet's page and the list of studies: the queue and why, what is found, and the line of the best so far."""

import httpx

from search_spaces import parse_definition
from service.dashboard import create_app
from service.storage.database.database import Database
from service.storage.fleet import members, queue, workers
from service.storage.runs import claiming
from service.storage.states import RunState, StudyState
from service.storage.studies import finding, studies
from service.storage.studies.finding import Sought
from tests.api.configuring import settings_for
from tests.api.fleet import definition_data, work
from tests.api.serving import served
from tests.workers.conftest import db

__all__ = ["db"]


def test_the_queue_says_who_is_next_and_why(db: Database, database_url: str) -> None:
    for name, priority in (("first", 5), ("second", 0), ("resting", 0)):
        studies.create(db, parse_definition(definition_data(name, 4, priority=priority)))
    studies.set_state(db, "resting", "paused")
    worker = workers.register(db, "<b>node</b>", 1, "cpu")
    lease = claiming.claim(db, worker, 60)
    assert lease is not None and lease.definition.name == "first"
    found = queue.queue(db)
    assert [(one.name, one.standing, one.waiting, one.running) for one in found.studies] == [
        ("first", "next", 3, 1),
        ("second", "after others", 4, 0),
        ("resting", "paused", 4, 0),
    ]
    assert (found.total, found.training) == (3, 1)
    [member] = members.members(db)
    assert member.training is not None and member.training.study == "first"
    with served(create_app(settings_for(database_url))) as address:
        page = httpx.get(f"{address}/fleet").text
    assert "studies of priority 5 come first" in page
    assert "&lt;b&gt;node&lt;/b&gt;" in page
    assert "<b>node" not in page


def test_studies_are_found_by_text_tag_and_state(db: Database, database_url: str) -> None:
    one = studies.create(db, parse_definition(definition_data("one", 3, description="Which 100%_noise?")))
    work(db, one, {1: RunState.FAILED})
    studies.create(db, parse_definition(definition_data("two", 3)))
    studies.amend(db, "two", tags=["paper"], note="the owner's")

    def names(**sought: object) -> list[str]:
        wanted = Sought(**sought)  # type: ignore[arg-type]
        shown = [study.name for study in finding.page(db, wanted, 10, 0)]
        assert finding.count(db, wanted) == len(shown)
        return shown

    assert names() == ["two", "one"]
    assert (names(text="100%_N"), names(text="OWNER'S"), names(text="_")) == (["one"], ["two"], ["one"])
    assert (names(tags=("paper",)), names(tags=("paper", "x"))) == (["two"], [])
    assert (names(state=StudyState.COMPLETE), names(state=StudyState.RUNNING)) == (["one"], ["two"])
    assert (names(state=StudyState.FAILED), finding.tags(db)) == ([], ["paper"])
    line = finding.improvements(db, [one.id])[one.id]
    best = studies.get(db, "one").best
    assert best is not None and best.values is not None
    assert line[-1][1] == best.values[0]
    assert [value for _, value in line] == sorted((value for _, value in line), reverse=True)
    with served(create_app(settings_for(database_url))) as address:
        page = httpx.get(f"{address}/studies", params={"q": "100%_", "offset": "x"}).text
        assert 'class="sparkline"' in page and 'value="one"' in page and 'value="two"' not in page
        assert "http-equiv" not in page
        assert "No study is like this" in httpx.get(f"{address}/studies?q=<script>").text
