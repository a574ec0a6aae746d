"""An own loop over REST: foreign code asks, reports and tells, and whoever dies or lags behind is refused."""

import uuid

import httpx
import pytest
import sqlalchemy as sa

from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.runs import claiming, history
from service.storage.states import AttemptState, RunState
from service.storage.studies import studies, trials
from tests.api.asking import Asker, key, refused, said, submit
from tests.api.fleet import definition_data
from tests.storage.queueing import execute, pass_time


def test_a_study_is_searched_and_confirmed_by_an_own_loop(api: httpx.Client, database: Database) -> None:
    submit(api, repeats=2, confirmation={"top": 1, "repeats": 3})
    asker = Asker(api)
    seeds = set()
    for number in range(3):
        given = asker.ask()
        assert given["params"].keys() == {"width", "rate", "head"}
        assert (given["number"], given["stage"], given["epochs"], given["tested"]) == (number, "search", 3, False)
        seeds.add(tuple(given["seeds"]))
        assert asker.train(given, number) == {
            "state": "complete",
            "values": [pytest.approx(number + 1 / 3)],
            "best_epoch": 3,
            "reason": None,
        }
    given = asker.ask()
    assert (given["stage"], given["number"], given["tested"]) == ("confirmation", 0, True)
    [searched] = seeds  # all trials train under the same
    assert len({*searched, *given["seeds"]}) == 5
    assert asker.train(given, 7.0)["values"] == [7.0]  # on the test split, at the best epoch
    assert asker.ask() == {"state": "ended", "study_state": "complete"}
    study = studies.get(database, "mine")
    assert study.best is not None and study.best.number == 0
    assert study.winner is not None and study.winner.params == study.best.params
    assert said(api.get("/v1/studies/mine/trials/0"))["curves"][0]["metric"] == "loss"
    assert [row["trials"] for row in said(api.get("/v1/studies/mine/ranking"))["ranking"]] == [3]
    for what in ("report", "capsule"):
        assert api.get(f"/v1/studies/mine/{what}").status_code == 200
    assert list(audit(database)) == []


def test_the_fleet_and_an_asker_take_their_own_runs_alone(api: httpx.Client, database: Database) -> None:
    submit(api)
    submit(api, name="other")
    worker = workers.register(database, "node", 1, "cpu")
    assert claiming.claim(database, worker, 60) is None
    said(api.post("/v1/studies", json=definition_data()))
    message = refused(api.post("/v1/studies/digits-1/ask", json={"holder": "here:1"}), 409, "not_external")
    assert message == "study 'digits-1' has the task digits, which workers train: only task external has an own loop"
    lease = claiming.claim(database, worker, 60)
    assert lease is not None and lease.definition.name == "digits-1"
    body = {"token": lease.token, "claim": lease.claim}
    refused(api.post(f"/v1/runs/{lease.run_id}/renew", json=body), 409, "not_external")
    for _ in range(3):
        assert Asker(api).ask()["state"] == "train"
    assert Asker(api).ask()["why"] == "busy"  # the other study's runs are not for it
    message = refused(
        api.post("/v1/studies/mine/ask", json={"holder": "here:1", "worker": worker}), 404, "unknown_worker"
    )
    listed = {each["host"]: (each["serves"], each["state"]) for each in said(api.get("/v1/workers"))["workers"]}
    assert listed == {"here": ("mine", "idle"), "node": (None, "busy")}


def test_an_asker_that_dies_loses_its_run_and_a_stale_one_is_refused(api: httpx.Client, database: Database) -> None:
    submit(api, trials=1, retries=1)
    first, second = Asker(api), Asker(api)
    given = first.ask()
    first.train(given, 0.5, epochs=2)
    assert second.ask()["why"] == "busy"
    pass_time(database, 61)
    again = second.ask()
    assert (again["run"], again["params"], again["number"]) == (given["run"], given["params"], 0)
    assert again["token"] == given["token"] + 1
    for answer in (first.report(given, 0, 3, val_loss=0.1), first.renew(given), first.tell(given)):
        assert refused(answer, 409, "lease_lost").startswith(f"the lease of run {given['run']} with token 1 has ended")
    second.train(again, 0.5)
    attempts = [each.state for each in history.of_run(database, given["run"])]
    assert attempts == [AttemptState.LOST, AttemptState.COMPLETE]
    assert list(audit(database)) == []


def test_a_run_that_was_lost_too_often_fails_without_any_worker(api: httpx.Client, database: Database) -> None:
    submit(api, trials=1, retries=1)
    for _ in range(2):
        given = Asker(api).ask()
        pass_time(database, 61)
    assert Asker(api).ask() == {"state": "ended", "study_state": "failed"}
    word = said(Asker(api).renew(given))  # its last holder learns it
    assert (word["go_on"], word["why"]) == (False, "failed")
    assert word["reason"].startswith("its worker was lost 2 times (retries used up): here:1")
    assert list(audit(database)) == []


def test_what_is_said_again_after_a_lost_answer_changes_nothing(api: httpx.Client, database: Database) -> None:
    submit(api, trials=1)
    asker = Asker(api, worker=str(uuid.uuid4()))
    given = asker.ask()
    again = asker.ask()  # its answer was lost
    assert (again["run"], again["params"], again["token"]) == (given["run"], given["params"], 2)
    refused(asker.renew(given), 409, "lease_lost")
    for epoch in (1, 2, 3):
        words = [asker.report(again, 0, epoch, val_loss=1 / epoch) for _ in range(2)]
        assert [said(word)["go_on"] for word in words] == [True, True]
    assert len(said(api.get("/v1/studies/mine/trials/0"))["curves"]) == 3
    assert [said(asker.renew(again))["go_on"] for _ in range(2)] == [True, True]
    told = [said(asker.tell(again)) for _ in range(2)]
    assert told[0] == told[1] and told[0]["state"] == "complete"
    [attempt] = history.of_run(database, given["run"])  # one holder, one attempt
    assert attempt.state is AttemptState.COMPLETE
    assert list(audit(database)) == []


def test_epochs_come_in_order_and_a_run_is_complete_with_all_of_them(api: httpx.Client) -> None:
    submit(api, trials=1, repeats=2)
    asker = Asker(api)
    given = asker.ask()
    message = refused(asker.report(given, 0, 2, val_loss=1.0), 409, "out_of_order")
    assert message == (
        f"run {given['run']} has epoch 1 of repeat 0 to come, got epoch 2 of repeat 0: "
        "report one epoch after another, 3 in each of 2 repeats"
    )
    said(asker.report(given, 0, 1, val_loss=1.0))
    assert "is recorded with other metrics" in refused(asker.report(given, 0, 1, val_loss=2.0), 409, "out_of_order")
    message = refused(asker.tell(given), 409, "epochs_missing")
    assert message == f"run {given['run']} has 1 of 6 epochs: report the others first, or tell failed"
    asker.train(given, 0.0)
    refused(asker.report(given, 1, 4, val_loss=1.0), 409, "lease_lost")  # it has ended


def test_metrics_are_refused_with_what_was_meant(api: httpx.Client) -> None:
    submit(api, trials=1, objectives=[{"metric": "val_accuracy", "direction": "maximize"}])
    asker = Asker(api)
    given = asker.ask()
    cases = {
        "val_accuracy is missing (the objective): did you mean it by val_acc?": {"val_acc": 1.0},
        "val_accuracy is missing (the objective): got train_loss": {"train_loss": 1.0},
        "test_accuracy must be left out: nothing is tested in a search, only in a confirmation": {
            "val_accuracy": 1.0,
            "test_accuracy": 1.0,
        },
        "accuracy must begin with train_, val_ or test_: did you mean val_accuracy?": {"accuracy": 1.0},
    }
    for expected, metrics in cases.items():
        answer = asker.report(given, 0, 1, **metrics)
        assert refused(answer, 422, "invalid_request") == f"body.metrics.{expected}"
    word = said(asker.report(given, 0, 1, val_accuracy=None))
    assert (word["go_on"], word["why"]) == (False, "failed")
    assert word["reason"] == "objective val_accuracy became nan in epoch 1: lower the learning rate"
    assert said(asker.tell(given, "failed", "nan"))["reason"] == word["reason"]  # it stays as it ended


def test_a_hopeless_trial_is_pruned_once(api: httpx.Client, database: Database) -> None:
    pruner = {"name": "median", "n_startup_trials": 1}
    submit(api, trials=2, pruner=pruner, repeats=2)
    asker = Asker(api)
    asker.train(asker.ask(), 0.0)
    given = asker.ask()
    for _ in range(2):  # the same after a lost answer
        word = said(asker.report(given, 0, 1, val_loss=9.0))
        assert word == {"go_on": False, "why": "pruned", "reason": None}
    assert said(asker.tell(given))["state"] == "pruned"
    pruned = trials.get(database, studies.get(database, "mine"), 1)
    assert (pruned.state, pruned.values, pruned.best_epoch) == (RunState.PRUNED, [9.0], 1)
    assert asker.ask()["state"] == "ended"
    assert list(audit(database)) == []


@pytest.mark.wide
def test_repeats_are_compared_seed_by_seed(api: httpx.Client, database: Database) -> None:
    submit(api, trials=4, repeats=6, pruner={"name": "paired"})
    asker = Asker(api)
    for number in range(4):
        asker.train(asker.ask(), 10.0 * number)
    states = {each.state for each in trials.page(database, studies.get(database, "mine"))}
    assert states == {RunState.COMPLETE, RunState.PRUNED}
    assert list(audit(database)) == []


def test_a_stop_and_a_cancellation_reach_the_loop(api: httpx.Client, database: Database) -> None:
    submit(api)
    one, other = Asker(api), Asker(api)
    given, rest = one.ask(), other.ask()
    said(api.post("/v1/studies/mine/trials/0/cancel"))
    assert said(one.report(given, 0, 1, val_loss=1.0))["why"] == "stopped"
    said(api.post("/v1/studies/mine/pause"))
    assert (one.ask()["why"], one.ask()["seconds"]) == ("paused", 5.0)
    assert said(other.report(rest, 0, 1, val_loss=1.0))["go_on"]  # what runs goes on
    said(api.post("/v1/studies/mine/stop"))
    assert said(other.renew(rest))["why"] == "stopped"
    assert one.ask() == {"state": "ended", "study_state": "stopped"}
    assert studies.get(database, "mine").counts == {**dict.fromkeys(RunState, 0), "cancelled": 3}
    assert list(audit(database)) == []


def test_a_run_is_handed_back_and_another_one_fails(api: httpx.Client, database: Database) -> None:
    submit(api, trials=1)
    one, other = Asker(api), Asker(api)
    given = one.ask()
    said(one.report(given, 0, 1, val_loss=1.0))
    for _ in range(2):
        assert said(one.tell(given, "handed_back", "Ctrl-C"))["state"] == "waiting"
    refused(one.tell(given), 409, "lease_lost")
    again = other.ask()
    assert again["params"] == given["params"]
    assert said(other.tell(again, "failed", "CUDA\nerror"))["reason"] == "CUDA error"
    assert [each.state for each in history.of_run(database, given["run"])] == [
        AttemptState.PREEMPTED,
        AttemptState.FAILED,
    ]
    assert list(audit(database)) == []


def test_an_asker_that_is_asked_to_leave_ends(api: httpx.Client) -> None:
    submit(api)
    asker = Asker(api)
    given = asker.ask()
    assert api.post(f"/v1/workers/{asker.worker}/drain").status_code == 204
    assert asker.train(given, 1.0)["state"] == "complete"
    assert asker.ask() == {"state": "ended", "study_state": "running"}
    assert said(api.get("/v1/workers")) == {"workers": []}


def test_a_trial_has_its_time(api: httpx.Client, database: Database) -> None:
    submit(api, trials=1, budget={"trials": 1, "trial_timeout": 30})
    asker = Asker(api)
    given = asker.ask()
    execute(database, "UPDATE fleet.runs SET leased_at = leased_at - interval '31 seconds'")
    word = said(asker.report(given, 0, 1, val_loss=1.0))
    assert (word["why"], word["reason"]) == ("failed", "trial_timeout: not done after 30 s")


def test_the_clock_of_a_study_is_that_of_those_who_serve_it(api: httpx.Client, database: Database) -> None:
    """A worker of the fleet does not let an own loop's wall time pass, nor does an asker that of another study."""
    submit(api, budget={"trials": 3, "wall_time": 1000})
    said(api.post("/v1/studies", json=definition_data()))
    worker = workers.register(database, "node", 1, "cpu")
    assert claiming.claim(database, worker, 60) is not None
    assert Asker(api).ask()["state"] == "train"

    def standing() -> dict[str, bool]:
        return {name: studies.get(database, name).stood_at is not None for name in ("mine", "digits-1")}

    assert standing() == {"mine": False, "digits-1": False}
    execute(database, "UPDATE fleet.workers SET seen_at = now() - interval '1 hour' WHERE study_id IS NOT NULL")
    assert standing() == {"mine": True, "digits-1": False}
    execute(database, "UPDATE fleet.workers SET seen_at = now() - interval '1 hour' WHERE study_id IS NULL")
    Asker(api).ask()
    assert standing() == {"mine": False, "digits-1": True}
    started = studies.get(database, "mine").started_at
    with database.engine.connect() as connection:
        now = connection.execute(sa.text("SELECT now()")).scalar_one()
    assert started is not None and (now - started).total_seconds() < 100  # the hour did not count


def test_what_a_training_says_of_itself_is_kept_without_secrets(api: httpx.Client, database: Database) -> None:
    submit(api, trials=2)
    asker = Asker(api)
    given = asker.ask()
    path = f"/v1/runs/{given['run']}"
    report = {**key(given), "repeat": 0, "epoch": 1, "metrics": {"val_loss": 1.0}}
    said(api.post(f"{path}/report", json={**report, "log": {"stdout": "epoch 1\n"}}))
    [one] = said(api.get("/v1/studies/mine/trials/0/logs"))["attempts"]
    assert (one["stdout"], one["stderr"], one["traceback"]) == ("epoch 1\n", "", None)
    many = "".join(f"line {number}\n" for number in range(1000))
    said(api.post(f"{path}/renew", json={**key(given), "log": {"stdout": many, "stderr": "nul \0\n"}}))
    [one] = said(api.get("/v1/studies/mine/trials/0/logs"))["attempts"]
    assert one["stdout"].splitlines() == [f"line {number}" for number in range(800, 1000)]
    assert (one["stderr"], one["stdout_bytes"]) == ("nul \\0\n", len(many))
    last = {"stdout": "password=hunter22hunter", "traceback": "at https://me:hunter22@host/x <b>"}
    said(api.post(f"{path}/tell", json={**key(given), "state": "failed", "reason": "it broke", "log": last}))
    [one] = said(api.get("/v1/studies/mine/trials/0/logs"))["attempts"]
    assert (one["stdout"], one["traceback"]) == ("password=***", "at https://me:***@host/x <b>")
    assert (one["state"], one["reason"]) == ("failed", "it broke")
    given = asker.ask()
    word = {**key(given), "state": "handed_back", "log": {"stdout": "I leave"}}
    said(api.post(f"/v1/runs/{given['run']}/tell", json=word))
    again = {**key(given), "log": {"stdout": "x" * (2**17 + 1)}}
    assert "at most 131,072 characters" in api.post(f"/v1/runs/{given['run']}/renew", json=again).json()["message"]
    given = asker.ask()
    asker.train(given, 0.5)
    assert [one["stdout"] for one in said(api.get("/v1/studies/mine/trials/1/logs"))["attempts"]] == ["I leave", ""]
    assert list(audit(database)) == []
