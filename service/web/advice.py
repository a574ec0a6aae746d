"""What a submission should know of the fleet that will serve it."""

from collections.abc import Iterator

from search_spaces import StudyDefinition


def advice(definition: StudyDefinition, workers: int) -> Iterator[str]:
    """Sentences on what the definition's lag means for so many workers."""
    lag = definition.sampler.lag
    if lag is None or definition.task.is_external or workers < 2 or lag >= 2 * workers:
        return
    said = f"sampler.lag {lag} lets {lag + 1} runs be trained at once"
    if workers > lag + 1:
        said += f": of the {workers} workers that are there, {workers - lag - 1} will wait"
    else:
        said += f": the {workers} workers that are there will wait where one run is much longer than others"
    yield f"{said}. A lag of {2 * workers}, twice the workers, keeps them busy"
