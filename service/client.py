"""A Python client of the controller's API, with typed answers and one-line errors."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Literal, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from pernodedrop.proxies import certificates, proxy_of, variables
from search_spaces.problems import shown
from search_spaces.wording import flaw_of_name
from service.api.models import (
    ErrorOut,
    ExaminationOut,
    ExaminationPage,
    FigureOut,
    Figures,
    Logs,
    Ranking,
    RankingRow,
    Retried,
    StudyDetail,
    StudyOut,
    StudyPage,
    Submitted,
    TrialDetail,
    TrialOut,
    TrialPage,
    WorkerOut,
    Workers,
)
from service.storage.states import Stage

Model = TypeVar("Model", bound=BaseModel)

PAGE = 100  # records a request
PATIENT = 300.0  # s: the results of a large study take long
_ROUTES: Mapping[Stage, str] = {Stage.SEARCH: "trials", Stage.CONFIRMATION: "confirmation"}


class Unreachable(Exception):
    """The controller, or the database behind it, does not answer."""


class Away(Unreachable):
    """The controller answers, and has no database at the moment, or is busy; the message says which."""


class Refused(Exception):
    """The controller answered with an error; str() gives its message, one line for every broken rule."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = error


class Client:
    """Calls one controller. Every method raises `Unreachable` or `Refused`."""

    def __init__(self, url: str, api_key: str | None = None, *, timeout: float = 30.0) -> None:
        """A client of the controller at `url`, by the environment's proxy unless that is on this machine.

        Raises:
            BadVariable: a proxy or certificates that the environment names cannot be used.
        """
        headers = {b"X-API-Key": api_key.encode()} if api_key else {}
        self.url = url
        self._http = httpx.Client(
            base_url=f"{url}/v1/",
            headers=headers,
            timeout=timeout,
            trust_env=False,
            proxy=proxy_of(url),
            verify=certificates(url),
        )

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, definition: Mapping[str, Any]) -> Submitted:
        """Create the study; status 422 refuses a definition that breaks rules, and 409 a name that is taken."""
        body = json.dumps(definition, default=str)  # YAML has dates, JSON has none
        return self._read(Submitted, "POST", "studies", content=body, headers={"Content-Type": "application/json"})

    def study(self, name: str) -> StudyDetail:
        return self._read(StudyDetail, "GET", _path(name))

    def studies(self) -> Iterator[StudyOut]:
        """Every study, the newest first."""
        seen = 0
        while True:
            page = self._read(StudyPage, "GET", "studies", params={"limit": PAGE, "offset": seen})
            yield from page.studies
            seen += len(page.studies)
            if not page.studies or seen >= page.total:
                return

    def trials(self, name: str, state: str | None = None, *, limit: int = PAGE) -> TrialPage:
        """Return the first `limit` runs of the study, or of those in `state`."""
        params: dict[str, str | int] = {"limit": limit} | ({"state": state} if state else {})
        return self._read(TrialPage, "GET", _path(name, "trials"), params=params)

    def trial(self, name: str, number: int, stage: Stage = Stage.SEARCH) -> TrialDetail:
        """Return one trial, or the run at that place in the confirmation, with its history and learning curves."""
        return self._read(TrialDetail, "GET", _path(name, _ROUTES[stage], str(number)))

    def cancel(self, name: str, number: int, stage: Stage = Stage.SEARCH) -> TrialOut:
        """End a run that waits or is in training; status 409 refuses one that has ended in another way."""
        return self._read(TrialOut, "POST", _path(name, _ROUTES[stage], str(number), "cancel"))

    def enqueue(self, name: str, params: Mapping[str, Any], *, outside: bool = False) -> TrialOut:
        """Train this configuration next; status 422 refuses one that does not suit the space, and 409 a study that has
        no trial left for it."""
        body = json.dumps({"params": dict(params), "outside": outside}, default=str)  # YAML has dates, JSON has none
        headers = {"Content-Type": "application/json"}
        return self._read(TrialOut, "POST", _path(name, "trials"), content=body, headers=headers)

    def ranking(self, name: str) -> list[RankingRow]:
        return self._read(Ranking, "GET", _path(name, "ranking")).ranking

    def examinations(self, name: str) -> Iterator[ExaminationOut]:
        """What the confirmation's models say of sets of inputs, by run, repeat and set."""
        seen = 0
        while True:
            params = {"limit": PAGE, "offset": seen}
            page = self._read(ExaminationPage, "GET", _path(name, "examinations"), params=params)
            yield from page.examinations
            seen += len(page.examinations)
            if not page.examinations or seen >= page.total:
                return

    def report(self, name: str) -> str:
        """The study's report as a page of HTML."""
        return self._send("GET", _path(name, "report"), timeout=PATIENT).text

    def figures(self, name: str) -> list[FigureOut]:
        """The figures that the study has the results for."""
        return self._read(Figures, "GET", _path(name, "figures"), timeout=PATIENT).figures

    def export(self, name: str, *file: str, to: str | None = None) -> bytes:
        """A file of the study's results: "records.csv", or "figures" and "history.png".

        `to` is a variant that the files of the confirmation compare with.
        """
        params = {} if to is None else {"to": to}
        return self._send("GET", _path(name, *file), params=params, timeout=PATIENT).content

    def capsule(self, name: str) -> bytes:
        """The study as a capsule, a zip."""
        return self._send("GET", _path(name, "capsule"), timeout=PATIENT).content

    def weights(self, name: str, into: BinaryIO, **which: int | bool | None) -> None:
        """Write the zip of a configuration's weights into a file, a piece at a time; status 404 says why there is none.

        `which` are trial, confirmation, seed and ensemble; None leaves one out.
        """
        params = {field: value for field, value in which.items() if value is not None}
        try:
            with self._http.stream("GET", _path(name, "winner", "weights"), params=params, timeout=PATIENT) as response:
                if not response.is_success:
                    response.read()
                    raise self._refusal(response)
                for piece in response.iter_bytes():
                    into.write(piece)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def prioritize(self, name: str, priority: int) -> StudyOut:
        return self._read(StudyOut, "PATCH", _path(name), json={"priority": priority})

    def extend(self, name: str, trials: int) -> StudyOut:
        """Add so many trials; status 409 refuses a grid, a stopped study and one at a limit of its budget."""
        return self._read(StudyOut, "POST", _path(name, "extend"), json={"trials": trials})

    def confirm(self, name: str, **wanted: int | float | str | None) -> StudyOut:
        """Train the best configurations again under fresh seeds and test them, or add to a confirmation.

        `wanted` are the fields of a definition's `confirmation`; None leaves one out. Status 409 refuses a stopped
        study, one with nothing to add, and settings that do not go together.
        """
        body = {field: value for field, value in wanted.items() if value is not None}
        return self._read(StudyOut, "POST", _path(name, "confirmation"), json=body)

    def confirming(self, name: str, first: int = 0) -> Iterator[TrialOut]:
        """The runs of the confirmation by place, from `first` on."""
        while True:
            params = {"limit": PAGE, "offset": first}
            page = self._read(TrialPage, "GET", _path(name, _ROUTES[Stage.CONFIRMATION]), params=params)
            yield from page.trials
            first += len(page.trials)
            if not page.trials or first >= page.total:
                return

    def change(self, name: str, action: Literal["pause", "resume", "stop"]) -> StudyOut:
        return self._read(StudyOut, "POST", _path(name, action))

    def retry(self, name: str, trials: Sequence[int] | None = None) -> Retried:
        """Let failed runs wait again; status 409 refuses where none has failed or the study is at its end for good."""
        return self._read(Retried, "POST", _path(name, "retry"), json={"trials": trials})

    def logs(self, name: str, number: int, stage: Stage = Stage.SEARCH, attempt: int | None = None) -> Logs:
        """What the attempts of a run have written, or that one; status 404 says that there is no such attempt."""
        params = {} if attempt is None else {"attempt": attempt}
        return self._read(Logs, "GET", _path(name, _ROUTES[stage], str(number), "logs"), params=params)

    def delete(self, name: str) -> None:
        self._send("DELETE", _path(name))

    def workers(self) -> list[WorkerOut]:
        """The workers that were seen lately."""
        return self._read(Workers, "GET", "workers").workers

    def drain(self, worker: str) -> None:
        """Ask the worker of this id to leave."""
        self._send("POST", f"workers/{quote(worker, safe='')}/drain")

    def lack(self) -> Unreachable | Refused | None:
        """What is missing until the controller can work; None where it and its database answer."""
        try:
            self._send("GET", "ready")
        except (Unreachable, Refused) as error:
            return error
        return None

    def _read(self, model: type[Model], method: str, path: str, **request: Any) -> Model:
        response = self._send(method, path, **request)
        try:
            return model.model_validate_json(response.content)
        except ValidationError:
            raise self._stranger(response) from None

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **request)
        except UnicodeEncodeError as error:
            message = f"{shown(error.object)} is no valid text: a terminal of another encoding gives such letters"
            raise Refused(httpx.codes.UNPROCESSABLE_ENTITY, "invalid_text", message) from None
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if response.is_success:
            return response
        raise self._refusal(response)

    def _unreachable(self, error: httpx.TransportError) -> Unreachable:
        reason = str(error) or type(error).__name__
        taken = [name for name in variables(self.url) if "SSL" in reason or "SSL" not in name]
        if taken:
            reason += f"; the environment sets {', '.join(taken)}"
        return Unreachable(
            f"no controller answers at {self.url} ({reason}): start one with `pernodedrop serve`, "
            "or set PERNODEDROP_URL to its address"
        )

    def _refusal(self, response: httpx.Response) -> Unreachable | Refused:
        try:
            out = ErrorOut.model_validate_json(response.content)
        except ValidationError:
            return self._stranger(response)
        if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return Away(out.message)
        lines = [problem.message for problem in out.problems or []] or [out.message]
        return Refused(response.status_code, out.error, "\n".join(lines))

    def _stranger(self, response: httpx.Response) -> Refused:
        asked = ["PERNODEDROP_URL", *(name for name in variables(self.url) if "SSL" not in name)]
        message = f"{self.url} answers, but not as this program's controller does: check {' and '.join(asked)}"
        return Refused(response.status_code, "unknown_answer", message)


def _path(name: str, *parts: str) -> str:
    """The path of a study; a name that no study has would lead elsewhere, and perhaps out of the API."""
    flaw = flaw_of_name(name)
    if flaw is not None:
        raise Refused(httpx.codes.UNPROCESSABLE_ENTITY, "invalid_name", f"a study's name {flaw}")
    return "/".join(["studies", *(quote(part, safe="") for part in (name, *parts))])
