"""An own loop over REST: foreign code asks, reports and tells, and whoever dies or lags behind is refused."""

from typing import Any

import httpx
import pytest

from service.storage.audit import audit
from service.storage.database.database import Database
from service.storage.studies import studies


def definition(name: str = "mine", trials: int = 3, epochs: int = 3, **parts: Any) -> dict[str, Any]:
    return {
        "name": name,
        "task": {"name": "external", "epochs": epochs},
        "search_space": {
            "width": {"type": "int", "low": 8, "high": 64},
            "rate": {"type": "float", "low": 0.0, "high": 0.5},
        },
        "sampler": {"name": "random"},
        "fixed": {"head": "linear"},
        "budget": {"trials": trials},
        **parts,
    }


class Asker:
    """One own loop."""

    def __init__(self, api: httpx.Client, study: str = "mine", pid: int = 1) -> None:
        self._api, self._study, self._pid = api, study, pid
        self.worker: str | None = None

    def ask(self) -> dict[str, Any]:
        body = {"holder": f"here:{self._pid}", "worker": self.worker}
        given = said(self._api.post(f"/v1/studies/{self._study}/ask", json=body))
        self.worker = given.get("worker", self.worker)
        return given

    def report(self, given: dict[str, Any], repeat: int, epoch: int, **metrics: float | None) -> httpx.Response:
        body = {**key(given), "repeat": repeat, "epoch": epoch, "metrics": metrics}
        return self._api.post(f"/v1/runs/{given['run']}/report", json=body)

    def renew(self, given: dict[str, Any]) -> httpx.Response:
        return self._api.post(f"/v1/runs/{given['run']}/renew", json=key(given))

    def tell(self, given: dict[str, Any], state: str = "complete", reason: str | None = None) -> httpx.Response:
        return self._api.post(f"/v1/runs/{given['run']}/tell", json={**key(given), "state": state, "reason": reason})


def key(given: dict[str, Any]) -> dict[str, Any]:
    return {"token": given["token"], "claim": given["claim"]}


def said(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


def submit(api: httpx.Client, **parts: Any) -> None:
    said(api.post("/v1/studies", json=definition(**parts)))


def test_a_study_is_searched_by_an_own_loop(api: httpx.Client, database: Database) -> None:
    submit(api, repeats=2)
    asker = Asker(api)
    for number in range(3):
        given = asker.ask()
        assert given["params"].keys() == {"width", "rate", "head"}
        assert (given["number"], given["stage"], given["epochs"], given["tested"]) == (number, "search", 3, False)
        assert len(set(given["seeds"])) == 2
        for repeat in range(2):
            for epoch in range(1, 4):
                word = said(asker.report(given, repeat, epoch, val_loss=1 / epoch + number + repeat, train_loss=0.5))
                assert word["go_on"]
        told = said(asker.tell(given))
        assert told == {
            "state": "complete",
            "values": [pytest.approx(1 / 3 + number + 0.5)],
            "best_epoch": 3,
            "reason": None,
        }
        assert said(asker.tell(given)) == told
    assert asker.ask() == {"state": "ended", "study_state": "complete"}
    study = studies.get(database, "mine")
    assert study.best is not None and study.best.number == 0
    assert list(audit(database)) == []
