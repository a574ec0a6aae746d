"""The runs of a confirmation by the configuration that they train, and the study's seeds that each of them trains."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import count, takewhile
from typing import TypeVar

from search_spaces import StudyShape
from service.storage.records import TrialRecord, seeds_of

T = TypeVar("T")


def configurations(definition: StudyShape, confirmations: Iterable[TrialRecord]) -> list[list[TrialRecord]]:
    """The runs of every configuration by their first seed; configurations in the order of their first runs."""
    found: dict[str, list[TrialRecord]] = {}
    for run in confirmations:
        # As the storage's configuration_key: a record's params are what a run was created with, made alike.
        found.setdefault(json.dumps(dict(run.params), sort_keys=True), []).append(run)
    return [sorted(runs, key=lambda run: (seeds_of(definition, run).start, run.run_id)) for runs in found.values()]


def in_order(definition: StudyShape, runs: Sequence[TrialRecord], by_run: Mapping[int, Mapping[int, T]]) -> list[T]:
    """What a configuration's runs have by repeat, in the order of the seeds, up to the first seed that has nothing."""
    by_seed: dict[int, T] = {}
    for run in runs:
        for repeat, one in by_run.get(run.run_id, {}).items():
            by_seed.setdefault(seeds_of(definition, run).start + repeat, one)
    return [by_seed[seed] for seed in takewhile(by_seed.__contains__, count(seeds_of(definition, runs[0]).start))]
