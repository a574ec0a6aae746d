"""The configurations that a study confirms: each is one training under one seed after another, in one or more runs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from search_spaces import StudyShape, recorded_params, variant_of
from search_spaces.variants import telling_in
from service.storage.states import OPEN_STATES, RunState

Params = Mapping[str, Any]

_RUNS = sa.text(
    """
    SELECT id, params, state, first_seed, seeds FROM fleet.runs
    WHERE study_id = :study AND stage = 'confirmation' ORDER BY ordinal
    """
)


@dataclass(frozen=True)
class Round:
    """A run of a confirmation: one configuration under `seeds` of the study's seeds, from `first_seed` on."""

    run: int  # its id
    state: RunState
    first_seed: int
    seeds: int


@dataclass(frozen=True)
class Configuration:
    """A configuration with its runs in the order of the queue, which is the order of their seeds."""

    params: Params
    variant: str
    rounds: tuple[Round, ...]

    @property
    def first(self) -> int:
        """The id of its first run, which stands for it."""
        return self.rounds[0].run

    @property
    def seeds(self) -> int:
        """The number of seeds that it has runs for."""
        return sum(one.seeds for one in self.rounds)

    @property
    def is_open(self) -> bool:
        """Whether one of its runs has not ended."""
        return any(one.state in OPEN_STATES for one in self.rounds)

    @property
    def is_whole(self) -> bool:
        """Whether all of its runs are complete."""
        return all(one.state is RunState.COMPLETE for one in self.rounds)


def configurations_of(connection: sa.Connection, study_id: int, definition: StudyShape) -> list[Configuration]:
    """Return the configurations that the study has runs to confirm for, in the order of their first runs."""
    found: dict[str, tuple[Params, list[Round]]] = {}
    for row in connection.execute(_RUNS, {"study": study_id}):
        _, rounds = found.setdefault(configuration_key(definition, row.params), (row.params, []))
        rounds.append(Round(row.id, RunState(row.state), row.first_seed, row.seeds))
    telling = telling_in(definition.search_space)
    return [
        Configuration(params, variant_of(recorded_params(definition, params), telling), tuple(rounds))
        for params, rounds in found.values()
    ]


def configuration_key(definition: StudyShape, params: Params) -> str:
    """Return the parameters of a training as text; runs of equal texts are of one configuration.

    Parameters may be as Optuna suggested them or as they were recorded.
    """
    return json.dumps(recorded_params(definition, params), sort_keys=True)
