"""Several own loops at once, some of which die or say everything twice: the budget is exact and every path legal."""

import random
import threading
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from service.api.app import create_app
from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.states import RunState
from service.storage.studies import curves, studies, trials
from tests.api.asking import Asker, said, submit
from tests.api.configuring import settings_for
from tests.api.serving import served
from tests.storage.queueing import execute

EPOCHS = 3
MOST_STEPS = 5_000


def loss(params: dict[str, Any], epoch: int) -> float:
    """What the loop measures: a formula, so that any asker measures the same."""
    return float((params["rate"] - 0.2) ** 2 + abs(params["width"] - 30) / 100 + 1 / epoch)


def turn(asker: Asker, state: dict[str, Any], chance: Callable[[], bool] = lambda: False) -> bool:
    """One word of an asker, as `state` has it; returns whether its study has ended. With `chance` it dies."""
    if not state or chance():
        state.clear()
        given = asker.ask()
        if given["state"] == "ended":
            return True
        if given["state"] == "train":
            state.update(given=given, place=0)
        return False
    given, place = state["given"], state["place"]
    if place == EPOCHS * len(given["seeds"]):
        answer = asker.tell(given)
        state.clear()
        return not (answer.is_success or answer.json()["error"] == "lease_lost")
    repeat, epoch = divmod(place, EPOCHS)
    value = loss(given["params"], epoch + 1) + given["seeds"][repeat] / 2**40
    tested = {"test_loss": value} if given["tested"] else {}
    answer = asker.report(given, repeat, epoch + 1, val_loss=value, **tested)
    if not answer.is_success:
        assert answer.json()["error"] == "lease_lost", answer.text
        state.clear()
    elif said(answer)["go_on"]:
        state["place"] += 1
    else:
        state.clear()
    return False


def played(api: httpx.Client, name: str, askers: int, seed: int) -> None:
    """The study by so many askers, who take turns in an order of this seed."""
    order = random.Random(seed)
    fleet = [(Asker(api, name), dict[str, Any]()) for _ in range(askers)]
    while not turn(*order.choice(fleet)):
        pass


def table(db: Database, name: str) -> list[tuple[object, ...]]:
    study = studies.get(db, name)
    points = curves.of_study(db, study.id)
    return [
        (each.number, each.state, each.params, each.values, each.best_epoch, points[each.run_id])
        for each in trials.page(db, study)
    ]


def test_one_asker_and_four_find_the_same_with_a_lag(api: httpx.Client, database: Database) -> None:
    parts: dict[str, Any] = {
        "sampler": {"name": "tpe", "lag": 4, "n_startup_trials": 4},
        "pruner": {"name": "median", "n_startup_trials": 2},
        "trials": 8,
        "start_with": [{"width": 30}],
    }
    for askers in (1, 4):
        submit(api, name=f"by-{askers}", **parts)
        played(api, f"by-{askers}", askers, seed=askers)
    one, four = (table(database, f"by-{askers}") for askers in (1, 4))
    assert one == four
    assert {row[1] for row in one} == {RunState.COMPLETE, RunState.PRUNED}
    assert one[0][2]["width"] == 30  # type: ignore[index]
    assert list(audit(database)) == []


@pytest.mark.wide
def test_a_grid_is_visited_once(api: httpx.Client, database: Database) -> None:
    """One of its configurations is known to be good, and is asked for first."""
    space = {
        "width": {"type": "int", "low": 10, "high": 11},
        "rate": {"type": "float", "low": 0.0, "high": 0.4, "step": 0.2},
    }
    parts = {"search_space": space, "sampler": {"name": "grid"}, "budget": {}}
    submit(api, start_with=[{"width": 11, "rate": 0.4}], **parts)
    played(api, "mine", 2, seed=1)
    found = [
        (each.params["width"], each.params["rate"]) for each in trials.page(database, studies.get(database, "mine"))
    ]
    assert found[0] == (11, 0.4)
    assert sorted(found) == [(width, rate) for width in (10, 11) for rate in (0.0, 0.2, 0.4)]
    assert list(audit(database)) == []


@pytest.mark.wide
@pytest.mark.parametrize("search", ["race", "free"])
def test_askers_that_die_and_stale_ones_leave_exact_books(database_url: str, database: Database, search: str) -> None:
    """Four askers at once, in threads of their own, against two controllers. An asker dies in any state, and comes
    again as another one or as itself; leases end early; half of what is said is said twice."""
    regularizer = {"type": "categorical", "choices": ["none", "dropout"]}
    space = {"rate": {"type": "float", "low": 0.0, "high": 0.5}, "width": {"type": "int", "low": 8, "high": 64}}
    apps = [create_app(settings_for(database_url)) for _ in range(2)]
    with served(apps[0]) as first, served(apps[1]) as second:
        with httpx.Client(base_url=first, timeout=60) as api:
            submit(
                api,
                trials=40,
                repeats=2,
                retries=10,
                search=search,
                sampler={"name": "tpe"},
                pruner={"name": "median", "n_startup_trials": 4},
                search_space={**space, "regularizer": regularizer},
                confirmation={"top": 1, "repeats": 2},
            )
        for address in (first, second):  # FastAPI makes its routes at the first request, and not in two threads at once
            for path in ("studies/none/ask", "runs/1/report", "runs/1/renew", "runs/1/tell"):
                httpx.post(f"{address}/v1/{path}", json={}, timeout=60)
        failures: list[str] = []
        threads = [
            threading.Thread(target=_until_the_end, args=(number, (first, second), database, failures))
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    study = studies.get(database, "mine")
    ended = study.counts[RunState.COMPLETE] + study.counts[RunState.PRUNED] + study.counts[RunState.FAILED]
    assert (ended, sum(study.counts.values())) == (40, 40)
    assert sum(each.attempts > 1 for each in trials.page(database, study)) > 5  # runs did change hands
    assert list(audit(database)) == []


def _until_the_end(number: int, addresses: tuple[str, str], database: Database, failures: list[str]) -> None:
    chance = random.Random(number)
    clients = [httpx.Client(base_url=address, timeout=60) for address in addresses]
    asker, state = Asker(clients[number % 2], worker=str(uuid.UUID(int=chance.getrandbits(128)))), dict[str, Any]()
    try:
        for _ in range(MOST_STEPS):
            if chance.random() < 0.1:  # a minute without a word of anybody
                execute(database, "UPDATE fleet.runs SET lease_until = now() - interval '1 second'")
            if chance.random() < 0.05:  # its process dies, and another one begins
                state.clear()
                asker = Asker(chance.choice(clients), worker=str(uuid.UUID(int=chance.getrandbits(128))))
            before = dict(state)
            if turn(asker, state, lambda: chance.random() < 0.02):
                return
            if before and state and chance.random() < 0.5:  # the answer was lost
                turn(asker, before)
        failures.append(f"asker {number} came to no end in {MOST_STEPS} steps")
    except Exception as error:
        failures.append(f"asker {number}: {type(error).__name__}: {error}")
    finally:
        for client in clients:
            client.close()
