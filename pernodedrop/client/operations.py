"""What can be asked of the controller, each as a generator of requests (`wire.Steps`)."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from pernodedrop.client import weights
from pernodedrop.client.answers import (
    Best,
    Details,
    Figure,
    Figures,
    Overview,
    OverviewPage,
    Point,
    RunState,
    StudyState,
    Submitted,
    Trial,
    TrialPage,
)
from pernodedrop.client.errors import Refused
from pernodedrop.client.ordered import Retried
from pernodedrop.client.ranked import Ranking
from pernodedrop.client.reading import read
from pernodedrop.client.wire import MOST_FILE_BYTES, PATIENT, Malformed, Request, Steps, json_of

Kind = TypeVar("Kind")
Definition = Mapping[str, Any] | str | os.PathLike[str]

PAGE = 500  # records a request
LARGEST_FILE = 1 << 20  # bytes of a definition; the controller has the same limit
SUFFIXES = (".yaml", ".yml", ".json")


def path_of(name: str, *parts: str) -> str:
    """The path of a study. The controller judges names, but for those that would lead out of its studies."""
    if not isinstance(name, str) or not name.strip("."):
        raise Refused(422, "invalid_name", f"a study's name must have a letter or digit, got {name!r}")
    return "/".join(["studies", *(_quoted(part) for part in (name, *parts))])


def read_as(kind: type[Kind], method: str, path: str, **options: Any) -> Steps[Kind]:
    """Send one request and read its answer."""
    return read(kind, json_of((yield Request(method, path, **options))))


def definition(source: Definition) -> Steps[dict[str, Any]]:
    """A definition as a dict: of a mapping, of a YAML or JSON file by its path, or of a preset by its name.

    The controller reads the text, so that a file means what it means to the command line.
    """
    if isinstance(source, Mapping):
        return dict(source)
    named = os.fspath(source)
    is_file = not isinstance(source, str) or named.endswith(SUFFIXES) or Path(named).name != named
    if is_file or Path(named).is_file():
        request = Request("POST", "definitions", text=_text_of(Path(named)))
    else:
        request = Request("GET", f"presets/{_quoted(named)}")
    found = json_of((yield request))
    if not isinstance(found, dict):
        raise Malformed
    return found


def submit(source: Definition, name: str | None) -> Steps[Submitted]:
    """Create a study, under another name than its definition's where one is given."""
    wanted = yield from definition(source)
    body = wanted if name is None else {**wanted, "name": name}
    return (yield from read_as(Submitted, "POST", "studies", body=body))


def study(name: str) -> Steps[Details]:
    return read_as(Details, "GET", path_of(name))


def studies(text: str | None, tag: str | None, state: StudyState | None) -> Steps[list[Overview]]:
    """Every study that is sought, the newest first."""
    found: list[Overview] = []
    given = {"text": text, "tag": tag, "state": state}
    sought = {name: value for name, value in given.items() if value is not None}
    while True:
        params = {"limit": PAGE, "offset": len(found), **sought}
        page = yield from read_as(OverviewPage, "GET", "studies", params=params)
        found += page.studies
        if not page.studies or len(found) >= page.total:
            return found


def trials(name: str, state: RunState | None) -> Steps[list[Trial]]:
    """Every run of the study in the order of its queue, or those in `state`."""
    found: list[Trial] = []
    while True:
        params = {"limit": PAGE, "offset": len(found), **({} if state is None else {"state": state})}
        page = yield from read_as(TrialPage, "GET", path_of(name, "trials"), params=params)
        found += page.trials
        if not page.trials or len(found) >= page.total:
            return found


def best(name: str) -> Steps[Best | None]:
    """The search's best; None before a trial is complete."""
    try:
        return (yield from read_as(Best, "GET", path_of(name, "best")))
    except Refused as error:
        if error.error == "no_complete_trial":
            return None
        raise


def ranking(name: str) -> Steps[Ranking]:
    return (yield from read_as(Ranking, "GET", path_of(name, "ranking"), timeout=PATIENT))


def figures(name: str) -> Steps[list[Figure]]:
    found = yield from read_as(Figures, "GET", path_of(name, "figures"), timeout=PATIENT)
    return found.figures


def file(name: str, *parts: str) -> Steps[bytes]:
    """A file of the study's results."""
    return (yield Request("GET", path_of(name, *parts), timeout=PATIENT, most_bytes=MOST_FILE_BYTES, is_file=True))


def curves(name: str) -> Steps[list[Point]]:
    """Every point of every learning curve of complete and pruned runs."""
    text = (yield from file(name, "curves.csv")).decode()
    try:
        return [
            Point(
                run=int(row["run"]),
                trial=_whole(row["trial"]),
                stage="confirmation" if row["stage"] == "confirmation" else "search",
                variant=row["variant"],
                first_seed=_whole(row["first_seed"]),
                repeat=int(row["repeat"]),
                epoch=int(row["epoch"]),
                split=row["split"],
                metric=row["metric"],
                value=float(row["value"]) if row["value"] else None,
            )
            for row in csv.DictReader(io.StringIO(text))
        ]
    except (KeyError, TypeError, ValueError):
        raise Malformed from None


def change(name: str, action: Literal["pause", "resume", "stop"]) -> Steps[Overview]:
    return read_as(Overview, "POST", path_of(name, action))


def extend(name: str, trials: int, seen: int | None) -> Steps[Overview]:
    body = {"trials": trials} | ({} if seen is None else {"seen": seen})
    return read_as(Overview, "POST", path_of(name, "extend"), body=body)


def confirm(name: str, wanted: Mapping[str, Any]) -> Steps[Overview]:
    body = {field: value for field, value in wanted.items() if value is not None}
    return read_as(Overview, "POST", path_of(name, "confirmation"), body=body)


def retry(name: str, trials: Sequence[int] | None) -> Steps[Retried]:
    body = {"trials": None if trials is None else list(trials)}
    return read_as(Retried, "POST", path_of(name, "retry"), body=body)


def enqueue(name: str, params: Mapping[str, Any], outside: bool) -> Steps[Trial]:
    return read_as(Trial, "POST", path_of(name, "trials"), body={"params": dict(params), "outside": outside})


def amend(name: str, wanted: Mapping[str, Any]) -> Steps[Overview]:
    return read_as(Overview, "PATCH", path_of(name), body=wanted)


def weights_of(name: str, which: weights.Which) -> Request:
    return weights.request(path_of(name, "winner", "weights"), which)


def delete(name: str) -> Steps[None]:
    yield Request("DELETE", path_of(name))


def _whole(text: str) -> int | None:
    return int(text) if text else None


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _text_of(file: Path) -> bytes:
    with file.open("rb") as opened:
        text = opened.read(LARGEST_FILE + 1)
    if len(text) > LARGEST_FILE:
        raise ValueError(f"{file} has more than {LARGEST_FILE} bytes, which no definition has")
    return text
