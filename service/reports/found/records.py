"""The paper's kind of result: a record is a (variant, rate, epoch) with the model's metrics there."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.reports.found.epochs import mean_epochs
from service.storage.records import CurvePoint, StudyRecord, TrialRecord
from service.storage.states import RunState

TOP = 3  # records of each variant in the paper's tables
TRAINED = (RunState.COMPLETE, RunState.PRUNED)


@dataclass(frozen=True)
class Record:
    """One epoch of a trial, the mean over its seeds; training figures are of the updated model without noise."""

    variant: str
    drop_rate: float | None  # None where the variant has no rate
    epoch: int
    val_accuracy: float | None
    val_loss: float
    train_loss: float | None
    train_accuracy: float | None


def records_table(
    study: StudyRecord,
    trials: Sequence[TrialRecord],
    curves: Mapping[int, Sequence[CurvePoint]],
    top: int | None = TOP,
) -> list[Record]:
    """Every variant's `top` records by validation loss (None: all), all sorted from the best."""
    by_variant: dict[str, list[Record]] = {}
    for trial in trials:
        if trial.state in TRAINED:
            by_variant.setdefault(trial.variant, []).extend(_records(study, trial, curves.get(trial.run_id, ())))
    kept = (sorted(records, key=_place)[:top] for records in by_variant.values())
    return sorted((record for records in kept for record in records), key=_place)


def rate_of(study: StudyRecord, trial: TrialRecord) -> float | None:
    """The rate that the trial was trained at, searched or fixed; None where the variant has none."""
    rate = trial.params.get("drop_rate", study.definition.fixed.get("drop_rate"))
    return None if rate is None or trial.variant == "none" else float(rate)


def _records(study: StudyRecord, trial: TrialRecord, points: Sequence[CurvePoint]) -> list[Record]:
    return [
        Record(
            variant=trial.variant,
            drop_rate=rate_of(study, trial),
            epoch=epoch.number,
            val_accuracy=epoch.metrics.get("val_accuracy"),
            val_loss=epoch.metrics["val_loss"],
            train_loss=epoch.metrics.get("train_loss"),
            train_accuracy=epoch.metrics.get("train_accuracy"),
        )
        for epoch in mean_epochs(points)
        if math.isfinite(epoch.metrics.get("val_loss", math.nan))
    ]


def _place(record: Record) -> tuple[float, str, int]:
    return record.val_loss, record.variant, record.epoch
