"""What `make run` does, on this machine's device: Postgres, controller, dashboard and workers, and a study's answer.

The Postgres is the program's own where its wheel is there, else a database of its own in that of DATABASE_URL.
"""

import time
from functools import partial
from typing import TYPE_CHECKING

import torch

from benchmarks.gpu import needs
from benchmarks.gpu.findings import Findings
from benchmarks.gpu.setting import Setting

if TYPE_CHECKING:
    from benchmarks.gpu.whole_stack import Ended

TABLE = "`pernodedrop run`"
STUDY = "quickstart"
SPARE_S = 6.0  # of the part's time, for an early end and for a look at what is left
SHOWN = 500  # letters of an answer that is not the one that was looked for
# Fewer than half of the preset's trials, by twice the workers: they must fit into the part's time.
FULL = ("--workers", "4", "--set", "budget.trials=12")
SMALL = ("--set", "budget.trials=4", "--set", "task.epochs=2", "--set", "confirmation.repeats=2")


def run(findings: Findings, setting: Setting) -> None:
    with needs.wheels():
        from benchmarks.gpu import whole_stack
    until = time.monotonic() + findings.seconds_left - SPARE_S
    options = setting.pick(FULL, SMALL)
    with_gpu = setting.device.type == "cuda"
    found: list[Ended] = []

    def ends() -> None:
        found.append(whole_stack.search(STUDY, options, with_gpu=with_gpu, until=until))

    if not findings.check(f"`pernodedrop run {' '.join(options)}` ends with status 0 and leaves a report", ends):
        return
    [ended] = found
    findings.check("every trial and every run of the confirmation has ended as it should", partial(_all_ended, ended))
    findings.check("the answer names a winner, or says why there is none", partial(_names_a_winner, ended))
    findings.check("every run was trained on this device", partial(_trained_here, ended, setting))
    findings.figure(TABLE, STUDY, "from the command to its end", ended.seconds, "s")
    first, last = ended.study.started_at, ended.study.finished_at
    if first is not None and last is not None:
        findings.figure(TABLE, STUDY, "of it for trials and confirmation", (last - first).total_seconds(), "s")
        trials = ended.study.definition.trials
        findings.figure(TABLE, STUDY, "trials an hour", trials / (last - first).total_seconds() * 3600)


def _all_ended(ended: "Ended") -> str:
    counts, trials = ended.study.counts, ended.study.definition.trials
    done = counts["complete"] + counts["pruned"]
    assert done == trials, f"{trials} trials must be complete or pruned, {done} are: {_reasons(ended)}"
    confirmed = ended.study.confirmation
    assert 0 < confirmed["complete"] == sum(confirmed.values()), (
        f"every run of the confirmation must be complete, {dict(confirmed)} are: {_reasons(ended)}"
    )
    return f"{trials} trials and {confirmed['complete']} runs of the confirmation"


def _names_a_winner(ended: "Ended") -> str:
    chosen = ended.study.winner or ended.study.best
    begins: tuple[str, ...] = (f"no trial of {STUDY} is complete",)
    if chosen is not None:
        begins = (f"{chosen.variant} wins", f"No winner yet. {chosen.variant} is ahead")
    told = [line for line in ended.output.splitlines() if line.startswith(begins)]
    assert told, f"a line must begin with {' or '.join(map(repr, begins))}, none does: {ended.output[-SHOWN:]}"
    return told[0]


def _trained_here(ended: "Ended", setting: Setting) -> str:
    """What workers wrote down of every run."""
    here = torch.cuda.get_device_name(setting.device) if setting.device.type == "cuda" else "cpu"
    devices = sorted({str(run.facts.get("device")) for run in ended.runs})
    assert devices == [here], f"every run must say that it was trained on {here}, they say {devices}"
    return here


def _reasons(ended: "Ended") -> str:
    return "; ".join(sorted({run.reason for run in ended.runs if run.reason})) or "no run says why"
