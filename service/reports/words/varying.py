"""What the intervals of a confirmation speak of, where its seeds differ in more than the training's randomness."""

from search_spaces import StudyShape

FOLDS_TESTED = (
    "Measured on the fold that the training did not see, at the epoch that is best by validation. These seeds did not "
    "choose the configurations, but the search has used the same data, so all figures may flatter a little."
)


def spoken_of(definition: StudyShape) -> list[str]:
    """One sentence or two; nothing where all seeds have the same data."""
    if definition.folds is not None:
        return [_folds(definition.folds, anew=definition.splits_anew)]
    if definition.splits_anew:
        return [
            "Each seed has a validation split, and so a training split, of its own. The intervals are for other seeds "
            "and other such splits of these data, judged by the same test split; another test split, or new data, may "
            "differ by more than they say."
        ]
    return []


def _folds(folds: int, *, anew: bool) -> str:
    also = ", and draws its validation split anew from the rest" if anew else ""
    return (
        f"Each seed tests on one of {folds} folds of the data{also}, so the intervals also speak of which samples "
        f"test. Trainings share most of their samples, and seeds beyond {folds} meet the same folds again, so the "
        "intervals are too narrow for new data."
    )
