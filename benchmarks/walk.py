"""Writes docs/walk.md: from an empty folder and the wheel to a prediction, every command timed.

    make dist
    python -m benchmarks.walk dist/*.whl -o docs/walk.md

`--packages FOLDER` lets the new environment find torch and the rest in another one's site-packages; the page says so.
"""

import argparse
import difflib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.gpu.machine import processor

ROOT = Path(__file__).parents[1]
FILES = ROOT / "docs" / "examples" / "walk"
MOST = 30  # lines of an output that the page shows: its last ones
READY = "Ctrl-C stops it"

HEAD = """\
# From a script to a prediction

This page was written by `make dist` and `python -m benchmarks.walk dist/*.whl -o docs/walk.md`. Every command ran in \
the order of the page, in a folder that was empty before; the times are those of a clock on the wall. {machine}.

The files lie in `docs/examples/walk`.
"""


class Walk:
    """A folder in which commands run, and what the page says of them."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self.page: list[str] = []
        self.seconds = 0.0

    def say(self, text: str) -> None:
        self.page.append(f"{text}\n")

    def show(self, name: str, language: str) -> None:
        """Copy a file of the walk into the folder, and show it."""
        shutil.copy(FILES / name, self.folder)
        self._fenced(language, f"# {name}\n{(FILES / name).read_text().rstrip()}")

    def run(self, command: str) -> None:
        """Run a command to its end. Raises CalledProcessError where it fails."""
        began = time.monotonic()
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command], cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        took = time.monotonic() - began
        if done.returncode:
            sys.stderr.write(done.stdout)
            raise subprocess.CalledProcessError(done.returncode, command)
        command = command.replace(sys.executable, "python3")
        lines = done.stdout.replace(str(self.folder), "~/walk").rstrip().splitlines()
        shown = [*(["  ..."] if len(lines) > MOST else []), *lines[-MOST:]]
        self._note(command, took, shown)

    @contextmanager
    def serving(self, command: str) -> Iterator[None]:
        """Leave a command running in the background; it is shown once it is ready."""
        began = time.monotonic()
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            lines = []
            for line in process.stdout or ():
                lines.append(line.rstrip().replace(str(self.folder), "~/walk"))
                if line.startswith("API  "):
                    self.environment["PERNODEDROP_URL"] = line.split()[1].removesuffix("/v1")
                if READY in line:
                    break
            else:
                raise RuntimeError("\n".join(lines))
            self._note(f"{command} &", time.monotonic() - began, lines)
            yield
        finally:
            process.terminate()
            process.communicate()

    def _note(self, command: str, took: float, lines: list[str]) -> None:
        self.seconds += took
        sys.stderr.write(f"{took:6.1f} s  {command}\n")
        self._fenced("", "\n".join([f"$ {command}      # {took:.1f} s", *lines]))

    def _fenced(self, language: str, text: str) -> None:
        marker = "<!-- example: not run: benchmarks/walk.py has run it -->\n\n" if language else ""
        self.page.append(f"{marker}```{language}\n{text}\n```\n")


def own_lines() -> int:
    """The lines of the own loop that the script does not have."""
    before, after = ((FILES / name).read_text().splitlines() for name in ("train.py", "loop.py"))
    changed = [line for line in difflib.ndiff(before, after) if line.startswith("+ ") and line[2:].strip()]
    return len(changed)


def walk(wheel: Path, folder: Path, packages: Path | None) -> Walk:
    kept = ("PYTHONPATH", "DATABASE_URL", "VIRTUAL_ENV")
    environment = {
        name: value for name, value in os.environ.items() if name not in kept and not name.startswith("PERNODEDROP_")
    }
    path = f"{folder}/.venv/bin:{environment['PATH']}"
    ours = {"PATH": path, "PERNODEDROP_HOME": str(folder / "home"), "COLUMNS": "100", "PYTHONUNBUFFERED": "1"}
    made = Walk(folder, environment | ours)
    made.say("## The wheel")
    shutil.copy(wheel, folder)
    made.run(f"{sys.executable if packages else 'python3'} -m venv .venv")
    if packages:
        [site] = folder.glob(".venv/lib/python3*/site-packages")
        (site / "shared.pth").write_text(f"{packages}\n")
        made.say(
            "For this transcript torch and the other packages came from an environment that was there; the README has "
            "the time that their installation takes."
        )
    made.run(f"pip install --quiet {'--no-deps ' if packages else ''}'{wheel.name}[service,worker]'")

    made.say("## The script\n\nIt knows nothing of this project:")
    made.show("train.py", "python")
    made.run("python train.py | tail -n 1")

    made.say(
        f"## The own loop\n\n{own_lines()} of its lines are not in the script. The service keeps no weights of an own "
        "loop, so each training writes its model into a file that bears the run's number: of a run's seeds, the last "
        "one stays."
    )
    made.show("loop.py", "python")
    made.show("study.yaml", "yaml")
    shutil.copy(FILES / "task.py", folder)  # workers look last in the folder that they were started in
    with made.serving("pernodedrop serve --workers 1"):
        made.run("pernodedrop submit study.yaml")
        made.run("python loop.py")
        made.run("pernodedrop studies mine")
        made.say("## The prediction")
        made.show("predict.py", "python")
        made.run("python predict.py")

        made.say(
            "## The same as an own task\n\nWorkers train it, any number on any machines, put each regularizer of the "
            "study into its slot, and keep the confirmed models' weights of the best epoch."
        )
        made.show("task.py", "python")
        made.show("task.yaml", "yaml")
        made.run("pernodedrop submit task.yaml --watch")
        made.run("pernodedrop weights my-task -o model")
        made.show("predict_task.py", "python")
        made.run("python predict_task.py")
    return made


def main() -> None:
    parsed = argparse.ArgumentParser(description=__doc__)
    parsed.add_argument("wheel", type=Path)
    parsed.add_argument("-o", "--output", type=Path, required=True, help="the page")
    parsed.add_argument("--packages", type=Path, help="site-packages that the new environment finds besides its own")
    given = parsed.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the service ends too
    folder = Path(tempfile.mkdtemp(prefix="walk-"))
    folder.chmod(0o755)  # root hands the embedded Postgres to another account
    try:
        made = walk(given.wheel.resolve(), folder, given.packages)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    machine = f"{processor()}, {os.cpu_count()} cores; Python {sys.version.split()[0]}"
    page = [HEAD.format(machine=f"Machine: {machine}"), *made.page]
    page.append(f"All commands together took {made.seconds:.0f} s.")
    given.output.write_text("\n".join(page).rstrip() + "\n")


if __name__ == "__main__":
    main()
