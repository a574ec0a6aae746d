"""The command line's client: the controller's API with the service's own models as answers.

Its connection and its errors are those of `pernodedrop.client`, which is the client for everybody else.
"""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, BinaryIO, Literal, TypeVar, Unpack
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from pernodedrop.client.connection import Connected
from pernodedrop.client.errors import Away, Refused, Unreachable
from pernodedrop.client.weights import NotWhole, Which, request, unpack, written
from pernodedrop.client.wire import MOST_FILE_BYTES, PATIENT, Request, stranger
from search_spaces.wording import flaw_of_name
from service.api.models import (
    DeliveryOut,
    ExaminationOut,
    ExaminationPage,
    FigureOut,
    Figures,
    Logs,
    Planned,
    Ranking,
    Ready,
    Retried,
    RetriedDeliveries,
    StudyDetail,
    StudyOut,
    StudyPage,
    Submitted,
    TrialDetail,
    TrialOut,
    TrialPage,
    WebhookCreated,
    WebhookOut,
    Webhooks,
    WorkerOut,
    Workers,
)
from service.api.models.access import (
    DeedPage,
    KeyIn,
    KeyMade,
    KeyOut,
    Keys,
    ShareMade,
    ShareOut,
    Shares,
)
from service.storage.states import Stage
from service.storage.unchanged import CHANGED

Model = TypeVar("Model", bound=BaseModel)

__all__ = ["Away", "Client", "NotWhole", "Refused", "Unreachable", "Which", "unpack", "written"]

PAGE = 100  # records a request
_ROUTES: Mapping[Stage, str] = {Stage.SEARCH: "trials", Stage.CONFIRMATION: "confirmation"}


class Client(Connected):
    """Calls one controller. Every method raises `Unreachable` or `Refused`."""

    last_changed = True  # whether the last order changed anything; False: it was so already

    def submit(self, definition: Mapping[str, Any]) -> Submitted:
        """Create the study; status 422 refuses a definition that breaks rules, and 409 a name that is taken."""
        return self._read(Submitted, "POST", "studies", body=definition)

    def check(self, definition: Mapping[str, Any]) -> Planned:
        """What `submit` would create, or raise; nothing is stored."""
        return self._read(Planned, "POST", "studies/check", body=definition)

    def study(self, name: str) -> StudyDetail:
        return self._read(StudyDetail, "GET", _path(name))

    def studies(self, **sought: str | None) -> Iterator[StudyOut]:
        """Every study, or every one that is `sought` by text, tag and state, the newest first; None leaves one out."""
        seen, chosen = 0, {field: value for field, value in sought.items() if value is not None}
        while True:
            page = self._read(StudyPage, "GET", "studies", params={"limit": PAGE, "offset": seen, **chosen})
            yield from page.studies
            seen += len(page.studies)
            if not page.studies or seen >= page.total:
                return

    def trials(
        self, name: str, state: str | None = None, *, limit: int = PAGE, offset: int = 0, **wanted: str | bool | None
    ) -> TrialPage:
        """Return `limit` runs of the study after `offset`, or of those in `state`; None leaves one of `wanted` out.

        `wanted` are stage, variant, where, sort and descending: status 422 refuses an unknown name.
        """
        given = {"state": state or None, "limit": limit, "offset": offset, **wanted}
        params = {field: value for field, value in given.items() if value is not None}
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
        return self._read(TrialOut, "POST", _path(name, "trials"), body={"params": dict(params), "outside": outside})

    def withdraw(self, name: str, run: int) -> TrialOut:
        """Take back a configuration that waits in the queue; status 409 refuses one that has begun."""
        return self._read(TrialOut, "POST", _path(name, "runs", str(run), "withdraw"))

    def ranking(self, name: str) -> Ranking:
        return self._read(Ranking, "GET", _path(name, "ranking"))

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
        return self._file(_path(name, "report")).decode()

    def figures(self, name: str) -> list[FigureOut]:
        """The figures that the study has the results for."""
        return self._read(Figures, "GET", _path(name, "figures"), timeout=PATIENT).figures

    def export(self, name: str, *file: str, to: str | None = None) -> bytes:
        """A file of the study's results: "records.csv", or "figures" and "history.png".

        `to` is a variant that the files of the confirmation compare with.
        """
        params = {} if to is None else {"to": to}
        return self._file(_path(name, *file), params)

    def capsule(self, name: str) -> bytes:
        """The study as a capsule, a zip."""
        return self._file(_path(name, "capsule"))

    def weights(self, name: str, into: BinaryIO, **which: Unpack[Which]) -> None:
        """Write the zip of a configuration's weights into a file by pieces; status 404 says why there is none."""
        with self._connection.stream(request(_path(name, "winner", "weights"), which)) as pieces:
            for piece in pieces:
                into.write(piece)

    def amend(self, name: str, **fields: int | str | list[str]) -> StudyOut:
        """Change the study's priority, its tags or its note."""
        return self._read(StudyOut, "PATCH", _path(name), body=fields)

    def extend(self, name: str, trials: int, seen: int | None = None) -> StudyOut:
        """Add so many trials; status 409 refuses a grid, a stopped study, one at a limit of its budget, and one with
        another budget than `seen`."""
        body = {"trials": trials} | ({} if seen is None else {"seen": seen})
        return self._read(StudyOut, "POST", _path(name, "extend"), body=body)

    def confirm(self, name: str, **wanted: int | float | str | None) -> StudyOut:
        """Train the best configurations again under fresh seeds and test them, or add to a confirmation.

        `wanted` are the fields of a definition's `confirmation`; None leaves one out. Status 409 refuses a stopped
        study, one with nothing to add, and settings that do not go together.
        """
        body = {field: value for field, value in wanted.items() if value is not None}
        return self._read(StudyOut, "POST", _path(name, "confirmation"), body=body)

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
        return self._read(Retried, "POST", _path(name, "retry"), body={"trials": trials})

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

    def create_key(self, wanted: KeyIn) -> KeyMade:
        """Make a key; status 409 refuses a name that is taken."""
        return self._read(KeyMade, "POST", "keys", body=wanted.model_dump())

    def keys(self) -> list[KeyOut]:
        return self._read(Keys, "GET", "keys").keys

    def revoke_key(self, name: str) -> KeyOut:
        return self._read(KeyOut, "POST", f"keys/{quote(name, safe='')}/revoke")

    def rotate_key(self, name: str, grace_s: float) -> KeyMade:
        """Give the key another secret; the one before opens for the time of grace."""
        return self._read(KeyMade, "POST", f"keys/{quote(name, safe='')}/rotate", body={"grace_s": grace_s})

    def share(self, name: str, lasts_s: float) -> ShareMade:
        """A link that shows the study."""
        return self._read(ShareMade, "POST", _path(name, "shares"), body={"lasts_s": lasts_s})

    def shares(self, name: str) -> list[ShareOut]:
        return self._read(Shares, "GET", _path(name, "shares")).shares

    def revoke_share(self, name: str, share: int) -> ShareOut:
        return self._read(ShareOut, "POST", _path(name, "shares", str(share), "revoke"))

    def deeds(self, name: str | None, limit: int, *, everywhere: bool) -> DeedPage:
        """Who ordered what of the study, the newest first; `everywhere` looks among deleted ones too."""
        if name is not None and not everywhere:
            return self._read(DeedPage, "GET", _path(name, "audit"), params={"limit": limit})
        wanted = {"limit": limit} if name is None else {"limit": limit, "study": name}
        return self._read(DeedPage, "GET", "audit", params=wanted)

    def lack(self) -> Unreachable | Refused | None:
        """What is missing until the controller can work; None where it and its database answer and have room."""
        try:
            found = self._read(Ready, "GET", "ready")
        except (Unreachable, Refused) as error:
            return error
        return None if found.message is None else Away(found.message)

    def webhooks(self) -> list[WebhookOut]:
        """All webhooks, each with its last delivery."""
        return self._read(Webhooks, "GET", "webhooks").webhooks

    def add_webhook(self, url: str, events: Sequence[str], studies: str) -> WebhookCreated:
        """Register an address; status 422 refuses one of the inside that is not allowed."""
        body = {"url": url, "events": list(events), "studies": studies}
        return self._read(WebhookCreated, "POST", "webhooks", body=body)

    def remove_webhook(self, webhook: int) -> None:
        self._send("DELETE", f"webhooks/{webhook}")

    def test_webhook(self, webhook: int) -> DeliveryOut:
        """Let it be told of a test; `webhooks` says how that went."""
        return self._read(DeliveryOut, "POST", f"webhooks/{webhook}/test")

    def retry_webhook(self, webhook: int) -> int:
        """Let its dead deliveries be tried anew, and return how many."""
        return self._read(RetriedDeliveries, "POST", f"webhooks/{webhook}/retry").retried

    def _read(self, model: type[Model], method: str, path: str, **options: Any) -> Model:
        try:
            return model.model_validate_json(self._send(method, path, **options))
        except ValidationError:
            raise stranger(self.url, HTTPStatus.OK, self._connection.last_headers) from None

    def _file(self, path: str, params: Mapping[str, str] = MappingProxyType({})) -> bytes:
        return self._send("GET", path, params=params, timeout=PATIENT, most_bytes=MOST_FILE_BYTES, is_file=True)

    def _send(self, method: str, path: str, **options: Any) -> bytes:
        content = self._connection.send(Request(method, path, **options))
        if method != "GET":
            self.last_changed = self._connection.last_headers.get(CHANGED) != "no"
        return content


def _path(name: str, *parts: str) -> str:
    """The path of a study; a name that no study has would lead elsewhere, and perhaps out of the API."""
    flaw = flaw_of_name(name)
    if flaw is not None:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_name", f"a study's name {flaw}")
    return "/".join(["studies", *(quote(part, safe="") for part in (name, *parts))])
