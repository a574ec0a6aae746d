"""What a second training says of the first, in one line."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.storage.assignments.progress import Progress, UnusableObjective
from service.storage.capsule import CapsuleRun
from service.storage.capsule.content import Figures
from service.storage.provenance import Provenance, differences
from service.storage.states import RunState, Stage
from workers.reproduction.again import Recorded, Trained, other_hardware
from workers.reproduction.comparison import TOLERANCE, beyond_tolerance, deviations


@dataclass(frozen=True)
class Verdict:
    """Whether the run is the same here, and the line that says so."""

    is_equal: bool
    line: str


def verdict(recorded: Recorded, trained: Trained) -> Verdict:
    """Compare what the run has recorded with what was trained here."""
    run, then, origin = recorded.run, recorded.figures, recorded.origin
    flaw = flaw_of(recorded)
    if flaw is not None or trained.failure is not None:
        return Verdict(False, f"{run.name}: {flaw or f'it cannot be trained here: {trained.failure}'}")
    found = deviations(then, trained.figures)
    if not found:
        return Verdict(True, f"{run.name}: equal to the last bit ({_extent(then)})")
    hardware = other_hardware(origin, trained.provenance)
    if not hardware:
        why = f"{_origins(origin, trained.provenance)}{_moved(run)}"
        return Verdict(False, f"{run.name}: differs from {found[0].where} on: {found[0].how}; {why}")
    beyond = beyond_tolerance(found)
    why = f"bits cannot be expected: {_listed(hardware)}"
    if beyond:
        line = f"differs in {beyond[0].where} by more than {TOLERANCE:g}: {beyond[0].how}; {why}"
        return Verdict(False, f"{run.name}: {line}{_moved(run)}")
    largest = max((one.relative for one in found if one.epoch == 1 and one.metric.endswith("loss")), default=0.0)
    rest = _best(recorded, trained)
    line = f"equal within {TOLERANCE:g} of the losses of every first epoch (at most {largest:.1e}){rest}; {why}"
    return Verdict(True, f"{run.name}: {line}{_moved(run)}")


def flaw_of(recorded: Recorded) -> str | None:
    """Why the capsule contradicts itself: its curve of the run is not whole, or has other values than it says."""
    run, definition = recorded.run, recorded.definition
    is_complete = run.state is RunState.COMPLETE
    expected = run.seeds * definition.task.epochs if is_complete else run.epoch
    if len(recorded.epochs) != expected or not recorded.epochs:
        return f"the capsule's curve of it has {len(recorded.epochs)} of {expected} epochs"
    progress = Progress(definition.objectives, on_test=run.stage is Stage.CONFIRMATION)
    measured: dict[tuple[int, int], dict[str, float]] = {}
    for (repeat, epoch, metric), value in recorded.figures.items():
        measured.setdefault((repeat, epoch), {})[metric] = value
    try:
        for key in recorded.epochs:
            progress.add(*key, measured[key])
    except UnusableObjective as error:
        return f"the capsule's curve of it is none of such a run: {error}"
    if is_complete and progress.values != run.values:
        return f"the capsule says that its values are {run.values}, but its curve gives {progress.values}"
    return None


def _extent(figures: Figures) -> str:
    epochs, seeds = {key[:2] for key in figures}, {key[0] for key in figures}
    of_seeds = f" of {len(seeds)} seeds" if len(seeds) > 1 else ""
    return f"{len(epochs)} epoch{'s' * (len(epochs) > 1)}{of_seeds}, {len({key[2] for key in figures})} metrics"


def _best(recorded: Recorded, trained: Trained) -> str:
    """How much the first seed's best value differs, which nothing is judged by."""
    objective = recorded.definition.objectives[0]
    best = []
    for figures in (recorded.figures, trained.figures):
        values = [value for (repeat, _, name), value in figures.items() if repeat == 0 and name == objective.metric]
        if not values:
            return ""
        best.append(min(values, key=objective.cost))
    return f", best {objective.metric} was {best[0]:.6g} and is {best[1]:.6g}"


def _origins(origin: Provenance | None, here: Provenance) -> str:
    found = [] if origin is None else differences(origin, here)
    return _listed(found) if found else "all that is recorded of its provenance is the same here"


def _moved(run: CapsuleRun) -> str:
    return "; it was taken over from other hardware or packages" if "begun_under" in run.facts else ""


def _listed(found: Sequence[object]) -> str:
    shown = ", ".join(map(str, found[:4]))
    return shown if len(found) <= 4 else f"{shown} and {len(found) - 4} more"
