"""Whether a study's objectives are among what its task measures."""

from collections.abc import Iterator, Mapping

from pernodedrop.near import nearest
from search_spaces import Objective, StudyDefinition
from search_spaces.objective import OF_THE_MACHINE, TEST, split_of
from search_spaces.problems import shown
from workers.training.memory import PEAK

Measured = Mapping[str, Mapping[str, float]]  # metrics by variant


def problems_of(definition: StudyDefinition, measured: Measured) -> Iterator[str]:
    """A line for every objective that some of the variants do not measure; none where nothing was measured."""
    for number, objective in enumerate(definition.objectives):
        lacking = [name for name, metrics in measured.items() if objective.of(metrics) is None]
        if lacking and objective.metric not in OF_THE_MACHINE:
            yield f"objectives[{number}].metric {_refusal(definition.task.name, objective, lacking, measured)}"


def only_on_a_gpu(definition: StudyDefinition) -> Iterator[str]:
    """A line for every objective that a CPU does not measure."""
    for number, objective in enumerate(definition.objectives):
        if objective.metric == PEAK:
            yield f"objectives[{number}].metric {PEAK} is measured on GPUs alone: every trial on a CPU fails"


def _refusal(task: str, objective: Objective, lacking: list[str], measured: Measured) -> str:
    got = shown(objective.metric)
    if len(lacking) < len(measured):
        return f"is not measured for {', '.join(lacking)}, got {got}: choose one that every variant has"
    known = {name for metrics in measured.values() for name in metrics if split_of(name) != TEST}
    meant = nearest(objective.metric, sorted(known))
    same_split = sorted(name for name in known if split_of(name) == split_of(objective.metric))
    return f"is no metric of {task}, got {got}: " + (
        f"did you mean {meant}?" if meant else f"it has {', '.join(same_split)}"
    )
