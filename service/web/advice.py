"""What a submission should know of the fleet that will serve it."""

from collections.abc import Iterator, Sequence

from search_spaces import StudyDefinition
from service.storage.fleet.devices import has_bfloat16


def advice(definition: StudyDefinition, devices: Sequence[str]) -> Iterator[str]:
    """Sentences on what the definition means for workers on these devices, as their rows name them."""
    if not definition.task.is_external:
        yield from _on_lag(definition, len(devices))
        yield from _on_precision(definition, devices)


def _on_precision(definition: StudyDefinition, devices: Sequence[str]) -> Iterator[str]:
    slow = definition.task.precision == "bfloat16" and not any(map(has_bfloat16, devices))
    if slow and devices:
        yield (
            "task.precision bfloat16: no worker that is there has a processor with instructions for it, so it is often "
            "several times slower than float32 there"
        )


def _on_lag(definition: StudyDefinition, workers: int) -> Iterator[str]:
    lag = definition.sampler.lag
    if lag is None or workers < 2 or lag >= 2 * workers:
        return
    said = f"sampler.lag {lag} lets {lag + 1} runs be trained at once"
    if workers > lag + 1:
        said += f": of the {workers} workers that are there, {workers - lag - 1} will wait"
    else:
        said += f": the {workers} workers that are there will wait where one run is much longer than others"
    yield f"{said}. A lag of {2 * workers}, twice the workers, keeps them busy"
