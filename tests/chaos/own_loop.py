"""Studies that programs of somebody's own train, and what such a training comes to: a function of what it is given."""

import random
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from service.storage.assignments.seeds import own_seeds
from service.storage.records import StudyRecord, TrialRecord
from service.storage.states import RunState, Stage

OWN = "own-"  # their names begin so
ASKERS = 2
EPOCHS = 12
PAUSE_S = 0.4  # in an epoch
FIRST, SOME = "first", "some"  # trials that fail until their study is mended
_SPACE = {
    "rate": {"type": "float", "low": 0.01, "high": 0.9},
    "width": {"type": "int", "low": 1, "high": 8},
}
_KINDS: tuple[dict[str, Any], ...] = (
    # Every third trial fails, the study ends with them, and is tried again while or after it is confirmed.
    {
        "fixed": {"fails": SOME},
        "pruner": {"name": "median", "n_startup_trials": 1, "n_warmup_epochs": 4},
        "sampler": {"name": "tpe", "n_startup_trials": 3},
        "budget": {"trials": 6},
        "repeats": 2,
        "confirmation": {"top": 1, "repeats": 2},
    },
    # All trials fail until the study pauses for it.
    {
        "fixed": {"fails": FIRST},
        "objectives": [{"metric": "val_loss"}, {"metric": "val_error"}],
        "sampler": {"name": "random"},
        "budget": {"trials": 5},
    },
)


def definitions(seed: int, retries: int) -> Iterator[dict[str, Any]]:
    """One study after another, for ever."""
    for number in count():
        parts = _KINDS[number % len(_KINDS)]
        yield {
            **parts,
            "name": f"{OWN}{number}",
            "task": {"name": "external", "epochs": EPOCHS},
            "search_space": _SPACE,
            "sampler": {**parts["sampler"], "seed": seed % 2**32},
            "retries": retries,
        }


def fails(params: Mapping[str, Any], number: int) -> bool:
    """Whether this trial fails until its study is mended."""
    return params["fails"] == FIRST or number % 3 == 0


def mended(folder: Path, study: str) -> Path:
    """The file that says that trials of the study fail no more."""
    return folder / f"{study}.mended"


def epochs(params: Mapping[str, Any], seed: int) -> Iterator[dict[str, float]]:
    """A descent with noise, epoch by epoch."""
    draw = random.Random(seed)
    at = draw.uniform(-2.0, 2.0)
    for _ in range(EPOCHS):
        at -= params["rate"] * (at - 0.3 + draw.gauss(0.0, 0.1))
        miss = abs(at - 0.3)
        yield {"val_loss": miss**2 + params["width"] / 100, "val_error": miss, "train_loss": miss**2}


def trained(study: StudyRecord, trial: TrialRecord) -> dict[tuple[int, int, str], float]:
    """The curves of an uninterrupted training, by repeat, epoch and metric."""
    first, repeats = trial.first_seed or 0, trial.seeds or study.definition.repeats
    return {
        (repeat, epoch, name): value
        for repeat, seed in enumerate(own_seeds(study.definition.seed, range(first, first + repeats)))
        for epoch, metrics in enumerate(epochs(trial.params, seed), 1)
        for name, value in tested(metrics, trial.stage is Stage.CONFIRMATION).items()
    }


def tested(metrics: Mapping[str, float], is_tested: bool) -> dict[str, float]:
    """The figures that are reported: a tested run has the loss on the test split as well."""
    return {**metrics, "test_loss": metrics["val_loss"] + 1.0} if is_tested else dict(metrics)


def shortfalls(study: StudyRecord, confirmed: list[TrialRecord]) -> list[str]:
    """What an own loop's confirmation lacks."""
    problems = [
        f"{study.name}: run {run.run_id} of the confirmation is {run.state}"
        for run in confirmed
        if run.state is not RunState.COMPLETE
    ]
    return problems if confirmed and study.winner is not None else [*problems, f"{study.name} has no winner"]
