"""`check`: tries a study's task and every variant on this machine, before the study is submitted."""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import IO, Annotated, Any

import typer

from pernodedrop.begin import command, hidden
from pernodedrop.installation import need
from search_spaces import InvalidDefinition, StudyDefinition, parse_definition
from search_spaces.task_modules import TaskModules
from service.cli.definitions import definition_of
from service.cli.exit_codes import ExitCode, Failure
from service.cli.scaling import Scales, scaled_definition
from service.cli.session import say, settings_here
from service.cli.submitting import File, Overrides, Preset
from service.cli.task_folders import Tasks, search_tasks_in
from service.cli.views import measured
from service.settings import without_key

EXTERNAL = "external"  # the task of a study whose trainings are somebody's own loop: there is nothing to import
SHARE = 0.9  # of a machine's memory, that a training may take of it

commands = typer.Typer()


@dataclass
class Found:
    """What a check has found; `problems` are what would fail on a fleet."""

    study: str
    task: str
    file: str | None = None
    code: str | None = None  # the digest of the task's source, as trials record it
    samples: dict[str, int] = field(default_factory=dict)  # by split
    hooks: list[str] = field(default_factory=list)  # the optional methods that the task defines
    inputs: str | None = None  # what they are instead of one tensor
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)  # by variant
    memory_bytes: int | None = None  # that the process has taken at most
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    begun: str | None = None  # the variant that was tried last
    variants: int = 0  # that the study has
    failed: dict[str, str] = field(default_factory=dict)  # what is wrong with a variant, with its verb first

    def take(self, line: dict[str, Any]) -> None:
        """Take in what the process says: see `workers.checking.__main__`."""
        match line["kind"]:
            case "task":
                self.file, self.code = line["file"], line["code"]
            case "data":
                self.samples = line["sizes"]
            case "hooks":
                self.hooks, self.inputs = line["names"], line["inputs"]
            case "begins":
                self.begun = line["variant"]
            case "variant":
                self.metrics[line["variant"]] = line["metrics"]
            case "variants":
                self.variants = line["count"]
            case "fails":
                self.failed[line["variant"]] = line["text"]
            case "problem":
                self.problems.append(line["text"])
            case "note":
                self.notes += [] if line["text"] in self.notes else [line["text"]]
            case "memory":
                self._heed_memory(line["peak"], line["total"])

    def gather(self) -> None:
        """Make a problem of each failure, with the variants that share it."""
        alike: dict[str, list[str]] = {}
        for name, text in self.failed.items():
            alike.setdefault(text, []).append(name)
        for text, names in alike.items():
            who = "every variant" if len(names) == self.variants else f"variant {', '.join(names)}"
            self.problems.append(f"{who} {text}")

    def _heed_memory(self, peak: int, total: int | None) -> None:
        self.memory_bytes = peak
        if total is not None and peak > SHARE * total:
            self.problems.append(
                f"a trial takes {peak / 2**30:.1f} GiB and this machine has {total / 2**30:.1f}: train on fewer "
                "samples, or on a larger machine"
            )


@commands.command()
def check(  # noqa: PLR0917 (options, given by name)
    file: File = None,
    preset: Preset = None,
    overrides: Overrides = None,
    scale: Scales = None,
    tasks: Tasks = None,
    fetch: Annotated[bool, typer.Option("--fetch", help="Fetch the task's data set if it is missing.")] = False,
    timeout: Annotated[float, typer.Option(min=1, help="The seconds after which the check ends.")] = 120.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Try a study here before you submit it: import its task, train every variant for two steps, list the metrics.

    No service and no database are needed. A process of its own does it on the CPU, with this environment, and imports
    the task as a worker does. Each line that begins with `problem:` would fail on the fleet; the exit code is 2 then.

    Examples:

      pernodedrop check my-study.yaml --tasks ~/tasks

      pernodedrop check my-study.yaml --set task.epochs=5 --json
    """
    search_tasks_in(tasks)
    definition = _accepted(scaled_definition(definition_of(file, preset, overrides or []), scale or []))
    found = Found(definition.name, definition.task.name, notes=list(hidden()))
    if definition.task.name == EXTERNAL:
        found.notes.append("your own loop trains this study, so only the definition was checked")
    elif refusal := TaskModules.from_environment(os.environ).refusal(definition.task.name):
        found.problems.append(f"task.name: {refusal}")
    else:
        need("pernodedrop check", "worker", "torch", "fsspec", "safetensors")
        folder = settings_here().data_folder
        asked = {"definition": definition.model_dump(mode="json"), "data_folder": str(folder), "fetch": fetch}
        _tried(json.dumps(asked), timeout, found)
        found.gather()
    _show(found, as_json=as_json)
    raise typer.Exit(ExitCode.WRONG if found.problems else ExitCode.DONE)


def _accepted(given: dict[str, Any]) -> StudyDefinition:
    try:
        return parse_definition(given)
    except InvalidDefinition as error:
        raise Failure(str(error), ExitCode.WRONG) from error


def _tried(request: str, seconds: float, found: Found) -> None:
    """Have the process try what is asked for, and take in what it says until it ends or the time is over."""
    process = subprocess.Popen(
        command("workers.checking"),
        env=without_key(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # so that all that a task has started can be ended
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with suppress(BrokenPipeError), process.stdin as told:  # it has ended, which is said below
            told.write(request.encode())
        end = time.monotonic() + seconds
        for line in _lines(process.stdout, end):
            found.take(json.loads(line))
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(end - time.monotonic(), 0))
        code = process.poll()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    if code is None:
        _late(found, seconds)
    elif code != 0:
        found.problems.append(_death(code, found.begun))


def _lines(output: IO[bytes], until: float) -> Iterator[bytes]:
    """The whole lines that come before that time, or before the end."""
    rest = b""
    while (left := until - time.monotonic()) > 0 and select.select([output], [], [], left)[0]:
        piece = os.read(output.fileno(), 2**16)
        if not piece:
            return
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole


def _late(found: Found, seconds: float) -> None:
    where = f"variant {found.begun}" if found.begun else "reading the data" if found.file else "importing the task"
    text = f"the check was ended after {seconds:g} s, at {where}: give it longer with --timeout"
    (found.notes if found.metrics or found.failed else found.problems).append(text)


def _death(code: int, variant: str | None) -> str:
    where = f"training {variant}" if variant else "importing the task and reading its data"
    if code == -signal.SIGKILL:
        return f"the process was killed while {where}: most often the machine runs out of memory"
    how = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return f"the process {how} while {where}: the lines above may say why"


def _show(found: Found, *, as_json: bool) -> None:
    if as_json:
        told = {name: value for name, value in asdict(found).items() if name not in ("begun", "variants", "failed")}
        say(json.dumps({"ok": not found.problems, **told}, indent=2))
        return
    if found.file is not None:
        say(f"task      {found.task}, {found.file}, code {str(found.code)[:12]}")
    if found.samples:
        say(f"samples   {', '.join(f'{count:,} {split}' for split, count in found.samples.items())}")
    if found.inputs is not None:
        say(f"inputs    {found.inputs}")
    if found.hooks:
        say(f"hooks     {', '.join(found.hooks)}")
    if found.memory_bytes is not None:
        say(f"memory    {found.memory_bytes / 2**20:,.0f} MiB at most")
    if found.metrics:
        say(f"variants  {', '.join(found.metrics)}")
        say("metrics   after two steps on few samples:")
    for line in _table(found.metrics):
        say(line)
    for text in found.notes:
        say(f"note: {text}")
    for text in found.problems:
        say(f"problem: {text}")
    say(_verdict(found))


def _table(metrics: dict[str, dict[str, float]]) -> Iterator[str]:
    """A line for each metric, with its least and its greatest value over the variants."""
    names = sorted({name for values in metrics.values() for name in values})
    width = max(map(len, names), default=0)
    for name in names:
        values = [of[name] for of in metrics.values() if name in of]
        least, most = measured(min(values)), measured(max(values))
        yield f"  {name:<{width}}  {least}{f' to {most}' if most != least else ''}"


def _verdict(found: Found) -> str:
    count = len(found.problems)
    if count:
        return f"{found.study}: {count} problem{'s' if count > 1 else ''}"
    tried = f", {len(found.metrics)} variant{'s' if len(found.metrics) != 1 else ''} tried" if found.metrics else ""
    return f"{found.study}: nothing was found that would fail{tried}"
