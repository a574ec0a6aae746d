"""What a run's examinations must be: a trial process may say anything."""

from search_spaces import Evaluation
from search_spaces.evaluation import MOST_OF_ONE, SPLITS, is_set_of
from service.storage.records import Examination
from workers.trial.progress import Progress


class Expected:
    """The examinations that a run of so many repeats has to bring; without an evaluation it may bring none."""

    def __init__(self, evaluation: Evaluation | None, repeats: int) -> None:
        self._evaluation, self._repeats = evaluation, repeats
        self._seen: dict[int, set[str]] = {}  # names of sets by repeat

    def refusal(self, examination: Examination, progress: Progress) -> str | None:
        """Return why this examination does not belong to the run; None, and note it, if it does."""
        evaluation, repeat, inputs = self._evaluation, examination.repeat, examination.inputs
        if evaluation is None:
            return "the trial sent an examination that was not ordered"
        is_ordered = inputs in SPLITS or any(is_set_of(inputs, name) for name in evaluation.out_of_distribution)
        if not is_ordered or (inputs in SPLITS) != (examination.kind == "test"):
            return f"the trial examined {inputs}, which was not ordered"
        if not 0 <= repeat < self._repeats or examination.epoch != progress.best_epoch_of(repeat):
            best = progress.best_epoch_of(repeat)
            return f"the trial examined epoch {examination.epoch} of repeat {repeat + 1}, whose best epoch is {best}"
        seen = self._seen.setdefault(repeat, set())
        seen.add(inputs)
        most = len(SPLITS) + MOST_OF_ONE * len(evaluation.out_of_distribution)
        return f"the trial examined more than {most} sets of repeat {repeat + 1}" if len(seen) > most else None

    @property
    def flaw(self) -> str | None:
        """Why a training that has ended is not complete; None if it is."""
        if self._evaluation is None:
            return None
        for repeat in range(self._repeats):
            seen = self._seen.get(repeat, set())
            missing = [] if seen.intersection(SPLITS) else ["the test"]
            wanted = self._evaluation.out_of_distribution
            missing += [name for name in wanted if not any(is_set_of(inputs, name) for inputs in seen)]
            if missing:
                return f"repeat {repeat + 1} ended without the examination of {', '.join(missing)}"
        return None
