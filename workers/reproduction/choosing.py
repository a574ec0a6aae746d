"""Which runs of a capsule are meant."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.storage.capsule import BadCapsule, Capsule, CapsuleRun
from service.storage.states import RunState, Stage

TRAINED = (RunState.COMPLETE, RunState.PRUNED)  # they have curves


@dataclass(frozen=True)
class Wish:
    """A run by its number, every run that can be compared, or else the recommended ones."""

    number: int | None = None
    stage: Stage = Stage.SEARCH
    everything: bool = False


def chosen(capsule: Capsule, wish: Wish) -> list[CapsuleRun]:
    """The runs that are meant, in the order of the study.

    Raises:
        BadCapsule: there is no such run, or none to compare.
    """
    trained = [run for run in capsule.runs if run.state in TRAINED]
    if wish.number is not None:
        return [_numbered(capsule, wish.number, wish.stage)]
    found = trained if wish.everything else [run for run in trained if run.run in capsule.recommended]
    if not found:
        raise BadCapsule("no run of the capsule's study has ended with figures: there is nothing to compare")
    return found


def _numbered(capsule: Capsule, number: int, stage: Stage) -> CapsuleRun:
    runs = {_number(run): run for run in capsule.runs if run.stage is stage}
    numbers = sorted(number for number in runs if number is not None)
    run = runs.get(number)
    if run is None:
        raise BadCapsule(f"the capsule has no {stage.called(number)}: {_near(numbers, number, stage)}")
    if run.state not in TRAINED:
        why = f" ({run.reason[:120]})" if run.reason else ""
        raise BadCapsule(f"{run.name} is {run.state}{why}: only complete and pruned runs have figures to compare")
    return run


def _number(run: CapsuleRun) -> int | None:
    return run.number if run.stage is Stage.SEARCH else run.place


def _near(numbers: Sequence[int], wanted: int, stage: Stage) -> str:
    if not numbers:
        return f"it has no run of the {stage}"
    nearest = min(numbers, key=lambda number: (abs(number - wanted), number))
    return f"its {stage} has {numbers[0]} to {numbers[-1]}, and the nearest is {nearest}"
