"""What a run's examinations and weights must be: a trial process may say anything."""

from search_spaces import Evaluation
from search_spaces.evaluation import MOST_OF_ONE, SPLITS, is_set_of
from service.storage.assignments.progress import Progress
from service.storage.records import Examination, Weights


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


class ExpectedWeights:
    """The weights that a run of so many repeats has to name; one that keeps none may name none."""

    def __init__(self, repeats: int | None) -> None:
        self._repeats = repeats or 0
        self._kept: dict[int, Weights] = {}

    def refusal(self, weights: Weights, progress: Progress) -> str | None:
        """Return why these weights do not belong to the run; None, and note them, if they do."""
        if not 0 <= weights.repeat < self._repeats:
            return "the trial sent weights that were not ordered"
        best = progress.best_epoch_of(weights.repeat)
        if weights.epoch != best:
            return f"the trial kept epoch {weights.epoch} of repeat {weights.repeat + 1}, whose best epoch is {best}"
        self._kept[weights.repeat] = weights
        return None

    @property
    def flaw(self) -> str | None:
        """Why a training that has ended is not complete; None if it is."""
        missing = [repeat for repeat in range(self._repeats) if repeat not in self._kept]
        return f"repeat {missing[0] + 1} ended without a word on its weights" if missing else None

    @property
    def kept(self) -> list[Weights]:
        """Those of each repeat so far."""
        return list(self._kept.values())
