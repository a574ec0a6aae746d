"""What a GPU does with the layers and the workers: correctness first, then speed beside the aims.

    make gpu-check                                  on the machine that has the GPU, or
    python -m benchmarks.gpu.check [--part laws] [--out FOLDER] [--wheels FOLDER] [--cpu]

The first four parts need torch, Triton and numpy; no part needs a network. What else the others need comes from a
folder of wheels, which `make gpu-wheels` fills on a machine that has a network; it is unpacked to a temporary folder,
and nothing is installed. Every part runs in a process of its own and writes FOLDER/PART.json as it goes; tables.md
has all tables, beside the aims. Exit status: 0, also where a speed misses its aim; 1 where something is wrong, a part
broke, or a part that checks correctness did not get to its end; 2 for a wrong command line.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.gpu import needs
from benchmarks.gpu.findings import Findings, NotHere, Report
from benchmarks.gpu.parts import BY_NAME, PARTS, Part
from benchmarks.gpu.tables import markdown, outcome

ROOT = Path(__file__).parents[2]
ALL_S = 480.0  # for all parts together
MOST_S = 120.0  # for one
EVERY_PART_NEEDS = ("torch", "triton", "numpy")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    options.out = options.out.absolute()  # the parts' processes stand in the repository
    if options.inside:
        return _run_here(BY_NAME[options.inside], options)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
    chosen = [part for part in PARTS if not options.part or part.name in options.part]
    reports: list[Report] = []
    status = 0
    try:
        _run_all(chosen, options, reports)
    except KeyboardInterrupt:
        status = 130
    text = markdown(reports)
    (options.out / "tables.md").write_text(text)
    print(f"\n{text}\nwritten to {options.out}")
    if reports and all(report.state == "not run" for report in reports):
        sys.stderr.write(f"error: nothing was run: {reports[0].reason}\n")
        return 1
    return status or int(any(_leaves_doubt(BY_NAME[report.part], report) for report in reports))


def _run_all(chosen: Sequence[Part], options: argparse.Namespace, reports: list[Report]) -> None:
    """Run one part after another, each in a process of its own; what a part found is appended when it has ended."""
    options.out.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as scratch:
        Path(scratch).chmod(0o755)  # Postgres leaves root's account, and finds its programs there
        environment = _environment(options, Path(scratch) / "site")
        for part in chosen:
            print(f"{part.name}: {part.shows} ...", flush=True)
            reports.append(_run_in_a_process(part, options, environment, until))
            print(f"{part.name}: {outcome(reports[-1])}", flush=True)


def _leaves_doubt(part: Part, report: Report) -> bool:
    return report.fails or (part.proves and report.state == "out of time")


def _run_in_a_process(part: Part, options: argparse.Namespace, environment: dict[str, str], until: float) -> Report:
    """Run the part within its time and what is left of all; its process group goes with it."""
    file = _file(options, part)
    seconds = min(options.part_seconds or part.seconds, MOST_S, until - time.monotonic())
    if seconds < 1.0:
        report = Report(part.name, "out of time", f"no time was left: {options.seconds:g} s are over")
        report.write(file)
        return report
    file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks.gpu.check", "--inside", part.name, "--out", str(options.out)]
    command += ["--part-seconds", f"{seconds:.1f}", *(["--cpu"] if options.cpu else [])]
    with subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True) as child:
        try:
            status = child.wait(seconds + 2.0)  # a part that looks at its clock ends by itself
            state, reason = "failed", f"its process ended with status {status}"
        except subprocess.TimeoutExpired:
            state, reason = "out of time", f"cut off after {seconds:.0f} s"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
    report = Report.read(file) if file.exists() else Report(part.name)
    if report.state == "running":  # it did not get to say how it ended
        report.state, report.reason = state, reason  # type: ignore[assignment]
        report.write(file)
    return report


def _run_here(part: Part, options: argparse.Namespace) -> int:
    """The inside of a part's process."""
    report = Report(part.name)
    seconds = options.part_seconds or part.seconds
    findings = Findings(report, _file(options, part), seconds, aims=not options.cpu)
    try:
        needs.installed(*EVERY_PART_NEEDS)
        import torch

        from benchmarks.gpu.machine import description
        from benchmarks.gpu.setting import Setting

        if not options.cpu and not torch.cuda.is_available():
            raise NotHere("torch sees no GPU here: --cpu shows with small sizes that the command works")
        device = torch.device("cpu" if options.cpu else "cuda:0")
        report.machine = description(device)
        part.run(findings, Setting(device, small=options.cpu))
    except NotHere as missing:
        findings.close("not run", str(missing))
    except Exception as error:
        findings.close("failed", f"{type(error).__name__}: {error}")
        raise
    else:
        findings.close("done")
    return 0


def _environment(options: argparse.Namespace, site: Path) -> dict[str, str]:
    """What the parts' processes see: Triton's interpreter for a CPU, and what the wheels bring."""
    environment = dict(os.environ)
    if options.cpu:
        environment["TRITON_INTERPRET"] = "1"  # read when triton is first imported
    if options.wheels:
        wheels = sorted(str(file) for file in options.wheels.glob("*.whl"))
        if not wheels:
            raise SystemExit(f"error: {options.wheels} holds no wheels: fill it with `make gpu-wheels WHEELS=FOLDER`")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
        if subprocess.run([*pip, "--target", str(site), *wheels], check=False).returncode:
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            raise SystemExit(
                "error: pip must be able to unpack every wheel, see its line above: fill the folder for this Python "
                f"with `make gpu-wheels WHEELS=FOLDER GPU_PYTHON={version}`"
            )
        found = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{site}{os.pathsep}{found}" if found else str(site)
    return environment


def _file(options: argparse.Namespace, part: Part) -> Path:
    file: Path = options.out / f"{part.name}.json"
    return file


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {part.name:<9} {part.shows}" for part in PARTS)
    parser = argparse.ArgumentParser(
        "python -m benchmarks.gpu.check",
        description=__doc__,
        epilog=f"parts:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [part.name for part in PARTS]
    parser.add_argument("--part", action="append", choices=names, metavar="NAME", help="only this; repeatable")
    parser.add_argument("--out", type=Path, default=Path("build/gpu-check"), help="folder (default: build/gpu-check)")
    parser.add_argument("--wheels", type=Path, metavar="FOLDER", help="of `make gpu-wheels`")
    parser.add_argument("--cpu", action="store_true", help="small sizes, on the CPU and Triton's interpreter")
    parser.add_argument("--seconds", type=float, default=ALL_S, help=f"for all parts (default: {ALL_S:g})")
    parser.add_argument("--part-seconds", type=float, help="for each part (default: each part's own, at most 120)")
    parser.add_argument("--inside", choices=names, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
