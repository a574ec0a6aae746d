"""An address that leads to no page gets our own page, which names what was meant and leads on."""

import re

import httpx
import pytest

from search_spaces import parse_definition
from service.storage.database.database import Database
from service.storage.records import StudyRecord
from service.storage.studies import studies
from tests.api.fleet import definition_data

LOST = (  # an address, what is said, where the page leads
    ("/studies/digits-1/trails", "did you mean /studies/digits-1/trials?", ["studies/digits-1/trials"]),
    ("/studies/digits-1/nonsense", "did you mean /studies/digits-1?", ["studies/digits-1"]),
    ("/studies/digits-1/", "did you mean /studies/digits-1?", ["studies/digits-1"]),
    ("/studies/digits-1/trials/3/more", "did you mean /studies/digits-1/trials/3?", ["studies/digits-1/trials/3"]),
    ("/studies/digits-1/trials/99", "has no trial 99", ["studies/digits-1/trials"]),
    ("/studies/digits-1/trials/one", "has no trial", ["studies/digits-1/trials"]),
    ("/studies/digits-1/confirmation/9", "has no confirmation run 9", ["studies/digits-1/trials"]),
    ("/studies/digit-1", "did you mean digits-1?", ["studies/digits-1"]),
    ("/studies/digit-1/nonsense", "did you mean digits-1?", ["studies/digits-1"]),
    ("/studys", "did you mean /studies?", ["studies"]),
    ("/fleet/", "did you mean /fleet?", ["fleet"]),
    ("/%C3%BC", "is not a page here", []),
    ("/studies/%00/nonsense", "is not a page here", ["studies"]),
    ("/dashboard/nonsense", "did you mean /dashboard?", ["dashboard"]),
    ("/dashboard/studies/4711", "Optuna&#x27;s dashboard has no study 4711", ["dashboard"]),
    ("/dashboard/studies/99999999999/trials", "is not a page here", []),
    ("/dashboard/studies/1/trails", "did you mean /dashboard/studies/1/trials?", ["dashboard/studies/1/trials"]),
    ("/csv/4711", "is not a page here", []),
    ("/static/nonsense.js", "is not a page here", []),
    ("/of-optuna/4711", "is not a page here", []),
)


@pytest.mark.parametrize(("address", "said", "links"), LOST, ids=[one[0] for one in LOST])
@pytest.mark.usefixtures("study")
def test_a_lost_address_is_answered_by_our_own_page(
    visitor: httpx.Client, address: str, said: str, links: list[str]
) -> None:
    answer = visitor.get(address)
    assert answer.status_code == 404
    assert "· PerNodeDrop</title>" in answer.text
    assert said in answer.text
    assert re.findall(r'<p><a href="([^"]+)">', answer.text)[: len(links)] == links
    assert visitor.head(address).status_code == 404


def test_optunas_own_pages_are_there(visitor: httpx.Client, study: StudyRecord) -> None:
    number = study.optuna_study_id
    for address in ("", "/", "/compare-studies", f"/studies/{number}", f"/studies/{number}/trialTable"):
        assert visitor.get(f"/dashboard{address}").status_code == 200, address
    assert visitor.get(f"/csv/{number}").status_code == 200
    assert visitor.get("/favicon.ico").status_code == 200


def test_what_answers_programs_in_json_goes_on_to(visitor: httpx.Client, database: Database) -> None:
    studies.create(database, parse_definition(definition_data("digits-2", 2)))
    answer = visitor.get("/api/studies/4711")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
