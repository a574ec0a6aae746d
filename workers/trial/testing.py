"""Tests and keeps a model, only where it is the best so far."""

from collections.abc import Iterable

from search_spaces import Objective
from service.storage.assignments.progress import EpochDone, Progress
from workers.training import Training

ON_TEST = "test"
ON_VALIDATION = "validation (the task has no test split)"


class Testing:
    """Tests a model whenever it is the best of its repeat so far, and with `keeps` has the training keep it.

    So the best epoch by validation has its figures on the test split, and nothing else uses that split. `earlier` are
    the epochs that were reported before this holder. Without `tests` a model is only kept.
    """

    def __init__(
        self, objective: Objective, earlier: Iterable[EpochDone], *, tests: bool = True, keeps: bool = False
    ) -> None:
        self._progress, self._tests, self._keeps = Progress([objective]), tests, keeps
        for done in earlier:
            self._improves(done)

    def tested(self, done: EpochDone, training: Training) -> EpochDone:
        """The epoch, with test_loss, test_accuracy, ... if it is the best so far and the task has a test split.

        Raises:
            UnusableObjective: the objective is missing or not finite.
        """
        if not self._improves(done):
            return done
        if self._keeps:
            training.keep()
        if not (self._tests and training.has_test):
            return done
        return EpochDone(done.repeat, done.epoch, {**done.metrics, **training.test()})

    def best_epoch_of(self, repeat: int) -> int | None:
        """The best epoch of a repeat, None before its first."""
        return self._progress.best_epoch_of(repeat)

    def _improves(self, done: EpochDone) -> bool:
        self._progress.add(done.repeat, done.epoch, done.metrics)
        return self._progress.best_epoch_of(done.repeat) == done.epoch


def confirmed_on(training: Training) -> str:
    """The split on which a confirmation's figures are measured, for its facts."""
    return ON_TEST if training.has_test else ON_VALIDATION
