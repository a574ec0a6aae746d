"""The command as it is run on a borrowed GPU, here on the CPU and through Triton's interpreter."""

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.gpu.findings import Check, Figure, Report
from benchmarks.gpu.parts import PARTS
from benchmarks.gpu.tables import markdown, number

# Not imported here: the first import decides for the whole process whether the interpreter serves.
pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="triton comes with torch's CUDA wheels")

COMMAND = (sys.executable, "-m", "benchmarks.gpu.check")
WITHOUT_A_GPU = {"CUDA_VISIBLE_DEVICES": ""}


def ran(out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | WITHOUT_A_GPU
    return subprocess.run(
        [*COMMAND, "--out", str(out), *options],
        capture_output=True,
        text=True,
        timeout=280,
        env=environment,
        check=False,
    )


@pytest.mark.wide
@pytest.mark.parametrize("name", [part.name for part in PARTS])
def test_every_part_runs_on_a_cpu(name: str, tmp_path: Path) -> None:
    done = ran(tmp_path, "--cpu", "--part", name, "--part-seconds", "120")
    report = Report.read(tmp_path / f"{name}.json")
    assert report.state == "done", (report.reason, done.stderr)
    assert [check for check in report.checks if check.state == "fails"] == []
    assert any(check.state == "holds" for check in report.checks)
    assert all(figure.meets_its_aim is None for figure in report.figures), "small sizes cannot meet an aim"
    assert report.machine["torch"] and report.machine["processor"]
    assert done.returncode == 0
    assert (tmp_path / "tables.md").read_text() in done.stdout


@pytest.mark.wide
def test_a_part_that_is_cut_off_keeps_its_findings_and_the_next_one_runs(tmp_path: Path) -> None:
    done = ran(tmp_path, "--cpu", "--part", "laws", "--part", "epochs", "--part-seconds", "14")
    laws, epochs = (Report.read(tmp_path / f"{name}.json") for name in ("laws", "epochs"))
    assert laws.state == "out of time" and laws.checks
    assert epochs.state == "done" and epochs.figures
    assert done.returncode == 1  # laws were left open


def test_without_a_gpu_nothing_runs_and_the_remedy_is_named(tmp_path: Path) -> None:
    done = ran(tmp_path, "--part", "laws")
    assert done.returncode == 1
    assert "error: nothing was run: torch sees no GPU here: --cpu shows" in done.stderr
    assert Report.read(tmp_path / "laws.json").state == "not run"


def test_ctrl_c_keeps_what_was_found(tmp_path: Path) -> None:
    command = [*COMMAND, "--out", str(tmp_path), "--cpu", "--part", "laws"]
    with subprocess.Popen(command, env=os.environ | WITHOUT_A_GPU, stdout=subprocess.PIPE, text=True) as child:
        file = tmp_path / "laws.json"
        until = time.monotonic() + 60
        while not (file.exists() and Report.read(file).checks):
            assert time.monotonic() < until and child.poll() is None
            time.sleep(0.2)
        child.send_signal(signal.SIGINT)
        said, _ = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "laws.json" in {path.name for path in tmp_path.iterdir()}
    assert "written to" in said


def test_wheels_that_are_not_there_are_asked_for(tmp_path: Path) -> None:
    done = ran(tmp_path, "--cpu", "--part", "epochs", "--wheels", str(tmp_path))
    assert done.returncode != 0
    assert "make gpu-wheels" in done.stderr


def test_help_teaches() -> None:
    said = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True, timeout=60).stdout
    assert all(part.name in said and part.shows in said for part in PARTS)
    assert "make gpu-check" in said and "--wheels" in said


def test_a_missed_aim_and_a_failed_check_are_told_apart() -> None:
    figure = Figure("time", "bernoulli", "64 x 16", 2.345, at_most=2.0)
    slow = Report("layers", "done", figures=[figure, Figure("time", "gaussian", "64 x 16", 0.9, at_most=1.0)])
    wrong = Report("laws", "done", checks=[Check("one mask", "fails", "AssertionError: other bits\nTraceback")])
    assert number(figure) == "2.35 *"
    assert not slow.fails and wrong.fails
    text = markdown([wrong, slow])
    assert "| time | bernoulli, 64 x 16 | 2.35 | at most 2 | missed |" in text
    assert "| time | gaussian, 64 x 16 | 0.9 | at most 1 | met |" in text
    assert "* laws, one mask: fails: AssertionError: other bits\n" in text


def test_a_cell_without_a_figure_is_not_measured() -> None:
    figures = [Figure("t", "a", "x", 1.0), Figure("t", "b", "y", 2.0, "ms")]
    assert "| a | 1 | not measured |\n| b | not measured | 2 ms |" in markdown([Report("layers", figures=figures)])


def test_the_parts_fit_into_eight_minutes() -> None:
    assert sum(part.seconds for part in PARTS) <= 480
    assert all(part.seconds <= 120 for part in PARTS)
