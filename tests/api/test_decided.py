"""A confirmation that goes on until it is decided, over REST: what the storage decided is what every reader says."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest

from search_spaces import Confirmation
from service.reports.found.confirmed import confirmation_of
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import CurvePoint, StudyRecord
from service.storage.runs import claiming, holding
from service.storage.runs.endings import close_finished_studies
from service.storage.states import RunState
from service.storage.studies import extension, studies
from service.web.report import results_of
from tests.storage.test_confirmation import searched

LUCK = np.random.default_rng(5).normal(0, 0.01, (2, 20))
BAD = 0.1  # the drop rate of the configurations that are dropped at the first look
FIRST_SEED = 1  # of the confirmation: the search has one
NAME = "found"


def loss_of(params: Mapping[str, Any], seed: int) -> float:
    is_dropout = params["regularizer"] == "dropout"
    if params["drop_rate"] == BAD:
        return float(0.9 + LUCK[int(is_dropout), -1 - seed])
    return float((0.3 if is_dropout else 0.301) + LUCK[int(not is_dropout), seed])


def work(database: Database, after_each: Callable[[], None] = lambda: None) -> StudyRecord:
    """Complete the confirmation's runs, which come round by round."""
    close_finished_studies(database)
    worker = workers.register(database, "node-1", 4711, "cpu")
    while (lease := claiming.claim(database, worker, 60)) is not None:
        assert lease.params is not None
        assert lease.first_seed is not None
        assert lease.seeds is not None
        holding.attach(database, lease, None, None)
        tested = [loss_of(lease.params, lease.first_seed - FIRST_SEED + repeat) for repeat in range(lease.seeds)]
        for repeat, loss in enumerate(tested):
            points = [CurvePoint(1, repeat, "val", "loss", 0.5), CurvePoint(1, repeat, "test", "loss", loss)]
            holding.record_epoch(database, lease, repeat + 1, points)
        holding.finish(database, lease, RunState.COMPLETE, values=[float(np.mean(tested))], tell=lambda: None)
        after_each()
    return studies.get(database, NAME)


def shown(api: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/v1/studies/{NAME}").json()
    return found


def test_what_was_decided_is_said_alike_everywhere(api: httpx.Client, database: Database) -> None:
    searched(database, confirmation={"top": 2, "repeats": 3, "until": "decided", "most_repeats": 6})
    said: list[str | None] = []
    study = work(database, lambda: said.append(shown(api)["confirmation_so_far"]))
    assert list(dict.fromkeys(said)) == [
        "Not decided yet: 4 configurations will be compared after 3 seeds.",
        "Not decided yet: 2 of 4 left after 3 seeds.",
        "Not decided yet: 2 of 4 left after 4 seeds.",
        None,
    ]
    confirmed = confirmation_of(results_of(database, study))
    assert confirmed is not None
    assert confirmed.decision is not None
    assert study.decision is not None
    assert study.winner is not None
    assert confirmed.decision.outcome == study.decision["outcome"] == "undecided"
    assert confirmed.winner.trial.run_id == study.decision["recommended"] == study.winner.run_id
    assert confirmed.looked == study.decision["seeds"] == 6
    winner = shown(api)["winner"]
    assert (winner["run"], winner["outcome"], winner["seeds"]) == (study.winner.run_id, "undecided", 6)
    first = winner["verdict"][0]
    assert first.startswith("Undecided after 6 seeds: dropout (drop_rate 0.2) leads, dropconnect (drop_rate 0.2) may")
    assert "`pernodedrop confirm found --most-repeats 12` goes on." in first
    assert first.split(";")[0] in api.get(f"/v1/studies/{NAME}/report").text
    extension.confirm(database, NAME, Confirmation(most_repeats=12))
    now = shown(api)
    assert (now["winner"], now["confirmation_so_far"]) == (None, "Not decided yet: 2 of 4 left after 6 seeds.")


@pytest.mark.parametrize("begins", ["fixed", "decided"])
def test_a_replay_without_the_stored_decision_agrees_with_it(
    api: httpx.Client, database: Database, begins: str
) -> None:
    """The readers' costs are the storage's: the same looks give the same outcome, and the same are left."""
    decided = {"until": "decided", "most_repeats": 12, "indifference": 0.05}
    searched(database, confirmation={"top": 2, "repeats": 3} | (decided if begins == "decided" else {}))
    study = work(database)
    if begins == "fixed":
        assert (study.looks, study.decision, shown(api)["winner"]["outcome"]) == ((), None, None)
        extension.confirm(database, NAME, Confirmation.model_validate(decided))
        study = work(database)
        assert study.looks[0] == (3, "fixed")
    assert study.decision is not None
    replayed = confirmation_of(results_of(database, replace(study, decision=None)))
    assert replayed is not None
    assert replayed.decision is not None
    assert replayed.decision.outcome == study.decision["outcome"] == shown(api)["winner"]["outcome"]
    assert [replayed.found[place].trial.run_id for place in replayed.left] == study.decision["left"]
    assert len(replayed.left) == 2
