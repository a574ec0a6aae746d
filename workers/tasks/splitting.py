"""Seeded, stratified, nested splits: a larger subset contains every smaller one."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from search_spaces import TaskSpec
from workers.tasks.errors import InvalidOptions
from workers.tasks.options import whole_option

Indices = NDArray[np.int64]
Labels = NDArray[np.int64]  # (N,)


def stratified_order(labels: NDArray[np.integer], seed: int) -> Indices:
    """A random order (N,) whose every prefix and suffix holds each class in proportion.

    The k-th of a class's n samples, in random order, stands at (k + 1/2) / n of the order. A prefix is off by at
    most 1/2 + K n / (2 N) samples of that class, with K classes: by one if all are equally frequent.
    """
    rng = np.random.default_rng(seed)
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.lexsort((rng.permutation(len(labels)), place))  # ties, of equally frequent classes, are broken at random


def first_stratified(labels: NDArray[np.integer], size: int | None, seed: int, name: str) -> Indices:
    """The first `size` indices of the stratified order of labels (N,), all N where it is None.

    Raises:
        InvalidOptions: there are fewer; `name` is the study's name for the size.
    """
    if size is not None and size > len(labels):
        raise InvalidOptions(f"{name} {size} is more than the {len(labels)} samples there are: choose a smaller one")
    return stratified_order(labels, seed)[:size]


@dataclass(frozen=True)
class Fold:
    """One of `of` equal parts of all samples, which is tested; the same `seed` cuts the same parts."""

    number: int  # from 0
    of: int
    seed: int  # in [0, 2**63)

    def cut(self, labels: NDArray[np.integer]) -> tuple[Indices, Indices]:
        """Indices of the rest and of the fold, of labels (N,); each fold has every label in proportion.

        For targets that are no classes give `np.zeros(N, int)`.

        Raises:
            InvalidOptions: there are fewer samples than folds.
        """
        if len(labels) < self.of:
            raise InvalidOptions(f"folds must be at most the {len(labels)} samples there are, got {self.of}")
        parts = np.array_split(stratified_order(labels, self.seed), self.of)
        return np.concatenate(parts[: self.number] + parts[self.number + 1 :]), parts[self.number]


@dataclass(frozen=True)
class Division:
    """How the data of one repeat are divided, in a study whose repeats differ in that."""

    seed: int | None = None  # in [0, 2**63), draws the validation split; None: it is the task's usual one
    fold: Fold | None = None  # is tested; None: the test split is the task's own, the same for every repeat

    @property
    def by_seed_alone(self) -> int | None:
        """The seed, for a task with a test split of its own.

        Raises:
            InvalidOptions: a fold is to be tested.
        """
        if self.fold is not None:
            raise InvalidOptions("folds must be left out: the task has a test split of its own")
        return self.seed


@dataclass(frozen=True)
class Partition:
    """The division of a pool of labelled samples into training and validation."""

    train_size: int | None  # None: all but validation
    val_size: int | None  # None: a fifth of the pool
    split_seed: int

    @classmethod
    def of(cls, spec: TaskSpec) -> "Partition":
        """The partition by `train_size` and the options `val_size` and `split_seed`.

        Raises:
            InvalidOptions: an option is not a whole number or out of range.
        """
        return cls(
            spec.train_size,
            whole_option(spec, "val_size", default=None, least=1),
            whole_option(spec, "split_seed", default=0, least=0),
        )

    def drawn_by(self, seed: int | None) -> "Partition":
        """The partition of the same sizes that another seed draws; this one where there is none."""
        return self if seed is None else replace(self, split_seed=seed)

    def indices(self, labels: NDArray[np.integer]) -> tuple[Indices, Indices]:
        """Training and validation indices into the pool; neither moves when the other's size changes.

        Raises:
            InvalidOptions: the pool is too small for the sizes asked for.
        """
        pool = len(labels)
        val_size = pool // 5 if self.val_size is None else self.val_size
        train_size = pool - val_size if self.train_size is None else self.train_size
        if train_size < 1 or train_size + val_size > pool:
            raise InvalidOptions(
                f"task.train_size {train_size} and val_size {val_size} need {train_size + val_size} samples, "
                f"but there are {pool}: choose smaller ones"
            )
        order = stratified_order(labels, self.split_seed)
        return order[::-1][:train_size], order[:val_size]
