"""How the figures of training data were measured: we know it of tasks, not of somebody's own loop."""

from search_spaces import StudyShape


def training_loss(definition: StudyShape) -> str:
    """What the training loss is; an own loop reports what it likes under this name."""
    if definition.task.is_external:
        return "the training loss that the loop reported"
    return "the loss of the whole training set, measured without noise at the end of the epoch"


def training_figures(definition: StudyShape) -> str:
    """What figures of training data are."""
    if definition.task.is_external:
        return "as the loop reported them"
    return "of the whole training set, measured without noise at the end of the epoch"
