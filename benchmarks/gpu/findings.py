"""What a part of the check finds, written to its JSON file as soon as it is known."""

import json
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

CheckState = Literal["holds", "fails", "skipped"]
PartState = Literal["running", "done", "failed", "out of time", "not run"]


class NotHere(Exception):
    """What a check or a part needs is missing on this machine; the message says what, and how to bring it."""


@dataclass(frozen=True)
class Check:
    """A statement about correctness."""

    name: str
    state: CheckState
    detail: str = ""  # why it fails or was skipped; empty where it holds and there is nothing to add
    seconds: float = 0.0


@dataclass(frozen=True)
class Figure:
    """A measured number, at its place in a table."""

    table: str  # the table's title
    row: str
    column: str
    value: float
    unit: str = ""
    at_most: float | None = None  # the aim, where there is one

    @property
    def meets_its_aim(self) -> bool | None:
        """None where there is no aim."""
        return None if self.at_most is None else self.value <= self.at_most


@dataclass
class Report:
    """Everything that one part has found so far."""

    part: str
    state: PartState = "running"
    reason: str = ""  # why it failed or was not run
    seconds: float = 0.0
    machine: Mapping[str, Any] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # sentences for below the tables

    @property
    def fails(self) -> bool:
        """Whether something was shown to be wrong."""
        return self.state == "failed" or any(check.state == "fails" for check in self.checks)

    def write(self, path: Path) -> None:
        """Replace the file at once, so that a reader never sees half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}")
        draft.write_text(json.dumps(asdict(self), indent=1) + "\n")
        draft.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Report":
        """The report that `write` has written."""
        content = json.loads(path.read_text())
        content["checks"] = [Check(**check) for check in content["checks"]]
        content["figures"] = [Figure(**figure) for figure in content["figures"]]
        return cls(**content)


class Findings:
    """A part's way to say what it finds; each finding is in the file before the next is looked for.

    Figures are compared with their aims only where `aims` says that this run's sizes are those of the aims.
    """

    def __init__(self, report: Report, path: Path, seconds: float, *, aims: bool) -> None:
        self._report, self._path, self._aims = report, path, aims
        self._started = time.monotonic()
        self._deadline = self._started + seconds
        self._save()

    @property
    def seconds_left(self) -> float:
        """Until the part is cut off; a part that measures in rounds ends its rounds by it."""
        return self._deadline - time.monotonic()

    @property
    def folder(self) -> Path:
        """Where the findings lie, and what a part leaves beside them."""
        return self._path.parent

    def check(self, name: str, call: Callable[[], object]) -> bool:
        """Run a check, which raises where its statement does not hold; returns whether it holds."""
        started = time.monotonic()
        state: CheckState = "holds"
        try:
            said = call()
            detail = said if isinstance(said, str) else ""
        except NotHere as missing:
            state, detail = "skipped", str(missing)
        except Exception as error:  # a failed check must not keep the next from running
            state, detail = "fails", f"{type(error).__name__}: {error}"[:2000] + f"\n{traceback.format_exc()[-2000:]}"
        self._report.checks.append(Check(name, state, detail, time.monotonic() - started))
        self._save()
        return state == "holds"

    def figure(
        self,
        table: str,
        row: str,
        column: str,
        value: float,
        unit: str = "",
        *,
        at_most: float | None = None,
    ) -> None:
        """Write down a measured number, with its aim where it has one and this run's sizes can meet it."""
        self._report.figures.append(Figure(table, row, column, value, unit, at_most if self._aims else None))
        self._save()

    def note(self, sentence: str) -> None:
        """Write down what a reader of the tables must know."""
        self._report.notes.append(sentence)
        self._save()

    def close(self, state: PartState, reason: str = "") -> None:
        """The part's last word."""
        self._report.state, self._report.reason = state, reason
        self._save()

    def _save(self) -> None:
        self._report.seconds = time.monotonic() - self._started
        self._report.write(self._path)
