"""The paper's kind of result: a record is a (variant, rate, epoch) with the model's metrics there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.reports.found.epochs import Epochs
from service.storage.records import StudyRecord, TrialRecord
from service.storage.states import RunState

TOP = 3  # records of each variant in the paper's tables
OTHERS = ("val_accuracy", "train_loss", "train_accuracy")
TRAINED = (RunState.COMPLETE, RunState.PRUNED)


@dataclass(frozen=True)
class Record:
    """One epoch of a trial, the mean over its seeds; training figures are of the updated model without noise."""

    variant: str
    drop_rate: float | None  # None where the variant has no rate
    epoch: int
    val_accuracy: float | None  # None, as the others, where it was not measured or is not finite
    val_loss: float
    train_loss: float | None
    train_accuracy: float | None


def records_table(
    study: StudyRecord, trials: Sequence[TrialRecord], epochs: Epochs, top: int | None = TOP
) -> list[Record]:
    """Every variant's `top` records by validation loss (None: all), all sorted from the best."""
    means, trained = epochs.means, [trial for trial in trials if trial.state in TRAINED]
    losses = means.column("val_loss")
    place = places(means.run, [trial.run_id for trial in trained])
    number = {variant: number for number, variant in enumerate({trial.variant: None for trial in trained})}
    of_trial = np.array([number[trial.variant] for trial in trained] + [-1])  # the last: runs that were not trained
    variant = np.where(np.isfinite(losses), of_trial[place], -1)
    others = {name: means.column(name) for name in OTHERS}
    found: list[Record] = []
    for one in number.values():
        rows = np.flatnonzero(variant == one)
        best = rows[np.lexsort((place[rows], means.epoch[rows], losses[rows]))][:top]
        for row in best.tolist():
            measured = {name: float(c[row]) if np.isfinite(c[row]) else None for name, c in others.items()}
            trial = trained[place[row]]
            rate = rate_of(study, trial)
            found.append(Record(trial.variant, rate, int(means.epoch[row]), val_loss=float(losses[row]), **measured))
    return sorted(found, key=_place)


def places(runs: NDArray[np.int64], known: Sequence[int]) -> NDArray[np.int64]:
    """The place of every run among the known ones; -1 for another."""
    if not known:
        return np.full(len(runs), -1)
    ids = np.array(known)
    order = np.argsort(ids)
    at = order[np.searchsorted(ids, runs, sorter=order).clip(max=len(ids) - 1)]
    return np.where(ids[at] == runs, at, -1)


def rate_of(study: StudyRecord, trial: TrialRecord) -> float | None:
    """The rate that the trial was trained at, searched or fixed; None where the variant has none."""
    rate = trial.params.get("drop_rate", study.definition.fixed.get("drop_rate"))
    return None if rate is None or trial.variant == "none" else float(rate)


def _place(record: Record) -> tuple[float, str, int]:
    return record.val_loss, record.variant, record.epoch
