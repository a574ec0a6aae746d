"""What the dashboard serves, and that Optuna's part of it changes nothing."""

import csv
from concurrent.futures import ThreadPoolExecutor

import httpx
import sqlalchemy as sa

from search_spaces import parse_definition
from service.dashboard.app import DATABASE_CONNECTIONS
from service.storage.database.database import Database
from service.storage.records import StudyRecord
from service.storage.studies import studies
from tests.api.fleet import definition_data, work
from tests.browser.conftest import TRIALS

WRITES = [
    ("POST", "/api/studies"),
    ("POST", "/api/studies/1/rename"),
    ("DELETE", "/api/studies/1"),
    ("PUT", "/api/studies/1/note"),
    ("POST", "/api/trials/1/tell"),
    ("POST", "/api/trials/1/user-attrs"),
    ("POST", "/incompatible-rdb-schema"),
    ("PATCH", "/dashboard"),
]


def test_writing_is_refused_and_changes_nothing(unguarded: str, study: StudyRecord, database: Database) -> None:
    for method, path in WRITES:
        body = {"study_name": "x", "state": "Complete", "values": [0]}
        response = httpx.request(method, unguarded + path, json=body)
        assert response.status_code == 405, (method, path)
        assert response.headers["Allow"] == "GET, HEAD"
        assert "is read-only" in response.json()["reason"]
    assert studies.get(database, study.name) == study


def test_optunas_pages_are_whole(unguarded: str, study: StudyRecord) -> None:
    assert httpx.get(f"{unguarded}/dashboard").status_code == 200
    for encoding in ("gzip", "identity"):
        bundle = httpx.get(f"{unguarded}/static/bundle.js", headers={"Accept-Encoding": encoding})
        assert bundle.status_code == 200
        assert len(bundle.content) > 1_000_000
    assert httpx.head(f"{unguarded}/static/bundle.js").status_code == 200
    detail = httpx.get(f"{unguarded}/api/studies/{study.optuna_study_id}").json()
    assert detail["name"] == study.name
    assert len(detail["trials"]) == TRIALS


def test_no_text_is_a_formula_in_optunas_table(unguarded: str, database: Database) -> None:
    texts = {"type": "categorical", "choices": ['=HYPERLINK("http://example.org")', "@SUM(1)"]}
    data = definition_data("formulas", 4, task={"name": "tests.any:Task", "epochs": 4}, search_space={"text": texts})
    created = studies.create(database, parse_definition(data))
    work(database, created)
    table = httpx.get(f"{unguarded}/csv/{created.optuna_study_id}")
    assert (table.status_code, table.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    header, *rows = csv.reader(table.text.splitlines())
    assert len(rows) == 4
    assert {row[header.index("Param text")][:2] for row in rows} <= {"'=", "'@"}
    assert all(float(row[2]) for row in rows)
    assert httpx.head(f"{unguarded}/csv/{created.optuna_study_id}").status_code == 200
    assert httpx.get(f"{unguarded}/csv/999").status_code == 404


def test_a_client_without_accept_encoding_is_served(unguarded: str) -> None:
    with httpx.Client() as client:
        del client.headers["Accept-Encoding"]
        assert client.get(f"{unguarded}/static/bundle.js").status_code == 200


def test_both_ways_there_are_links(unguarded: str, study: StudyRecord) -> None:
    optuna = f"dashboard/studies/{study.optuna_study_id}"
    for path, root in (("/studies", "./"), ("/studies/digits-1", "../")):
        page = httpx.get(unguarded + path).text
        assert f'<base href="{root}">' in page
        assert f'href="{optuna}"' in page
    assert 'href="studies/digits-1"' in httpx.get(f"{unguarded}/studies").text
    note = httpx.get(f"{unguarded}/api/studies/{study.optuna_study_id}").json()["note"]["body"]
    assert "/studies/digits-1" in note


def test_what_an_author_wrote_is_text(unguarded: str, study: StudyRecord) -> None:
    for path in ("/studies", "/studies/digits-1"):
        page = httpx.get(unguarded + path).text
        assert "&lt;script&gt;alert" in page
        assert "<script>alert" not in page


def test_pages_are_guarded_by_headers(unguarded: str, study: StudyRecord) -> None:
    for path in ("/studies", "/studies/digits-1", "/dashboard", "/api/meta", "/static/bundle.js", "/nothing"):
        headers = httpx.get(unguarded + path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_unknown_studies_and_offsets_are_plain_pages(unguarded: str) -> None:
    missing = httpx.get(f"{unguarded}/studies/none")
    assert missing.status_code == 404
    assert "no study is named" in missing.text
    for offset in ("-1", "x", "9" * 30, "50", "٣"):
        assert httpx.get(f"{unguarded}/studies", params={"offset": offset}).status_code == 200


def test_a_foreign_host_is_refused_without_a_key(unguarded: str) -> None:
    assert httpx.get(f"{unguarded}/studies", headers={"Host": "evil.example.org"}).status_code == 400


def test_many_readers_use_few_connections(unguarded: str, study: StudyRecord, database: Database) -> None:
    paths = ["/api/studies", f"/api/studies/{study.optuna_study_id}", "/studies", "/studies/digits-1"] * 15
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda path: httpx.get(unguarded + path, timeout=60).status_code, paths))
    assert set(answers) == {200}
    # Of both pools of the dashboard (ours and Optuna's) and of this test's own.
    assert connections(database) <= 2 * (DATABASE_CONNECTIONS + 2) + 4


def connections(database: Database) -> int:
    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    with database.engine.connect() as connection:
        return connection.execute(sa.text(count)).scalar_one()
