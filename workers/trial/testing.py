"""Tests a confirmation's model, only where it is the best so far."""

from collections.abc import Iterable

from search_spaces import Objective
from workers.training import Training
from workers.trial.messages import EpochDone
from workers.trial.progress import Progress

ON_TEST = "test"
ON_VALIDATION = "validation (the task has no test split)"


class Testing:
    """Tests a model whenever it is the best of its repeat so far.

    So the best epoch by validation has its figures on the test split, and nothing else uses that split. `earlier` are
    the epochs that were reported before this holder. With `keeps` the training keeps that model, to be examined.
    """

    def __init__(self, objective: Objective, earlier: Iterable[EpochDone], *, keeps: bool = False) -> None:
        self._progress, self._keeps = Progress([objective]), keeps
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
        if not training.has_test:
            return done
        return EpochDone(done.repeat, done.epoch, {**done.metrics, **training.test()})

    def _improves(self, done: EpochDone) -> bool:
        self._progress.add(done.repeat, done.epoch, done.metrics)
        return self._progress.best_epoch_of(done.repeat) == done.epoch


def confirmed_on(training: Training) -> str:
    """The split on which a confirmation's figures are measured, for its facts."""
    return ON_TEST if training.has_test else ON_VALIDATION
