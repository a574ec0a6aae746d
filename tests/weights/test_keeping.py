"""Which weights the database names, and what it hands out: only the holder's, and of the search the best."""

import csv
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from search_spaces import parse_definition
from service.api.app import create_app
from service.dashboard import create_app as dashboard_app
from service.storage.artifacts import ArtifactRoot
from service.storage.audit import findings
from service.storage.audited_weights import RULES
from service.storage.database.database import Database
from service.storage.errors import LeaseLost
from service.storage.fleet import ownership
from service.storage.records import CurvePoint, Lease, Weights
from service.storage.runs import claiming, holding, keeping
from service.storage.runs.endings import close_finished_studies
from service.storage.states import RunState, Stage
from service.storage.studies import cancellation, studies
from tests.api.configuring import settings_for
from tests.api.serving import served
from tests.storage.queueing import claimed, execute, nothing, pass_time

VARIANTS = {"regularizer": {"type": "categorical", "choices": ["dropout", "dropconnect"]}}


def create(db: Database, name: str = "s", *, trials: int = 4, **parts: object) -> None:
    sampler = {"search_space": VARIANTS, "sampler": {"name": "random", "seed": 1}, "search": "free"}
    task = {"task": {"name": "digits", "epochs": 1}, "budget": {"trials": trials}}
    studies.create(db, parse_definition({"name": name, **task, **sampler, **parts}))


def weights(root: ArtifactRoot, lease: Lease, content: bytes, repeat: int = 0) -> Weights:
    digest = root.write(lease.run_id, repeat, content)
    return Weights(lease.run_id, repeat, 1, digest, len(content))


def ended(db: Database, root: ArtifactRoot, lease: Lease, variant: str, *values: float) -> set[int]:
    """End a run of the search as complete, with weights."""
    holding.attach(db, lease, None, None, {"regularizer": variant})
    kept = [weights(root, lease, f"{lease.run_id}".encode())]
    return holding.finish(db, lease, RunState.COMPLETE, best_epoch=1, values=[*values], kept=kept, tell=nothing)


@pytest.fixture
def root(db: Database, tmp_path: Path) -> ArtifactRoot:
    return ArtifactRoot(str(tmp_path / "artifacts"), ownership.database_id(db))


@pytest.fixture
def api(database_url: str, root: ArtifactRoot) -> Iterator[httpx.Client]:
    settings = settings_for(database_url, artifacts=root.url)
    with served(create_app(settings)) as address, httpx.Client(base_url=f"{address}/v1/") as client:
        yield client


def test_of_the_search_each_variants_best_keeps_its_weights(db: Database, root: ArtifactRoot) -> None:
    create(db, trials=5, keep="best")
    study = studies.get(db, "s")
    leases = [claimed(db) for _ in range(5)]
    first, second, third, fourth, fifth = (lease.run_id for lease in leases)
    dropout, other = "dropout", "dropconnect"
    assert ended(db, root, leases[0], dropout, 0.5) == set()
    assert ended(db, root, leases[1], other, 0.9) == set()
    assert ended(db, root, leases[2], dropout, 0.4) == {first}
    assert ended(db, root, leases[3], dropout, 0.4) == {fourth}  # the earlier one of equals
    assert ended(db, root, leases[4], other, 0.1) == {second}
    assert set(keeping.of_study(db, study.id)) == {third, fifth}
    named = keeping.named_among(db, [first, third, 10**6])
    assert (named.keys(), named[first], len(named[third] or ())) == ({first, third}, set(), 1)


def test_of_several_objectives_the_best_trial_keeps_them(db: Database, root: ArtifactRoot, api: httpx.Client) -> None:
    """Which of two that are equal by the first objective is the best, the others say: to the queue as to the study."""
    objectives = [{"metric": "val_accuracy", "direction": "maximize"}, {"metric": "val_loss"}]
    create(db, trials=3, keep="best", objectives=objectives)
    leases = [claimed(db) for _ in range(3)]
    first, second, _ = (lease.run_id for lease in leases)
    assert ended(db, root, leases[0], "dropout", 0.75, 0.7) == set()
    assert ended(db, root, leases[1], "dropout", 0.75, 0.2) == {first}
    assert ended(db, root, leases[2], "dropout", 0.5, 0.1) == {leases[2].run_id}
    study = studies.get(db, "s")
    assert study.best is not None
    assert study.best.run_id == second
    assert set(keeping.of_study(db, study.id)) == {second}
    assert api.get("studies/s/winner/weights").is_success


def test_of_two_that_end_at_once_only_the_best_is_left(db: Database, root: ArtifactRoot) -> None:
    create(db, trials=6, keep="best")
    leases = [claimed(db) for _ in range(6)]
    ends = [
        threading.Thread(target=ended, args=(db, root, lease, "dropout", 0.1 * place))
        for place, lease in enumerate(leases)
    ]
    for thread in ends:
        thread.start()
    for thread in ends:
        thread.join()
    assert set(keeping.of_study(db, studies.get(db, "s").id)) == {leases[0].run_id}


def test_every_trial_keeps_them_where_that_is_asked_for(db: Database, root: ArtifactRoot) -> None:
    create(db, trials=2, keep="every")
    leases = [claimed(db) for _ in range(2)]
    for lease in leases:
        assert ended(db, root, lease, "dropout", 0.5) == set()
    assert set(keeping.of_study(db, studies.get(db, "s").id)) == {lease.run_id for lease in leases}


def test_a_stale_holders_weights_are_not_taken(db: Database, root: ArtifactRoot) -> None:
    create(db, trials=1, keep="every")
    stale = claimed(db, 0.01)
    pass_time(db, 60)
    heir = claimed(db)
    with pytest.raises(LeaseLost):
        ended(db, root, stale, "dropout", 0.1)
    assert keeping.of_runs(db, [heir.run_id]) == {}
    ended(db, root, heir, "dropout", 0.5)
    [one] = keeping.of_runs(db, [heir.run_id])[heir.run_id]
    ours = weights(root, heir, f"{heir.run_id}".encode())
    assert one == ours


def confirmed(db: Database, root: ArtifactRoot, reason: str | None = None) -> None:
    """Search and confirm a study of two variants under three seeds, with small weights."""
    create(db, trials=2, confirmation={"top": 1, "repeats": 3})
    for variant, value in (("dropout", 0.5), ("dropconnect", 0.4)):
        lease = claimed(db)
        holding.attach(db, lease, None, None, {"regularizer": variant})
        holding.finish(db, lease, RunState.COMPLETE, values=[value], tell=nothing)
    close_finished_studies(db)
    while (lease := claiming.claim(db, claimed_by(db), 60)) is not None:
        assert lease.stage is Stage.CONFIRMATION
        assert lease.params is not None
        holding.attach(db, lease, None, None)
        of_variant = {"dropout": 0.5, "dropconnect": 0.1}[lease.params["regularizer"]]
        tested = [of_variant + 0.01 * seed for seed in range(3)]
        for repeat, loss in enumerate(tested):
            points = [CurvePoint(1, repeat, "val", "loss", 0.5), CurvePoint(1, repeat, "test", "loss", loss)]
            holding.record_epoch(db, lease, repeat + 1, points)
        kept = [weights(root, lease, f"{lease.run_id} {repeat}".encode() * 10**6, repeat) for repeat in range(3)]
        if reason is not None:
            kept[1] = Weights(lease.run_id, 1, 1, None, 0, reason)
        holding.finish(db, lease, RunState.COMPLETE, best_epoch=1, values=[0.1], kept=kept, tell=nothing)


def claimed_by(db: Database) -> str:
    from service.storage.fleet import workers

    return workers.register(db, "host", 1, "cpu")


def test_the_recommended_configurations_weights_are_handed_out(
    db: Database, root: ArtifactRoot, api: httpx.Client
) -> None:
    confirmed(db, root)
    study = api.get("studies/s").json()
    answer = api.get(study["links"]["weights"].removeprefix("/v1/"))
    assert answer.headers["content-disposition"] == 'attachment; filename="s-weights.zip"'
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    told = json.loads(archive.read("winner.json"))
    run = study["recommended"]["run"]
    assert told["configuration"] == study["recommended"]["params"]
    assert (told["why"], told["variant"]) == ("dropconnect, the winner of the confirmation.", "dropconnect")
    assert archive.namelist() == ["winner.json", *(f"seed-{seed}.safetensors" for seed in (1, 2, 3))]
    assert archive.read("seed-2.safetensors") == f"{run} 1".encode() * 10**6
    [row] = [one for one in study["confirmed"] if one["run"] == run]
    assert row["weights"] == told["digest"]
    page = api.get("studies/s/report").text
    assert told["digest"] in page
    assert "pernodedrop weights s -o model/" in page
    rows = csv.DictReader(io.StringIO(api.get("studies/s/confirmation.csv").text))
    assert [each["weights"] for each in rows if each["run"] == str(run)] == [told["digest"]]
    one = api.get("studies/s/winner/weights", params={"confirmation": 0, "seed": 3})
    assert zipfile.ZipFile(io.BytesIO(one.content)).namelist() == ["winner.json", "seed-3.safetensors"]
    place = 0 if api.get("studies/s/confirmation/0").json()["run"] == run else 1
    assert [each["sha256"] for each in told["files"]] == [
        each["digest"] for each in api.get(f"studies/s/confirmation/{place}").json()["weights"]
    ]


PLANTED = {
    "DELETE FROM fleet.weights WHERE repeat = 1": "a complete run of a confirmation names its weights",
    "UPDATE fleet.weights SET epoch = 2 WHERE repeat = 0": "only a complete run names weights",
    "UPDATE fleet.weights SET digest = 'F' WHERE repeat = 2": "a digest is one",
}


def test_the_audit_finds_what_is_wrong_with_weights(db: Database, root: ArtifactRoot) -> None:
    confirmed(db, root)
    with db.engine.connect() as connection:
        for statement, rule in {"SELECT 1": "", **PLANTED}.items():
            connection.execute(sa.text(statement))
            found = {one.rule for one in findings(connection) if one.rule in RULES}
            assert [one.startswith(rule) for one in found] == ([True] if rule else [])
            connection.rollback()


def test_the_dashboard_hands_them_out_too(db: Database, database_url: str, root: ArtifactRoot) -> None:
    confirmed(db, root)
    settings = settings_for(database_url, artifacts=root.url)
    with served(dashboard_app(settings)) as address, httpx.Client(base_url=address) as pages:
        assert 'href="studies/s/weights"' in pages.get("/studies/s").text
        archive = zipfile.ZipFile(io.BytesIO(pages.get("/studies/s/weights").content))
        assert archive.testzip() is None
        for file in Path(root.url).glob("run-*/*"):
            file.unlink()
        refused = pages.get("/studies/s/weights")
        assert (refused.status_code, "must be one place" in refused.text) == (404, True)


def refusal(api: httpx.Client, path: str = "studies/s/winner/weights", **params: int) -> str:
    answer = api.get(path, params=params)
    assert (answer.status_code, answer.json()["error"]) == (404, "no_weights")
    message: str = answer.json()["message"]
    assert "\n" not in message
    return message


def test_where_nothing_was_kept_one_line_says_why(db: Database, root: ArtifactRoot, api: httpx.Client) -> None:
    create(db, "none", trials=1, keep="none")
    create(db, "searched", trials=1)
    create(db, "best", trials=1, keep="best")
    begun = claimed(db)
    assert api.get("studies/none").json()["links"]["weights"] is None
    assert "keeps no weights: it says keep: none" in refusal(api, "studies/none/winner/weights")
    assert "run `pernodedrop confirm searched`" in refusal(api, "studies/searched/winner/weights")
    assert "has no complete trial yet" in refusal(api, "studies/best/winner/weights")
    execute(db, "UPDATE fleet.runs SET trial_number = 0 WHERE trial_number IS NULL")
    assert "its definition says keep: confirmed" in refusal(api, "studies/searched/winner/weights", trial=0)
    assert "has no weights: it is waiting" in refusal(api, "studies/best/winner/weights", trial=0)
    cancellation.cancel(db, "none", 0)
    width, task = {"type": "int", "low": 1, "high": 9}, {"name": "external", "epochs": 1}
    own = {"name": "own", "task": task, "search_space": {"width": width}, "budget": {"trials": 1}}
    studies.create(db, parse_definition(own))
    assert "is trained by your own loop, which keeps its weights itself" in refusal(api, "studies/own/winner/weights")
    for study in ("none", "searched", "best", "own"):
        studies.delete(db, study)
    assert begun.run_id


def test_what_is_missing_of_a_confirmation_is_said(db: Database, root: ArtifactRoot, api: httpx.Client) -> None:
    create(db, "early", trials=1, confirmation={"top": 1, "repeats": 2})
    assert "recommends no configuration yet, and is running" in refusal(api, "studies/early/winner/weights")
    studies.delete(db, "early")
    confirmed(db, root, reason="its weights could not be written: OSError: No space left on device")
    told = json.loads(zipfile.ZipFile(io.BytesIO(api.get("studies/s/winner/weights").content)).read("winner.json"))
    assert (told["digest"], [one["seed"] for one in told["files"]]) == (None, [1, 3])
    assert "not whole: seed 2: its weights could not be written" in api.get("studies/s/report").text
    assert "has weights of seeds 1, 3, got 2" in refusal(api, seed=2)
    for file in Path(root.url).glob("run-*/*"):
        file.unlink()
    assert "PERNODEDROP_ARTIFACTS of controller and workers must be one place" in refusal(api)
