"""Pure functions that show a snapshot: bars for a terminal, a line for a log."""

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from service.api.models import TrialOut
from service.cli.snapshot import RunningTrial, Snapshot
from service.rounding import is_in_tenths

BAR = 30  # columns
STYLES = {"paused": "yellow", "failed": "red"}


def bars(snapshot: Snapshot) -> RenderableType:
    """The study's bar with counts and the search's best, and a bar for each running trial."""
    study = snapshot.study
    head = Table.grid(padding=(0, 2))
    head.add_row(
        Text(study.name, style="bold"),
        ProgressBar(total=snapshot.total, completed=snapshot.ended_runs, width=BAR),
        Text(f"{snapshot.ended_runs}/{snapshot.total}"),
        Text(study.state, style=STYLES.get(study.state, "green")),
        Text(clock(study.budget.elapsed_s), style="dim"),
    )
    ended, all_of_them = snapshot.confirming
    if all_of_them:
        confirming = ProgressBar(total=all_of_them, completed=ended, width=BAR)
        head.add_row(Text("confirming"), confirming, Text(f"{ended}/{all_of_them}{snapshot.goal}"))
    so_far = [Text(study.confirmation_so_far)] if study.confirmation_so_far is not None else []
    return Group(head, Text(counts(snapshot), style="dim"), Text(best(snapshot)), *so_far, *_running(snapshot))


def line(snapshot: Snapshot) -> str:
    """The study's counts and the search's best in one line."""
    study = snapshot.study
    progress = f"{study.name}: {snapshot.ended_runs}/{snapshot.total} runs"
    ended, all_of_them = snapshot.confirming
    if all_of_them:
        progress += f", {ended} of {all_of_them} confirming{snapshot.goal}"
    return f"{progress} ({counts(snapshot)}), {best(snapshot)}, {study.state}, {clock(study.budget.elapsed_s)}"


def counts(snapshot: Snapshot) -> str:
    """The runs by state; failed and cancelled ones are named only if there are any, and epochs if they are budgeted."""
    all_counts = snapshot.study.counts
    shown = [f"{all_counts.complete} complete", f"{all_counts.pruned} pruned", f"{snapshot.running_runs} running"]
    shown += [f"{all_counts.paused} paused"] if all_counts.paused else []
    shown += [f"{n} {state}" for state, n in (("failed", all_counts.failed), ("cancelled", all_counts.cancelled)) if n]
    budget = snapshot.study.budget
    shown += [] if budget.epochs is None else [f"{budget.booked_epochs:,} of {budget.epochs:,} epochs taken"]
    return ", ".join(shown)


def budgeted(trials: int, epochs: int | None) -> str:
    """The runs of a budget, which may have epochs too."""
    return f"{trials} runs" if epochs is None else f"at most {trials} runs with {epochs:,} epochs in all"


def best(snapshot: Snapshot) -> str:
    """The search's best value so far and the trial that reached it."""
    trial = snapshot.study.best
    if trial is None or not trial.values:
        return "no complete trial yet"
    return f"search's best {snapshot.metric} {measured(trial.values[0])} by {trial.variant} (trial {trial.number})"


def named(trial: TrialOut) -> str:
    """A run's stage and its number there."""
    return f"trial {trial.number}" if trial.stage == "search" else f"confirmation run {trial.place}"


def measured(value: float | None) -> str:
    """A metric at four significant digits, or what they leave of less than a million in full; a dash for none."""
    if value is None:
        return "-"
    return f"{value:.1f}" if is_in_tenths(value) else f"{value:#.4g}"


def setting(value: bool | int | float | str) -> str:
    """A parameter, floats at four significant digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def clock(seconds: float) -> str:
    """Hours, minutes and seconds, as 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _running(snapshot: Snapshot) -> list[RenderableType]:
    if not snapshot.running:
        return []
    table = Table.grid(padding=(0, 2))
    for one in snapshot.running:
        table.add_row(*_row(one, snapshot.metric))
    more = snapshot.running_runs - len(snapshot.running)
    return [table, Text(f"  and {more} more", style="dim")] if more > 0 else [table]


def _row(one: RunningTrial, metric: str) -> list[RenderableType]:
    trial: TrialOut = one.trial
    done = trial.epoch or 0
    return [
        Text(f"  {named(trial)}"),
        Text(trial.variant or "-"),
        ProgressBar(total=trial.epochs, completed=done, width=BAR // 2),
        Text(f"epoch {done} of {trial.epochs}"),
        Text(f"{metric} {measured(one.value)}"),
    ]
