"""The data of each repeat of an order."""

from workers.tasks import Division, Fold, Task, load_task
from workers.training.seeds import folds_seed, split_seed
from workers.trial.messages import Order


def task_of(order: Order, repeat: int) -> Task:
    """The task with its data as this repeat has them, from 0.

    Raises:
        UnknownTask, InvalidOptions, MissingPackage: see `load_task`.
    """
    return load_task(order.task, order.data_folder, division_of(order, order.first_seed + repeat))


def division_of(order: Order, seed: int) -> Division | None:
    """How the data are divided under the study's seed of this number; None where all of its seeds have the same data.

    It follows from the study's seed and this number alone, so all configurations share it.
    """
    return divided(order.study_seed, seed, order.splits_anew, order.folds)


def divided(study_seed: int, seed: int, splits_anew: bool, folds: int | None) -> Division | None:
    """`division_of` for a study's seed, whether its repeats vary in the split, and its folds."""
    if not splits_anew and folds is None:
        return None
    drawn_by = split_seed(study_seed, seed) if splits_anew else None
    fold = None if folds is None else Fold(seed % folds, folds, folds_seed(study_seed))
    return Division(drawn_by, fold)
