"""The table of a study's runs, as HTTP shows it: filtered, sorted, paged, and as a file."""

import csv
import html
import io
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from search_spaces import parse_definition
from service.dashboard.trials import lines
from service.dashboard.trials.kept import Kept
from service.storage.database.database import Database
from service.storage.records import StudyRecord
from service.storage.states import RunState
from service.storage.studies import selection, studies
from service.storage.studies.selection import Wanted
from tests.api.fleet import definition_data, work
from tests.browser.many import many_trials

TRIALS = 620


@pytest.fixture
def page(unguarded: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=unguarded, timeout=60) as client:
        yield client


def numbers(rows: list[str]) -> list[int]:
    return [int(match.group(1)) for row in rows if (match := re.search(r'href="studies/[^/]+/trials/(\d+)"', row))]


def every_row(page: httpx.Client, study: str, **wanted: Any) -> list[str]:
    """The rows of all answers, one after another, as the program of the page reads them."""
    rows: list[str] = []
    while True:
        found = page.get(f"/studies/{study}/trials.json", params={**wanted, "offset": len(rows), "limit": 200}).json()
        rows += found["rows"]
        if len(rows) >= found["total"]:
            return rows


def test_runs_are_filtered_sorted_and_paged(page: httpx.Client, database: Database) -> None:
    many_trials(database, "many", TRIALS)
    assert numbers(every_row(page, "many")) == list(range(TRIALS))
    by_value = every_row(page, "many", sort="value", state="complete")
    shown = [re.findall(r'class="number">([^<]*)</td>', row)[0] for row in by_value]
    assert shown[-62:] == ["infinite"] * 31 + ["nan"] * 31
    values = [float(value) for value in shown[:-62]]
    assert values == sorted(values)
    some = numbers(every_row(page, "many", where="drop_rate>=0.3,units!=64,value<0.5", variant="pernodedrop"))
    assert some == [
        n
        for n in range(TRIALS)
        if n % 10 >= 3 and n % 3 == 2 and n % 20 not in (0, 3, 4) and 0.1 + (n * 7919 % 10007) / 10007 < 0.5
    ]
    first = page.get("/studies/many/trials", params={"where": "units=64", "sort": "drop_rate"})
    assert first.status_code == 200
    assert 'value="units=64"' in first.text
    assert 'aria-sort="ascending"' in first.text
    assert 'href="studies/many/trials?where=units%3D64&amp;sort=drop_rate&amp;descending=true"' in first.text
    assert 'href="studies/many/trials?where=units%3D64&amp;sort=drop_rate&amp;offset=200"' in first.text
    assert len(numbers(first.text.split("<tr"))) == 200
    last = page.get("/studies/many/trials", params={"offset": 600})
    assert len(numbers(last.text.split("<tr"))) == TRIALS - 600
    assert "601 to 620 of 620" in last.text


def test_every_column_sorts(page: httpx.Client, database: Database) -> None:
    objectives = [{"metric": "val_loss"}, {"metric": "val_accuracy", "direction": "maximize"}]
    study = studies.create(database, parse_definition(definition_data("two", 4, objectives=objectives)))
    with database.engine.begin() as connection:
        change = "state = 'complete', values = ARRAY[ordinal, (ordinal * 3) % 4], trial_number = ordinal"
        connection.execute(sa.text(f"UPDATE fleet.runs SET {change} WHERE study_id = :study"), {"study": study.id})
    links = re.findall(r'<th[^>]*><a href="studies/two/trials\?sort=(\w+)"', page.get("/studies/two/trials").text)
    assert {"number", "state", "variant", "value", "val_accuracy", "drop_rate", "epoch", "time", "attempts"} <= {*links}
    for key in links:
        assert page.get("/studies/two/trials.json", params={"sort": key}).status_code == 200, key
    assert numbers(every_row(page, "two", sort="val_accuracy")) == [1, 2, 3, 0]  # 3, 2, 1, 0


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"where": "drop_rat>3"}, "did you mean drop_rate?"),
        ({"where": "<script>alert(1)</script>"}, "a condition is like drop_rate"),
        ({"where": "a=" + "x" * 2000}, "where must have at most 1,000 characters"),
        ({"state": "complet"}, "did you mean complete?"),
        ({"stage": "nothing"}, "choose one of search, confirmation"),
        ({"variant": "dropuot"}, "did you mean dropout?"),
        ({"sort": "unit"}, "did you mean units?"),
    ],
)
def test_a_wrong_filter_is_refused_in_its_place(
    page: httpx.Client, study: StudyRecord, wanted: dict[str, str], said: str
) -> None:
    answer = page.get("/studies/digits-1/trials", params=wanted)
    assert answer.status_code == 422
    assert said in answer.text
    assert 'role="alert"' in answer.text
    assert "<script>alert" not in answer.text
    assert 'class="card filters"' in answer.text
    told = page.get("/studies/digits-1/trials.json", params=wanted)
    assert (told.status_code, said in told.json()["message"]) == (422, True)
    assert page.get("/studies/digits-1/trials.csv", params=wanted).status_code == 422


def test_an_empty_result_says_so(page: httpx.Client, study: StudyRecord) -> None:
    assert "No run of this study is like that" in page.get("/studies/digits-1/trials?where=drop_rate>5").text
    beyond = page.get("/studies/digits-1/trials?offset=999999999")
    assert beyond.status_code == 200
    for odd in ("-1", "x", "٣", "9" * 40):
        assert page.get("/studies/digits-1/trials", params={"offset": odd}).status_code == 200


def test_a_study_that_waits_or_is_not_there(page: httpx.Client, database: Database) -> None:
    studies.create(database, parse_definition(definition_data("digits-1", 3_000)))
    table = page.get("/studies/digits-1/trials")
    assert "3,000 runs" in table.text  # also those that have no rows yet
    assert page.get("/studies/digits-1/trials.json?offset=2900").json()["rows"][0].count("waiting") == 2
    assert page.get("/studies/digits-1/trials.json").json()["goes_on"] is True
    assert page.get("/studies/digits-1/lines.json").json()["lines"] == []
    studies.delete(database, "digits-1")
    for path in ("trials", "trials.json", "trials.csv", "lines.json", "trials/0", "confirmation/0"):
        assert page.get(f"/studies/digits-1/{path}").status_code == 404, path


def test_the_file_has_what_the_table_shows(page: httpx.Client, database: Database) -> None:
    many_trials(database, "many", 1_100)
    answer = page.get("/studies/many/trials.csv", params={"where": "drop_rate<=0.8", "sort": "value"})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="many-trials.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    shown = every_row(page, "many", where="drop_rate<=0.8", sort="value")
    assert [int(row["trial"]) for row in rows] == numbers(shown)
    assert {row["val_loss"] for row in rows} >= {"", "inf", "nan"}
    assert all(row["reason"].startswith("<b>loss</b>") == (row["state"] == "failed") for row in rows)


def test_later_pages_keep_the_order_that_the_first_had(page: httpx.Client, database: Database) -> None:
    study = many_trials(database, "many", 450)
    path = "/studies/many/trials.json?sort=value&limit=200"
    first = numbers(page.get(path).json()["rows"])
    with database.engine.begin() as connection:
        turned = "UPDATE fleet.runs SET values = ARRAY[-values[1]] WHERE study_id = :study AND values IS NOT NULL"
        connection.execute(sa.text(turned), {"study": study.id})
    later = [numbers(page.get(f"{path}&offset={offset}").json()["rows"]) for offset in (200, 400)]
    assert sorted([*first, *later[0], *later[1]]) == list(range(450))
    assert numbers(page.get(path).json()["rows"]) != first


def test_what_authors_wrote_is_text(page: httpx.Client, database: Database) -> None:
    many_trials(database, "many", 40)
    for path in ("/studies/many/trials", "/studies/many/trials.json"):
        text = page.get(path).text
        assert "&lt;b&gt;loss&lt;/b&gt;" in text
        assert "<b>loss" not in text


def test_lines_have_an_axis_for_what_varies(page: httpx.Client, database: Database, monkeypatch: Any) -> None:
    study = many_trials(database, "many", 400)
    found = page.get("/studies/many/lines.json").json()
    titles = {axis["name"]: axis for axis in found["axes"]}
    assert set(titles) == {"variant", "drop_rate", "units", "regularizer", "stir_type", "value"}
    assert titles["units"]["categories"] == ["32", "64", "128"]
    assert (titles["drop_rate"]["low"], titles["drop_rate"]["high"]) == (0.0, 0.9)
    assert found["axes"][-1]["title"] == "val_loss"
    assert len(found["lines"]) == found["total"] == 300  # complete, with a finite value
    assert {each["name"] for each in found["variants"]} == {
        "dropout",
        "pernodedrop-bernoulli-dynamic",
        "pernodedrop-gaussian-dynamic",
    }
    without = [line[2 + list(titles).index("stir_type")] for line in found["lines"]]
    assert None in without
    monkeypatch.setattr(lines, "MOST_LINES", 50)
    wanted = Wanted(state=RunState.COMPLETE, sort="value")
    thin = lines.lines_of(study, selection.chosen(database, study, wanted))
    assert (len(thin["lines"]), thin["total"]) == (50, 300)
    assert thin["lines"][0][0] == found["lines"][0][0]  # the best


def test_lines_have_an_axis_for_every_objective(page: httpx.Client, database: Database) -> None:
    metrics = ["val_loss", "val_accuracy", "train_seconds"]
    objectives = [{"metric": name, "direction": ("minimize", "maximize")[n == 1]} for n, name in enumerate(metrics)]
    study = studies.create(database, parse_definition(definition_data("three", 5, objectives=objectives)))
    change = "state = 'complete', trial_number = ordinal, params = '{\"drop_rate\": 0.5}', values = ARRAY[ordinal, "
    change += (
        "10 - ordinal, CASE ordinal WHEN 1 THEN 1.0 WHEN 2 THEN 'infinity'::float8 ELSE 5 + ordinal END]::float8[]"
    )
    with database.engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE fleet.runs SET {change} WHERE study_id = :study"), {"study": study.id})
    found = page.get("/studies/three/lines.json").json()
    assert [axis["title"] for axis in found["axes"][-3:]] == metrics
    assert [line[-3:] for line in found["lines"]][:3] == [[0.0, 10.0, 5.0], [1.0, 9.0, 1.0], [2.0, 8.0, None]]
    assert (found["axes"][-1]["low"], found["axes"][-1]["high"]) == (1.0, 9.0)


def test_the_study_and_its_runs_lead_to_each_other(page: httpx.Client, database: Database, study: StudyRecord) -> None:
    assert 'href="studies/digits-1/trials"' in page.get("/studies/digits-1").text
    table = page.get("/studies/digits-1/trials").text
    assert 'href="studies/digits-1/trials/3"' in table
    assert f'href="dashboard/studies/{study.optuna_study_id}"' in table
    run = page.get("/studies/digits-1/trials/3").text
    for link in (
        "studies/digits-1",
        "studies/digits-1/trials",
        "studies/digits-1/trials/2",
        "studies/digits-1/trials/4",
        f"dashboard/studies/{study.optuna_study_id}/trials?numbers=3",
    ):
        assert f'href="{link}"' in run, link
    assert '<base href="../../../">' in run
    work(database, study)
    assert 'rel="next"' not in page.get("/studies/digits-1/trials/11").text


def test_runs_of_one_configuration_are_found_from_each_of_them(page: httpx.Client, database: Database) -> None:
    study = studies.create(database, parse_definition(definition_data(trials=6, confirmation={"top": 1, "repeats": 2})))
    work(database, study, limit=6)
    best = studies.get(database, study.name).best
    assert best is not None
    for path in (f"trials/{best.number}", "confirmation/0"):
        text = page.get(f"/studies/{study.name}/{path}").text
        link = re.search(r'href="([^"]+)">Runs of this configuration', text)
        assert link is not None, path
    table = page.get("/" + html.unescape(link.group(1))).text
    assert f'href="studies/{study.name}/trials/{best.number}"' in table
    assert f'href="studies/{study.name}/confirmation/0"' in table
    other = next(number for number in range(6) if number != best.number)
    assert f'href="studies/{study.name}/trials/{other}"' not in table


def test_what_is_kept_is_made_once_for_those_who_ask_at_once() -> None:
    made = list[int]()
    kept: Kept[int] = Kept(most=2, lasting_s=60)

    def make() -> int:
        time.sleep(0.2)
        made.append(len(made))
        return made[-1]

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: kept.get("a", make), range(8))) == {0}
    assert kept.get("a", make, anew=True) == 1
    assert [kept.get(key, make) for key in "bca"] == [2, 3, 4]  # the oldest of three is not kept
    short: Kept[int] = Kept(most=2, lasting_s=0)
    assert short.get("a", make) != short.get("a", make)
