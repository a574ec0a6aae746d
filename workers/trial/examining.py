"""Examines a confirmation's models: the best of each repeat, on the test split and on sets out of distribution."""

from collections.abc import Iterable, Iterator

from torch import Tensor

from search_spaces import Evaluation
from search_spaces.evaluation import MOST_OF_ONE, is_set_of
from service.storage.records import Examination
from workers.tasks import Inputs, InputSet
from workers.training import Training
from workers.training.examination import Examiner
from workers.trial.examined import INPUTS, KINDS
from workers.trial.messages import Examined, Examining, Order

Set = tuple[str, str, int, Inputs, Tensor | None]  # name, kind, level, inputs, targets


class Examinations:
    """The examinations of an order's models, one set of inputs after another.

    `done` are those that were made so far, also by an earlier holder: a checkpoint has them, and none is repeated.
    """

    def __init__(self, order: Order, evaluation: Evaluation, training: Training, done: Iterable[Examined]) -> None:
        self._order, self._evaluation = order, evaluation
        at_once = 2 * order.config.batch_size  # no more memory than a training step's, which has gradients besides
        self._examiner = Examiner(training.task, evaluation.inputs, order.study_seed, at_once)
        self.done = list(done)

    def check(self, training: Training) -> None:
        """Return if the models of this training can be examined, which must be known before they are trained.

        Raises:
            ValueError: the task's outputs are no probabilities, it has not the sets that the study names, or every
                repeat would be judged by other inputs.
            Whatever an own task raises.
        """
        training.check(self._examiner)
        if self._order.splits_anew and not training.has_test:
            raise ValueError(
                "evaluation compares what models say of the same inputs, and every repeat has another validation "
                "split: give the task a test split, or leave out repeats_vary"
            )
        if not self._order.task.is_built_in:  # what a built-in one offers, the study's rules know
            for name in self._evaluation.out_of_distribution:
                for _ in self._offered(training, name):
                    pass

    def of(self, repeat: int, training: Training) -> Iterator[Examining | Examined]:
        """Examine the repeat's best model on every set that is still missing; each set is announced before."""
        known = {one.examination.inputs for one in self.done if one.examination.repeat == repeat}
        for one in self._sets(training):
            if one[0] not in known:
                yield Examining(repeat, one[0])
                self.done.append(self._examined(repeat, training, one))
                yield self.done[-1]

    def _sets(self, training: Training) -> Iterator[Set]:
        split, x, y = training.judged
        yield split, "test", 0, x, y
        for name in self._evaluation.out_of_distribution:
            for one in self._offered(training, name):
                yield one.name, one.kind, one.level, one.x, one.y

    def _offered(self, training: Training, name: str) -> Iterator[InputSet]:
        """The sets that the task has for this name, checked; a shift's levels are made one at a time."""
        offered, known = training.task.out_of_distribution(name, training.device), set[str]()
        where = f"out_of_distribution({name!r}) of task {training.task.spec.name}"
        if not 1 <= len(offered) <= MOST_OF_ONE:
            raise ValueError(f"{where} must give 1 to {MOST_OF_ONE} sets, got {len(offered)}")
        for one in offered:
            if not (INPUTS.fullmatch(one.name) and is_set_of(one.name, name)) or one.name in known:
                rule = f"must call its sets {name} or {name}_ and more letters, digits and _, each otherwise"
                raise ValueError(f"{where} {rule}, got {one.name[:80]!r}")
            if one.kind not in KINDS[1:] or len(one.x) == 0:
                rule = f"must give inputs of kind {', '.join(KINDS[1:])}"
                raise ValueError(f"{where} {rule}, got {len(one.x)} of kind {one.kind!r} in {one.name}")
            known.add(one.name)
            yield one

    def _examined(self, repeat: int, training: Training, one: Set) -> Examined:
        name, kind, level, x, y = one
        passes, is_test = self._evaluation.passes, kind == "test"
        found = training.examine(self._examiner, name, x, y, passes=passes, with_probabilities=is_test)
        epoch = training.kept_epoch
        assert epoch is not None, "the training has examined the model that it kept"
        return Examined(
            Examination(
                run_id=self._order.run_id,
                repeat=repeat,
                epoch=epoch,
                inputs=name,
                kind=kind,
                level=level,
                passes=found.passes,
                outputs=found.outputs,
                figures=found.figures,
                scores=found.scores,
            )
        )
