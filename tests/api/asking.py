"""An own loop over REST, as foreign code would write it with plain requests."""

from typing import Any

import httpx


def definition(name: str = "mine", trials: int = 3, epochs: int = 3, **parts: Any) -> dict[str, Any]:
    """A study of an own loop; the names of its parameters are nobody's but the loop's."""
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

    def __init__(self, api: httpx.Client, study: str = "mine", worker: str | None = None) -> None:
        self._api, self._study = api, study
        self.worker = worker

    def ask(self) -> dict[str, Any]:
        body = {"holder": "here:1", "worker": self.worker}
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

    def train(self, given: dict[str, Any], loss: float, epochs: int | None = None) -> dict[str, Any]:
        """Report every epoch, or so many, of every repeat, and tell the end; returns the last answer."""
        tested = {"test_loss": loss} if given["tested"] else {}
        word: dict[str, Any] = {}
        for repeat in range(len(given["seeds"])):
            for epoch in range(1, (epochs or given["epochs"]) + 1):
                word = said(self.report(given, repeat, epoch, val_loss=loss + 1 / epoch, **tested))
                if not word["go_on"]:
                    return word
        return said(self.tell(given)) if epochs is None else word


def key(given: dict[str, Any]) -> dict[str, Any]:
    """What proves the lease."""
    return {"token": given["token"], "claim": given["claim"]}


def said(answer: httpx.Response) -> dict[str, Any]:
    """The answer, which is no refusal."""
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refused(answer: httpx.Response, status: int, error: str) -> str:
    """The sentence of the refusal, which is this one."""
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    message: str = answer.json()["message"]
    return message


def submit(api: httpx.Client, **parts: Any) -> None:
    """Submit the study."""
    said(api.post("/v1/studies", json=definition(**parts)))
