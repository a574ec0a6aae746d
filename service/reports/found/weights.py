"""The weights that a configuration's trainings have kept, and one digest for all of them."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from search_spaces import StudyShape
from service.reports.found.configurations import configurations
from service.reports.found.results import Results
from service.storage.records import TrialRecord, Weights, seeds_of
from service.storage.states import RunState


@dataclass(frozen=True)
class KeptWeights:
    """A configuration's weights, by the study's seeds in ascending order."""

    trial: TrialRecord  # the configuration's first run
    by_seed: Mapping[int, Weights]

    @property
    def digest(self) -> str | None:
        """SHA-256 of a line "SEED DIGEST" for each seed, every line with its line feed; None where one has no file."""
        if not self.by_seed or self.missing is not None:
            return None
        lines = "".join(f"{seed} {one.digest}\n" for seed, one in self.by_seed.items())
        return hashlib.sha256(lines.encode()).hexdigest()

    @property
    def missing(self) -> str | None:
        """Why some seed has no file; None where all have."""
        return next((f"seed {seed}: {one.reason}" for seed, one in self.by_seed.items() if one.reason), None)


def kept_by(definition: StudyShape, runs: Sequence[TrialRecord], kept: Mapping[int, Sequence[Weights]]) -> KeptWeights:
    """What the runs of one configuration have kept."""
    found = {
        seeds_of(definition, run)[one.repeat]: one
        for run in runs
        if run.state is RunState.COMPLETE
        for one in kept.get(run.run_id, ())
    }
    return KeptWeights(runs[0], dict(sorted(found.items())))


def kept_of(results: Results) -> Iterator[KeptWeights]:
    """What each configuration of the confirmation has kept, in the order of their first runs."""
    definition = results.study.definition
    for runs in configurations(definition, results.confirmations):
        found = kept_by(definition, runs, results.weights)
        if found.by_seed:
            yield found
